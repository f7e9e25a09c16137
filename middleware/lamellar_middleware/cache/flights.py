"""The flights of one event loop, by the key of the answer they fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .flight import Flight

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.response import ChatResponse
    from lamellar.scope import CallScope

    from .reader import Reader

__all__ = ["Flights"]


class Flights:
    """Flights that may be joined, and the tasks of all of them.

    Args:
        bound: Bytes that a flight holds for those who join later.
        keep: Called with a whole answer once it was handed to somebody.
    """

    __slots__ = ("_flying", "_open", "bound", "keep")

    def __init__(self, bound: int, keep: Callable[[str, ChatResponse, ChatOptions | None, CallScope], None]) -> None:
        self.bound = bound
        self.keep = keep
        self._open: dict[tuple[str, bool], Flight] = {}
        self._flying: dict[asyncio.Task[None], Flight] = {}

    def board(self, key: str, reader: Reader) -> None:
        """Let `reader` join a flight that fetches the answer it wants, or lead one of its own.

        A whole answer may be had of a stream; a stream not of a whole answer.
        """
        flight = self._open.get((key, reader.streaming))
        if flight is None and not reader.streaming:
            flight = self._open.get((key, True))
        if flight is None:
            self.launch(key, (reader,), streaming=reader.streaming)
        else:
            flight.join(reader)
            reader.scope.note("lamellar.cache.hit", True)

    def launch(self, key: str, readers: Sequence[Reader], *, streaming: bool) -> None:
        """A new flight for these readers, led by the first."""
        flight = Flight(self, key, readers[0], streaming=streaming)
        for reader in readers:
            flight.join(reader)
        readers[0].lead()
        self._open.setdefault((key, streaming), flight)
        task = flight.start(readers[0].context)
        self._flying[task] = flight
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.pop(task, None)
        if not task.cancelled():
            task.exception()  # an interrupt, which the loop has raised already

    def forget(self, flight: Flight) -> None:
        """Nobody may join `flight` any more."""
        place = flight.key, flight.streaming
        if self._open.get(place) is flight:
            del self._open[place]

    def close(self) -> None:
        """End every flight."""
        for flight in (*self._flying.values(), *self._open.values()):
            flight.close()

    async def landed(self) -> None:
        """Wait until no task is left."""
        while self._flying:
            await asyncio.wait(self._flying)
