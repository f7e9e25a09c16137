"""The permits of one key: how many are in use, and who waits for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lamellar.errors import ErrorKind, RejectedError

from .adaptive import Adapting
from .permit import Permit
from .waiting import Queue, Waiter

if TYPE_CHECKING:
    from threading import RLock

    from pydantic import JsonValue

    from lamellar.clock import Clock

    from .spec import ConcurrencyLimit

__all__ = ["Lane"]

_MOST_STEPS = 1_000_000
"""Steps of priority that are told apart, up and down."""


class Lane:
    """Permits and queue of one key, as plain data under the limiter's lock; every change is short and synchronous.

    Args:
        spec: The options.
        label: The key, in words; empty where there is only one.
        clock: Where time comes from.
        lock: The limiter's lock. Reentrant: what the garbage collector closes may give back in the middle of anything.
    """

    __slots__ = (
        "_adapting",
        "_clock",
        "_epoch",
        "_heir",
        "_lock",
        "_pid",
        "_queue",
        "_spec",
        "in_use",
        "label",
        "limit",
        "times",
    )

    def __init__(self, spec: ConcurrencyLimit, label: str, clock: Clock, lock: RLock) -> None:
        self.label = label
        self.limit = spec.limit
        """Calls at a time, at present."""
        self.in_use = 0
        self._spec = spec
        self._clock = clock
        self._lock = lock
        self._queue = Queue()
        self._adapting = Adapting(spec.adaptive, spec.limit) if spec.adaptive is not None else None
        self.times = self._adapting is not None and self._adapting.times
        self._pid = os.getpid()
        self._epoch = 0
        self._heir: Lane | None = None

    @property
    def queued(self) -> int:
        """How many wait."""
        return self._queue.count

    # -- taking --------------------------------------------------------------------------------------------------

    def take(self) -> Permit | None:
        """A permit, if one is free: nobody waits for it then, for whatever comes free is given away at once."""
        with self._lock:
            if self._pid != os.getpid():
                self._after_fork()
            return None if self.in_use >= self.limit else self._grant()

    def join(self, priority: int) -> Waiter:
        """Stand in the queue; perhaps a permit is there already.

        Raises:
            RejectedError: ``queue_full``.
        """
        with self._lock:
            if self._queue.count >= self._spec.max_queue:
                self._queue.forget_the_gone()
            if self._queue.count >= self._spec.max_queue:
                raise self._full()
            steps = max(-_MOST_STEPS, min(priority, _MOST_STEPS))
            waiter = Waiter(self._clock.now() - steps * float(self._spec.priority_step))
            self._queue.add(waiter)
            self._serve()
            return waiter

    async def wait(self, waiter: Waiter, within: float | None, limited_by: str) -> Permit:
        """The waiter's permit, in its turn.

        Args:
            waiter: Who waits, from `join`.
            within: Seconds for which it may wait, or None.
            limited_by: What says so, in words.

        Raises:
            RejectedError: ``limiter_deadline``: its time was over first.
        """
        timer = None
        try:
            if within is not None:
                timer = self._clock.call_at(self._clock.now() + within, lambda: self._expire(waiter))
            await waiter.future
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if waiter.permit is None:
            raise self._too_long(within or 0.0, limited_by)
        return waiter.permit

    def _leave(self, waiter: Waiter) -> None:
        """Whoever waited does so no more: a permit that was given already passes on."""
        with self._lock:
            self._queue.remove(waiter)
            if waiter.permit is not None:
                self.give_back(waiter.permit)

    def _expire(self, waiter: Waiter) -> None:
        with self._lock:
            if waiter.queued:
                self._queue.remove(waiter)
                waiter.wake()

    # -- giving back ---------------------------------------------------------------------------------------------

    def answered(self, permit: Permit, *, streaming: bool) -> None:
        """The first content of a stream, or a whole answer: what its latency says."""
        with self._lock:
            adapting, now = self._adapting, self._clock.now()
            if adapting is not None and adapting.is_slow(now - permit.began, now, streaming=streaming):
                permit.slow = True
                adapting.lower(permit.began, now)
                self.limit = adapting.limit

    def give_back(self, permit: Permit, *, succeeded: bool = False, error: BaseException | None = None) -> None:
        """The call has ended. The second time it is told so, nothing happens."""
        with self._lock:
            if permit.released:
                return
            permit.released = True
            if permit.epoch != self._epoch:
                return
            if self._adapting is not None:
                self._learn(self._adapting, permit, succeeded, error)
            self._count(-1)
            if self._queue.count:
                self._serve()

    def succeed(self, old: Lane) -> None:
        """Take the place of a lane of other terms: its calls under way count here too until they end."""
        with old._lock, self._lock:
            old._heir = self
            self.in_use = old.in_use

    def _count(self, calls: int) -> None:
        """So many calls more are under way, here and by the count of whoever has taken this one's place."""
        self.in_use += calls
        if self._heir is not None:
            self._heir._inherited(calls)

    def _inherited(self, calls: int) -> None:
        with self._lock:
            self._count(max(calls, -self.in_use))  # in a forked child it may have begun to count anew
            self._serve()

    def _learn(self, adapting: Adapting, permit: Permit, succeeded: bool, error: BaseException | None) -> None:
        now = self._clock.now()
        adapting.used(self.in_use, now)
        if succeeded and not permit.slow:
            adapting.raise_(permit.began, now)
        elif error is not None and adapting.is_sign(error):
            adapting.lower(permit.began, now)
        self.limit = adapting.limit

    def _serve(self) -> None:
        """Give what is free to those who wait."""
        while self._queue.count and self.in_use < self.limit:
            waiter = self._queue.pop()
            if waiter is None:
                return
            waiter.permit = self._grant()
            if not waiter.wake():
                waiter.permit.released = True
                self._count(-1)

    def _grant(self) -> Permit:
        self._count(1)
        if self._adapting is None:
            return Permit(self, self._epoch, 0.0)
        now = self._clock.now()
        self._adapting.used(self.in_use, now)
        return Permit(self, self._epoch, now)

    # -- what it is ----------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget what the limit has learned; permits in use stay in use."""
        with self._lock:
            if self._adapting is not None:
                self._adapting.reset()
                self.limit = self._adapting.limit
                self._serve()

    def is_idle(self) -> bool:
        """Whether nobody is under way and nobody waits."""
        return not self.in_use and not self._queue.count

    def shown(self) -> dict[str, JsonValue]:
        """Its state as plain data."""
        return {"limit": self.limit, "in_use": self.in_use, "queued": self._queue.count}

    def _after_fork(self) -> None:
        """This process has none of the calls of its parent."""
        self._pid = os.getpid()
        self._epoch += 1
        self.in_use = 0
        self._queue.clear()

    def _full(self) -> RejectedError:
        waiting = f", and {self._spec.max_queue} wait (max_queue)" if self._spec.max_queue else ""
        return RejectedError(
            ErrorKind.QUEUE_FULL,
            f"{self.in_use} calls{self._whose()} are under way already (limit){waiting}; raise the limit, or ask less "
            "often",
        )

    def _too_long(self, within: float, limited_by: str) -> RejectedError:
        return RejectedError(
            ErrorKind.LIMITER_DEADLINE,
            f"none of the {self.limit} calls{self._whose()} that may be under way (limit) ended in the "
            f"{max(0.0, within):.3g} s for which this one may wait ({limited_by}); raise the limit, give the call more "
            "time, or ask less often",
        )

    def _whose(self) -> str:
        return f" of {self.label}" if self.label else ""
