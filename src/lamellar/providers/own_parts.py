"""What of an assistant's message is no other provider's: reasoning that another has signed goes to nobody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..chat.content import ContentPart, ReasoningContent, ThoughtSignature

__all__ = ["own_parts"]


def own_parts(parts: Sequence[ContentPart], owns: Callable[[str | None], bool]) -> list[tuple[int, ContentPart]]:
    """The parts, each with its place, without other providers' signatures and the reasoning right before them.

    Args:
        parts: The message's parts.
        owns: Whether what names its maker, or none, may go to the provider.
    """
    kept: list[tuple[int, ContentPart]] = []
    for at, part in enumerate(parts):
        if isinstance(part, ThoughtSignature) and not owns(part.provider):
            while kept and isinstance(kept[-1][1], ReasoningContent):
                kept.pop()
        else:
            kept.append((at, part))
    return kept
