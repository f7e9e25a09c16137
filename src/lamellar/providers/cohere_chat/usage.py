"""Usage in the normal form."""

from __future__ import annotations

from typing import Any

from ...chat.usage import PromptDetails, Usage
from ..counts import count_of

__all__ = ["usage_of"]


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usage` object, or None when it says nothing.

    `tokens` is what the model read and wrote, what Cohere adds to a prompt included; `billed_units` is what is paid
    for, and stands in where `tokens` says nothing. `cached_tokens` are among the prompt's.
    """
    if not isinstance(raw, dict):
        return None
    tokens, billed = _object(raw.get("tokens")), _object(raw.get("billed_units"))
    prompt = _first(tokens, billed, "input_tokens")
    completion = _first(tokens, billed, "output_tokens")
    cached = count_of(raw.get("cached_tokens"))
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=None if prompt is None or completion is None else prompt + completion,
        prompt_details=None if cached is None else PromptDetails(cached_tokens=cached),
    )
    return None if prompt is None and completion is None and cached is None else usage


def _first(tokens: dict[str, Any], billed: dict[str, Any], name: str) -> int | None:
    found = count_of(tokens.get(name))
    return count_of(billed.get(name)) if found is None else found


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
