"""Token usage in one normal form, whatever the provider calls it. What a provider did not say is None, never 0."""

from __future__ import annotations

from ..frozen import Frozen

__all__ = ["CacheCreation", "CompletionDetails", "PromptDetails", "Usage"]


class CacheCreation(Frozen):
    """Tokens written to the provider's prompt cache, by lifetime."""

    ephemeral_5m: int | None = None
    ephemeral_1h: int | None = None


class PromptDetails(Frozen):
    """What the prompt tokens consist of."""

    cached_tokens: int | None = None
    cache_creation_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    audio_tokens: int | None = None


class CompletionDetails(Frozen):
    """What the completion tokens consist of."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    accepted_prediction_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Usage(Frozen):
    """Tokens of one answer.

    Args:
        prompt_tokens: Input tokens, those read from and written to the provider's cache included.
        completion_tokens: Output tokens, reasoning included.
        total_tokens: Their sum, or what the provider reports as such.
        prompt_details: Parts of the prompt tokens.
        completion_details: Parts of the completion tokens.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_details: PromptDetails | None = None
    completion_details: CompletionDetails | None = None
