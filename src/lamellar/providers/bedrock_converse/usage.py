"""Usage in the normal form: the prompt includes what was read from and written to the cache."""

from __future__ import annotations

from ...chat.usage import CacheCreation, PromptDetails, Usage
from ..counts import count_of

__all__ = ["usage_of"]

_LIFETIMES = {"5m": "ephemeral_5m", "1h": "ephemeral_1h"}


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usage` object, or None when it says nothing.

    `inputTokens` counts neither cached nor written tokens, so the prompt is the sum of the three, as the provider's own
    total says.
    """
    if not isinstance(raw, dict):
        return None
    read = count_of(raw.get("cacheReadInputTokens"))
    written = count_of(raw.get("cacheWriteInputTokens"))
    prompt = count_of(raw.get("inputTokens"))
    if prompt is not None:
        prompt += (read or 0) + (written or 0)
    details = PromptDetails(
        cached_tokens=read, cache_creation_tokens=written, cache_creation=_by_lifetime(raw.get("cacheDetails"))
    )
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=count_of(raw.get("outputTokens")),
        total_tokens=count_of(raw.get("totalTokens")),
        prompt_details=details if _says(details) else None,
    )
    return usage if _says(usage) else None


def _by_lifetime(details: object) -> CacheCreation | None:
    """What was written to the cache, by how long it stays there."""
    found: dict[str, int] = {}
    for entry in details if isinstance(details, list) else ():
        ttl = entry.get("ttl") if isinstance(entry, dict) else None
        name = _LIFETIMES.get(ttl) if isinstance(ttl, str) else None
        count = count_of(entry.get("inputTokens")) if name is not None else None
        if name is not None and count is not None:
            found[name] = found.get(name, 0) + count
    return CacheCreation(**found) if found else None


def _says(model: Usage | PromptDetails) -> bool:
    return any(value is not None for value in model.__dict__.values())
