"""Whose a signature is: opaque to everybody else, and refused by them."""

from __future__ import annotations

from collections.abc import Iterable

from ..chat.content import ContentPart, ThoughtSignature, ToolCall

__all__ = ["signed"]


def signed(content: Iterable[ContentPart], provider: str) -> tuple[ContentPart, ...]:
    """An answer's parts, the signatures among them marked as this provider's."""
    return tuple([_marked(part, provider) for part in content])


def _marked(part: ContentPart, provider: str) -> ContentPart:
    if isinstance(part, ThoughtSignature) or (isinstance(part, ToolCall) and part.thought_signatures):
        return part.model_copy(update={"provider": provider})
    return part
