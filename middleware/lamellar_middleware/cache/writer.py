"""Writing answers to a store, off the callers' way: one task a loop, one entry after the other.

Until it is written an answer is found here, so that a call that follows at once is a hit already.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamellar.clock import TimeLimit

    from .complaints import Complaints
    from .store import CacheStore, StoredAnswer

__all__ = ["Writer"]


class Writer:
    """The answers of one event loop that wait to be written.

    Args:
        store: Where they go.
        max_bytes: How many bytes may wait; what comes when there is no room is not kept.
        complaints: Where failures are told.
    """

    __slots__ = ("_bytes", "_complaints", "_max_bytes", "_store", "_task", "_waiting")

    def __init__(self, store: CacheStore, max_bytes: int, complaints: Complaints) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._complaints = complaints
        self._waiting: dict[str, StoredAnswer] = {}
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def find(self, key: str) -> StoredAnswer | None:
        """The answer that waits to be written under `key`, if there is one."""
        return self._waiting.get(key)

    def put(self, key: str, answer: StoredAnswer) -> None:
        """Write `answer` under `key`, soon."""
        self._done(key)
        if self._bytes + answer.size > self._max_bytes:
            self._complaints.tell("slow", "the cache's store is slower than answers come; some are not kept")
            return
        self._waiting[key] = answer
        self._bytes += answer.size
        if self._task is None or self._task.done():
            # An empty context: of the call that made the answer nothing lives on in here.
            self._task = asyncio.get_running_loop().create_task(self._write(), context=Context())

    async def _write(self) -> None:
        while self._waiting:
            key, answer = next(iter(self._waiting.items()))
            try:
                await self._store.put(key, answer)
            except Exception as error:
                self._complaints.tell_of(error, "writing to")
            if self._waiting.get(key) is answer:
                self._done(key)

    def _done(self, key: str) -> None:
        answer = self._waiting.pop(key, None)
        if answer is not None:
            self._bytes -= answer.size

    async def drain(self, limit: TimeLimit) -> None:
        """Wait until everything is written; what `limit` leaves no time for is given up."""
        task = self._task
        if task is None or task.done():
            return
        try:
            async with limit:
                await asyncio.wait({task})
        except TimeoutError:
            if not limit.expired:
                raise
            self._complaints.tell("closed", "the cache's store was too slow at closing; some answers are not kept")
            task.cancel()
            await asyncio.wait({task})
