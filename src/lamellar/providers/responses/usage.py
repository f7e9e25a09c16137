"""Usage in the normal form."""

from __future__ import annotations

from typing import Any

from ...chat.usage import CompletionDetails, PromptDetails, Usage
from ..counts import count_of

__all__ = ["usage_of"]


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usage` object, or None when it says nothing.

    The input includes what was read from and written to the cache, the output includes the reasoning, as in the
    normal form.
    """
    if not isinstance(raw, dict):
        return None
    read, written = _details(raw, "input_tokens_details", "cached_tokens", "cache_write_tokens")
    (reasoning,) = _details(raw, "output_tokens_details", "reasoning_tokens")
    prompt, completion, total = (count_of(raw.get(name)) for name in ("input_tokens", "output_tokens", "total_tokens"))
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_details=None
        if read is None and written is None
        else PromptDetails(cached_tokens=read, cache_creation_tokens=written),
        completion_details=None if reasoning is None else CompletionDetails(reasoning_tokens=reasoning),
    )
    return usage if any(value is not None for value in usage.__dict__.values()) else None


def _details(raw: dict[str, Any], holder: str, *names: str) -> list[int | None]:
    found = raw.get(holder)
    return [count_of(found.get(name)) if isinstance(found, dict) else None for name in names]
