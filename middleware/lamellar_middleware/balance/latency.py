"""How slow a target is, as an average that a peak raises at once and time lowers again.

This is the peak-sensitive EWMA of Finagle and Linkerd
(https://linkerd.io/2016/03/16/beyond-round-robin-load-balancing-for-latency/): a balancer must run from a target that
becomes slow, and may take its time to trust it again.
"""

from __future__ import annotations

from math import exp

__all__ = ["PeakEwma"]

_SLOW = 1.0
"""Seconds that a failure counts for at least, and that an aborted call must have taken to tell of an unknown target."""

_SLOWEST = 60.0
"""Seconds that failures alone can make of it."""


class PeakEwma:
    """A moving average of seconds that no call has to refresh: without calls it decays to nothing.

    Args:
        decay: Seconds after which an observation weighs about a third (1/e) of what it did.
    """

    __slots__ = ("_at", "_decay", "_value")

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._value = 0.0
        self._at = 0.0

    def forget(self) -> None:
        """Begin anew."""
        self._value = 0.0

    def value(self, now: float) -> float:
        """The average in seconds; 0 when nothing is known."""
        return self._value * self._weight(now) if self._value else 0.0

    def observe(self, seconds: float, now: float) -> None:
        """A call took so long."""
        weight = self._weight(now)
        # A peak counts at once, and so does the first call of all.
        peak = seconds > self._value or not self._value
        self._value = seconds if peak else self._value * weight + seconds * (1 - weight)
        self._at = now

    def at_least(self, seconds: float, now: float) -> None:
        """A call was given up after so long: it tells nothing of how fast the target is, only how slow."""
        if seconds > (self.value(now) or _SLOW):
            self._value, self._at = seconds, now

    def failed(self, seconds: float, now: float) -> None:
        """A call failed after so long, and its target is to blame.

        It counts as a slow one, and as twice as slow each time: a target that fails at once would draw every call.
        """
        self._value, self._at = max(seconds, min(max(2 * self.value(now), _SLOW), _SLOWEST)), now

    def _weight(self, now: float) -> float:
        return exp(-max(now - self._at, 0.0) / self._decay)
