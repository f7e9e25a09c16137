"""The keys of one target: one, or several that are used in turn.

A key that is limited is set aside for as long as the provider says, a refused or spent one for longer. While another
key is at hand the failure is one of that key alone: the call may be tried again at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ErrorKind, ExecutorError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..clock import Clock

__all__ = ["KeyPool"]

_LIMITED = 30.0
"""Seconds a limited key rests when the provider does not say for how long."""

_REFUSED = 600.0
"""Seconds a refused or spent key rests: it takes a hand, or a new month, to mend it."""

_OF_THE_KEY = {
    ErrorKind.RATE_LIMITED: _LIMITED,
    ErrorKind.QUOTA_EXHAUSTED: _REFUSED,
    ErrorKind.UNAUTHORIZED: _REFUSED,
    ErrorKind.PERMISSION_DENIED: _REFUSED,
}
"""What is wrong with the key, and how long it rests."""


class KeyPool:
    """Keys used in turn.

    Args:
        keys: The keys; none for an endpoint that wants none.
        clock: Where time comes from.
    """

    def __init__(self, keys: Sequence[str], clock: Clock) -> None:
        self.keys = tuple(keys)
        self._clock = clock
        self._next = 0
        self._rests_until = [0.0] * len(self.keys)

    def take(self) -> str | None:
        """The next key that is not set aside; when all are, the one whose rest is over first."""
        count = len(self.keys)
        if count < 2:
            return self.keys[0] if self.keys else None
        now = self._clock.now()
        for step in range(count):
            place = (self._next + step) % count
            if self._rests_until[place] <= now:
                self._next = (place + 1) % count
                return self.keys[place]
        return self.keys[min(range(count), key=self._rests_until.__getitem__)]

    def judged(self, key: str | None, error: ExecutorError) -> ExecutorError:
        """The error, after setting aside the key it is of; with another key at hand it is retryable."""
        rest = _OF_THE_KEY.get(error.kind)
        if rest is None or key is None or len(self.keys) < 2:
            return error
        now = self._clock.now()
        until = now + (error.retry_after if error.retry_after is not None else rest)
        place = self.keys.index(key)
        self._rests_until[place] = max(self._rests_until[place], until)
        if any(each <= now for each in self._rests_until):
            # It says nothing of the other keys: neither the wait nor the verdict on the target is theirs.
            error.retryable, error.retry_after, error.counts_against_health = True, None, False
        return error

    def succeed(self, old: KeyPool) -> None:
        """Take over from a pool of other keys how long those rest that both have."""
        for key, until in zip(old.keys, old._rests_until, strict=True):
            if key in self.keys:
                self._rests_until[self.keys.index(key)] = until

    def forget(self) -> None:
        """Use every key again."""
        self._next, self._rests_until = 0, [0.0] * len(self.keys)

    def state(self) -> dict[str, JsonValue]:
        """How many keys there are, and how many are set aside."""
        now = self._clock.now()
        return {"keys": len(self.keys), "set_aside": sum(each > now for each in self._rests_until)}
