"""What one budget has spent and reserved: plain data, on the stack's clock."""

from __future__ import annotations

from collections import deque
from threading import RLock
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from lamellar.clock import Clock

__all__ = ["Amount", "Ledger", "Limits", "Reservation"]

_ROUNDING = 1e-9
"""Dollars that sums of fractions may be off by."""


class Amount(NamedTuple):
    """Tokens, and what they cost in US dollars."""

    tokens: int = 0
    cost: float = 0.0

    def plus(self, other: Amount) -> Amount:
        """The sum."""
        return Amount(self.tokens + other.tokens, self.cost + other.cost)

    def minus(self, other: Amount) -> Amount:
        """The difference."""
        return Amount(self.tokens - other.tokens, self.cost - other.cost)


class Limits(NamedTuple):
    """What may be spent in a period.

    Args:
        tokens: Tokens, or None for any number.
        cost: US dollars, or None for any sum.
        period: Seconds, or None for ever.
    """

    tokens: int | None
    cost: float | None
    period: float | None

    def exceeded_by(self, amount: Amount) -> str | None:
        """Which limit this is more than: ``tokens``, ``cost``, or None."""
        if self.tokens is not None and amount.tokens > self.tokens:
            return "tokens"
        if self.cost is not None and amount.cost > self.cost + _ROUNDING:
            return "cost"
        return None


class _Slice:
    """What was spent in one sixtieth of the period."""

    __slots__ = ("spent", "start")

    def __init__(self, start: float) -> None:
        self.start = start
        self.spent = Amount()


class Ledger:
    """One budget at work.

    What was spent is kept in slices of a sixtieth of the period, and a slice is forgotten when all of it is a period
    old: in no window of the period is anything forgotten that belongs to it.

    Args:
        limits: What may be spent.
        clock: Where its time comes from.
        lock: Held while anything changes.
        label: Its key in words; empty where there is only one.
    """

    SLICES: ClassVar[int] = 60

    def __init__(self, limits: Limits, clock: Clock, lock: RLock, label: str) -> None:
        self.limits = limits
        self.label = label
        self.exhausted = False
        """Whether a call was refused since the last that was let through."""
        self._clock = clock
        self._lock = lock
        self._width = 0.0 if limits.period is None else limits.period / self.SLICES
        self._slices: deque[_Slice] = deque()
        self._spent = Amount()
        self._reserved = Amount()
        self._open = 0
        self._forgotten: deque[Amount] = deque()

    def reserve(self, estimate: Amount) -> Reservation | None:
        """Set an estimate aside for a call; None when there is no room for it."""
        with self._lock:
            self._advance()
            if self.limits.exceeded_by(self._held().plus(estimate)) is not None:
                return None
            self.exhausted = False
            self._reserved = self._reserved.plus(estimate)
            self._open += 1
            return Reservation(self, estimate)

    def settle(self, estimate: Amount, actual: Amount) -> None:
        """A call is over: what was set aside for it, and what it has cost."""
        with self._lock:
            self._advance()
            self._give_back(estimate)
            self._book(actual)

    def forget(self, estimate: Amount) -> None:
        """Nobody will settle this; it counts as spent. From any thread, a finalizer's included, so without the lock."""
        self._forgotten.append(estimate)

    def succeed(self, old: Ledger) -> None:
        """Take over what another budget has spent; what calls under way have set aside there counts as spent here."""
        with self._lock, old._lock:
            old._advance()
            for each in old._slices:
                copy = _Slice(each.start)
                copy.spent = each.spent
                self._slices.append(copy)
                self._spent = self._spent.plus(each.spent)
            self._book(old._reserved)

    def reset(self) -> None:
        """Nothing is spent; what calls under way have reserved stays reserved."""
        with self._lock:
            self._slices.clear()
            self._spent = Amount()
            self.exhausted = False

    @property
    def spent(self) -> Amount:
        """What was spent within the period."""
        with self._lock:
            self._advance()
            return self._spent

    @property
    def reserved(self) -> Amount:
        """What calls under way have set aside."""
        with self._lock:
            self._advance()
            return self._reserved

    @property
    def is_idle(self) -> bool:
        """Whether it is as good as a new one."""
        with self._lock:
            self._advance()
            return not self._slices and self._open == 0

    def resets_in(self) -> float | None:
        """Seconds until all that is spent is forgotten; None when nothing is, or when nothing ever will be."""
        with self._lock:
            self._advance()
            return self._until(self._slices[-1]) if self._slices and self.limits.period is not None else None

    def room_in(self, estimate: Amount) -> float | None:
        """Seconds until there is room for this; None when that is not to be known, or never."""
        with self._lock:
            self._advance()
            if self.limits.period is None:
                return None
            held = self._held().plus(estimate)
            for each in self._slices:
                held = held.minus(each.spent)
                if self.limits.exceeded_by(held) is None:
                    return self._until(each)
            return None

    def _held(self) -> Amount:
        return self._spent.plus(self._reserved)

    def _until(self, each: _Slice) -> float:
        return max(0.0, each.start + self._width + (self.limits.period or 0.0) - self._clock.now())

    def _give_back(self, estimate: Amount) -> None:
        self._open -= 1
        # With nothing open it is nothing, whatever the rounding of dollars says.
        self._reserved = self._reserved.minus(estimate) if self._open else Amount()

    def _book(self, amount: Amount) -> None:
        if not any(amount):
            return
        now = self._clock.now()
        # Without a period there is one slice, which never ends.
        if not self._slices or (self._width and now - self._slices[-1].start >= self._width):
            self._slices.append(_Slice(now))
        self._slices[-1].spent = self._slices[-1].spent.plus(amount)
        self._spent = self._spent.plus(amount)

    def _advance(self) -> None:
        """Forget what is a period old."""
        while self._forgotten:
            estimate = self._forgotten.popleft()
            self._give_back(estimate)
            self._book(estimate)
        if self.limits.period is None or not self._slices:
            return
        oldest = self._clock.now() - self.limits.period - self._width
        if self._slices[0].start <= oldest:
            while self._slices and self._slices[0].start <= oldest:
                self._slices.popleft()
            # Summed anew, so that the rounding of dollars does not add up.
            self._spent = Amount(
                sum(each.spent.tokens for each in self._slices), sum(each.spent.cost for each in self._slices)
            )


class Reservation:
    """An estimate that is set aside until its call is over."""

    __slots__ = ("_ledger", "_open", "estimate")

    def __init__(self, ledger: Ledger, estimate: Amount) -> None:
        self._ledger = ledger
        self._open = True
        self.estimate = estimate

    def settle(self, actual: Amount) -> bool:
        """The call is over; whether nobody had said so before."""
        if not self._open:
            return False
        self._open = False
        self._ledger.settle(self.estimate, actual)
        return True

    def __del__(self) -> None:
        # A stream that outlived its loop ends without telling anybody.
        if self._open:
            self._ledger.forget(self.estimate)
