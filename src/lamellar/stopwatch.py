"""How long a call has waited for its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import Clock

__all__ = ["Stopwatch"]


class Stopwatch:
    """Seconds spent waiting for the provider: it stands still while the consumer has the stream to itself."""

    __slots__ = ("_clock", "_depth", "_elapsed", "_started")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._depth = 0
        self._elapsed = 0.0
        self._started = 0.0

    def start(self) -> None:
        """Somebody waits; nested waits are one."""
        if self._depth == 0:
            self._started = self._clock.now()
        self._depth += 1

    def stop(self) -> None:
        """This wait is over."""
        self._depth -= 1
        if self._depth == 0:
            self._elapsed += self._clock.now() - self._started

    def elapsed(self) -> float:
        """Seconds waited so far, a wait under way included."""
        return self._elapsed + (self._clock.now() - self._started if self._depth else 0.0)
