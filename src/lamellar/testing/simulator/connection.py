"""One connection of the simulator: requests in, replies out, and notice at once when the client leaves."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Protocol

from .http import RawRequest, RequestReader, UnreadableError
from .log import Log, Record
from .player import Player
from .steps import Outcome, Step

__all__ = ["Connection", "House"]


class House(Protocol):
    """The simulator, as its connections need it."""

    log: Log
    connections: set[Connection]

    def answer(self, request: RawRequest, connection: int) -> tuple[Record, Iterator[Step]]:
        """The record of a request and the steps that answer it."""
        raise NotImplementedError


class Connection(asyncio.Protocol):
    """One connection.

    Args:
        house: The simulator.
        loop: Its loop.
    """

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.blocked = False
        self._house = house
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader()
        self._player: Player | None = None
        self._number = 0
        self._closing: Outcome = "client_left"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"expected a stream transport, got {type(transport).__name__}")
        # A reset must not discard what was written before it, so nothing may linger in a buffer of ours.
        # Not zero: the TLS transport would take an empty buffer for a full one.
        transport.set_write_buffer_limits(high=1)
        self._transport = transport
        self._house.connections.add(self)
        self._number = self._house.log.connected()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; those of the next one wait until the reply is over."""
        try:
            self._reader.feed(data)
        except UnreadableError as error:
            self._refuse(error)
            return
        if self._player is None:
            self._next()

    def eof_received(self) -> bool:
        """The client closes its side: it has left, so what is still unsent is of no use."""
        if self._transport is not None and self._player is not None:
            self._transport.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        self._transport = None
        if self._player is not None:
            self._player.leave(self._closing)
            self._player = None
        self._house.connections.discard(self)
        self._house.log.disconnected()

    def pause_writing(self) -> None:
        """The client does not read as fast as the reply is written."""
        self.blocked = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.blocked = False
        if self._player is not None:
            self._player.advance()

    @property
    def gone(self) -> bool:
        """Whether the connection is closed or closing: asyncio would log what is written to it."""
        return self._transport is None or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def hang_up(self, *, reset: bool) -> None:
        """Close, orderly or with a reset."""
        transport = self._transport
        if transport is None:
            return
        if not reset:
            transport.close()
            return
        raw = transport.get_extra_info("socket")
        if raw is not None:
            # On, for zero seconds: closing the socket sends RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def reply_over(self, *, keep_alive: bool) -> None:
        """The reply is over; the next request may already be here."""
        self._player = None
        if keep_alive:
            self.loop.call_soon(self._next)
        else:
            self.hang_up(reset=False)

    def stop(self) -> None:
        """The simulator stops."""
        self._closing = "stopped"
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        if self._player is not None or self.gone:
            return
        try:
            request = self._reader.next()
        except UnreadableError as error:
            self._refuse(error)
            return
        if request is None:
            return
        record, steps = self._house.answer(request, self._number)
        self._player = Player(self, request, record, self._house.log, steps)
        self._player.advance()

    def _refuse(self, error: UnreadableError) -> None:
        body = b'{"error":{"message":"%b","type":"invalid_request_error"}}' % str(error).encode()
        head = f"HTTP/1.1 {error.status} Bad Request\r\ncontent-type: application/json\r\n"
        self.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.hang_up(reset=False)
