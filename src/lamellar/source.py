"""Where a stream's events come from, and how a stream ends: what leaves and layers implement."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .call import Outcome
from .chat.events import Chunk, End, Progress, ReasoningChunk, StreamEvent, ToolCallChunk
from .errors import StreamClosedError, StreamTruncatedError

if TYPE_CHECKING:
    from .chat.usage import Usage
    from .stream import LlmEventStream

__all__ = ["EventSource", "Finish", "FinishCallback", "InnerSource", "IteratorSource", "commits"]

_logger = logging.getLogger("lamellar.stream")


class Finish(NamedTuple):
    """How a stream ended.

    Args:
        outcome: One of the four.
        error: What it failed with, or None.
        end: Its `End`, when it completed.
    """

    outcome: Outcome
    error: BaseException | None = None
    end: End | None = None


FinishCallback = Callable[[Finish], None]
"""Called once, synchronously, when a stream has ended. It must not hold the stream itself."""


def commits(event: StreamEvent | Progress) -> bool:
    """Whether this event commits the answer: text, reasoning, a tool-call delta, or the end of an empty answer."""
    kind = event.__class__
    if kind is Chunk or kind is ReasoningChunk:
        return bool(event.content)  # type: ignore[union-attr]
    return kind is ToolCallChunk or kind is End


class EventSource(ABC):
    """Where a stream's events come from; what a leaf or a layer implements."""

    __slots__ = ()

    @abstractmethod
    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The next events, at least as soon as there is one; an empty batch is a heartbeat.

        Not called again after a batch with `End`, nor after an error.

        Raises:
            LamellarError: The stream broke, or ended without its `End` (`StreamTruncatedError`).
        """

    @abstractmethod
    def finish(self, finish: Finish) -> None:
        """The stream has ended: let go of everything, synchronously. Called once."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        return None

    @property
    def finishing(self) -> bool:
        """Whether the answer is whole and only its usage may still come.

        No limit takes a whole answer back, so the source bounds that wait itself.
        """
        return False


class InnerSource(EventSource):
    """A layer's view of an inner stream, passing everything on; layers override `read`."""

    __slots__ = ("inner",)

    def __init__(self, inner: LlmEventStream) -> None:
        self.inner = inner

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events."""
        return await self.inner.read_batch()

    def finish(self, finish: Finish) -> None:
        """The inner stream ends as this one did."""
        self.inner.finish(finish)

    @property
    def usage(self) -> Usage | None:
        """What the inner stream knows of it."""
        return self.inner.usage

    @property
    def finishing(self) -> bool:
        """Whether the inner stream is."""
        return self.inner.finishing


class IteratorSource(EventSource):
    """Events of any asynchronous iterable, for executors of a user's own."""

    __slots__ = ("_closing", "_events")

    def __init__(self, events: AsyncIterable[StreamEvent | Progress]) -> None:
        self._events: AsyncIterator[StreamEvent | Progress] | None = aiter(events)
        self._closing: asyncio.Task[None] | None = None

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The next event, alone."""
        if self._events is None:
            raise StreamClosedError
        try:
            return (await anext(self._events),)
        except StopAsyncIteration:
            raise StreamTruncatedError from None

    def finish(self, finish: Finish) -> None:
        """Close the iterator, if it can be closed."""
        events, self._events = self._events, None
        close = getattr(events, "aclose", None)
        if close is not None:
            self._closing = asyncio.get_running_loop().create_task(_close_quietly(close))


async def _close_quietly(close: Callable[[], Awaitable[object]]) -> None:
    try:
        await close()
    except Exception:  # the stream is over, and its own error has been told
        _logger.debug("closing a stream's iterator failed", exc_info=True)
