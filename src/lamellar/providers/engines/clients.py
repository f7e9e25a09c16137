"""Clients, one per running event loop, and the queue for a free connection.

An engine outlives a loop: two `asyncio.run` over one executor work, and so does a fork. So it keeps its clients by
loop, weakly. A client must end before its loop does; who forgets `aclose()` should not be told so by an "Unclosed
client session" at an arbitrary moment. Each client therefore has a *guard*: an asynchronous generator that waits in a
`try` whose `finally` closes the connections. The loop knows its generators, and `asyncio.run` closes them just before
it closes the loop. A client that is collected earlier hands its connections to its loop to be closed, and does nothing
else then.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, finalize

from lamellar.clock import Interruption
from lamellar.errors import ErrorKind, RejectedError, StreamClosedError

from .base import EngineResponse

__all__ = ["ClientsByLoop", "LoopClient", "Slots", "closed_here"]


class Slots:
    """How many connections may be in use at a time; who comes first is served first.

    Args:
        limit: The number; None is no limit.
    """

    __slots__ = ("_free", "_limit", "_waiters")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._free = limit or 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._limit is None:
            return True
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self, timeout: float | None) -> None:
        """Take a slot, waiting for it.

        Raises:
            RejectedError: None became free within `timeout` seconds.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except BaseException as error:
            granted = waiter.done() and not waiter.cancelled()
            if isinstance(error, TimeoutError):
                if granted:  # the slot and the timeout came together: the slot counts
                    return
                self._forget(waiter)
                raise RejectedError(
                    ErrorKind.POOL_EXHAUSTED,
                    f"all {self._limit} connections stayed in use for {timeout:g} s; "
                    "raise max_connections, or call less",
                ) from None
            if granted:
                self.give()
            else:
                self._forget(waiter)
            raise

    def give(self) -> None:
        """Give a slot back: to the first who waits, if anybody does."""
        if self._limit is None:
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def _forget(self, waiter: asyncio.Future[None]) -> None:
        with suppress(ValueError):
            self._waiters.remove(waiter)


class LoopClient(ABC):
    """What an engine holds for one loop: its connections, the calls that wait for them and the open responses."""

    __slots__ = ("__weakref__", "_closing", "closed", "collected", "guard", "live", "sending", "tasks")

    def __init__(self) -> None:
        self.closed = False
        self.live: set[EngineResponse] = set()
        self.sending: set[Interruption] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.guard: AsyncGenerator[None, None] | None = None
        self.collected: finalize[..., LoopClient] | None = None
        self._closing: asyncio.Task[None] | None = None

    @abstractmethod
    def closer(self) -> Callable[[], Awaitable[None]]:
        """What closes the connections; idempotent. It must not refer to this object: the guard holds it."""

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` on the loop in the background; its failure is nobody's.

        It is a function, and called when the task runs: a loop that ends cancels a task before its first step, and a
        coroutine made earlier would complain of never having been awaited.
        """

        async def run() -> None:
            with suppress(Exception):
                await work()

        _start(run, self.tasks)

    async def close(self) -> None:
        """End the waiting calls and the open responses, then close the connections.

        Who is cancelled while he waits for it leaves it running; who calls it again waits for the same.
        """
        closing = self.begin_closing()
        await asyncio.wait([closing])
        if not closing.cancelled():  # as a loop does that ends; its guard sees to the rest
            closing.result()

    def begin_closing(self) -> asyncio.Task[None]:
        """The task that closes, begun if it is not yet."""
        self.closed = True
        if self._closing is None or self._closing.cancelled():
            self._closing = _start(self._close, _CLOSING)
            self._closing.add_done_callback(_no_complaint)
        return self._closing

    async def _close(self) -> None:
        for interruption in tuple(self.sending):
            interruption.fire()
        for response in tuple(self.live):
            response.abort()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks))
        if self.guard is not None:
            await self.guard.aclose()
            await self.closer()()  # had an earlier closing been cancelled in the guard, that would be over without it
        if self.collected is not None:
            self.collected.detach()


def closed_here() -> StreamClosedError:
    """The error of a call or a read that our own close ended."""
    return StreamClosedError("the connection was closed here while this call was waiting for it")


C = TypeVar("C", bound=LoopClient)


class ClientsByLoop(Generic[C]):
    """The clients of one engine.

    Args:
        make: Makes the client of the running loop.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, C]] = WeakKeyDictionary()
        self._closed = False
        self._lock = Lock()

    def get(self) -> C:
        """The running loop's client.

        Raises:
            RejectedError: The engine is closed.
        """
        loop = asyncio.get_running_loop()
        entry = self._clients.get(loop)
        if entry is not None and not entry[1].closed:
            return entry[1]
        if self._closed:
            raise RejectedError(ErrorKind.CLOSED, "the HTTP engine is closed; build the stack again")
        client = self._make()
        close = client.closer()
        client.guard = _guard(close)
        with suppress(StopIteration):
            client.guard.__anext__().send(None)  # runs to its yield: the loop knows it now
        # The finalizer holds the connections, so that they are not collected, with complaints, along with the client.
        client.collected = finalize(client, _hand_over, loop, os.getpid(), close)
        client.collected.atexit = False
        with self._lock:  # loops of other threads come and go
            # A client refers to its loop, so weak keys alone would keep both for ever.
            for known in [known for known in self._clients if known.is_closed()]:
                self._clients.pop(known, None)
            self._clients[loop] = (os.getpid(), client)
        return client

    async def aclose(self) -> None:
        """Close every client that can be closed from here. Idempotent."""
        self._closed = True
        here = asyncio.get_running_loop()
        mine = None
        with self._lock:
            known = list(self._clients.items())
        for loop, (pid, client) in known:
            # After a fork the parent's sockets are not ours to say goodbye on; on a closed loop all is over.
            if pid != os.getpid() or loop.is_closed():
                continue
            if loop is here:
                mine = client
            elif loop.is_running() and not client.closed:
                client.closed = True
                with suppress(RuntimeError):  # it has just been closed
                    loop.call_soon_threadsafe(client.begin_closing)
            # A loop that is neither closed nor running closes its clients itself, by their guards.
        if mine is not None:
            await mine.close()


def _hand_over(loop: asyncio.AbstractEventLoop, pid: int, close: Callable[[], Awaitable[None]]) -> None:
    if pid == os.getpid() and not loop.is_closed():
        with suppress(RuntimeError):  # it has just been closed
            loop.call_soon_threadsafe(_close_alone, close)


_CLOSING: set[asyncio.Task[None]] = set()


def _close_alone(close: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        with suppress(Exception):
            await close()

    _start(run, _CLOSING)


def _start(work: Callable[[], Coroutine[None, None, None]], tasks: set[asyncio.Task[None]]) -> asyncio.Task[None]:
    """A task, held in `tasks` until it is done: a loop holds its tasks only weakly."""
    task = asyncio.get_running_loop().create_task(work())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def _no_complaint(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # who waits gets it; where nobody does, it is not logged either


async def _guard(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await close()
