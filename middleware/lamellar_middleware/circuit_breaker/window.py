"""How many calls were judged of late, and how many of them failed."""

from __future__ import annotations

from collections import deque
from typing import ClassVar, NamedTuple

__all__ = ["LAG", "Tally", "Window"]

LAG = 1.0
"""Seconds by which the clocks of two loops may differ. A time that goes back further has begun anew with its loop."""


class Tally(NamedTuple):
    """What lies in a window.

    Args:
        calls: Calls that were judged.
        failures: Those that failed.
    """

    calls: int
    failures: int


class _Slice:
    """A tenth of a window."""

    __slots__ = ("calls", "failures", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.calls = 0
        self.failures = 0


class Window:
    """Calls and failures of a sliding window, in ten slices: constant time per call, and little of it.

    Args:
        seconds: The length of the window.
    """

    SLICES: ClassVar[int] = 10

    __slots__ = ("_length", "_slices", "_width", "current")

    def __init__(self, seconds: float) -> None:
        self._length = seconds
        self._width = seconds / self.SLICES
        self._slices: deque[_Slice] = deque()
        self.current = _Slice(float("-inf"))

    def succeeded(self, now: float) -> bool:
        """One call was answered; False when that belongs to another slice, and must be said by `add`.

        Not under any lock: of two threads at the very same moment, one success may be lost, and nothing else.
        """
        current = self.current
        if -LAG <= now - current.since < self._width:
            current.calls += 1
            return True
        return False

    def add(self, now: float, *, failed: bool) -> None:
        """One call was judged."""
        if not -LAG <= now - self.current.since < self._width:
            self._slide(now)
            self.current = _Slice(now)
            self._slices.append(self.current)
        self.current.calls += 1
        self.current.failures += failed

    def tally(self, now: float) -> Tally:
        """Calls and failures of the window that ends now."""
        self._slide(now)
        return Tally(sum(each.calls for each in self._slices), sum(each.failures for each in self._slices))

    def clear(self) -> None:
        """Forget everything."""
        self._slices.clear()
        self.current = _Slice(float("-inf"))

    def _slide(self, now: float) -> None:
        """Drop what is too old; all of it when the time itself began anew."""
        slices = self._slices
        if slices and now < slices[-1].since - LAG:
            self.clear()
        while slices and slices[0].since <= now - self._length:
            slices.popleft()
        if not slices:
            self.current = _Slice(float("-inf"))
