"""One limit: so many requests or tokens in a period."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Limit"]

_PERIODS = {"second": 1.0, "minute": 60.0, "day": 86_400.0}


class Limit(NamedTuple):
    """So many requests or tokens in a period.

    Args:
        unit: What is counted.
        amount: How many of them any window of the period may hold.
        per: The period: ``second``, ``minute`` or ``day``.
        burst: How many of them may come at once.
    """

    unit: Literal["requests", "tokens"]
    amount: int
    per: str
    burst: int

    @classmethod
    def of(cls, unit: Literal["requests", "tokens"], per: str, amount: int, share: float) -> Limit:
        """The limit whose burst is this share of it: whole ones, and at least one."""
        return cls(unit, amount, per, max(1, int(amount * share)))

    @property
    def period(self) -> float:
        """Seconds of its period."""
        return _PERIODS[self.per]

    @property
    def rate(self) -> float:
        """How many a second when they come evenly."""
        return self.amount / self.period

    def __str__(self) -> str:
        return f"{self.amount} {self.unit if self.amount != 1 else self.unit[:-1]} per {self.per}"
