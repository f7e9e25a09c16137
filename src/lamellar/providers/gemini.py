"""Google's Gemini API."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["Gemini"]


class Gemini(HttpProvider):
    """Google's Gemini API (https://ai.google.dev/api/generate-content), in its own format.

    `Gemini()` takes its key from `GEMINI_API_KEY` and its endpoint from `GEMINI_BASE_URL`, if that is set. A model is
    named as it is, or with its folder: `models/gemini-2.5-flash`, `tunedModels/mine`. What has no option of ours, such
    as `safetySettings` and `topK`, goes into a call's (or a Target's) `extra_body`.

    Args:
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "gemini"
    namespace: ClassVar[str] = "gemini"
