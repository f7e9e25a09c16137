"""Noticing that a source has changed.

A timer of the loop that calls come from has the source looked at, in a thread; no task waits between two looks. The
timer knows the watcher weakly and keeps no loop from ending: where calls come from another loop later, the first of
them has the source looked at and sets the timer there.

What is seen to have changed is looked at once more after a moment, and read when it has come to rest: of a file that is
being written nobody is told.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock, TimerHandle
    from .background import Background
    from .record import Reload
    from .source import Look, Source
    from .succession import Succession

__all__ = ["Watcher"]

_REST = 0.25
"""Seconds for which a file must be as it is before it is read."""

_PATIENCE = 1.0
"""Seconds that somebody waits for a look, at most."""


class Watcher:
    """Looks at a source again and again.

    Args:
        source: What is looked at.
        first: What it held at first.
        succession: Takes what is found.
        clock: Where time comes from.
        interval: Seconds between two looks.
        background: Where the source is read.
    """

    def __init__(
        self,
        source: Source,
        first: Look,
        succession: Succession,
        *,
        clock: Clock,
        interval: float,
        background: Background,
    ) -> None:
        self._source = source
        self._succession = succession
        self._clock = clock
        self._interval = interval
        self._background = background
        self._known = first.fingerprint
        """Of what was taken or refused last."""
        self._restless: object = None
        """Of what was seen last, where that is something else."""
        self._reading = Lock()  # a source is read by one thread at a time
        self._pid = os.getpid()
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._timer: TimerHandle | None = None
        self._turn = 0
        self._by_hand = 0
        self._looking: asyncio.Future[None] | None = None
        self._closed = False

    def is_at(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether its timer is one of this loop."""
        return self._loop is not None and self._loop() is loop

    async def come_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from this loop, which is running, if nobody watches from another; wait for a first look."""
        self._notice_fork()
        there = self._loop() if self._loop is not None else None
        if self._closed or there is loop or (there is not None and there.is_running()):
            return
        self._loop = weakref.ref(loop)
        if self._timer is not None:
            self._timer.cancel()
        self._turn += 1  # what was begun from another loop is of no account
        self._look(self._glance, self._arrived)
        self._succession.drain()
        await self._looked()

    def reload(self) -> Reload:
        """Read and take the source now, whatever was seen; from any thread."""
        self._notice_fork()
        with self._reading:
            look = self._source.load()
        self._by_hand += 1  # whatever is being looked at was there before this
        self._known, self._restless = look.fingerprint, None
        record = self._succession.take(look, anyway=True)
        self._have_drained()
        return record

    async def aclose(self) -> None:
        """Look no more."""
        self._closed = True
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if self.is_at(asyncio.get_running_loop()):
            await self._looked()

    # -- looking -------------------------------------------------------------------------------------------------

    def _look(self, work: Callable[[], Look], then: Callable[[Look], None]) -> None:
        self._timer = None
        done = self._looking = asyncio.get_running_loop().create_future()
        self._background(work, partial(self._seen, (self._turn, self._by_hand), done, then))

    def _seen(
        self, began: tuple[int, int], done: asyncio.Future[None], then: Callable[[Look], None], look: Look
    ) -> None:
        turn, by_hand = began
        if turn == self._turn and not self._closed:
            if by_hand == self._by_hand:
                then(look)
            else:
                self._again(self._interval)
        if not done.done():
            done.set_result(None)

    async def _looked(self) -> None:
        """Wait for the look that is under way, for a moment at most."""
        looking = self._looking
        if looking is None or looking.done():
            return
        limit = self._clock.timeout_at(self._clock.now() + _PATIENCE)
        try:
            async with limit:
                await asyncio.shield(looking)
        except TimeoutError:
            if not limit.expired:
                raise

    def _fingerprint(self) -> Look:
        with self._reading:
            return self._source.look()

    def _glance(self) -> Look:
        """Nobody has looked for a while: what is there now has stood long enough."""
        with self._reading:
            look = self._source.look()
            return look if look.fingerprint == self._known else self._source.load()

    def _load(self) -> Look:
        with self._reading:
            return self._source.load()

    # -- what was seen ---------------------------------------------------------------------------------------------

    def _arrived(self, look: Look) -> None:
        """The first look from a loop: what is good is taken, what is not may be in the writing."""
        if look.is_valid:
            self._take(look)
        else:
            self._compared(look)

    def _compared(self, look: Look) -> None:
        """Whether something has changed, and has come to rest."""
        if look.fingerprint == self._known:
            self._restless = None
            self._again(self._interval)
        elif look.fingerprint != self._restless:
            self._restless = look.fingerprint
            self._again(min(_REST, self._interval))
        else:
            self._look(self._load, self._loaded)

    def _loaded(self, look: Look) -> None:
        if look.fingerprint == self._restless:
            self._take(look)
        else:  # it was written to meanwhile, or is made of other files now
            self._compared(look)

    def _take(self, look: Look) -> None:
        self._known, self._restless = look.fingerprint, None
        self._succession.take(look)
        self._succession.drain()
        self._again(self._interval)

    def _again(self, delay: float) -> None:
        self._timer = self._clock.call_at(self._clock.now() + delay, partial(_tick, weakref.ref(self), self._turn))

    def tick(self, turn: int) -> None:
        """The timer: look again."""
        if turn == self._turn and not self._closed:
            self._look(self._fingerprint, self._compared)

    # -- from elsewhere ----------------------------------------------------------------------------------------------

    def _have_drained(self) -> None:
        """Old stacks are closed by a loop: this one, or the one that watches, or the next that calls come from."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loop = self._loop() if self._loop is not None else None
            if loop is not None and loop.is_running():
                loop.call_soon_threadsafe(self._succession.drain)
        else:
            self._succession.drain()

    def _notice_fork(self) -> None:
        """In a child process nobody will open a lock that was held at the fork, nor serve the parent's timers."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._reading = Lock()
            self._loop = self._timer = self._looking = None
            self._succession.forked()


def _tick(watcher: weakref.ref[Watcher], turn: int) -> None:
    found = watcher()
    if found is not None:
        found.tick(turn)
