"""One circuit: its state, what changes it, and the probes that are under way."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from lamellar.durations import seconds
from lamellar.errors import ErrorKind, ExecutorError

from .probe import Probe
from .window import LAG, Window

if TYPE_CHECKING:
    from threading import RLock

    from pydantic import JsonValue

    from lamellar.clock import Clock
    from lamellar.scope import CallScope

    from .spec import CircuitBreaker

__all__ = ["Change", "Circuit", "Refusal", "State"]

_LONGEST_HINT = 60.0
"""Seconds; a provider that asks for more is asked again all the same."""

_MOST_DOUBLINGS = 60


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Change(NamedTuple):
    """A change of state."""

    before: State
    after: State
    open_for: float | None = None


class Refusal(NamedTuple):
    """Why a call is not let through, and in how many seconds one would be; None where nobody knows."""

    why: str
    retry_after: float | None


class Circuit:
    """The state of one target, or of one model of it.

    Every change is short, synchronous and under the breaker's lock, so that loops in several threads may share it; the
    answer of a call through a closed circuit, the way that matters, takes no lock.
    `round` counts the changes of state: a verdict is about the round in which its call was let through.

    Args:
        rules: The options.
        label: The key it belongs to.
        clock: Where time comes from.
        lock: The breaker's lock. Reentrant: what the garbage collector closes may end a call in the middle of anything.
    """

    __slots__ = (
        "_clock",
        "_failed_probes",
        "_in_a_row",
        "_lock",
        "_opened",
        "_probes",
        "_rules",
        "_succeeded",
        "_until",
        "_why",
        "_window",
        "label",
        "round",
        "state",
    )

    def __init__(self, rules: CircuitBreaker, label: str, clock: Clock, lock: RLock) -> None:
        self.label = label
        self.state = State.CLOSED
        self.round = 0
        self._rules = rules
        self._clock = clock
        self._lock = lock
        self._window = Window(seconds(rules.window))
        self._in_a_row = 0
        self._opened = 0.0
        self._until = float("-inf")
        self._why = ""
        self._failed_probes = 0
        self._succeeded = 0
        self._probes: list[Probe] = []

    # -- who may go ----------------------------------------------------------------------------------------------

    def ask(self, scope: CallScope | None) -> tuple[Probe | Refusal | None, Change | None]:
        """Whether a call may go: as a probe, not at all, or (None) like any other; and what that has changed."""
        with self._lock:
            if self.state is State.CLOSED:
                return None, None
            now, change = self._clock.now(), None
            if self.state is State.OPEN:
                left = self._left(now)
                if left > 0:
                    return Refusal(f"is open {self._why}; the next probe may go in {left:.3g} s", left), None
                self._succeeded = 0
                change = self._turn(State.HALF_OPEN)
            # Whose lease is over makes room; its verdict counts all the same, if it comes before this round is over.
            self._probes = [probe for probe in self._probes if probe.time_left(now) > 0]
            if len(self._probes) < self._rules.probes:
                probe = Probe(now, scope, seconds(self._rules.probe_lease))
                self._probes.append(probe)
                return probe, change
            soonest = min(probe.time_left(now) for probe in self._probes)
            said = f"is half-open {self._why}, and {len(self._probes)} of {self._rules.probes} probes are under way"
            return Refusal(said, soonest), change

    def _left(self, now: float) -> float:
        """Seconds for which it stays open."""
        if now < self._opened - LAG:  # time began anew with another loop, so what is left begins anew too
            self._until = now + self._until - self._opened
            self._opened = now
        return self._until - now

    # -- verdicts ------------------------------------------------------------------------------------------------

    def succeeded(self, in_round: int, probe: Probe | None) -> Change | None:
        """A call was answered."""
        if probe is None:
            if in_round == self.round and self.state is State.CLOSED:
                self._in_a_row = 0
                now = self._clock.now()
                if not self._window.succeeded(now):
                    with self._lock:
                        self._window.add(now, failed=False)
            return None
        with self._lock:
            self._leave(probe)
            if not self._is_asked(in_round, probe):
                return None
            self._succeeded += 1
            return self._close() if self._succeeded >= self._rules.probes else None

    def failed(self, in_round: int, probe: Probe | None, error: ExecutorError) -> Change | None:
        """A call failed, and the target is to blame."""
        rules = self._rules
        with self._lock:
            current = self._is_asked(in_round, probe)
            now = self._clock.now()
            if error.kind is ErrorKind.QUOTA_EXHAUSTED and rules.quota_open_for is not None:
                # An empty account is news for an open circuit too, from whatever call.
                if not current and self.state is State.CLOSED:
                    return None
                return self._open(now, seconds(rules.quota_open_for), error, "after an exhausted quota")
            if not current:
                return None
            if probe is not None:
                self._failed_probes += 1
                return self._open(now, self._duration(), error, f"after a failed probe ({error.kind})")
            self._in_a_row += 1
            self._window.add(now, failed=True)
            why = self._reason(now)
            return self._open(now, self._duration(), error, f"{why} ({error.kind})") if why else None

    def neutral(self, probe: Probe | None) -> None:
        """A call has ended, and says nothing about the target."""
        if probe is not None:
            with self._lock:
                self._leave(probe)

    def reset(self) -> Change | None:
        """Close it, and forget what was learned."""
        with self._lock:
            return self._close()

    def _is_asked(self, in_round: int, probe: Probe | None) -> bool:
        """Whether the verdict is about the present round: any call's while it is closed, a probe's while it is not."""
        return in_round == self.round and (probe is None) == (self.state is State.CLOSED)

    def _leave(self, probe: Probe | None) -> None:
        if probe is not None and probe in self._probes:
            self._probes.remove(probe)

    def _reason(self, now: float) -> str:
        """What would open it now, in words; empty for nothing."""
        rules = self._rules
        if rules.consecutive_failures is not None and self._in_a_row >= rules.consecutive_failures:
            return "after a failure" if self._in_a_row == 1 else f"after {self._in_a_row} failures in a row"
        if rules.failure_ratio is None:
            return ""
        calls, failures = self._window.tally(now)
        if calls < rules.min_calls or failures < rules.failure_ratio * calls:
            return ""
        return f"after {failures} failures in {calls} calls"

    def _duration(self) -> float:
        rules = self._rules
        if rules.open_max is None:
            return seconds(rules.open_for)
        doublings = min(self._failed_probes, _MOST_DOUBLINGS)
        return min(seconds(rules.open_for) * 2.0**doublings, seconds(rules.open_max))

    # -- changes -------------------------------------------------------------------------------------------------

    def _open(self, now: float, duration: float, error: ExecutorError, why: str) -> Change | None:
        """Refuse calls; of two ends, when it is open already, the later one holds."""
        until = now + max(duration, min(error.retry_after or 0.0, _LONGEST_HINT))
        if self.state is State.OPEN:
            if until > now + self._left(now):
                self._opened, self._until, self._why = now, until, why
            return None
        self._opened, self._until, self._why = now, until, why
        self._probes = []
        return self._turn(State.OPEN, open_for=until - now)

    def _close(self) -> Change | None:
        self._window.clear()
        self._in_a_row = self._failed_probes = 0
        self._probes = []
        if self.state is State.CLOSED:
            self.round += 1  # what is under way belongs to what was forgotten
            return None
        return self._turn(State.CLOSED)

    def _turn(self, after: State, open_for: float | None = None) -> Change:
        before, self.state = self.state, after
        self.round += 1
        return Change(before, after, open_for)

    # -- what it is ----------------------------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Whether it is as good as a new one."""
        with self._lock:
            quiet = self.state is State.CLOSED and self._in_a_row == 0
            return quiet and self._window.tally(self._clock.now()).failures == 0

    def shown(self) -> dict[str, JsonValue]:
        """Its state as plain data; `opens_in` is the time in seconds until a probe may go, where it is known."""
        with self._lock:
            now = self._clock.now()
            calls, failures = self._window.tally(now)
            return {
                "state": str(self.state),
                "failures": failures,
                "calls": calls,
                "in_a_row": self._in_a_row,
                "probe_in": max(0.0, self._left(now)) if self.state is State.OPEN else None,
                "probes": len(self._probes),
            }
