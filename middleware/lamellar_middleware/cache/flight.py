"""A flight: one upstream call in a task of its own, and everybody who waits for its answer.

Leader and followers are equal readers. Each has a place of its own in the flight's events and bounds of its own, and
the task goes on for as long as there is one of them: whoever leaves, the others get the whole answer. The last to leave
ends it, with the outcome it left with.

It reads on only while a reader wants more, so that limits count time that somebody waits, and nobody's own time. What
it has read is kept for those who join later, until that outgrows the bound: from then on nobody joins, what all have
read is dropped, and the slowest reader sets the pace.

It holds the readers' sources and never the streams that consumers hold, so that one which nobody holds is collected,
and leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from lamellar.call import Outcome
from lamellar.chat.events import Chunk, End, Progress, ReasoningChunk, ThoughtSignatureChunk, ToolCallChunk
from lamellar.collect import Whole
from lamellar.errors import ErrorKind, ExecutorError, RejectedError, StreamInterruptedError, StreamTruncatedError
from lamellar.executor import Operation, ResultT, open_stream, respond
from lamellar.scope import CallScope, use_scope
from lamellar.source import Finish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Context

    from lamellar.chat.events import StreamEvent
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.stream import LlmEventStream

    from .flights import Flights
    from .reader import Reader

__all__ = ["Flight"]

_EVENT_BYTES = 100
"""What an event takes besides its text."""

_OF_TIME = frozenset((ErrorKind.DEADLINE, ErrorKind.LIMITER_DEADLINE))

_SPENT = 1e-6
"""Seconds; less than this is nothing left."""


class Flight:
    """One upstream call.

    Args:
        flights: Where it is registered while others may join.
        key: The key of the answer.
        leader: The reader in whose name the provider is asked.
        streaming: Whether it is a stream.
    """

    __slots__ = (
        "_asks",
        "_completed",
        "_end",
        "_events",
        "_first",
        "_flights",
        "_pause",
        "_size",
        "_stream",
        "_task",
        "_whole",
        "answer",
        "began",
        "error",
        "key",
        "readers",
        "scope",
        "streaming",
    )

    def __init__(self, flights: Flights, key: str, leader: Reader, *, streaming: bool) -> None:
        self._flights = flights
        self._asks = leader.asks
        self._task: asyncio.Task[None] | None = None
        self._stream: LlmEventStream | None = None
        self._events: list[StreamEvent] = []
        self._first = 0
        self._size = 0
        self._whole = Whole()
        self._end: End | None = None
        self._completed = False
        self._pause: asyncio.Future[None] | None = None
        self.key = key
        self.streaming = streaming
        self.scope: CallScope = leader.scope.fork(streaming=streaming)
        self.began = self.scope.clock.now()
        self.readers: dict[Reader, None] = {}
        self.answer: ChatResponse | None = None
        """The whole answer, once it is there."""
        self.error: BaseException | None = None
        """What the flight failed with."""

    # -- the task -----------------------------------------------------------------------------------------------

    def start(self, context: Context) -> asyncio.Task[None]:
        """Begin; the task runs in the leader's context, so that what it makes has the leader's span for a parent."""
        self._task = asyncio.get_running_loop().create_task(self._fly(), context=context)
        return self._task

    async def _fly(self) -> None:
        try:
            with use_scope(self.scope):
                if self.streaming:
                    await self._read()
                else:
                    self.answer = await self._begun(respond)
                    self._complete()
        except (Exception, asyncio.CancelledError) as error:
            self._fail(error)
        finally:
            self._wake()

    async def _begun(self, operation: Operation[ResultT]) -> ResultT:
        """What the provider was asked for: an answer, or a stream with content; all of this is waiting."""
        stopwatch = self.scope.stopwatch
        stopwatch.start()
        try:
            return await operation(*self._asks)
        finally:
            stopwatch.stop()

    async def _read(self) -> None:
        self._stream = stream = await self._begun(open_stream)
        while True:
            try:
                batch = await stream.read_batch()
            except StopAsyncIteration:
                raise StreamTruncatedError from None
            if self._take(batch):
                return
            await self._until_wanted()

    def _take(self, batch: Sequence[StreamEvent | Progress]) -> bool:
        """Hand these events to the readers; whether the answer is whole."""
        for event in batch:
            if event.__class__ is Progress:
                continue
            event = cast("StreamEvent", event)
            self._whole.add(event)
            self._events.append(event)
            self._size += _weight(event)
            if isinstance(event, End):
                self._end = event
                self.answer = self._whole.response(())
                break
        self._wake()
        if self._size > self._flights.bound:
            self._flights.forget(self)
        return self._end is not None

    async def _until_wanted(self) -> None:
        """Wait until somebody wants more, and there is room for it."""
        while True:
            if self._size > self._flights.bound:
                self._drop()
            if self._size <= self._flights.bound and any(reader.wants_more for reader in self.readers):
                return
            self._pause = pause = asyncio.get_running_loop().create_future()
            await pause

    def _drop(self) -> None:
        """Forget what every reader of events has read."""
        read = min((each.place for each in self.readers if each.streaming), default=self._first + len(self._events))
        gone = self._events[: read - self._first]
        self._size -= sum(map(_weight, gone))
        self._first += len(gone)
        del self._events[: len(gone)]

    def _wake(self) -> None:
        landed = self.answer is not None or self.error is not None
        for reader in self.readers:
            if landed or reader.streaming:
                reader.wake()

    # -- readers ------------------------------------------------------------------------------------------------

    def join(self, reader: Reader) -> None:
        """One more who waits, from the beginning."""
        reader.flight = self
        self.readers[reader] = None

    def since(self, place: int) -> list[StreamEvent]:
        """The events from `place` on."""
        return self._events[place - self._first :]

    def nudge(self) -> None:
        """A reader has read, wants more, or has left."""
        pause = self._pause
        if pause is not None and not pause.done():
            pause.set_result(None)

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        if self._end is not None:
            return self._end.usage
        return self._stream.usage if self._stream is not None else None

    @property
    def finishing(self) -> bool:
        """Whether the answer is whole and only its usage may still come."""
        return self._stream is not None and self._stream.finishing

    def leave(self, reader: Reader, finish: Finish) -> None:
        """A reader has come to its end, whatever that was."""
        self.readers.pop(reader, None)
        if finish.outcome is Outcome.COMPLETED:
            self._complete()
        elif not self.readers:
            self.end(finish)
        else:
            self.nudge()

    # -- ends ---------------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        """The answer was handed to the first of its readers; the others have theirs yet to come."""
        if self._completed or self.answer is None:
            return
        self._completed = True
        self._flights.forget(self)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish(Finish(Outcome.COMPLETED, None, self._end))
        self._flights.keep(self.key, self.answer, self._asks[3], self.scope)

    def end(self, finish: Finish) -> None:
        """Nobody waits any more, or nobody may: let go of the provider."""
        self._completed = True  # or never: what is handed out from now on is not kept
        self._flights.forget(self)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish(finish)
        if self._task is not None:
            self._task.cancel()
        self.error = None  # its traceback holds the task's frame, and that this flight

    def close(self) -> None:
        """The executor is closed: whoever still waits is told so."""
        closed = RejectedError(ErrorKind.CLOSED, "the executor was closed while this call was under way")
        self.end(Finish(Outcome.CANCELLED))
        self.error = closed if self.readers else None
        self._wake()

    def _fail(self, error: BaseException) -> None:
        self._flights.forget(self)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish(Finish(Outcome.FAILED, error))  # it has said so itself, if the error is its own
        if not self.readers or self.error is not None:
            return  # it was ended, and so was cancelled
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            error = RejectedError(ErrorKind.CLOSED, "the task that fetched this answer was cancelled")
        elif self.is_the_leaders(error):
            self._hand_over(self.readers)
        elif isinstance(error, RejectedError) and error.kind in _OF_TIME:
            # A layer's time was over: for those who have waited as long. Whoever came later has time left.
            now = self.scope.clock.now()
            lasted = now - self.began
            self._hand_over([reader for reader in self.readers if now - reader.came < lasted - _SPENT])
        self.error = error if self.readers else None  # the last to leave lets go of it

    def _hand_over(self, readers: Iterable[Reader]) -> None:
        """The failure is not these readers': the first of those delivered nothing asks again, the others with it."""
        waiting = [reader for reader in readers if not reader.leads and not reader.delivered]
        if waiting:
            for reader in waiting:
                del self.readers[reader]
            self._flights.launch(self.key, waiting, streaming=self.streaming)

    def is_the_leaders(self, error: BaseException) -> bool:
        """Whether an error says something of the leader's own call, and nothing of anybody else's."""
        if isinstance(error, StreamInterruptedError):
            error = error.cause
        if isinstance(error, asyncio.CancelledError):
            return True
        if not isinstance(error, ExecutorError | RejectedError):
            return False
        if error.kind is ErrorKind.BUDGET:
            return True
        left = self.scope.remaining()
        if left is None:
            return False  # nothing of the leader's bounds it: a deadline is that of a layer inside, and everybody's
        if error.kind is ErrorKind.LIMITER_DEADLINE:
            return True
        timed_out = error.kind is ErrorKind.DEADLINE or getattr(error, "code", None) in ("deadline", "reserve")
        return timed_out and left <= _SPENT


def _weight(event: StreamEvent) -> int:
    """Roughly the bytes an event takes."""
    if isinstance(event, Chunk | ReasoningChunk | ThoughtSignatureChunk):
        return _EVENT_BYTES + len(event.content)
    return _EVENT_BYTES + (len(event.arguments) if isinstance(event, ToolCallChunk) else 0)
