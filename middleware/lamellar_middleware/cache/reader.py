"""One caller of a flight: how far it has read, how long it waits, and what of the flight it is told."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from lamellar.accumulate import Accumulator
from lamellar.call import Outcome
from lamellar.chat.events import End, Start
from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError, StreamInterruptedError
from lamellar.source import EventSource, Finish

from .patience import Patience
from .store import as_kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamellar.chat.events import StreamEvent
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.chat.usage import Usage
    from lamellar.executor import LlmExecutor
    from lamellar.scope import CallScope

    from .flight import Flight

__all__ = ["FlightSource", "Reader"]


class Reader:
    """One caller, in its flight.

    Args:
        asks: What it asks of whom; should it come to lead, this is asked.
        scope: The scope of its call.
        streaming: Whether it wants a stream; a reader that does not waits for the end.
    """

    __slots__ = ("_patience", "_waiter", "asks", "came", "context", "flight", "leads", "place", "scope", "streaming")

    flight: Flight

    def __init__(
        self,
        asks: tuple[LlmExecutor, str, ChatRequest, ChatOptions | None],
        scope: CallScope,
        *,
        streaming: bool,
    ) -> None:
        self._patience = Patience(scope)
        self._waiter: asyncio.Future[None] | None = None
        self.asks = asks
        self.scope = scope
        self.came = scope.clock.now()
        self.context = copy_context()
        self.streaming = streaming
        self.leads = False
        self.place = 0

    def lead(self) -> None:
        """The provider is asked in this caller's name now."""
        self.leads = True
        self._patience.lead()
        self.scope.note("lamellar.cache.hit", False)

    @property
    def delivered(self) -> bool:
        """Whether it has been given anything of the answer."""
        return self.place > 0

    @property
    def wants_more(self) -> bool:
        """Whether it waits for what the flight has not read yet."""
        return not self.streaming or (self._waiter is not None and not self._waiter.done())

    def wake(self) -> None:
        """There is something new."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def news(self) -> None:
        """Wait for something new.

        Raises:
            LamellarError: This caller's time is over.
        """
        flight = self.flight
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        flight.nudge()
        try:
            await self._patience.wait(waiter, committed=self.delivered, bounded=not flight.finishing)
        except LamellarError:
            self.scope.adopt(self.flight.scope)
            raise
        finally:
            self._waiter = None

    def take(self) -> Sequence[StreamEvent]:
        """The events it has not read, if there are any."""
        flight, place = self.flight, self.place
        events = flight.since(place)
        if not events:
            return events
        self.place = place + len(events)
        flight.nudge()
        if not self.leads:
            first, last = events[0], events[-1]
            if isinstance(first, Start):
                events[0] = replace(first, cached=True)
            if isinstance(last, End) and last.raw is not None:
                events[-1] = replace(last, raw=None)
        return events

    async def answer(self) -> ChatResponse:
        """Wait for the whole answer.

        Raises:
            LamellarError: The flight failed, or this caller's time is over.
        """
        finish = Finish(Outcome.CANCELLED)
        try:
            while self.flight.answer is None:
                if self.flight.error is not None:
                    raise self.failure()
                await self.news()
            finish = Finish(Outcome.COMPLETED)
            response = self.flight.answer
            return response if self.leads else as_kept(response)
        except Exception as error:
            finish = Finish(Outcome.FAILED, error)
            raise
        finally:
            self.leave(finish)
            del finish  # or the error would hold this frame, and the frame the error

    def failure(self) -> BaseException:
        """What this caller is told of the flight's failure: the leader the error itself, everybody else a copy."""
        flight, error = self.flight, self.flight.error
        assert error is not None  # noqa: S101 -- asked only of a flight that failed
        try:
            if isinstance(error, StreamInterruptedError) and not self.streaming:
                error = error.cause  # of the stream that broke this caller was delivered nothing
            if self.leads:
                late = isinstance(error, ExecutorError) and error.code == "deadline" and flight.is_the_leaders(error)
                return self._patience.exceeded() if late else error
            self.scope.adopt(flight.scope)
            if isinstance(error, asyncio.CancelledError):
                return RejectedError(ErrorKind.CLOSED, "the call that fetched this answer was cancelled")
            return _own(error)
        finally:
            del error

    def leave(self, finish: Finish) -> None:
        """It has come to its end."""
        self._patience.close()
        self.flight.leave(self, finish)


class FlightSource(EventSource):
    """A flight's events, as one of its readers gets them."""

    __slots__ = ("_gathered", "_reader")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._gathered = Accumulator()

    async def read(self) -> Sequence[StreamEvent]:
        """The next events, which others may have read before."""
        reader = self._reader
        while not (batch := reader.take()):
            told = reader.failure() if reader.flight.error is not None else await self._news()
            if told is not None:
                told = self._broken(told)
                try:
                    raise told from told.__cause__
                finally:
                    del told  # or the error would hold this frame, and the frame the error
        for event in batch:
            self._gathered.add(event)
        return batch

    async def _news(self) -> LamellarError | None:
        """Wait for something new; the error of this reader's own time, if that is over, as a value."""
        try:
            await self._reader.news()
        except LamellarError as error:
            return error.with_traceback(None)
        return None

    def _broken(self, error: BaseException) -> BaseException:
        """The error as this reader is told it: with what it has been delivered, and nothing else."""
        if not self._reader.delivered or isinstance(error, StreamInterruptedError):
            return error  # an interruption comes after all that came before it, so its partial is this reader's too
        if not isinstance(error, LamellarError):
            return error
        gathered = self._gathered
        return StreamInterruptedError(
            error, partial=gathered.parts(whole=False), usage=self.usage, open_tool_call=gathered.open_tool_call
        )

    def finish(self, finish: Finish) -> None:
        """This reader leaves; the last one ends the flight."""
        self._reader.leave(finish)

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        return self._reader.flight.usage

    @property
    def finishing(self) -> bool:
        """Whether the answer is whole and only its usage may still come."""
        return self._reader.flight.finishing


def _own(error: BaseException) -> BaseException:
    """A copy of an error, so that what one caller's layers do to it is nobody else's business."""
    try:
        told = copy(error).with_traceback(None)
    except Exception:  # one of a user's own that cannot be copied
        return error
    told.__cause__ = error.__cause__
    return told
