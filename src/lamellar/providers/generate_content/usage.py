"""Usage in the normal form."""

from __future__ import annotations

from ...chat.usage import CompletionDetails, PromptDetails, Usage
from ..counts import count_of

__all__ = ["COUNTS", "usage_of"]

COUNTS = frozenset(
    ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount", "totalTokenCount")
)
"""The counts; a `usageMetadata` without any of them (Vertex sends some) says nothing new."""


def usage_of(raw: object) -> Usage | None:
    """The normal form of a `usageMetadata`, or None when it says nothing.

    The prompt includes what Google's own tools read (`toolUsePromptTokenCount`) and what came from a cache; the
    completion includes the thoughts, which Google counts beside the candidates. Their sum is Google's total
    (https://ai.google.dev/api/generate-content#UsageMetadata).
    """
    if not isinstance(raw, dict):
        return None
    thoughts = count_of(raw.get("thoughtsTokenCount"))
    prompt = _sum(count_of(raw.get("promptTokenCount")), count_of(raw.get("toolUsePromptTokenCount")))
    completion = _sum(count_of(raw.get("candidatesTokenCount")), thoughts)
    total = count_of(raw.get("totalTokenCount"))
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    cached = count_of(raw.get("cachedContentTokenCount"))
    heard = _sum(_audio(raw.get("promptTokensDetails")), _audio(raw.get("toolUsePromptTokensDetails")))
    spoken = _audio(raw.get("candidatesTokensDetails"))
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_details=None
        if cached is None and heard is None
        else PromptDetails(cached_tokens=cached, audio_tokens=heard),
        completion_details=None
        if thoughts is None and spoken is None
        else CompletionDetails(reasoning_tokens=thoughts, audio_tokens=spoken),
    )
    return usage if any(value is not None for value in usage.__dict__.values()) else None


def _audio(details: object) -> int | None:
    """The tokens of sound among counts by modality."""
    found: int | None = None
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, dict) and entry.get("modality") == "AUDIO":
            found = _sum(found, count_of(entry.get("tokenCount")))
    return found


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
