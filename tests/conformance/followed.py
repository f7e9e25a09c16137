"""A stack that is watched, and another one whenever somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from random import Random
from typing import TypeVar

from lamellar import Stack
from lamellar.clock import LoopClock
from lamellar.reload import WatchedExecutor
from lamellar.reload.source import Look
from lamellar.reload.version import Builder

T = TypeVar("T")

INTERVAL = 20.0


class Followed:
    """Builds an executor whose source changes with every look.

    Args:
        stack: What is in it, each time.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def build(self, *, rng: Random) -> WatchedExecutor:
        """The executor."""
        clock = LoopClock()
        builder = Builder(clock=clock, rng=rng, http_client=None, shared=None)
        source = _Restless(self.stack)
        return WatchedExecutor(source, builder, clock=clock, interval=INTERVAL, grace=10.0**6, background=_at_once)


class _Restless:
    """Two equal looks, so that it is taken for settled, and then a change."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._looks = count()
        self._now = 0

    def look(self) -> Look:
        self._now = next(self._looks) // 2
        return Look(self._now, self._now)

    def load(self) -> Look:
        return Look(self._now, self._now, self._stack)

    def __str__(self) -> str:
        return "the followed stack"


def _at_once(work: Callable[[], T], then: Callable[[T], None], /) -> None:
    """No thread: virtual time would jump over its answer."""
    asyncio.get_running_loop().call_soon(then, work())
