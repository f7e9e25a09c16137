"""How often a retry asks at most, and how long it waits between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.durations import seconds
from lamellar.errors import ErrorKind
from lamellar.lint.bounds import Bounds

from .spec import KindPolicy

if TYPE_CHECKING:
    from .spec import Retry

__all__ = ["longest_waits", "retried"]

_HINT_SPREAD = 1.1
"""A hint is waited for, and up to a tenth of it more, so that not all come back at once."""

_STEPS = 1000
"""Backoffs that are worked out one by one; those after them count as the longest there is."""


def retried(spec: Retry, inner: Bounds, *, continues: bool) -> Bounds:
    """The bounds of a retry round `inner`.

    Args:
        spec: Its options.
        inner: What one attempt comes to.
        continues: Whether a stream that broke may be gone on with from its partial text. A target that refuses that is
            asked the whole question at once, besides the attempts.
    """
    if spec.stop is not None:
        return Bounds.unknown("retry ends by a `stop` of one's own")
    attempts = most_attempts(spec)
    if attempts == 1:
        return inner
    asked = inner.times(2 * attempts - 1 if continues else attempts)
    window = None if spec.window is None else seconds(spec.window)
    waits = longest_waits(spec, attempts - 1)
    found = asked.after(waits, "retry waits by a `wait` of one's own")
    # The last attempt begins within the window, and the one that goes on in its place right after it.
    ended = inner.times(2 if continues else 1).seconds
    return found if window is None or ended is None else found.within(window + ended)


def most_attempts(spec: Retry) -> int:
    """Attempts in all, by the kind of error that allows the most."""
    policies = [each for each in spec.kinds.values() if isinstance(each, KindPolicy)]
    return max(spec.attempts, *[each.attempts or 1 for each in policies], 1)


def longest_waits(spec: Retry, count: int, *, hints: bool = True) -> float | None:
    """Seconds of the first so many waits together, if each is as long as it may be; None where nobody knows.

    Args:
        spec: The options.
        count: How many waits.
        hints: Whether the provider asks for the longest wait that is kept to, each time.
    """
    if spec.wait is not None:
        return None
    hint = seconds(spec.retry_after_cap) * _HINT_SPREAD if hints else 0.0
    ranges = set(_ranges(spec))
    together, wait = 0.0, hint
    for number in range(count):
        if number == _STEPS:
            return together + (count - number) * max(hint, *[longest for _, longest in ranges])
        wait = max(hint, *[_grown(initial, spec.multiplier, number, longest) for initial, longest in ranges])
        together += wait
    return together


def _ranges(spec: Retry) -> list[tuple[float, float]]:
    """First and longest backoff, for every kind of error that has its own."""
    found = []
    for kind in ErrorKind:
        policy = spec.kinds.get(kind)
        own = policy if isinstance(policy, KindPolicy) else KindPolicy()
        initial = own.initial
        if initial is None:
            initial = spec.overloaded_initial if kind is ErrorKind.OVERLOADED else spec.initial
        found.append((seconds(initial), seconds(spec.max if own.max is None else own.max)))
    return found


def _grown(initial: float, multiplier: float, times: int, longest: float) -> float:
    try:
        return min(longest, initial * multiplier**times)
    except OverflowError:
        return longest
