"""One attempt under its limits: how long each wait may last, what the record says, and what its errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from .call import Outcome
from .clock import Watchdog
from .errors import (
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from .masking import scrub
from .source import Finish

if TYPE_CHECKING:
    from .chat.response import ChatResponse
    from .executor import LlmExecutor
    from .observer import AttemptObserver, CallObserver, LeafCall
    from .scope import CallScope

__all__ = ["AttemptLimits", "AttemptWatch"]

_FRESH = 0.001
"""Seconds of waiting that tell fresh data from what lay in a buffer."""

P = ParamSpec("P")
T = TypeVar("T")

_SAID = {
    "attempt": "the attempt was not over",
    "first_content": "no content came",
    "idle": "nothing more came",
    "deadline": "no answer before the deadline of the call",
    "reserve": "no answer within this target's share of the call's time; the rest is kept for later targets",
}


class AttemptLimits(NamedTuple):
    """The limits of one attempt, in seconds of waiting for the provider; None is no limit.

    Args:
        connect: Until the connection stands. The leaf's transport enforces it.
        attempt: The whole attempt.
        first_content: Until the first content event of a stream.
        idle: Between two events of a stream that are content or progress.
    """

    connect: float | None = 10.0
    attempt: float | None = None
    first_content: float | None = None
    idle: float | None = None


class AttemptWatch:
    """One attempt's limits and record."""

    __slots__ = (
        "_began",
        "_left",
        "cached",
        "committed",
        "idle_for",
        "limits",
        "live",
        "observed",
        "paused_long",
        "scope",
        "spent",
        "streaming",
        "watchdog",
    )

    def __init__(
        self, limits: AttemptLimits, target: str, leaf: LlmExecutor, model: str, scope: CallScope, *, streaming: bool
    ) -> None:
        self.limits = limits
        self.scope = scope
        self.streaming = streaming
        self.watchdog = Watchdog(scope.clock)
        self.live = scope.begin_attempt(target, leaf.name, model)
        self.observed: AttemptObserver | None = None
        self.committed = False
        self.cached = False
        """Whether the leaf, a stack of its own, had the answer already: nobody was billed for it."""
        self.spent = 0.0
        self.idle_for = 0.0
        self.paused_long = False
        self._began: float | None = None
        self._left: float | None = None

    def observe(self, observer: CallObserver, call: LeafCall) -> None:
        """Let the call's observer watch this attempt."""
        self.observed = self.live.observed = observer.attempt_began(self.live, call)

    async def wait(self, operation: Callable[P, Awaitable[T]], *call: P.args, **named: P.kwargs) -> T:
        """One wait for the provider, under whatever limit is nearest."""
        clock, watchdog = self.scope.clock, self.watchdog
        self._began = began = clock.now()
        if self._left is not None and self.limits.idle is not None and began - self._left > self.limits.idle:
            self.paused_long = True
        allowed, limit = self._nearest()
        watchdog.arm(None if allowed is None else began + allowed)
        stopwatch = self.scope.stopwatch
        stopwatch.start()
        try:
            if self.observed is None:
                result = await operation(*call, **named)
            else:
                with self.observed:
                    result = await operation(*call, **named)
        except asyncio.CancelledError:
            if watchdog.expired():
                raise self._timeout(limit) from None
            raise
        finally:
            stopwatch.stop()
            watchdog.disarm()
            now = clock.now()
            self._count(now)
        if self.paused_long and now - began > _FRESH:
            self.paused_long = False  # it had to be waited for, so the connection has outlived the pause
        return result

    def _count(self, now: float) -> None:
        """Add the wait that ends now."""
        if self._began is not None:
            self.spent += now - self._began
            self.idle_for += now - self._began
        self._began = None
        self._left = now

    def _nearest(self) -> tuple[float | None, str]:
        """Seconds this wait may last, and the name of the limit that says so."""
        limits = self.limits
        bounds: list[tuple[float, str]] = []
        if limits.attempt is not None:
            bounds.append((limits.attempt - self.spent, "attempt"))
        if self.streaming:
            name = "idle" if self.committed else "first_content"
            bound: float | None = getattr(limits, name)
            if bound is not None:
                bounds.append((bound - self.idle_for, name))
        granted = None if self.committed else self.scope.granted()
        if granted is not None:
            bounds.append((granted, self.scope.allowance_limit))
        left = self.scope.until_deadline()
        if left is not None:
            bounds.append((left, "deadline"))
        return min(bounds, default=(None, ""))

    def _timeout(self, limit: str) -> LamellarError:
        if limit == "deadline" and self.committed:
            return RejectedError(ErrorKind.DEADLINE, "the call's deadline passed while its answer was arriving")
        said = _SAID[limit]
        if limit in self.limits._fields:
            said += f" within {getattr(self.limits, limit):g} s (limit `{limit}`)"
        told = ExecutorError(
            ErrorKind.TIMEOUT,
            said,
            provider=self.live.provider,
            model=self.live.model,
            code=limit,
            failover=limit != "deadline",
            # The caller's own haste is no fault of the provider's.
            counts_against_health=limit not in ("deadline", "reserve"),
        )
        told.target = self.live.target
        return told

    def classify(self, error: Exception) -> LamellarError:
        """Any exception of a leaf as one of our tree."""
        if isinstance(error, LamellarError):
            if isinstance(error, ExecutorError):
                error.provider = error.provider or self.live.provider
                error.model = error.model or self.live.model
                error.request_id = error.request_id or self.live.request_id
                error.target = error.target or self.live.target
                if self.paused_long and error.kind in (ErrorKind.CONNECTION, ErrorKind.TRUNCATED):
                    error.counts_against_health = False  # the consumer let it go stale, not the provider
            return error
        told = ExecutorError(
            ErrorKind.SERVER_ERROR,
            scrub(f"{type(error).__name__}: {error}")[:1000],
            provider=self.live.provider,
            model=self.live.model,
            code="unexpected_exception",
            retryable=False,
        )
        shown = f"{error!s} {error!r}"
        told.target = self.live.target
        told.__cause__ = error if scrub(shown) == shown else None  # a traceback would show it
        return told

    def undelivered(self, error: BaseException) -> BaseException:
        """An interruption, when nothing of the answer was delivered by us: then it is the failure that caused it."""
        if not isinstance(error, StreamInterruptedError):
            return error
        self.live.usage = error.usage or self.live.usage
        truncated = isinstance(error, StreamTruncatedError) and isinstance(error.cause, ExecutorError)
        return StreamTruncatedError(error.cause) if truncated else error.cause

    def fail(self, error: BaseException) -> BaseException:
        """The attempt is over before anything was delivered; the error to raise."""
        told = self.classify(error) if isinstance(error, Exception) else error
        told = self.undelivered(told)
        if isinstance(told, StreamClosedError):
            self.ended(Finish(Outcome.ABANDONED))
        elif isinstance(told, LamellarError):
            self.ended(Finish(Outcome.FAILED, told))
        else:
            self.ended(Finish(Outcome.CANCELLED))
        return told

    def complete(self, response: ChatResponse) -> None:
        """A whole answer came."""
        self.live.usage = None if response.cached else response.usage
        self.ended(Finish(Outcome.COMPLETED), response)

    def ended(self, finish: Finish, response: ChatResponse | None = None) -> None:
        """Close the record; the stream's finish callback too."""
        self.watchdog.close()
        if self._began is not None:  # closed in the middle of a wait
            self._count(self.scope.clock.now())
        live = self.live
        live.outcome = finish.outcome
        live.latency = self.spent
        if finish.end is not None and not self.cached:
            live.usage = finish.end.usage
        if finish.error is not None:
            live.blame(finish.error)
            if isinstance(finish.error, RejectedError) and not self.committed:
                live.outcome = Outcome.REFUSED  # nothing was sent
        live.observed = None
        if self.observed is not None:
            self.observed.ended(live, response if response is not None else finish.end)
