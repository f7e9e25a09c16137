"""The simulator's thread: its own event loop and listening socket, started and stopped promptly."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future

from .connection import Connection, House

__all__ = ["Engine"]

HOST = "127.0.0.1"
"""Loopback only: a simulator is no service."""


class Engine:
    """A thread that serves.

    It has a loop of its own, so a client's loop may be blocked, virtual or closed without the server noticing.

    Args:
        house: The simulator.
        port: The port to listen on; 0 takes a free one.
        ssl_context: Serves TLS with this context.
    """

    def __init__(self, house: House, port: int, ssl_context: ssl.SSLContext | None) -> None:
        self._house = house
        self._ssl = ssl_context
        # A selector loop whatever the policy says: every system has it, and it lets a socket be reset.
        self._loop = asyncio.SelectorEventLoop()
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(port, ready), name="lamellar-simulator", daemon=True)
        self._thread.start()
        try:
            self.port = ready.result()
        except BaseException:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Stop listening, drop every connection, end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in this thread after `seconds`; the result cancels it. Callable from any thread."""
        handles: list[asyncio.Handle] = []

        def set_up() -> None:
            handles.append(self._loop.call_later(seconds, callback))

        def take_down() -> None:
            for handle in handles:
                handle.cancel()

        self._in_loop(set_up)
        return lambda: self._in_loop(take_down)

    def _in_loop(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing is left to do
            self._loop.call_soon_threadsafe(callback)

    def _run(self, port: int, ready: Future[int]) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            server = loop.run_until_complete(
                loop.create_server(lambda: Connection(self._house, loop), HOST, port, ssl=self._ssl, backlog=1024)
            )
        except BaseException as error:  # told to the thread that waits
            ready.set_exception(error)
        else:
            ready.set_result(server.sockets[0].getsockname()[1])
            loop.run_forever()
            server.close()
            loop.run_until_complete(self._drop())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _drop(self) -> None:
        """Drop every connection, those in the middle of a TLS handshake included."""
        own = asyncio.current_task()
        for connection in tuple(self._house.connections):
            connection.stop()
        handshakes = [task for task in asyncio.all_tasks() if task is not own]
        for task in handshakes:
            task.cancel()
        await asyncio.gather(*handshakes, return_exceptions=True)
        for _ in range(1000):
            if not self._house.connections:
                break
            await asyncio.sleep(0)
        # Transports close their sockets one turn after they have said so.
        await asyncio.sleep(0)
