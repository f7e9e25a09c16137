"""How many calls were judged of late, and how many of them failed."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

__all__ = ["LAG", "Window"]

LAG = 1.0
"""Seconds by which the clocks of two loops may differ. A time that goes back further has begun anew with its loop."""


class Window:
    """Calls and failures of a sliding window, in ten slices, with their sums kept: constant time per call.

    Args:
        seconds: The length of the window.
    """

    SLICES: ClassVar[int] = 10

    __slots__ = ("_length", "_slices", "_width", "calls", "failures")

    def __init__(self, seconds: float) -> None:
        self._length = seconds
        self._width = seconds / self.SLICES
        self._slices: deque[list[float]] = deque()  # [start, calls, failures]
        self.calls = 0
        self.failures = 0

    def add(self, now: float, *, failed: bool) -> None:
        """One call was judged."""
        slices = self._slices
        if not slices or not -LAG <= now - slices[-1][0] < self._width:
            self.slide(now)
            slices.append([now, 0, 0])
        current = slices[-1]
        current[1] += 1
        self.calls += 1
        if failed:
            current[2] += 1
            self.failures += 1

    def slide(self, now: float) -> None:
        """Drop what is too old; all of it when the time itself began anew."""
        slices = self._slices
        if slices and now < slices[-1][0] - LAG:
            self.clear()
        while slices and slices[0][0] <= now - self._length:
            _, calls, failures = slices.popleft()
            self.calls -= int(calls)
            self.failures -= int(failures)

    def clear(self) -> None:
        """Forget everything."""
        self._slices.clear()
        self.calls = self.failures = 0
