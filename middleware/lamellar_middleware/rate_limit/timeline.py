"""The limiter's own time, which outlives any one event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamellar.clock import Clock

__all__ = ["Timeline"]

_LAG = 1.0
"""Seconds by which the clocks of two loops may differ: some loops read the time once a turn."""


class Timeline:
    """The injected clock's time, which never goes back.

    A loop's time may begin anew with the loop, as a virtual one does; what was used before is then as old as it was.

    Args:
        clock: Where time comes from.
    """

    __slots__ = ("_last", "_offset", "clock")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._last = float("-inf")
        self._offset = 0.0

    def now(self) -> float:
        """Seconds, on a scale of its own."""
        read = self.clock.now()
        if read < self._last - _LAG:
            self._offset += self._last - read
        elif read < self._last:
            return self._last + self._offset
        self._last = read
        return read + self._offset

    def on_clock(self, when: float) -> float:
        """A time of this line as the running loop's clock tells it, for a timer."""
        return when - self._offset
