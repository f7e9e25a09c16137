"""What the plates of a stack share while one call runs: clock and rng, the deadline, the log of its tries.

`CallScope` is private: the root of a built stack opens one per call, and the plates below find it with
`current_scope`. The scope is found through a context variable, so a layer that passes no options on, or starts a task,
loses nothing; the variable is set only while a call runs, never across a yield to the consumer of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import TYPE_CHECKING

from .call import AttemptRecord, CallContext, Outcome
from .call_record import CallRecord
from .errors import ExecutorError, RejectedError
from .live import LiveAttempt
from .rate_limits import LimitHeaders
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    import random

    from .clock import Clock
    from .observer import CallObserver

__all__ = ["CallScope", "LiveAttempt", "Stopwatch", "current_scope", "note_response", "use_scope"]


class CallScope:
    """What the plates of one call share: clock and rng, the deadline, the attempt log.

    A plate that narrows the deadline runs what is below it in a narrowed view; views share everything else.
    """

    __slots__ = (
        "_shared",
        "allowance",
        "allowance_limit",
        "clock",
        "deadline",
        "detours",
        "live",
        "observer",
        "reserve",
        "rng",
        "target_index",
        "total",
    )

    def __init__(self, shared: CallRecord) -> None:
        self._shared = shared
        self.clock = shared.clock
        self.rng = shared.rng
        self.deadline: float | None = None
        """The whole call's bound, on the stopwatch; it holds to the end of a stream."""
        self.allowance: float | None = None
        """The bound until an answer is committed: what a composite grants this target. Also on the stopwatch."""
        self.allowance_limit = "reserve"
        """Whose bound `allowance` is, for errors: ``reserve``, or ``deadline`` where it is that of a forked call."""
        self.total: float | None = None
        """Seconds of the bound that `deadline` came from; reserves are shares of it."""
        self.reserve = 0.0
        """The share of `total` that is kept for each later target."""
        self.live: LiveAttempt | None = None
        """The try under way, for the leaf to say what it learns of it."""
        self.observer: CallObserver | None = None
        """Who watches the tries below, or None."""
        self.target_index: int | None = None
        """The place of the target that is asked among those of its composite, from 0."""
        self.detours = 0
        """How many composites above have turned to another target than their first choice."""

    @classmethod
    def open(
        cls, clock: Clock, rng: random.Random, context: CallContext | None = None, *, streaming: bool = False
    ) -> CallScope:
        """A new scope for a new call.

        Inside the leaf of another stack it is a part of that one's call: bounded by what is left of it, and its tries
        are shown there.
        """
        scope = cls(CallRecord(clock, rng, context, streaming))
        outer = _scope.get()
        if outer is not None and outer.live is not None and outer.live.runs_here():
            outer.live.inner.append(scope)
            scope.deadline, scope.allowance = outer.until_deadline(), outer.granted()
            scope.allowance_limit = outer.allowance_limit
            scope.total, scope.reserve = outer.total, outer.reserve
            scope.observer = outer.live.observed.inside() if outer.live.observed is not None else None
        return scope

    def fork(self, *, streaming: bool) -> CallScope:
        """A scope for work that goes on beside this call and may outlive it, such as an answer that several wait for.

        It has this call's observer and record of tries, and a stopwatch of its own. This call's bounds hold in it
        until an answer is committed; from then on each who waits for it keeps to his own.
        """
        own = self._shared
        shared = CallRecord(own.clock, own.rng, own.context, streaming)
        shared.log = own.log
        shared.branch = own.branch
        fork = CallScope(shared)
        fork.allowance = self.remaining()
        if fork.allowance is not None and fork.allowance == self.until_deadline():
            fork.allowance_limit = "deadline"
        fork.total, fork.reserve = self.total, self.reserve
        fork.observer, fork.target_index, fork.detours = self.observer, self.target_index, self.detours
        return fork

    def adopt(self, other: CallScope) -> None:
        """The tries of `other` led to this call's failure too: it waited for their answer."""
        own = self._shared
        for tries in (own.log,) if own.branch is None else (own.log, own.branch):
            tries.extend([live for live in other._shared.log if live not in tries])

    def branch(self) -> CallScope:
        """A view for one of several lines of work that run at the same time, to be joined when they are over.

        Its tries are in this call's record as they begin. But what it says of its last try, or of waits before the
        next, is said of its own and not of another branch's. What was waited before goes to the first branch.
        """
        own = self._shared
        shared = CallRecord(own.clock, own.rng, own.context, own.streaming)
        shared.log, shared.stopwatch, shared.branch = own.log, own.stopwatch, []
        shared.waited, shared.backoff = own.waited, own.backoff
        own.waited = own.backoff = 0.0
        view = self._view()
        view._shared = shared
        return view

    def join(self, branches: Sequence[CallScope]) -> None:
        """These branches are over: the last try of the last of them is the one that this call rests on."""
        own = self._shared
        *others, last = [branch._shared.tries for branch in branches]
        if not last or (own.branch is None and own.log[-1] is last[-1]):
            return
        before = [live for live in own.tries if live not in last]
        last[:0] = [*before, *[live for tries in others for live in tries if live not in before]]
        own.branch = last  # the same list: what its stream still tries is this call's last try too

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
        log = self._shared.log
        if all(live.number == number and not live.inner for number, live in enumerate(log, 1)):
            return tuple([live.record() for live in log])
        tries = [each for live in log for each in live.records()]
        return tuple([replace(each, number=number) for number, each in enumerate(tries, 1)])

    @property
    def by_primary(self) -> bool:
        """Whether the last try was made at the first choice of every composite between here and it."""
        if not self._shared.tries:
            return True
        last = self._shared.tries[-1]
        return last.detours == self.detours and all(scope.by_primary for scope in last.inner)

    def remaining(self) -> float | None:
        """Seconds left to wait before an answer must be committed, or None when nothing bounds it."""
        bound = self.deadline
        if self.allowance is not None and (bound is None or self.allowance < bound):
            bound = self.allowance
        return None if bound is None else bound - self._shared.stopwatch.elapsed()

    def granted(self) -> float | None:
        """Seconds left of what a composite grants this target, or None when it is granted all there is."""
        return None if self.allowance is None else self.allowance - self._shared.stopwatch.elapsed()

    def until_deadline(self) -> float | None:
        """Seconds left of the whole call, or None when nothing bounds it."""
        return None if self.deadline is None else self.deadline - self._shared.stopwatch.elapsed()

    def with_deadline(self, total: float, reserve: float) -> CallScope:
        """A view whose call ends `total` seconds from now, if that is sooner than it would."""
        view = self._view()
        deadline = self._shared.stopwatch.elapsed() + total
        view.reserve = reserve
        if view.deadline is None or deadline < view.deadline:
            view.deadline, view.total = deadline, total
        return view

    def with_allowance(self, allowance: float) -> CallScope:
        """A view whose answer must be committed within `allowance` seconds."""
        view = self._view()
        bound = self._shared.stopwatch.elapsed() + allowance
        if self.allowance is None or bound < self.allowance:
            view.allowance, view.allowance_limit = bound, "reserve"
        return view

    def for_attempt(self, live: LiveAttempt) -> CallScope:
        """A view for the leaf that makes this try."""
        view = self._view()
        view.live = live
        return view

    def observed_by(self, observer: CallObserver) -> CallScope:
        """A view whose tries `observer` watches."""
        view = self._view()
        view.observer = observer
        return view

    def at_target(self, index: int, *, primary: bool) -> CallScope:
        """A view for the target at this place of a composite, its first choice or another."""
        view = self._view()
        view.target_index = index
        view.detours = self.detours + (not primary)
        return view

    def _view(self) -> CallScope:
        view = CallScope(self._shared)
        view.deadline, view.allowance, view.allowance_limit = self.deadline, self.allowance, self.allowance_limit
        view.total, view.reserve = self.total, self.reserve
        view.observer, view.target_index, view.detours = self.observer, self.target_index, self.detours
        return view

    def begin_attempt(self, target: str, provider: str, model: str) -> LiveAttempt:
        """Log a try that begins now, with what was waited and slept before it."""
        shared = self._shared
        live = LiveAttempt(len(shared.log) + 1, target, provider, model, self.clock.wall())
        live.waited, live.backoff, live.target_index = shared.waited, shared.backoff, self.target_index
        live.detours = self.detours
        shared.waited = shared.backoff = 0.0
        shared.log.append(live)
        if shared.branch is not None:
            shared.branch.append(live)
        return live

    def refused(self, target: str, provider: str, model: str, error: RejectedError) -> None:
        """Log a try that a layer refused before it was made."""
        live = self.begin_attempt(target, provider, model)
        live.task = None  # it holds its result, and that may be the stream that this record is of
        live.outcome = Outcome.REFUSED
        live.blame(error)
        if self.observer is not None:
            self.observer.attempt_began(live, None).ended(live, None)

    def blame_last(self, error: ExecutorError | RejectedError) -> None:
        """The last try was answered, and a layer takes the answer for a failure."""
        if self._shared.tries:
            self._shared.tries[-1].blame(error)

    @property
    def attempt_count(self) -> int:
        """How many tries were logged so far."""
        return len(self._shared.tries)

    @property
    def call_key(self) -> str:
        """A name for this call that no other call has, the same for all its tries."""
        shared = self._shared
        if shared.call_key is None:
            shared.call_key = f"{shared.rng.getrandbits(128):032x}"
        return shared.call_key

    def note_wait(self, seconds: float) -> None:
        """A queue or limiter held the next try for this long."""
        self._shared.waited += seconds

    def note(self, name: str, value: str | bool | float) -> None:
        """A fact of this call for whoever watches it."""
        if self.observer is not None:
            self.observer.note(name, value)

    def note_backoff(self, seconds: float) -> None:
        """A retry slept this long before the next try."""
        self._shared.backoff += seconds


_scope: ContextVar[CallScope | None] = ContextVar("lamellar_call_scope", default=None)


def note_response(status: int, request_id: str | None, headers: Mapping[str, str] | None = None) -> None:
    """A leaf's: the provider has answered the try under way with this status.

    Args:
        status: The HTTP status.
        request_id: The provider's id of the request.
        headers: The response's headers, of which the record keeps those that tell of rate limits.
    """
    scope = _scope.get()
    if scope is not None and scope.live is not None:
        scope.live.status, scope.live.request_id = status, request_id
        if headers is not None:
            scope.live.limit_headers = LimitHeaders(headers)


def current_scope() -> CallScope | None:
    """The scope of the call that runs here, or None outside of a stack."""
    return _scope.get()


class use_scope:  # noqa: N801 -- a context manager, read as a verb
    """Run a block in `scope`. Only around awaits of a call, never across a yield to a consumer."""

    __slots__ = ("_scope", "_token")

    def __init__(self, scope: CallScope | None) -> None:
        self._scope = scope
        self._token: Token[CallScope | None] | None = None

    def __enter__(self) -> None:
        self._token = _scope.set(self._scope)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            with suppress(ValueError):  # collected in another context, where there is nothing to restore
                _scope.reset(self._token)
