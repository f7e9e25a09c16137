"""What one limit has given out: the window that must never overflow, and the pace within it."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Protocol

from .limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SLACK", "Bucket", "Entry", "Meter", "Pace", "ready_at"]

SLACK = 1e-6
"""Seconds by which a timer may fire early. Windows are longer than their period by more than this."""

_SLICES = 256
"""Slices of a period: what is taken within one is remembered together, so that a window's memory is bounded."""


class Pace(Protocol):
    """A bucket that leaks the limit evenly over its period."""

    def level(self, now: float) -> float:
        """How full it is."""
        ...

    def ready_at(self, amount: int, now: float) -> float:
        """When there is room for `amount`, if nobody else takes any."""
        ...

    def take(self, amount: int, now: float) -> None:
        """Take what `ready_at` has said is there."""
        ...

    def give_back(self, amount: int, now: float) -> None:
        """What was taken was not used; less than nothing if more was used."""
        ...


class Bucket:
    """A pace of our own, for tokens and for looking ahead.

    An amount above its capacity is let in when it is empty, and leaves it fuller than full: the debt is leaked before
    anything else is let in.

    Args:
        limit: The limit it paces.
        level: How full it is.
        at: When that was.
    """

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, limit: Limit, level: float = 0.0, at: float = 0.0) -> None:
        self._burst = limit.burst
        self._rate = limit.rate
        self._level = level
        self._at = at

    def level(self, now: float) -> float:
        """How full it is."""
        if now > self._at:
            self._level = max(0.0, self._level - (now - self._at) * self._rate)
            self._at = now
        return self._level

    def ready_at(self, amount: int, now: float) -> float:
        """When there is room for `amount`, or when it is empty."""
        over = self.level(now) - max(0, self._burst - amount)
        return now + over / self._rate if over > 0 else now

    def take(self, amount: int, now: float) -> None:
        """Take what `ready_at` has said is there."""
        self._level = self.level(now) + amount

    def give_back(self, amount: int, now: float) -> None:
        """What was taken was not used; less than nothing if more was used."""
        self._level = max(0.0, self.level(now) - amount)


class Entry:
    """What was taken within one slice of the period.

    Args:
        amount: How much.
        since: When the first of it was taken.
    """

    __slots__ = ("amount", "since", "until")

    def __init__(self, amount: int, since: float) -> None:
        self.amount = amount
        self.since = since
        self.until = since
        """When the last of it was taken: it all comes back a period after that."""


class Meter:
    """One limit at work.

    Args:
        limit: The limit.
        pace: What paces it within the window.
        entries: What is in the window, the oldest first.
    """

    __slots__ = ("_keep", "_most", "_pace", "_slice", "_used", "_window", "counts_tokens", "limit")

    def __init__(self, limit: Limit, pace: Pace, entries: Iterable[Entry] = ()) -> None:
        self.limit = limit
        self.counts_tokens = limit.unit == "tokens"
        self._most = limit.amount
        self._pace = pace
        self._window = deque(entries)
        self._used = sum(entry.amount for entry in self._window)
        self._keep = limit.period + 2 * SLACK
        self._slice = limit.period / _SLICES

    def ahead(self, now: float) -> Meter:
        """A copy for looking ahead, on which nothing is taken in earnest."""
        return Meter(self.limit, Bucket(self.limit, self._pace.level(now), now), self._copied(0.0))

    def succeed(self, old: Meter, now: float, shift: float) -> None:
        """Go on from what another meter of the same period has given out, whose time is `shift` seconds earlier."""
        self._window.extend(old._copied(shift))
        self._used += sum(entry.amount for entry in self._window)
        self._pace.give_back(-min(ceil(old._pace.level(now - shift)), self.limit.burst), now)

    def _copied(self, shift: float) -> list[Entry]:
        copies = []
        for entry in self._window:
            copy = Entry(entry.amount, entry.since + shift)
            copy.until = entry.until + shift
            copies.append(copy)
        return copies

    def used(self, now: float) -> int:
        """How much the window that ends now holds."""
        window = self._window
        while window and window[0].until + self._keep <= now:
            self._used -= window.popleft().amount
        return self._used

    def is_full(self, now: float) -> bool:
        """Whether all of the limit is there."""
        return not self.used(now) and not self._window and self._pace.level(now) == 0

    def fits(self, tokens: int, now: float) -> bool:
        """Whether a call fits now; `ready_at` says when."""
        amount = tokens if self.counts_tokens else 1
        used = self.used(now)
        return (used + amount <= self._most or not used) and self._pace.ready_at(amount, now) <= now

    def ready_at(self, tokens: int, now: float) -> float:
        """When a call fits, if nobody else takes anything."""
        amount = tokens if self.counts_tokens else 1
        when = self._pace.ready_at(amount, now)
        if self.used(now) + amount > self._most:
            when = max(when, self._room_at(amount, now))
        return when

    def _room_at(self, amount: int, now: float) -> float:
        """When the window has room for `amount`; for more than the whole limit, when it holds nothing."""
        excess = self._used - max(0, self._most - amount)
        for entry in self._window:
            if excess <= 0:
                break
            excess -= entry.amount
            now = entry.until + self._keep
        return now

    def take(self, tokens: int, now: float) -> Entry:
        """Take what a call needs; where it is remembered."""
        amount = tokens if self.counts_tokens else 1
        self._pace.take(amount, now)
        self._used += amount
        last = self._window[-1] if self._window else None
        if last is not None and now - last.since < self._slice:
            last.amount += amount
            last.until = max(now, last.until)
            return last
        entry = Entry(amount, now)
        self._window.append(entry)
        return entry

    def give_back(self, entry: Entry, amount: int, now: float) -> None:
        """What was taken was not used; less than nothing if more was used."""
        self._pace.give_back(amount, now)
        self.used(now)
        if entry.until + self._keep > now:
            entry.amount -= amount
            self._used -= amount

    def levels(self, now: float) -> dict[str, float]:
        """How much of the limit is used, and how full its bucket is."""
        return {
            "limit": self._most,
            "used": self.used(now),
            "burst": self.limit.burst,
            "level": self._pace.level(now),
        }


def ready_at(meters: Iterable[Meter], tokens: int, now: float) -> tuple[float, Limit | None]:
    """When all of `meters` have room for a call, and the limit that says so; None if they have it now."""
    when, slowest = now, None
    for meter in meters:
        ready = meter.ready_at(tokens, now)
        if ready > when:
            when, slowest = ready, meter.limit
    return when, slowest
