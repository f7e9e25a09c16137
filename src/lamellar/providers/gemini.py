"""Google's Gemini API."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["Gemini"]


class Gemini(HttpProvider):
    """Google's Gemini API (https://ai.google.dev/api/generate-content).

    `Gemini()` takes its key from `GEMINI_API_KEY` and its endpoint from `GEMINI_BASE_URL`, if that is set.

    Args:
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "gemini"
    namespace: ClassVar[str] = "gemini"
