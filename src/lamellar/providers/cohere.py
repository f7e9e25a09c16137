"""Cohere's Chat API."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["Cohere"]


class Cohere(HttpProvider):
    """Cohere's Chat API, version 2 (https://docs.cohere.com/reference/chat).

    `Cohere()` takes its key from `COHERE_API_KEY` and its endpoint from `COHERE_BASE_URL`, if that is set. What has no
    option of ours, such as `documents`, `k` and `safety_mode`, goes into a call's (or a Target's) `extra_body`.

    Args:
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "cohere"
    namespace: ClassVar[str] = "cohere"
