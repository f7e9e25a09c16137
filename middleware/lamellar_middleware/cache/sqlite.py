"""Answers in a file: SQLite on a thread of its own, so that the event loop never waits for the disk.

Everything that touches the file happens in one worker thread, in the order it was asked for. What goes wrong there is
told once, with the mend, and is a miss, or an answer not kept; after a pause the file is tried again, so that one that
was locked, full or broken serves again as soon as it can.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .complaints import Complaints
from .database import Database

if TYPE_CHECKING:
    from lamellar.clock import Clock

    from .store import StoredAnswer

__all__ = ["SQLiteAnswers"]


class SQLiteAnswers:
    """A store in a file; it belongs to one stack, the file may belong to many.

    Args:
        path: The file.
        clock: What lets answers expire.
        max_entries: How many answers the file holds at most.
        max_bytes: How many bytes they may take together, as JSON.
    """

    def __init__(self, path: str, clock: Clock, *, max_entries: int, max_bytes: int) -> None:
        self._path = path
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._complaints = Complaints()
        self._opened: tuple[int, ThreadPoolExecutor, Database] | None = None
        self._inherited: list[Database] = []
        self._closed = False

    async def get(self, key: str) -> StoredAnswer | None:
        """The answer under `key`, if there is one, and the file can be read."""
        if self._closed:
            return None
        worker, database = self._at_work()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(worker, database.get, key, self._clock.now(), self._clock.wall())

    async def put(self, key: str, answer: StoredAnswer) -> None:
        """Keep an answer, if the file can be written."""
        if self._closed:
            return
        worker, database = self._at_work()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(worker, database.put, key, answer, self._clock.now(), self._clock.wall())

    async def aclose(self) -> None:
        """Close the file, and let its thread go; idempotent."""
        self._closed = True
        opened, self._opened = self._opened, None
        if opened is not None and opened[0] == os.getpid():
            _, worker, database = opened
            await asyncio.get_running_loop().run_in_executor(worker, database.close)
            worker.shutdown(wait=False)

    def _at_work(self) -> tuple[ThreadPoolExecutor, Database]:
        """The thread and the file of this process."""
        if self._opened is not None and self._opened[0] != os.getpid():
            # After a fork: the thread is the parent's, and closing the file here would take it from the parent.
            self._inherited.append(self._opened[2])
            self._opened = None
        if self._opened is None:
            database = Database(self._path, self._complaints, max_entries=self._max_entries, max_bytes=self._max_bytes)
            self._opened = os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="lamellar-cache"), database
        return self._opened[1:]
