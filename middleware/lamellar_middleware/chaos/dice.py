"""What chaos has in store for an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from lamellar.errors import ErrorKind

if TYPE_CHECKING:
    from .spec import Chaos

__all__ = ["Dice", "Fate"]

Fault = Literal["empty", "cut", "stall"] | ErrorKind


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one attempt.

    Args:
        fault: What strikes it, or None.
        after: Content events before that, of a cut or a stall.
        latency: Seconds that it is held up first.
    """

    fault: Fault | None
    after: int
    latency: float


class Dice:
    """Draws the fates of one layer's attempts, in the order they begin.

    Every fate takes as many draws as any other, so that a seed gives the same faults whatever is asked.

    Args:
        spec: The rates.
        rng: Where randomness comes from.
    """

    def __init__(self, spec: Chaos, rng: Random) -> None:
        self._rng = rng
        self._faults: list[tuple[Fault, float]] = [
            *sorted(spec.errors.items()),
            ("empty", spec.empty_rate),
            ("cut", spec.cut_rate),
            ("stall", spec.stall_rate),
        ]
        self._after = {"cut": _span(spec.cut_after), "stall": _span(spec.stall_after)}
        self._latency = _span(spec.latency)
        self._latency_rate = spec.latency_rate

    @classmethod
    def of(cls, spec: Chaos, rng: Random) -> Dice:
        """The dice of a layer: with a seed, of its own."""
        return cls(spec, rng if spec.seed is None else Random(spec.seed))  # noqa: S311 -- faults, not secrets

    def fate(self) -> Fate:
        """The next one."""
        strikes, place, delays, length = [self._rng.random() for _ in range(4)]
        fault = self._fault(strikes)
        low, high = self._after.get(str(fault), (0, 0))
        slow_from, slow_to = self._latency
        latency = slow_from + (slow_to - slow_from) * length if delays < self._latency_rate else 0.0
        return Fate(fault, int(low + (high - low + 1) * place), latency)

    def _fault(self, drawn: float) -> Fault | None:
        for fault, rate in self._faults:
            if drawn < rate:
                return fault
            drawn -= rate
        return None


def _span(value: float | str | tuple[float | str, float | str] | None) -> tuple[float, float]:
    """A number or a range of them, validated, as a range."""
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(low or 0), float(high or 0)
