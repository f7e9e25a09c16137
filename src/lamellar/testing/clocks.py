"""Time in a test's hand: a clock that moves when told, and an event loop whose time is virtual."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from itertools import count
from typing import TypeVar

from ..clock import Clock, LoopClock, TimerHandle

__all__ = ["FastClock", "ManualClock", "VirtualTimeLoop", "run_virtual"]

T = TypeVar("T")

_MOMENT = 0.01
_PATIENCE = 5.0
"""Real seconds that a test may wait for something that is no timer, such as another thread."""

_STUCK = (
    "nothing is left to wait for: no timer is set, and the code under test waits for something that never comes; "
    "is a limit missing (a Timeout, a CallContext with a timeout)?"
)


class _Timer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock(Clock):
    """A clock that stands still until `advance` moves it: for `stack.build(clock=ManualClock())`.

    Args:
        start: What `now()` says at first.
        wall: What `wall()` says at first, in seconds since the epoch; it moves along.
    """

    def __init__(self, start: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        self._now = start
        self._wall_offset = wall - start
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = count()

    def now(self) -> float:
        """The clock's time."""
        return self._now

    def wall(self) -> float:
        """The clock's time, in seconds since the epoch."""
        return self._now + self._wall_offset

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call `callback` once `advance` has reached `when`; at the loop's next turn when it has already."""
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if when <= self._now:
            asyncio.get_running_loop().call_soon(self._run_due)
        return timer

    @property
    def next_timer(self) -> float | None:
        """When the next sleep or limit is due, or None when nothing waits for the clock."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: what is due happens in order, and the tasks it wakes run as far as they can."""
        await self.settle()
        until = self._now + seconds
        while (due := self.next_timer) is not None and due <= until:
            self._now = max(self._now, due)
            self._run_next()
            await self.settle()
        self._now = until
        await self.settle()

    def _run_due(self) -> None:
        while (due := self.next_timer) is not None and due <= self._now:
            self._run_next()

    def _run_next(self) -> None:
        timer = heapq.heappop(self._timers)[2]
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback()

    async def run(self, awaitable: Coroutine[object, object, T]) -> T:
        """Run to its end, letting time jump to whatever it waits for.

        For code that waits for this clock alone. What waits for real I/O too gets a moment of real time at each jump.

        Raises:
            RuntimeError: No timer is set, and nothing happened for five real seconds: the code would wait for ever.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            await self.settle()
            idle = 0.0
            while not task.done():
                due = self.next_timer
                if due is None:
                    await asyncio.wait({task}, timeout=_MOMENT)
                    idle += _MOMENT
                    if idle >= _PATIENCE:
                        raise RuntimeError(_STUCK)
                else:
                    idle = 0.0
                    await self.advance(due - self._now)
        finally:
            task.cancel()
        return task.result()

    @staticmethod
    async def settle(turns: int = 20) -> None:
        """Let every task that can run do so, for some turns of the loop."""
        for _ in range(turns):
            await asyncio.sleep(0)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: where a loop would sleep, its time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Ready descriptors, at once; without any, the time that was to be waited has passed."""
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.jumped += timeout
        elif not ready and timeout is None:
            ready = super().select(_PATIENCE)  # nothing scheduled at all: only another thread can go on
            if not ready:
                raise RuntimeError(_STUCK)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer whenever nothing can run.

    It makes everything virtual that reads the loop's time, `asyncio.timeout` and third-party limiters included. It is
    for tests without sockets or threads: time would jump over their answers.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds, from 0."""
        return self._jumping.jumped


def run_virtual(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` in virtual time: an hour of sleeping takes no time at all.

    Raises:
        RuntimeError: No timer is set, and nothing happened for five real seconds: the code would wait for ever.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


class FastClock(LoopClock):
    """The running loop's clock, made faster: limits, waits and backoffs of a stack pass `speed` times as quickly.

    For trying a stack with its real limits against a real server whose delays are shortened alike.

    Args:
        speed: How many of the stack's seconds pass in a real one.
    """

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def now(self) -> float:
        """The loop's time, sped up."""
        return super().now() * self.speed

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Schedule on the running loop, sooner."""
        return super().call_at(when / self.speed, callback)
