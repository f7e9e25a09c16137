"""Who waits for a permit: the first to go on top, over all event loops."""

from __future__ import annotations

import asyncio
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .permit import Permit

__all__ = ["Queue", "Waiter"]

_SPARE = 32
"""Entries of those who have left that a heap may carry along."""


class Waiter:
    """One call that waits, on the loop that runs it.

    Args:
        rank: Its place in the queue; the least goes first.
    """

    __slots__ = ("future", "loop", "permit", "queued", "rank")

    def __init__(self, rank: float) -> None:
        self.rank = rank
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.permit: Permit | None = None
        self.queued = False

    def wake(self) -> bool:
        """Let it go on, from whatever thread; whether its loop is still there to do so."""
        try:
            if self.loop is asyncio.get_running_loop():
                self._set()
                return True
        except RuntimeError:  # no loop runs here
            pass
        try:
            self.loop.call_soon_threadsafe(self._set)
        except RuntimeError:  # it was closed meanwhile
            return False
        return True

    def _set(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class Queue:
    """Those who wait, by rank, and among equals in the order of coming.

    Whoever leaves from the middle stays in the heap until it comes up, or until such entries are too many.
    """

    __slots__ = ("_heap", "_loops", "_order", "count")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._loops: dict[asyncio.AbstractEventLoop, int] = {}
        self._order = 0
        self.count = 0
        """How many wait."""

    def __iter__(self) -> Iterator[Waiter]:
        return iter([waiter for _, _, waiter in self._heap if waiter.queued])

    def add(self, waiter: Waiter) -> None:
        """Stand in line."""
        self._order += 1
        waiter.queued = True
        self.count += 1
        self._loops[waiter.loop] = self._loops.get(waiter.loop, 0) + 1
        heappush(self._heap, (waiter.rank, self._order, waiter))

    def remove(self, waiter: Waiter) -> None:
        """Leave, from wherever; nothing, when it is not here any more."""
        if waiter.queued:
            self._took_out(waiter)
            if len(self._heap) > 2 * self.count + _SPARE:
                self._heap = [entry for entry in self._heap if entry[2].queued]
                heapify(self._heap)

    def pop(self) -> Waiter | None:
        """The first that has not left."""
        while self._heap:
            waiter = heappop(self._heap)[2]
            if waiter.queued:
                self._took_out(waiter)
                return waiter
        return None

    def forget_the_gone(self) -> None:
        """Take out those whose loop is no more: nobody else would."""
        if any(loop.is_closed() for loop in self._loops):
            for waiter in self:
                if waiter.loop.is_closed():
                    self.remove(waiter)

    def clear(self) -> None:
        """Nobody waits any more."""
        for waiter in self:
            waiter.queued = False
        self._heap.clear()
        self._loops.clear()
        self.count = 0

    def _took_out(self, waiter: Waiter) -> None:
        waiter.queued = False
        self.count -= 1
        left = self._loops[waiter.loop] - 1
        if left:
            self._loops[waiter.loop] = left
        else:
            del self._loops[waiter.loop]
