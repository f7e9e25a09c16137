"""The limiter at work: one lane of permits for each key."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from lamellar.errors import ErrorKind, RejectedError

from ..keyed import Keyed
from .lane import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamellar.chat.options import ChatOptions
    from lamellar.clock import Clock

    from .permit import Permit
    from .spec import ConcurrencyLimit
    from .waiting import Waiter

__all__ = ["ConcurrencyLimiter"]

_MOST = 10_000
"""Keys that are kept at a time."""


class ConcurrencyLimiter:
    """What a `ConcurrencyLimit` declares, at work; stacks and targets share one with `ConcurrencyLimit(share=...)`.

    Args:
        spec: The options.
        clock: Where time comes from.
    """

    def __init__(self, spec: ConcurrencyLimit, clock: Clock) -> None:
        self.spec = spec
        self._lock = lock = RLock()
        self._lanes: Keyed[Lane] = Keyed(
            spec.per, make=lambda label: Lane(spec, label, clock, lock), is_idle=Lane.is_idle, lock=lock, most=_MOST
        )

    def take(self, model: str, options: ChatOptions | None) -> Permit | None:
        """A permit for this call, if one is free.

        Raises:
            RejectedError: ``queue_full``, too many keys are in use.
        """
        if not self.spec.per:
            return self._lane(model, options).take()
        with self._lock:  # or the lane might be forgotten between the two
            return self._lane(model, options).take()

    def join(self, model: str, options: ChatOptions | None, priority: int) -> tuple[Lane, Waiter]:
        """A place in this call's queue.

        Raises:
            RejectedError: ``queue_full``, too many wait, or too many keys are in use.
        """
        with self._lock:
            lane = self._lane(model, options)
            return lane, lane.join(priority)

    def succeed(self, old: ConcurrencyLimiter) -> None:
        """Take the place of a limiter of other terms: its calls under way are counted, if both are kept apart alike."""
        self._lanes.succeed(old._lanes, Lane.succeed)

    def lanes(self) -> Iterator[tuple[str, Lane]]:
        """Every lane there is, with its key in words."""
        return self._lanes.items()

    def _lane(self, model: str, options: ChatOptions | None) -> Lane:
        lane = self._lanes.of(model, options)
        if lane is None:
            raise RejectedError(
                ErrorKind.QUEUE_FULL,
                f"calls of {_MOST} values of {', '.join(self.spec.per)} are under way, and no more are kept; "
                "key the limit on something with fewer values",
            )
        return lane
