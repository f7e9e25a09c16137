"""Who waits for a grant: a place in the queue, and the loops to wake."""

from __future__ import annotations

import asyncio
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .meter import SLACK

if TYPE_CHECKING:
    from lamellar.clock import TimerHandle

    from .reservation import Reservation
    from .timeline import Timeline

__all__ = ["Queue", "Waiter", "running_loop"]


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs here, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Waiter:
    """One call that waits, in the loop that makes it.

    Args:
        tokens: The tokens it asks for.
        deadline: When waiting on would be of no use, or None.
        before: How many stand before it.
    """

    __slots__ = ("_pid", "before", "deadline", "future", "limit", "loop", "reservation", "timer", "tokens", "wait")

    def __init__(self, tokens: int, deadline: float | None, before: int) -> None:
        self.tokens = tokens
        self.deadline = deadline
        self.before = before
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.timer: TimerHandle | None = None
        self.reservation: Reservation | None = None
        self.limit = ""
        """What it waits for, in words."""
        self.wait = 0.0
        """Seconds for which it will wait, as far as is known."""
        self._pid = os.getpid()

    @property
    def is_gone(self) -> bool:
        """Whether nobody would take the grant: it was cancelled, or its loop or its process is no more."""
        return self.future.done() or self.loop.is_closed() or self._pid != os.getpid()

    def wake(self) -> None:
        """Let it go on, from whatever thread."""
        if self.loop is running_loop():
            self._set()
        else:
            with suppress(RuntimeError):  # its loop was closed meanwhile
                self.loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class _Alarm:
    """The one timer of a loop in which somebody waits."""

    __slots__ = ("due", "timer", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.timer: TimerHandle | None = None
        self.due = math.inf

    def clear(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer, self.due = None, math.inf


class Queue:
    """Those who wait, in the order of coming, over all loops.

    Each loop that has somebody in it keeps one timer for the head, wherever the head is: so a loop that stands still
    holds nobody up.

    Args:
        timeline: The limiter's time.
        on_due: Called in a loop when the head may be served.
    """

    __slots__ = ("_alarms", "_on_due", "_timeline", "_waiters")

    def __init__(self, timeline: Timeline, on_due: Callable[[], None]) -> None:
        self._timeline = timeline
        self._on_due = on_due
        self._waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._alarms: dict[asyncio.AbstractEventLoop, _Alarm] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(tuple(self._waiters))

    def __contains__(self, waiter: Waiter) -> bool:
        return waiter in self._waiters

    def add(self, waiter: Waiter) -> None:
        """Stand at the end."""
        self._waiters[waiter] = None
        self._alarms.setdefault(waiter.loop, _Alarm()).waiting += 1

    def remove(self, waiter: Waiter) -> None:
        """Leave, from wherever."""
        del self._waiters[waiter]
        alarm = self._alarms[waiter.loop]
        alarm.waiting -= 1
        if not alarm.waiting:
            del self._alarms[waiter.loop]
            if waiter.loop is running_loop():  # another's timer is not ours to touch; it will find nothing to do
                alarm.clear()

    def head(self) -> Waiter | None:
        """The first that is still there."""
        while self._waiters:
            waiter = next(iter(self._waiters))
            if not waiter.is_gone:
                return waiter
            self.remove(waiter)
        return None

    def call_when(self, due: float) -> None:
        """Have `on_due` called at `due`, in every loop in which somebody waits."""
        here = running_loop()
        for loop, alarm in tuple(self._alarms.items()):
            if loop is here:
                if abs(alarm.due - due) > SLACK / 2:
                    alarm.clear()
                    alarm.due = due
                    alarm.timer = self._timeline.clock.call_at(self._timeline.on_clock(due), self._ring)
            elif due < alarm.due:  # else it rings before that, and sets itself anew
                with suppress(RuntimeError):  # its loop was closed meanwhile
                    loop.call_soon_threadsafe(self._on_due)

    def _ring(self) -> None:
        alarm = self._alarms.get(asyncio.get_running_loop())
        if alarm is not None:
            alarm.timer, alarm.due = None, math.inf
        self._on_due()
