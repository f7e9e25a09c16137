"""Work that must not hold up a loop: reading files, which on a network's file system may hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

__all__ = ["Background", "in_thread"]

T = TypeVar("T")


class Background(Protocol):
    """Where a watcher reads its files."""

    def __call__(self, work: Callable[[], T], then: Callable[[T], None], /) -> None:
        """Do `work`, which raises nothing, and hand what it gives to `then` on the running loop, in a later turn."""


def in_thread(work: Callable[[], T], then: Callable[[T], None], /) -> None:
    """In a thread that ends with the work.

    Not one of the loop's own: those stay for as long as the loop, and a file system that hangs would keep the loop from
    ending. Nobody waits for this thread, and at the end of the process it is dropped.
    """
    loop = asyncio.get_running_loop()

    def run() -> None:
        found = work()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(then, found)

    threading.Thread(target=run, name="lamellar-watch", daemon=True).start()
