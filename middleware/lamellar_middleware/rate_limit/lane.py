"""The limits of one key at work: what is free now, who waits for what, and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import TYPE_CHECKING

from lamellar.errors import ErrorKind, RejectedError

from .ahead import PAUSE, Ahead
from .meter import SLACK, Entry, Meter, ready_at
from .reservation import Reservation
from .waiting import Queue, Waiter

if TYPE_CHECKING:
    from .timeline import Timeline

__all__ = ["Lane"]

_SHORT = 64
"""Calls in a queue for which it costs next to nothing to forecast anew."""

_EVERY = 1e-4
"""Seconds for each call in a longer queue, for which a forecast is kept."""


class Lane:
    """The meters of one key, the pause, and the queue before them.

    All of it is plain data under the limiter's lock; every change is short and synchronous.

    Args:
        label: The key, in words; empty where there is only one.
        meters: The limits, each at work.
        timeline: The limiter's time.
        lock: The limiter's lock. Reentrant: what the garbage collector closes may give back in the middle of anything.
        max_queue: How many may wait.
    """

    def __init__(self, label: str, meters: Sequence[Meter], timeline: Timeline, lock: RLock, max_queue: int) -> None:
        self.label = label
        self.counts_tokens = any(meter.counts_tokens for meter in meters)
        self._meters = meters
        self._timeline = timeline
        self._lock = lock
        self._max_queue = max_queue
        self._paused_until = float("-inf")
        self._queue = Queue(timeline, self._serve)
        self._ahead: Ahead | None = None

    # -- taking --------------------------------------------------------------------------------------------------

    def take(self, tokens: int) -> Reservation | None:
        """A reservation, if there is nothing to wait for."""
        with self._lock:
            now = self._timeline.now()
            if now < self._paused_until or self._queue:
                return None
            for meter in self._meters:
                if not meter.fits(tokens, now):
                    return None
            return self._grant(tokens, now)

    def join(self, tokens: int, within: float | None = None, *, forecast: bool = False) -> Waiter:
        """A place in the queue, for whoever awaits `turn` at once.

        Args:
            tokens: The tokens to reserve.
            within: Seconds for which it is worth waiting; None waits for as long as it takes.
            forecast: Whether the waiter's `wait` and `limit` are wanted though nothing depends on them.

        Raises:
            RejectedError: ``limiter_deadline``, the wait would be too long; ``queue_full``. Nothing was taken.
        """
        with self._lock:
            now = self._timeline.now()
            self._queue.head()  # those who are gone do not count
            before = len(self._queue)
            if before >= self._max_queue:
                raise self._full()
            waiter = Waiter(tokens, None if within is None else now + within, before)
            if within is not None or forecast:
                due, waiter.limit = self._forecast(tokens, now, waiter.deadline)
                waiter.wait = due - now
                if waiter.deadline is not None and due > waiter.deadline:
                    raise self._too_long(waiter)
            if self._ahead is not None:
                self._ahead.add(tokens, now)
            self._queue.add(waiter)
            if waiter.deadline is not None:
                clock = self._timeline.clock
                waiter.timer = clock.call_at(self._timeline.on_clock(waiter.deadline), lambda: self._expire(waiter))
            self._serve()
            return waiter

    async def turn(self, waiter: Waiter, told: Callable[[Waiter], None] | None = None) -> Reservation:
        """The waiter's reservation, when it is its turn.

        Args:
            waiter: What `join` gave.
            told: Called with it before the wait.

        Raises:
            RejectedError: ``limiter_deadline``, the wait has become too long. Nothing was taken.
        """
        try:
            if told is not None and not waiter.future.done():
                told(waiter)
            await waiter.future
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            if waiter.timer is not None:
                waiter.timer.cancel()
        if waiter.reservation is None:
            raise self._too_long(waiter)
        return waiter.reservation

    def _leave(self, waiter: Waiter) -> None:
        """Whoever waited does so no more: a grant that was given already passes on."""
        with self._lock:
            if waiter in self._queue:
                self._queue.remove(waiter)
                self._changed()
            elif waiter.reservation is not None:
                waiter.reservation.refund()

    def _due(self, tokens: int, now: float) -> tuple[float, str]:
        """When a call is served that is next, and what it waits for."""
        due, limit = ready_at(self._meters, tokens, now)
        return (due, str(limit or "")) if due > self._paused_until else (self._paused_until, PAUSE)

    def _grant(self, tokens: int, now: float) -> Reservation:
        return Reservation(self, tokens, tuple([meter.take(tokens, now) for meter in self._meters]))

    def _serve(self) -> None:
        """Grant whatever is due, in order, and see to it that the next is served in time."""
        with self._lock:
            now = self._timeline.now()
            while (head := self._queue.head()) is not None:
                due, limit = self._due(head.tokens, now)
                if due > now + SLACK:
                    if head.deadline is None or due <= head.deadline:
                        self._queue.call_when(due)
                        return
                    self._refuse(head, due - now, limit)
                else:
                    self._queue.remove(head)
                    head.reservation = self._grant(head.tokens, max(now, due))
                    head.wake()
            self._ahead = None

    # -- what comes back, and what keeps them waiting --------------------------------------------------------------

    def give_back(self, entries: Sequence[Entry], tokens: int, requests: int) -> None:
        """So many tokens and requests of a reservation were not used; less than none if more were."""
        with self._lock:
            now = self._timeline.now()
            changed = False
            for meter, entry in zip(self._meters, entries, strict=True):
                amount = tokens if meter.counts_tokens else requests
                if amount:
                    meter.give_back(entry, amount, now)
                    changed = True
            if changed and self._queue:
                if tokens < 0 and self._ahead is not None:
                    self._ahead.may_be_early = True
                self._changed()

    def pause(self, seconds: float) -> None:
        """Grant nothing for so long, or for as long as an earlier pause says; who cannot wait for that is refused."""
        with self._lock:
            now = self._timeline.now()
            if now + seconds <= self._paused_until:
                return
            self._paused_until = now + seconds
            if not self._queue:
                return
            ahead = self._look_ahead(now, ())
            for waiter in self._queue:
                due, limit = ahead.due(waiter.tokens, now)
                if waiter.deadline is not None and due > waiter.deadline:
                    self._refuse(waiter, due - now, limit)
                else:
                    ahead.add(waiter.tokens, now)
            self._ahead = ahead
            self._serve()

    def succeed(self, old: Lane, shift: float) -> None:
        """Go on from where a lane of other limits is.

        Args:
            old: That lane.
            shift: Seconds by which this one's time is later than its.
        """
        with self._lock, old._lock:
            now = self._timeline.now()
            self._paused_until = old._paused_until + shift
            for meter in self._meters:
                for before in old._meters:
                    if before.limit.unit == meter.limit.unit and before.limit.period == meter.limit.period:
                        meter.succeed(before, now, shift)

    def _changed(self) -> None:
        """Less is used, or fewer wait: the head may be due sooner, and what was forecast for the others is too late."""
        if self._ahead is not None:
            self._ahead.may_be_late = True
        self._serve()

    def _expire(self, waiter: Waiter) -> None:
        """Its time is over, whatever was forecast."""
        with self._lock:
            if waiter in self._queue:
                now = self._timeline.now()
                head = self._queue.head() or waiter
                due, limit = max(self._due(waiter.tokens, now), self._due(head.tokens, now))
                self._refuse(waiter, due - now, limit)
                self._serve()

    def _refuse(self, waiter: Waiter, wait: float, limit: str) -> None:
        self._queue.remove(waiter)
        waiter.wait, waiter.limit = wait, limit
        waiter.wake()
        if self._ahead is not None:
            self._ahead.may_be_late = True

    # -- looking ahead -------------------------------------------------------------------------------------------

    def _forecast(self, tokens: int, now: float, deadline: float | None) -> tuple[float, str]:
        """When a call that comes now would be served, and what it would wait for.

        What was forecast before may have become too late, which is good enough to let a call wait; or too early. Then
        it is worked out anew, in a long queue only now and then: a busy limiter must not spend its time on that.
        """
        ahead = self._ahead
        if ahead is not None and (len(self._queue) <= _SHORT or now - ahead.since >= len(self._queue) * _EVERY):
            may_refuse = deadline is None or ahead.due(tokens, now)[0] > deadline
            if ahead.may_be_early or (ahead.may_be_late and may_refuse):
                ahead = None
        if ahead is None:
            ahead = self._look_ahead(now, self._queue)
            self._ahead = ahead if self._queue else None  # with nobody in the queue, others take without asking it
        return ahead.due(tokens, now)

    def _look_ahead(self, now: float, waiters: Queue | tuple[()]) -> Ahead:
        ahead = Ahead([meter.ahead(now) for meter in self._meters], now, self._paused_until)
        for waiter in waiters:
            ahead.add(waiter.tokens, now)
        return ahead

    # -- what it is ----------------------------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Whether it is as good as new: nothing used, nobody waiting, no pause."""
        with self._lock:
            now = self._timeline.now()
            return not self._queue and self._paused_until <= now and all(meter.is_full(now) for meter in self._meters)

    def resume(self) -> None:
        """Lift the pause, and let go whom it held."""
        with self._lock:
            self._paused_until = float("-inf")
            self._changed()
            self._serve()

    def levels(self) -> dict[str, object]:
        """How many wait, for how long it is paused, and how much of each limit is used."""
        with self._lock:
            now = self._timeline.now()
            return {
                "waiting": len(self._queue),
                "paused": max(0.0, self._paused_until - now),
                "limits": {str(meter.limit): meter.levels(now) for meter in self._meters},
            }

    def _too_long(self, waiter: Waiter) -> RejectedError:
        whose = f" of {self.label}" if self.label else ""
        return RejectedError(
            ErrorKind.LIMITER_DEADLINE,
            f"{waiter.limit}{whose} would have this call wait for {waiter.wait:.3g} s, which is longer than it may; "
            "raise the limit, give the call more time, or ask less often",
            retry_after=waiter.wait,
        )

    def _full(self) -> RejectedError:
        whose = f" for {self.label}" if self.label else ""
        return RejectedError(
            ErrorKind.QUEUE_FULL, f"{self._max_queue} calls wait for the rate limit{whose} already (max_queue)"
        )
