"""Usage in the normal form: the prompt includes what was read from and written to the cache."""

from __future__ import annotations

from typing import Any

from ...chat.usage import CacheCreation, CompletionDetails, PromptDetails, Usage
from ..counts import count_of

__all__ = ["usage_of"]


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usage` object, or None when it says nothing.

    `input_tokens` counts neither cached nor written tokens, so the prompt is the sum of the three; the total is ours,
    for the provider gives none.
    """
    if not isinstance(raw, dict):
        return None
    read = count_of(raw.get("cache_read_input_tokens"))
    written = count_of(raw.get("cache_creation_input_tokens"))
    prompt = count_of(raw.get("input_tokens"))
    if prompt is not None:
        prompt += (read or 0) + (written or 0)
    completion = count_of(raw.get("output_tokens"))
    by_lifetime = _object(raw, "cache_creation")
    creation = CacheCreation(
        ephemeral_5m=count_of(by_lifetime.get("ephemeral_5m_input_tokens")),
        ephemeral_1h=count_of(by_lifetime.get("ephemeral_1h_input_tokens")),
    )
    details = PromptDetails(
        cached_tokens=read, cache_creation_tokens=written, cache_creation=creation if _says(creation) else None
    )
    thought = count_of(_object(raw, "output_tokens_details").get("thinking_tokens"))
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=None if prompt is None or completion is None else prompt + completion,
        prompt_details=details if _says(details) else None,
        completion_details=None if thought is None else CompletionDetails(reasoning_tokens=thought),
    )
    return usage if _says(usage) else None


def _says(model: Usage | PromptDetails | CacheCreation) -> bool:
    return any(value is not None for value in model.__dict__.values())


def _object(raw: dict[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}
