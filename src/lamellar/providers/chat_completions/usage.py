"""Usage in the normal form: what the servers of this dialect call it, and where they put it."""

from __future__ import annotations

from typing import Any

from ...chat.usage import CompletionDetails, PromptDetails, Usage
from ..counts import count_of

__all__ = ["usage_of"]


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usage` object, or None when it says nothing.

    Cached tokens are read from wherever they stand: in the details, at the top (Together), as `num_cached_tokens`
    (Mistral) or `prompt_cache_hit_tokens` (DeepSeek). xAI counts reasoning beside the completion, as its total shows;
    here the completion includes it.
    """
    if not isinstance(raw, dict):
        return None
    details = _object(raw.get("prompt_tokens_details"))
    prompt_details = PromptDetails(
        cached_tokens=_first(
            (details, "cached_tokens"),
            (raw, "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"),
        ),
        cache_creation_tokens=_first(
            (details, "cache_write_tokens", "cache_creation_tokens"), (raw, "cache_creation_input_tokens")
        ),
        audio_tokens=_first((details, "audio_tokens")),
    )
    details = _object(raw.get("completion_tokens_details"))
    completion_details = CompletionDetails(
        reasoning_tokens=_first((details, "reasoning_tokens"), (raw, "reasoning_tokens")),
        audio_tokens=_first((details, "audio_tokens")),
        accepted_prediction_tokens=_first((details, "accepted_prediction_tokens")),
        rejected_prediction_tokens=_first((details, "rejected_prediction_tokens")),
    )
    prompt = _first((raw, "prompt_tokens"))
    completion = _first((raw, "completion_tokens"))
    total = _first((raw, "total_tokens"))
    reasoning = completion_details.reasoning_tokens
    if prompt is not None and completion is not None:
        if total is None:
            total = prompt + completion
        elif reasoning and total == prompt + completion + reasoning:
            completion += reasoning
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_details=prompt_details if _says(prompt_details) else None,
        completion_details=completion_details if _says(completion_details) else None,
    )
    return usage if _says(usage) else None


def _says(model: Usage | PromptDetails | CompletionDetails) -> bool:
    return any(value is not None for value in model.__dict__.values())


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(*places: Any) -> int | None:
    """The first count among the places, each a mapping and the names in it; what is no count is absent."""
    for mapping, *names in places:
        for name in names:
            count = count_of(mapping.get(name))
            if count is not None:
                return count
    return None
