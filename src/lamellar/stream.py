"""The stream contract: one class with a state machine, for every layer.

A `LlmEventStream` is what a consumer holds. Its events come in batches from an `EventSource`: a leaf's transport, or a
layer's view of an inner stream. The stream owns what is the same everywhere: the commit point (`ready`), the four
outcomes, the finish callbacks, closing from any task, and the farewell of a stream that nobody closed.

How it ends is decided once, by the outermost stream: the `End` handed to the consumer (completed), an error (failed),
a cancellation (cancelled), or a close or a collected stream (abandoned). It tells its source, the source tells the
inner stream, and the callbacks run innermost first, before anything is awaited.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import AsyncIterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .call import Outcome
from .chat.events import End, Progress, Start, StreamEvent
from .chat.response import ChatResponse
from .collect import Whole
from .ending import StreamCore, collected, run_callback
from .errors import LamellarError, StreamClosedError
from .source import EventSource, Finish, FinishCallback, IteratorSource, commits
from .text import TextIterator

if TYPE_CHECKING:
    from .call import AttemptRecord
    from .chat.usage import Usage
    from .scope import CallScope

__all__ = ["LlmEventStream"]

_logger = logging.getLogger("lamellar.stream")


class LlmEventStream:
    """The events of one answer: `Start`, content, `End`.

    Iterate over it inside `async with`; leaving the block early closes the provider's connection. One task reads at a
    time; any task may close.

    Args:
        source: Where the events come from.
    """

    __slots__ = ("__weakref__", "_buffer", "_committed", "_core", "_empty", "_farewell", "_start")

    def __init__(self, source: EventSource) -> None:
        self._core = core = StreamCore(source)
        self._buffer: deque[StreamEvent | Progress] = deque()
        self._committed = False
        self._empty = False
        self._start: Start | None = None
        self._farewell: LamellarError | None = None
        core.finalizer = weakref.finalize(self, collected, weakref.ref(asyncio.get_running_loop()), core)
        core.finalizer.atexit = False

    @classmethod
    def of(cls, events: LlmEventStream | AsyncIterable[StreamEvent | Progress]) -> LlmEventStream:
        """A stream of the events of any asynchronous iterable; a stream is returned as it is.

        For executors of a user's own. The iterable must end with an `End`; one that just stops is truncated.
        """
        return events if isinstance(events, LlmEventStream) else cls(IteratorSource(events))

    # -- reading ------------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        buffer = self._buffer
        while True:
            while not buffer:
                await self._fill()
            event = buffer.popleft()
            kind = event.__class__
            if kind is End:
                self._core.end(Finish(Outcome.COMPLETED, None, event))  # type: ignore[arg-type]
                buffer.clear()
            elif kind is Progress:
                continue
            return event  # type: ignore[return-value]

    async def read_batch(self) -> Sequence[StreamEvent | Progress]:
        """The next events at once: the way one layer reads another. It decides no outcome; the outermost stream does.

        Raises:
            StopAsyncIteration: The stream has ended.
        """
        buffer = self._buffer
        if not buffer:
            await self._fill()
        batch = list(buffer)
        buffer.clear()
        return batch

    async def ready(self) -> None:
        """Wait for the commit point: the first content event, or the `End` of an empty answer.

        What comes before is held for the reader. Calling it again returns at once.

        Raises:
            LamellarError: The stream failed before that; it is closed.
        """
        while not self._committed:
            finish = self._core.finish
            if finish is not None:
                raise (
                    finish.error
                    if isinstance(finish.error, LamellarError)
                    else StreamClosedError("the stream was closed before it was ready")
                )
            await self._fill()

    async def _fill(self) -> None:
        core = self._core
        if core.finish is not None:
            if self._farewell is not None:
                raise self._farewell_error()
            raise StopAsyncIteration
        if core.reading:
            raise RuntimeError("this stream is being read by another task; one task reads at a time")
        core.reading = True
        core.interruption.enter()
        try:
            batch = await core.source.read()
            if not batch:
                await asyncio.sleep(0)  # a source of nothing must not keep the loop from its timers
            if self.outcome is not None:  # closed by another task while the batch was on its way
                core.interruption.absorb()
                raise self._farewell_error()
        except BaseException as error:
            told = self._failure(error)
            try:
                if told is error:
                    raise
                raise told from None
            finally:
                del told  # or the error would hold this frame, and the frame the error
        finally:
            core.interruption.leave()
            core.reading = False
        self._buffer.extend(batch)
        if not self._committed:
            self._notice_commit(batch)

    def _notice_commit(self, batch: Sequence[StreamEvent | Progress]) -> None:
        for event in batch:
            if isinstance(event, Start):
                self._start = event
            if commits(event):
                self._committed = True
                self._empty = isinstance(event, End) and not event.content and event.usage is None
                return

    def _failure(self, error: BaseException) -> BaseException:
        """Decide the outcome of a read that raised; the exception to raise, the same one if at all possible."""
        core = self._core
        self._buffer.clear()
        if core.interruption.absorb():
            return self._farewell_error()
        if core.finish is not None:
            return self._farewell_error() if isinstance(error, Exception) else error
        if isinstance(error, Exception):
            core.end(Finish(Outcome.FAILED, error))
            if core.scope is not None and isinstance(error, LamellarError):
                error.attempts = core.scope.attempts
        else:
            core.end(Finish(Outcome.CANCELLED))
        return error

    def _farewell_error(self) -> LamellarError:
        error, self._farewell = self._farewell or StreamClosedError(), None
        error.attempts = self.attempts
        return error

    # -- ending -------------------------------------------------------------------------------------------------

    def discard(self) -> None:
        """End a stream nobody wants: as completed when its `End` is held already, so that its connection is kept."""
        last = self._buffer[-1] if self._buffer else None
        if isinstance(last, End):
            self._core.end(Finish(Outcome.COMPLETED, None, last))
        self._core.end(Finish(Outcome.ABANDONED))
        self._buffer.clear()

    def on_finish(self, callback: FinishCallback) -> None:
        """Call `callback` once, synchronously, when the stream has ended: innermost first, in order of registration.

        At once if it has ended already. The callback must not refer to this stream, or it is never collected.
        """
        core = self._core
        if core.callbacks is None and core.finish is not None:
            run_callback(callback, core.finish)
        elif core.callbacks is not None:
            core.callbacks.append(callback)

    def finish(self, finish: Finish) -> None:
        """End the stream with this outcome, if it has not ended; what an outer layer does to an inner stream."""
        self._core.end(finish)

    def cut(self, finish: Finish, farewell: LamellarError) -> None:
        """End the stream from outside its consumer, who is told by `farewell` at the read under way or the next."""
        if self._core.finish is None:
            self._farewell = farewell
            self._core.end(finish)
            self._buffer.clear()
            self._core.interruption.fire()

    async def aclose(self) -> None:
        """Close the stream and the provider's connection; from any task, any number of times.

        A read that waits in another task raises `StreamClosedError`.
        """
        self._core.end(Finish(Outcome.ABANDONED))
        self._buffer.clear()
        if self._core.reading:
            self._core.interruption.fire()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._core.end(Finish(Outcome.CANCELLED))
        await self.aclose()

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> Outcome | None:
        """How the stream ended, or None while it is open."""
        return self._core.finish.outcome if self._core.finish is not None else None

    @property
    def error(self) -> BaseException | None:
        """What the stream failed with, or None."""
        return self._core.finish.error if self._core.finish is not None else None

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        finish = self._core.finish
        return finish.end.usage if finish is not None and finish.end is not None else self._core.source.usage

    @property
    def finishing(self) -> bool:
        """Whether the answer is whole and only its usage may still come."""
        return self._core.source.finishing

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Every try of this call so far, in order."""
        return self._core.scope.attempts if self._core.scope is not None else ()

    @property
    def is_empty(self) -> bool:
        """Whether it was ready with nothing in it: no content, no tool call, no usage."""
        return self._empty

    def bind(self, scope: CallScope) -> None:
        """The root's: the scope whose attempts this stream shows."""
        self._core.scope = scope

    def peek(self) -> tuple[StreamEvent, ...]:
        """What is held for the reader: after `ready`, the uncommitted prefix and the first content."""
        return tuple([event for event in self._buffer if not isinstance(event, Progress)])

    def __repr__(self) -> str:
        state = self.outcome or ("ready" if self._committed else "open")
        return f"<LlmEventStream {state} from {type(self._core.source).__name__}>"

    # -- helpers ------------------------------------------------------------------------------------------------

    async def collect(self) -> ChatResponse:
        """Read to the end and return the whole answer; the stream is closed then, however it ends.

        What was read before by iteration is in it too.

        Raises:
            LamellarError: What broke the stream, now or before; `StreamClosedError` when it was closed before its end.
        """
        whole = Whole(self._start)
        async with self:
            async for event in self:
                whole.add(event)
        finish = self._core.finish
        if finish is None or finish.end is None:
            raise (
                finish.error
                if finish is not None and isinstance(finish.error, LamellarError)
                else StreamClosedError("the stream was closed before its end, so there is no whole answer")
            )
        whole.add(finish.end)
        return whole.response(self.attempts)

    def preview(self) -> ChatResponse:
        """The answer as far as it is held for the reader: after `ready`, what came until the commit point."""
        whole = Whole()
        for event in self.peek():
            whole.add(event)
        return whole.response(self.attempts)

    def text(self) -> TextIterator:
        """The pieces of the text alone, as they come.

        What was given out cannot be taken back here: where a `Restart` would tell the consumer to drop it, the
        iteration raises `StreamInterruptedError`.
        """
        return TextIterator(self)
