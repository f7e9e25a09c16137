"""Answers in memory: cachetools' time-aware LRU, bounded in bytes by itself and in entries by us."""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING

from cachetools import TLRUCache

if TYPE_CHECKING:
    from lamellar.clock import Clock

    from .store import StoredAnswer

__all__ = ["MemoryStore"]


class MemoryStore:
    """Keeps answers in this process; what was used least recently goes first when a bound is reached.

    Args:
        clock: What lets answers expire.
        max_entries: How many answers it holds at most.
        max_bytes: How many bytes they may take together, as JSON.
    """

    def __init__(self, clock: Clock, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._answers: TLRUCache[str, StoredAnswer] = TLRUCache(max_bytes, ttu=_until, timer=clock.now, getsizeof=_size)
        self._lock = Lock()  # loops in several threads may use one stack, or share one store

    async def get(self, key: str) -> StoredAnswer | None:
        """The answer under `key`, if it has not expired."""
        with self._lock:
            try:
                return self._answers[key]
            except KeyError:
                return None

    async def put(self, key: str, answer: StoredAnswer) -> None:
        """Keep an answer; one that is larger than all there is room for is not kept."""
        if answer.size > self._max_bytes:
            return
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > self._max_entries:
                self._answers.popitem()


def _until(key: str, answer: StoredAnswer, now: float) -> float:
    return math.inf if answer.ttl is None else now + answer.ttl


def _size(answer: StoredAnswer) -> int:
    return answer.size
