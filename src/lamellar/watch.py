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
    StreamTruncatedError,
)
from .masking import scrub
from .source import Finish

if TYPE_CHECKING:
    from .chat.response import ChatResponse
    from .scope import CallScope

__all__ = ["AttemptLimits", "AttemptWatch"]

P = ParamSpec("P")
T = TypeVar("T")

_SAID = {
    "attempt": "the attempt was not over",
    "first_content": "no content came",
    "idle": "nothing more came",
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
        "_left",
        "committed",
        "idle_for",
        "limits",
        "live",
        "paused_long",
        "scope",
        "spent",
        "streaming",
        "watchdog",
    )

    def __init__(
        self, limits: AttemptLimits, target: str, provider: str, model: str, scope: CallScope, *, streaming: bool
    ) -> None:
        self.limits = limits
        self.scope = scope
        self.streaming = streaming
        self.watchdog = Watchdog(scope.clock)
        self.live = scope.begin_attempt(target, provider, model)
        self.committed = False
        self.spent = 0.0
        self.idle_for = 0.0
        self.paused_long = False
        self._left: float | None = None

    async def wait(self, operation: Callable[P, Awaitable[T]], *call: P.args, **named: P.kwargs) -> T:
        """One wait for the provider, under whatever limit is nearest."""
        clock, watchdog = self.scope.clock, self.watchdog
        began = clock.now()
        if self._left is not None and self.limits.idle is not None and began - self._left > self.limits.idle:
            self.paused_long = True
        allowed, limit = self._nearest()
        watchdog.arm(None if allowed is None else began + allowed)
        stopwatch = self.scope.stopwatch
        stopwatch.start()
        try:
            return await operation(*call, **named)
        except asyncio.CancelledError:
            if watchdog.expired():
                raise self._timeout(limit) from None
            raise
        finally:
            stopwatch.stop()
            watchdog.disarm()
            self._left = now = clock.now()
            self.spent += now - began
            self.idle_for += now - began

    def _nearest(self) -> tuple[float | None, str]:
        """Seconds this wait may last, and the name of the limit that says so."""
        limits = self.limits
        allowed, name = None, ""
        if limits.attempt is not None:
            allowed, name = limits.attempt - self.spent, "attempt"
        if self.streaming:
            bound = limits.idle if self.committed else limits.first_content
            if bound is not None and (allowed is None or bound - self.idle_for < allowed):
                allowed, name = bound - self.idle_for, "idle" if self.committed else "first_content"
        left, bound_by = (
            (self.scope.until_deadline(), "deadline") if self.committed else (self.scope.granted(), "reserve")
        )
        if left is not None and (allowed is None or left < allowed):
            allowed, name = left, bound_by
        return allowed, name

    def _timeout(self, limit: str) -> LamellarError:
        if limit == "deadline":
            return RejectedError(ErrorKind.DEADLINE, "the call's deadline passed while its answer was arriving")
        said = _SAID[limit]
        if limit in self.limits._fields:
            said += f" within {getattr(self.limits, limit):g} s (limit `{limit}`)"
        return ExecutorError(ErrorKind.TIMEOUT, said, provider=self.live.provider, model=self.live.model, code=limit)

    def classify(self, error: Exception) -> LamellarError:
        """Any exception of a leaf as one of our tree."""
        if isinstance(error, LamellarError):
            if isinstance(error, ExecutorError):
                error.provider = error.provider or self.live.provider
                error.model = error.model or self.live.model
                error.request_id = error.request_id or self.live.request_id
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
        told.__cause__ = error
        return told

    def fail(self, error: BaseException) -> BaseException:
        """The attempt is over before anything was delivered; the error to raise."""
        told = self.classify(error) if isinstance(error, Exception) else error
        if isinstance(told, StreamTruncatedError) and told.partial:
            told = StreamTruncatedError(told.cause)  # nothing of it was delivered
        if isinstance(told, StreamClosedError):
            self.ended(Finish(Outcome.ABANDONED))
        elif isinstance(told, LamellarError):
            self.ended(Finish(Outcome.FAILED, told))
        else:
            self.ended(Finish(Outcome.CANCELLED))
        return told

    def complete(self, response: ChatResponse) -> None:
        """A whole answer came."""
        self.live.usage = response.usage
        self.ended(Finish(Outcome.COMPLETED))

    def ended(self, finish: Finish) -> None:
        """Close the record; the stream's finish callback too."""
        self.watchdog.close()
        live = self.live
        live.outcome = finish.outcome
        live.latency = self.spent
        if finish.end is not None:
            live.usage = finish.end.usage
        if finish.error is not None:
            live.blame(finish.error)
            if isinstance(finish.error, RejectedError) and not self.committed:
                live.outcome = Outcome.REFUSED  # nothing was sent
