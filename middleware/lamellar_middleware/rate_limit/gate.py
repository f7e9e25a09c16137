"""aiolimiter's bucket on the limiter's own time. Imported only where a limit on requests is given."""

from __future__ import annotations

from aiolimiter import AsyncLimiter

from .limits import Limit

__all__ = ["RequestGate"]

_SLACK = 0.001
"""Of a request: rounding must not close the gate at the very moment for which it was forecast to be open."""


class RequestGate(AsyncLimiter):
    """The pace of requests: an `AsyncLimiter` of `burst` requests that leaks the limit evenly over its period.

    `AsyncLimiter` asks its event loop for one thing besides futures and timers, which is the time, and binds itself to
    the first loop it meets. Here it asks the gate itself, which is told the time with every question: so it works on
    the injected clock and across loops. It never has anybody wait: the queue asks it only when it is open.

    Args:
        limit: The limit on requests.
    """

    __slots__ = ("_now", "_pace")

    def __init__(self, limit: Limit) -> None:
        capacity = limit.burst + _SLACK
        super().__init__(capacity, capacity / limit.rate)
        self._now = 0.0
        self._pace = limit

    @property
    def _loop(self) -> RequestGate:  # type: ignore[override]
        return self

    def time(self) -> float:
        """The time that the gate was told last."""
        return self._now

    def level(self, now: float) -> float:
        """How full the bucket is."""
        self._now = max(now, self._now)
        self._leak()
        return self._level

    def ready_at(self, amount: int, now: float) -> float:
        """When there is room for `amount`, if nobody else takes any."""
        self._now = max(now, self._now)
        if self.has_capacity(amount):
            return now
        return now + (self._level - (self._pace.burst - amount)) / self._pace.rate

    def take(self, amount: int, now: float) -> None:
        """Take what `ready_at` has said is there."""
        self._now = max(now, self._now)
        permit = self.acquire(amount)
        try:
            permit.send(None)
        except StopIteration:
            return
        permit.close()
        raise RuntimeError("a request was let in while the gate was shut")

    def give_back(self, amount: int, now: float) -> None:
        """What was taken was not used."""
        self._level = max(0.0, self.level(now) - amount)
