"""Anthropic's Messages, and every server that speaks it."""

from __future__ import annotations

from typing import ClassVar

from .spec import HttpProvider

__all__ = ["Anthropic"]


class Anthropic(HttpProvider):
    """Anthropic's Messages API (https://docs.anthropic.com/en/api/messages), or any server that speaks it.

    `Anthropic()` takes its key from `ANTHROPIC_API_KEY` and its endpoint from `ANTHROPIC_BASE_URL`, if that is set.

    Args:
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "anthropic"
    namespace: ClassVar[str] = "anthropic"
