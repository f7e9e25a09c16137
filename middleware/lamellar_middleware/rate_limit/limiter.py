"""The limiter at work: one lane of meters and waiters for each key."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING

from lamellar.errors import ErrorKind, RejectedError

from .lane import Lane
from .limits import Limit
from .meter import Bucket, Meter
from .reservation import Reservation
from .timeline import Timeline

if TYPE_CHECKING:
    from lamellar.clock import Clock

    from .meter import Pace
    from .spec import RateLimit

__all__ = ["Key", "RateLimiter"]

Key = tuple[str | None, ...]
"""What has limits of its own: one value for each of `RateLimit.per`."""

_MOST = 10_000
"""Keys that are kept at a time."""

_TRIED = 16
"""Of the keys used longest ago, how many are looked at for one that can be forgotten."""


class RateLimiter:
    """What a `RateLimit` declares, at work; share one between stacks with `RateLimit(share=...)`.

    It holds plain data: levels and pauses survive the end of an event loop, and several loops in several threads may
    use it at a time.

    Args:
        spec: The limits.
        clock: Where time comes from.
    """

    def __init__(self, spec: RateLimit, clock: Clock) -> None:
        self.spec = spec
        self._limits = spec.limits()
        self._timeline = Timeline(clock)
        self._lock = RLock()
        self._lanes: OrderedDict[Key, Lane] = OrderedDict()
        self._only = self._make(()) if not spec.per else None

    @property
    def counts_tokens(self) -> bool:
        """Whether any of the limits counts tokens."""
        return any(limit.unit == "tokens" for limit in self._limits)

    def now(self) -> float:
        """The limiter's time in seconds, on a scale of its own."""
        return self._timeline.now()

    def lane(self, key: Key = ()) -> Lane:
        """The limits of one key.

        Raises:
            RejectedError: ``queue_full``, too many keys have used a part of their limits.
        """
        if self._only is not None:
            return self._only
        with self._lock:
            found = self._lanes.get(key)
            if found is None:
                self._make_room()
                return self._make(key)
            self._lanes.move_to_end(key)
            return found

    async def reserve(self, tokens: int = 0, *, key: Key = (), within: float | None = None) -> Reservation:
        """Wait for one request and so many tokens, in turn.

        Args:
            tokens: The tokens to reserve.
            key: Whose limits they are taken from: one value for each of `RateLimit.per`.
            within: Seconds for which it is worth waiting; None waits for as long as it takes.

        Raises:
            RejectedError: ``limiter_deadline``, the wait would be longer; ``queue_full``, too many wait. Nothing was
                taken.
        """
        lane = self.lane(key)
        return lane.take(tokens) or await lane.turn(lane.join(tokens, within))

    def pause(self, seconds: float, *, key: Key = ()) -> None:
        """Let nothing through for so long, or for as long as an earlier pause says."""
        self.lane(key).pause(seconds)

    def levels(self) -> dict[str, dict[str, object]]:
        """For each key in use: how many wait, for how long it is paused, and how much of each limit is used."""
        with self._lock:
            return {lane.label: lane.levels() for lane in self._lanes.values()}

    def succeed(self, old: RateLimiter) -> None:
        """Take over from a limiter of other terms what its provider has seen, if both are kept apart in one way.

        Pauses hold on, and what was used of a limit stays used of the one that counts the same in the same period.
        """
        if self.spec.per != old.spec.per:
            return
        shift = self.now() - old.now()
        with old._lock:
            for key, lane in old._lanes.items():
                if not lane.is_idle():
                    self.lane(key).succeed(lane, shift)

    def resume(self) -> None:
        """Lift every pause; what was used of the limits stays used."""
        with self._lock:
            for lane in self._lanes.values():
                lane.resume()

    def _make(self, key: Key) -> Lane:
        label = ", ".join(f"{name}={value or ''}" for name, value in zip(self.spec.per, key, strict=True))
        meters = [Meter(limit, _pace(limit)) for limit in self._limits]
        lane = self._lanes[key] = Lane(label, meters, self._timeline, self._lock, self.spec.max_queue)
        return lane

    def _make_room(self) -> None:
        """Forget a key that is as good as new. One that is not would get its whole limit a second time."""
        if len(self._lanes) < _MOST:
            return
        for key, lane in islice(self._lanes.items(), _TRIED):
            if lane.is_idle():
                del self._lanes[key]
                return
        raise RejectedError(
            ErrorKind.QUEUE_FULL,
            f"{_MOST} values of {', '.join(self.spec.per)} have used a part of their limits, and no more are kept; "
            "key the limits on something with fewer values",
        )

    def __repr__(self) -> str:
        return f"RateLimiter({', '.join(map(str, self._limits)) or 'pauses alone'})"


def _pace(limit: Limit) -> Pace:
    if limit.unit == "tokens":
        return Bucket(limit)
    from .gate import RequestGate  # aiolimiter is imported where requests are limited

    return RequestGate(limit)
