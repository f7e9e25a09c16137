"""The text of a stream alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from .chat.events import Chunk, Restart
from .errors import ExecutorError, StreamInterruptedError

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
            if isinstance(event, Restart):
                raise self._taken_back(event)

    def _taken_back(self, event: Restart) -> StreamInterruptedError:
        error = StreamInterruptedError(
            ExecutorError(
                event.reason,
                f"the answer broke off and starts over at {event.target or event.model}, which pieces of text "
                "cannot say; iterate over the events, or collect()",
                provider=event.provider,
                model=event.model,
            )
        )
        error.attempts = self._stream.attempts
        return error
