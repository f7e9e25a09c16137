"""Time, injected: one `call_at` carries every sleep, limit and watchdog, so a test can hold time in its hand.

`LoopClock` is the real one: the running loop's time, so a virtual-time loop makes it virtual. `ManualClock` in
`lamellar.testing` moves only when told.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Clock", "Interruption", "LoopClock", "TimeLimit", "TimerHandle", "Watchdog"]


class TimerHandle(Protocol):
    """A callback that was scheduled."""

    def cancel(self) -> None:
        """Do not call it."""


class Clock(ABC):
    """Where the layers get their time from. All durations are in seconds."""

    @abstractmethod
    def now(self) -> float:
        """Monotonic time."""

    @abstractmethod
    def wall(self) -> float:
        """Seconds since the epoch, for HTTP dates and timestamps."""

    @abstractmethod
    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` on the running loop once `now()` has reached `when`."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once, but not without a turn of the loop, for zero or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter = asyncio.get_running_loop().create_future()
        handle = self.call_at(self.now() + seconds, lambda: None if waiter.done() else waiter.set_result(None))
        try:
            await waiter
        finally:
            handle.cancel()

    def timeout_at(self, when: float | None) -> TimeLimit:
        """An asynchronous context manager that ends its block with `TimeoutError` at `when`; None is no limit.

        Like `asyncio.timeout_at`, on this clock. Its `expired` tells its own timeout from anybody else's.
        """
        return TimeLimit(self, when)


class LoopClock(Clock):
    """The running loop's own clock."""

    def now(self) -> float:
        """The running loop's time; the monotonic clock's where no loop runs."""
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def wall(self) -> float:
        """The system's time."""
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Schedule on the running loop."""
        return asyncio.get_running_loop().call_at(when, callback)


class Interruption:
    """Wakes one task out of an await from outside, and tells that wake-up from a real cancellation.

    It is `asyncio.timeout`'s own technique (cancel, then uncancel) for reasons other than time. `fire` cancels the
    task; whoever awaited calls `absorb` with the `CancelledError` and learns whether it was only ours.
    """

    __slots__ = ("_baseline", "_task", "fired")

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._baseline = 0
        self.fired = False

    def enter(self) -> None:
        """The current task begins to wait."""
        task = asyncio.current_task()
        self._task = task
        self._baseline = task.cancelling() if task is not None else 0
        self.fired = False

    def leave(self) -> None:
        """The wait is over; a wake-up that the awaited code kept to itself is forgotten."""
        self.absorb()
        self._task = None

    def fire(self) -> None:
        """Wake the task, if it waits; from any loop or thread."""
        if self._task is None:
            return
        loop = self._task.get_loop()
        if loop is _running_loop():
            self._wake()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        # What runs does not wait: cancelling the current task would strike at some later await of its own.
        if self._task is not None and not self.fired and self._task is not asyncio.current_task():
            self.fired = True
            self._task.cancel()

    def absorb(self) -> bool:
        """After a `CancelledError`: whether it was only ours, and is now forgotten."""
        if not self.fired or self._task is None:
            return False
        self.fired = False
        return self._task.uncancel() <= self._baseline


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Watchdog:
    """A limit on single waits that come often, such as the reads of a stream.

    Arming it costs no timer: one timer runs, and moves on when it finds that the limit has moved. It holds the waiting
    task only while that waits, so a forgotten stream is not kept alive by its watchdog.
    """

    __slots__ = ("_clock", "_handle", "_scheduled", "_when", "interruption")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._handle: TimerHandle | None = None
        self._scheduled = 0.0
        self._when: float | None = None
        self.interruption = Interruption()

    def arm(self, when: float | None) -> None:
        """The current task begins a wait that may last until `when`; None is no limit."""
        self.interruption.enter()
        self._when = when
        if when is not None and (self._handle is None or self._scheduled > when):
            self._schedule(when)

    def disarm(self) -> None:
        """The wait is over."""
        self.interruption.leave()
        self._when = None

    def expired(self) -> bool:
        """After a `CancelledError`: whether it was only this watchdog's, and is now forgotten."""
        return self.interruption.absorb()

    def close(self) -> None:
        """No more waits; the timer goes."""
        self.disarm()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _schedule(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._scheduled = when
        self._handle = self._clock.call_at(when, self._fire)

    def _fire(self) -> None:
        self._handle = None
        when = self._when
        if when is None:
            return
        if self._clock.now() >= when:
            self.interruption.fire()
        else:
            self._schedule(when)


class TimeLimit:
    """`asyncio.timeout_at` on an injected clock."""

    __slots__ = ("_clock", "_handle", "_interruption", "_when", "expired")

    def __init__(self, clock: Clock, when: float | None) -> None:
        self._clock = clock
        self._when = when
        self._handle: TimerHandle | None = None
        self._interruption = Interruption()
        self.expired = False

    async def __aenter__(self) -> Self:
        if self._when is not None:
            self._interruption.enter()
            self._handle = self._clock.call_at(self._when, self._interruption.fire)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handle is None:
            return
        self._handle.cancel()
        fired = self._interruption.fired
        ours = self._interruption.absorb()
        self._interruption.leave()
        if fired and ours and isinstance(error, asyncio.CancelledError):
            self.expired = True
            raise TimeoutError from error
