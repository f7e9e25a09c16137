"""A bound on retries over all calls: a target that fails for everybody is not asked three times by everybody.

Retries may be at most a share of the calls of a sliding window, and a few a second besides, so that a quiet service
can retry at all. The idea is Finagle's `RetryBudget` (https://twitter.github.io/finagle/guide/Clients.html#retries).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from lamellar.durations import Duration, seconds
from lamellar.frozen import Frozen

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.clock import Clock

__all__ = ["BudgetLedger", "RetryBudget", "kept_ledger"]


class RetryBudget(Frozen):
    """How many retries a target may see, over all calls.

    Args:
        ratio: Retries per call; 0.2 allows one retry to five calls.
        min_per_second: Retries a second that are allowed besides, however few calls there are.
        window: Seconds over which both are counted.
    """

    ratio: float = Field(default=0.2, ge=0, le=1)
    min_per_second: float = Field(default=1.0, ge=0)
    window: Duration = 10.0


class BudgetLedger:
    """A budget at work: calls and retries in ten slices of the window, the oldest dropped as time goes on."""

    SLICES: ClassVar[int] = 10

    def __init__(self, budget: RetryBudget, clock: Clock) -> None:
        self._clock = clock
        self._ratio = budget.ratio
        self._floor = budget.min_per_second * seconds(budget.window)
        self._width = seconds(budget.window) / self.SLICES
        self._slices: deque[list[float]] = deque()  # [start, calls, retries]

    def _current(self) -> list[float]:
        now = self._clock.now()
        oldest = now - self._width * self.SLICES
        while self._slices and self._slices[0][0] <= oldest:
            self._slices.popleft()
        if not self._slices or now - self._slices[-1][0] >= self._width:
            self._slices.append([now, 0, 0])
        return self._slices[-1]

    def call(self) -> None:
        """A call was made."""
        self._current()[1] += 1

    def balance(self) -> float:
        """Retries that are left."""
        self._current()
        calls = sum(each[1] for each in self._slices)
        retries = sum(each[2] for each in self._slices)
        return self._floor + self._ratio * calls - retries

    def take(self) -> bool:
        """Take one retry, if one is left."""
        if self.balance() < 1:
            return False
        self._current()[2] += 1
        return True


def kept_ledger(budget: RetryBudget | None, context: BuildContext) -> BudgetLedger | None:
    """The ledger of a budget, which goes on when a stack is reloaded; None without one."""
    if budget is None:
        return None
    return context.keep(BudgetLedger, lambda: BudgetLedger(budget, context.clock), terms=budget)
