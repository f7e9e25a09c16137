"""How long the primary is waited for: a fixed time, or a percentile of what was seen."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil

__all__ = ["Delays", "Window"]

_KEPT = 250
_ENOUGH = 20


class Window:
    """The last so many times, and any percentile of them."""

    __slots__ = ("_in_order", "_sorted")

    def __init__(self) -> None:
        self._in_order: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, seconds: float) -> None:
        """One more; the oldest goes when there are too many."""
        if len(self._in_order) == _KEPT:
            del self._sorted[bisect_left(self._sorted, self._in_order.popleft())]
        self._in_order.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, share: float) -> float:
        """The least time that so large a share of them does not exceed."""
        return self._sorted[ceil(share * len(self._sorted)) - 1]


class Delays:
    """The delay of the next hedge.

    Args:
        initial: Seconds, as long as nothing else is known.
        percentile: The share of calls that are to be answered without a hedge; None keeps to `initial`.
    """

    __slots__ = ("_answers", "_initial", "_percentile", "_streams")

    def __init__(self, initial: float, percentile: float | None) -> None:
        self._initial = initial
        self._percentile = percentile
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._answers = Window()
        self._streams = Window()

    @property
    def learns(self) -> bool:
        """Whether what is seen matters."""
        return self._percentile is not None

    def seen(self, seconds: float, *, streaming: bool) -> None:
        """The primary took so long.

        One that lost took longer than it had when it was cancelled. That is enough to count it on the right side: it
        was slower than the percentile by which it was given up.
        """
        (self._streams if streaming else self._answers).add(seconds)

    def delay(self, *, streaming: bool) -> float:
        """Seconds until the next target is asked."""
        window = self._streams if streaming else self._answers
        if self._percentile is None or len(window) < _ENOUGH:
            return self._initial
        return window.percentile(self._percentile)
