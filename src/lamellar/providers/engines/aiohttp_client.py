"""The parts of aiohttp that the engine bends to its needs. Importing this module imports aiohttp.

Bent are four things, each for a fault that was measured (aiohttp 3.14):

- A bad chunk header in the middle of a body leaves its reader waiting for ever: the parser's error reaches the
  protocol, and not the body. `Link.set_exception` hands it on.
- A connection that ends tells its body in words only whether it was closed or reset; `Link.lost` keeps the error.
- What one read brings is unpacked in one go, however much it is; so bodies are taken packed, see `decoding`.
- A POST that meets a connection which the server has just closed fails. `Attempt` sends it once more when
  nothing can have been processed: the connection had served an earlier call, it ended by EOF (or `EPIPE`, which the
  kernel says when the EOF came first), and no byte of an answer had come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from aiohttp import (
    ClientConnectionError,
    ClientPayloadError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    DummyCookieJar,
    StreamReader,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.payload import Payload

from lamellar._version import __version__

from .base import NetworkOptions
from .decoding import offered

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientTimeout
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["Attempt", "LargeBody", "Link", "open_session"]

_SLICE = 256 * 1024


class Link(ResponseHandler):
    """One connection.

    Attributes:
        calls: How many calls it has served, this one included.
        heard: Whether a byte of this call's answer has come.
        ended: Whether the connection is over.
        lost: The error that ended it; None for an EOF.
        dropped: Whether it was us who ended it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.calls = 0
        self.heard = False
        self.ended = False
        self.lost: BaseException | None = None
        self.dropped = False
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: aiohttp forgets it before it is closed."""
        self._wire = cast("asyncio.Transport", transport)  # uvloop's are not subclasses of it
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Note that the server has spoken."""
        self.heard = True
        ResponseHandler.data_received(self, data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Hand a parser's error on to the body's reader."""
        payload = self._payload
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)
        if isinstance(exc, HttpProcessingError):
            _give_up(payload, exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Keep the reason, and leave no reader waiting."""
        self.ended = True
        self.lost = exc
        self._wire = None
        payload = self._payload
        super().connection_lost(exc)
        _give_up(payload, ClientPayloadError("Response payload is not completed"))

    def drop(self) -> None:
        """Close the socket now, without a TLS farewell and whatever still waits to be sent."""
        wire = self._wire
        if wire is not None:
            self.dropped = self.dropped or not wire.is_closing()
            wire.abort()

    async def ended_before_call(self) -> bool:
        """Whether this connection had served a call before, and ended before this one reached anybody."""
        if self.calls < 2 or self.heard:
            return False
        if not self.ended:
            await asyncio.sleep(0)  # the write failed first; the loop is about to tell us why
        quietly = self.lost is None or isinstance(self.lost, BrokenPipeError)
        return self.ended and quietly and not self.heard and not self.dropped


def _give_up(payload: StreamReader | None, reason: Exception) -> None:
    if payload is not None and not payload.is_eof() and payload.exception() is None:
        payload.set_exception(reason)


class Request(ClientRequest):
    """A request that tells which connection it got."""

    attempt: Attempt | None = None


class Connector(TCPConnector):
    """A pool whose connections are `Link`s. It sets no limit: the engine's own queue does."""

    def __init__(self, *, keepalive: float) -> None:
        super().__init__(limit=0, keepalive_timeout=keepalive or None, force_close=not keepalive)
        make: Callable[..., ResponseHandler] = Link
        self._factory = partial(make, loop=self._loop)

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        """Connect, or take an idle connection, and note it."""
        connection = await super().connect(req, traces, timeout)
        link = connection.protocol
        if isinstance(link, Link) and isinstance(req, Request) and req.attempt is not None:
            link.calls += 1
            link.heard = False
            req.attempt.link = link
        return connection


class Attempt:
    """Sends one request, and once more if its connection had been closed before it; drops what fails.

    Attributes:
        link: The connection that was used last, or None while there is none.
    """

    __slots__ = ("link",)

    def __init__(self) -> None:
        self.link: Link | None = None

    async def __call__(self, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        """Run as aiohttp's middleware of one request."""
        try:
            return await self._once(request, send)
        except ClientConnectionError:
            if self.link is None or not await self.link.ended_before_call():
                raise
        self.link = None
        return await self._once(request, send)

    async def _once(self, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        if isinstance(request, Request):
            request.attempt = self
        try:
            return await send(request)
        except BaseException:
            if self.link is not None:
                self.link.drop()
            raise


class LargeBody(Payload):
    """A body of megabytes, written in slices: as plain bytes aiohttp warns of it, and writes it in one go."""

    _default_content_type = "application/octet-stream"
    _value: bytes

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self._size = len(value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write all of it, or the first `content_length` bytes."""
        view = memoryview(self._value)[:content_length]
        for start in range(0, len(view), _SLICE):
            await writer.write(view[start : start + _SLICE])


def open_session(options: NetworkOptions) -> ClientSession:
    """A session on the running loop, without cookies and without a word of the environment's."""
    return ClientSession(
        connector=Connector(keepalive=options.keepalive),
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": f"lamellar/{__version__}", "Accept-Encoding": offered()},
        auto_decompress=False,
        request_class=Request,
        read_bufsize=options.read_limit,
        max_line_size=65536,
        max_field_size=65536,
        trust_env=False,
    )
