"""One call: what the user says about it, what the plates of a stack share while it runs, and the record of its tries.

`CallContext` is the user's, frozen and reusable. `CallScope` is private: the root of a built stack opens one per call,
and the plates below find it with `current_scope`. The scope is found through a context variable, so a layer that
passes no options on, or starts a task, loses nothing; the variable is set only while a call runs, never across a
yield to the consumer of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from .chat.usage import Usage
from .durations import Duration
from .errors import ErrorKind
from .frozen import Frozen

if TYPE_CHECKING:
    import random

    from .clock import Clock

__all__ = ["AttemptRecord", "CallContext", "CallScope", "Outcome", "Stopwatch", "current_scope"]


class CallContext(Frozen):
    """What the user says to the stack about one call; reusable, and never sent to a provider.

    Args:
        timeout: Bound on the whole call in seconds or as "30s", a stream's waiting included. The sooner of this and
            the stack's own total holds.
        tags: Names and values that layers key on (budgets, limits, routes) and logs show.
        conversation_id: The conversation this call belongs to, for telemetry and session affinity.
        cache: ``use`` the cache, ``refresh`` its entry, ``bypass`` it, or answer ``only`` from it.
        priority: Who goes first in a queue; higher is sooner.
    """

    timeout: Duration | None = None
    tags: dict[str, str] = {}
    conversation_id: str | None = None
    cache: Literal["use", "refresh", "bypass", "only"] = "use"
    priority: int = 0


class Outcome(StrEnum):
    """How a call, an attempt or a stream ended; the same four everywhere, and `refused` for a try not made."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    REFUSED = "refused"


@dataclass(slots=True, frozen=True)
class AttemptRecord:
    """One try of a call, as `response.attempts` and `error.attempts` show it.

    Args:
        number: From 1, in the order the tries began.
        target: The name of the target that was tried.
        provider: The provider's namespace.
        model: The model that was asked.
        outcome: How it ended; None while a stream is still open.
        kind: What went wrong, or None.
        status: The HTTP status, or None when there was no response.
        code: The provider's code, or ours.
        message: What the provider said, scrubbed of secrets.
        latency: Seconds from its beginning to its end, the time a consumer took for itself not counted.
        first_content: Seconds until the first content event of a stream, or None.
        waited: Seconds spent before it in queues and limiters.
        backoff: Seconds slept before it, between two tries.
        usage: The tokens it cost, or None when the provider did not say.
        retry_after: Seconds the provider asked to wait.
        request_id: The provider's id of the request.
        started: When it began, in seconds since the epoch.
    """

    number: int
    target: str
    provider: str
    model: str
    outcome: Outcome | None = None
    kind: ErrorKind | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    latency: float = 0.0
    first_content: float | None = None
    waited: float = 0.0
    backoff: float = 0.0
    usage: Usage | None = None
    retry_after: float | None = None
    request_id: str | None = None
    started: float = 0.0


class Stopwatch:
    """Seconds spent waiting for the provider: it stands still while the consumer has the stream to itself."""

    __slots__ = ("_clock", "_depth", "_elapsed", "_started")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._depth = 0
        self._elapsed = 0.0
        self._started = 0.0

    def start(self) -> None:
        """Somebody waits; nested waits are one."""
        if self._depth == 0:
            self._started = self._clock.now()
        self._depth += 1

    def stop(self) -> None:
        """This wait is over."""
        self._depth -= 1
        if self._depth == 0:
            self._elapsed += self._clock.now() - self._started

    def elapsed(self) -> float:
        """Seconds waited so far, a wait under way included."""
        return self._elapsed + (self._clock.now() - self._started if self._depth else 0.0)


class _Shared:
    """What every narrowed view of one call's scope has in common."""

    __slots__ = ("backoff", "clock", "context", "log", "rng", "stopwatch", "streaming", "waited")

    def __init__(self, clock: Clock, rng: random.Random, context: CallContext | None, streaming: bool) -> None:
        self.clock = clock
        self.rng = rng
        self.context = context
        self.streaming = streaming
        self.stopwatch = Stopwatch(clock)
        self.log: list[AttemptRecord] = []
        self.waited = 0.0
        self.backoff = 0.0


class CallScope:
    """What the plates of one call share: clock and rng, the deadline, the attempt log.

    A plate that narrows the deadline runs what is below it in a narrowed view; views share everything else.
    """

    __slots__ = ("_shared", "allowance", "clock", "deadline", "reserve", "rng", "total")

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self.clock = shared.clock
        self.rng = shared.rng
        self.deadline: float | None = None
        """The whole call's bound, on the stopwatch; it holds to the end of a stream."""
        self.allowance: float | None = None
        """The bound until an answer is committed: what a composite grants this target. Also on the stopwatch."""
        self.total: float | None = None
        """Seconds of the bound that `deadline` came from; reserves are shares of it."""
        self.reserve = 0.0
        """The share of `total` that is kept for each later target."""

    @classmethod
    def open(
        cls, clock: Clock, rng: random.Random, context: CallContext | None = None, *, streaming: bool = False
    ) -> CallScope:
        """A new scope for a new call."""
        return cls(_Shared(clock, rng, context, streaming))

    @property
    def context(self) -> CallContext | None:
        """What the user said about this call."""
        return self._shared.context

    @property
    def streaming(self) -> bool:
        """Whether the caller asked for a stream."""
        return self._shared.streaming

    @property
    def stopwatch(self) -> Stopwatch:
        """Runs while somebody waits for the provider."""
        return self._shared.stopwatch

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """The record so far, in order."""
        return tuple(self._shared.log)

    def remaining(self) -> float | None:
        """Seconds left to wait before an answer must be committed, or None when nothing bounds it."""
        bound = self.deadline
        if self.allowance is not None and (bound is None or self.allowance < bound):
            bound = self.allowance
        return None if bound is None else bound - self._shared.stopwatch.elapsed()

    def until_deadline(self) -> float | None:
        """Seconds left of the whole call, or None when nothing bounds it."""
        return None if self.deadline is None else self.deadline - self._shared.stopwatch.elapsed()

    def with_deadline(self, total: float, reserve: float) -> CallScope:
        """A view whose call ends `total` seconds from now, if that is sooner than it would."""
        view = self._view()
        deadline = self._shared.stopwatch.elapsed() + total
        if view.deadline is None or deadline < view.deadline:
            view.deadline, view.total, view.reserve = deadline, total, reserve
        return view

    def with_allowance(self, allowance: float) -> CallScope:
        """A view whose answer must be committed within `allowance` seconds."""
        view = self._view()
        bound = self._shared.stopwatch.elapsed() + allowance
        view.allowance = bound if self.allowance is None else min(self.allowance, bound)
        return view

    def _view(self) -> CallScope:
        view = CallScope(self._shared)
        view.deadline, view.allowance = self.deadline, self.allowance
        view.total, view.reserve = self.total, self.reserve
        return view

    def begin_attempt(self, record: AttemptRecord) -> int:
        """Log a try that begins now; the place to `end_attempt` it at."""
        self._shared.log.append(record)
        return len(self._shared.log) - 1

    def end_attempt(self, place: int, record: AttemptRecord) -> None:
        """Replace the record at `place` by the final one."""
        self._shared.log[place] = record

    @property
    def next_number(self) -> int:
        """The number of the try that would begin now."""
        return len(self._shared.log) + 1

    def note_wait(self, seconds: float) -> None:
        """A queue or limiter held the next try for this long."""
        self._shared.waited += seconds

    def note_backoff(self, seconds: float) -> None:
        """A retry slept this long before the next try."""
        self._shared.backoff += seconds

    def take_waits(self) -> tuple[float, float]:
        """What was noted since the last try: seconds waited and seconds slept."""
        shared = self._shared
        waits = shared.waited, shared.backoff
        shared.waited = shared.backoff = 0.0
        return waits


_scope: ContextVar[CallScope | None] = ContextVar("lamellar_call_scope", default=None)


def current_scope() -> CallScope | None:
    """The scope of the call that runs here, or None outside of a stack."""
    return _scope.get()


@contextmanager
def use_scope(scope: CallScope | None) -> Iterator[None]:
    """Run a block in `scope`. Only around awaits of a call, never across a yield to a consumer."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        try:
            _scope.reset(token)
        except ValueError:
            pass  # collected in another context, where there is nothing to restore
