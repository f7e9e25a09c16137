"""The text of a stream alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from .chat.events import Chunk

if TYPE_CHECKING:
    from .stream import LlmEventStream

__all__ = ["TextIterator"]


class TextIterator:
    """The text of a stream, piece by piece."""

    __slots__ = ("_stream",)

    def __init__(self, stream: LlmEventStream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            event = await anext(self._stream)
            if isinstance(event, Chunk):
                return event.content
