"""Bugs to plant into the library: each breaks one promise, and the simulation must find it.

Each is a patch of one function, in place and taken back. Where it can show only in stacks that have a certain plate,
the hunt is for those stacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lamellar import Outcome, Restart
from lamellar.accumulate import Accumulator
from lamellar.clock import Interruption
from lamellar.ending import StreamCore, run_callback
from lamellar.errors import StreamInterruptedError
from lamellar.scope import CallScope, use_scope
from lamellar.source import Finish, InnerSource
from lamellar.stream import LlmEventStream
from lamellar.watch import AttemptWatch
from lamellar_middleware.balance.pool import Use
from lamellar_middleware.budget.ledger import Ledger
from lamellar_middleware.cache.flight import Flight
from lamellar_middleware.circuit_breaker.circuit import Circuit
from lamellar_middleware.concurrency_limit.permit import Permit
from lamellar_middleware.hedge.race import Race
from lamellar_middleware.recovery.splice import Splice
from lamellar_middleware.retry.backoff import Backoff
from lamellar_middleware.tracing.call import CallTrace

from .world import Invariant

__all__ = ["BUGS", "Bug"]

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """A bug.

    Args:
        name: What is wrong, as a sentence.
        breaks: The invariants of which one must name it.
        plant: Puts it in.
        where: The kind of plate without which it cannot show; None shows anywhere.
    """

    name: str
    breaks: frozenset[Invariant]
    plant: Callable[[Patch], None]
    where: str | None = None

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


BUGS: list[Bug] = []


def bug(name: str, *breaks: Invariant, where: str | None = None) -> Callable[[Callable[[Patch], None]], None]:
    """Put a bug on the list."""

    def enlist(plant: Callable[[Patch], None]) -> None:
        BUGS.append(Bug(name, frozenset(breaks), plant, where))

    return enlist


# -- in the core -------------------------------------------------------------------------------------------------------


@bug("a layer does not pass the end on to the stream inside", Invariant.TARGETS, Invariant.ATTEMPTS)
def _(patch: Patch) -> None:
    patch.setattr(InnerSource, "finish", lambda self, finish: None)


@bug("a finish callback is called twice", Invariant.ONE_OUTCOME)
def _(patch: Patch) -> None:
    end = StreamCore.end

    def twice(self: StreamCore, finish: Finish) -> None:
        callbacks = tuple(self.callbacks or ())
        end(self, finish)
        for callback in callbacks:
            run_callback(callback, finish)

    patch.setattr(StreamCore, "end", twice)


@bug("a cancellation is taken for a wake-up of our own", Invariant.CANCELLATION)
def _(patch: Patch) -> None:
    absorb = Interruption.absorb

    def always(self: Interruption) -> bool:
        if self._task is not None and not self.fired and self._task.cancelling():
            self._task.uncancel()
            return True
        return absorb(self)

    patch.setattr(Interruption, "absorb", always)


@bug("the deadline is forgotten once the call has begun", Invariant.DEADLINE)
def _(patch: Patch) -> None:
    patch.setattr(CallScope, "until_deadline", lambda self: None)


@bug("the scope of a call is left to the consumer", Invariant.LEAKS)
def _(patch: Patch) -> None:
    patch.setattr(use_scope, "__exit__", lambda self, *_: None)


@bug("a stream goes on after its end", Invariant.TARGETS, Invariant.ORDER, Invariant.ONE_OUTCOME)
def _(patch: Patch) -> None:
    async def next_event(self: LlmEventStream) -> object:
        while not self._buffer:
            await self._fill()
        return self._buffer.popleft()

    patch.setattr(LlmEventStream, "__anext__", next_event)


@bug("an error of a target's own gets out as it is", Invariant.OWN_ERRORS)
def _(patch: Patch) -> None:
    classify = AttemptWatch.classify
    patch.setattr(
        AttemptWatch,
        "classify",
        lambda self, error: error if isinstance(error, ValueError) else classify(self, error),
    )


@bug("the record of an abandoned attempt stays open", Invariant.ATTEMPTS)
def _(patch: Patch) -> None:
    ended = AttemptWatch.ended

    def forgetful(self: AttemptWatch, finish: Finish, response: object = None) -> None:
        ended(self, finish, response)  # type: ignore[arg-type]
        if finish.outcome is Outcome.ABANDONED:
            self.live.outcome = None

    patch.setattr(AttemptWatch, "ended", forgetful)


@bug("an interruption may be retried", Invariant.ONE_OUTCOME, Invariant.ATTEMPTS)
def _(patch: Patch) -> None:
    made = StreamInterruptedError.__init__

    def init(self: StreamInterruptedError, *args: object, **said: object) -> None:
        made(self, *args, **said)  # type: ignore[arg-type]
        self.retryable = True

    patch.setattr(StreamInterruptedError, "__init__", init)


# -- in the layers -----------------------------------------------------------------------------------------------------


@bug("a splice does not tell of its Restart", Invariant.ONE_ANSWER, where="fallback")
def _(patch: Patch) -> None:
    feed = Splice.feed
    patch.setattr(
        Splice, "feed", lambda self, batch: [each for each in feed(self, batch) if not isinstance(each, Restart)]
    )


@bug("what is gathered outlives a Restart", Invariant.ONE_ANSWER)
def _(patch: Patch) -> None:
    patch.setattr(Accumulator, "clear", lambda self: None)


@bug("a retry makes one attempt too many", Invariant.ATTEMPTS, where="retry")
def _(patch: Patch) -> None:
    stops = Backoff._stops

    def late(self: Backoff, policy: object) -> bool:
        self._state.attempt_number -= 1
        try:
            return stops(self, policy)  # type: ignore[arg-type]
        finally:
            self._state.attempt_number += 1

    patch.setattr(Backoff, "_stops", late)


@bug("a permit is kept when its stream is abandoned", Invariant.LEAKS, where="concurrency_limit")
def _(patch: Patch) -> None:
    ended = Permit._ended
    patch.setattr(
        Permit, "_ended", lambda self, finish: None if finish.outcome is Outcome.ABANDONED else ended(self, finish)
    )


@bug("what was set aside for a call is not given back", Invariant.LEAKS, where="budget")
def _(patch: Patch) -> None:
    patch.setattr(Ledger, "_give_back", lambda self, estimate: None)


@bug("a balanced call counts for ever when it is canceled", Invariant.LEAKS, where="balance")
def _(patch: Patch) -> None:
    patch.setattr(Use, "dropped", lambda self: None)


@bug("a canceled probe keeps its place", Invariant.LEAKS, where="circuit_breaker")
def _(patch: Patch) -> None:
    patch.setattr(Circuit, "neutral", lambda self, probe: None)


@bug("a cache keeps what was abandoned", Invariant.ONE_ANSWER, Invariant.ONE_OUTCOME, where="cache")
def _(patch: Patch) -> None:
    leave = Flight.leave

    def keeping(self: Flight, reader: object, finish: Finish) -> None:
        if finish.outcome is Outcome.ABANDONED and self.answer is None:
            self.answer = self._whole.response(())
            self._complete()
        leave(self, reader, finish)  # type: ignore[arg-type]

    patch.setattr(Flight, "leave", keeping)


@bug("the losers of a hedge are not told", Invariant.TARGETS, Invariant.LEAKS, Invariant.ATTEMPTS, where="hedge")
def _(patch: Patch) -> None:
    def leave_them(self: Race[object]) -> None:  # type: ignore[type-var]
        self._racers = []

    patch.setattr(Race, "_cancel", leave_them)


@bug("a span does not end when its stream is abandoned", Invariant.SPANS, where="tracing")
def _(patch: Patch) -> None:
    ended = CallTrace.ended
    patch.setattr(
        CallTrace, "ended", lambda self, finish: None if finish.outcome is Outcome.ABANDONED else ended(self, finish)
    )
