"""The fast engine: aiohttp, used directly.

A call through httpx costs several times one through aiohttp, and its pool grows slower with every connection; this
engine adds some microseconds to a bare aiohttp call. What it mends in aiohttp is told in `aiohttp_client`.

aiohttp without its C extension (``AIOHTTP_NO_EXTENSIONS=1``, or a platform without a wheel) looks at an answer only
once its headers have ended with an empty line. So a server that speaks no HTTP, such as an SSH server's greeting, is
not noticed until it hangs up: the call waits for as long as the limits above the engine let it. With the extension it
fails at its first bytes, with code ``protocol``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from lamellar.clock import Interruption
from lamellar.errors import ConfigError, LamellarError, StreamClosedError
from lamellar.providers.wire import WireRequest

from .base import DRAIN_BYTES, DRAIN_SECONDS, Engine, EngineResponse, NetworkOptions
from .clients import ClientsByLoop, LoopClient, Slots, closed_here
from .decoding import decoded
from .failures import failure_of
from .network import ProxyRules, TlsContext

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientTimeout
    from yarl import URL

    from .aiohttp_client import Link

__all__ = ["AiohttpEngine"]

_LARGE = 2**20
"""Bodies above this are written in slices; aiohttp warns of bytes above it."""


class AiohttpEngine(Engine):
    """Sends requests with aiohttp.

    Args:
        options: How to reach the network.

    Raises:
        ConfigError: aiohttp is not installed, or the options ask for what it cannot do.
    """

    name = "aiohttp"

    def __init__(self, options: NetworkOptions | None = None) -> None:
        try:
            from aiohttp import ClientTimeout
            from yarl import URL

            from . import aiohttp_client
        except ImportError as error:
            raise ConfigError("the aiohttp engine needs the package aiohttp: pip install 'lamellar[fast]'") from error
        options = options or NetworkOptions()
        self._tls = TlsContext(options)
        self._parts = aiohttp_client
        self._url: Callable[..., URL] = URL
        self._make_timeout = ClientTimeout
        self._timeout: tuple[float | None, ClientTimeout] | None = None
        self._clients = ClientsByLoop(lambda: _Client(options))
        if ProxyRules(options).uses_socks:
            raise ConfigError(
                "aiohttp cannot use a SOCKS proxy: choose the httpx engine, and pip install 'httpx[socks]'"
            )

    async def send(self, request: WireRequest, *, connect_timeout: float | None) -> EngineResponse:
        """Send `request`; see `Engine.send`."""
        client = self._clients.get()
        waiting = Interruption()
        waiting.enter()
        client.sending.add(waiting)
        attempt = self._parts.Attempt()
        proxy: str | None = None
        taken = False
        try:
            if not client.slots.take():
                await client.slots.wait(connect_timeout)
            taken = True
            url = self._url(request.url, encoded=True)
            proxy = client.proxies.find(url.scheme, url.raw_authority)
            response = await client.session.request(
                request.method,
                url,
                data=request.body if len(request.body) <= _LARGE else self._parts.LargeBody(request.body),
                headers=request.headers,
                timeout=self._limits(connect_timeout),
                allow_redirects=False,
                proxy=None if proxy is None else self._url(proxy),
                ssl=self._tls.get() if url.scheme == "https" or (proxy or "").startswith("https") else True,
                middlewares=(attempt,),
            )
            taken = False
            return decoded(_Response(client, response, request, proxy, attempt.link))
        except asyncio.CancelledError:
            if waiting.absorb():
                raise closed_here() from None
            raise
        except LamellarError:
            raise
        except Exception as error:
            failure = error
        finally:
            if taken:
                client.slots.give()
            client.sending.discard(waiting)
            waiting.leave()
        # Outside the handler, where `sys.exception()` is what our caller is handling.
        if client.closed:
            raise closed_here() from None
        try:
            raise failure_of(
                failure,
                phase="send",
                url=request.url,
                headers=request.headers,
                proxy=proxy,
                origin=attempt.link.lost if attempt.link is not None else None,
                ambient=sys.exception(),
            )
        finally:
            del failure  # its traceback holds this frame

    async def aclose(self) -> None:
        """Close; see `Engine.aclose`."""
        await self._clients.aclose()

    def _limits(self, connect: float | None) -> ClientTimeout:
        if self._timeout is None or self._timeout[0] != connect:
            # `connect` covers the name lookup, TCP and TLS. By default aiohttp rounds what is above 5 s up.
            limits = self._make_timeout(
                total=None, connect=connect, sock_connect=None, sock_read=None, ceil_threshold=1e9
            )
            self._timeout = connect, limits
        return self._timeout[1]


class _Client(LoopClient):
    """The session of one loop."""

    __slots__ = ("proxies", "session", "slots")

    def __init__(self, options: NetworkOptions) -> None:
        from .aiohttp_client import open_session

        super().__init__()
        self.slots = Slots(options.max_connections)
        self.proxies = ProxyRules(options)
        self.session = open_session(options)

    def closer(self) -> Callable[[], Awaitable[None]]:
        return self.session.close


class _Response(EngineResponse):
    __slots__ = ("_client", "_content", "_link", "_over", "_proxy", "_request_headers", "_response", "_url")

    def __init__(
        self, client: _Client, response: ClientResponse, request: WireRequest, proxy: str | None, link: Link | None
    ) -> None:
        self.status = response.status
        self.headers = _plain(response.headers)
        self._client = client
        self._response = response
        self._content = response.content
        self._link = link
        self._over = False  # the slot is free again: at the end of the body, or dropped
        self._url = request.url
        self._request_headers = request.headers
        self._proxy = proxy
        client.live.add(self)

    async def read(self) -> bytes:
        try:
            data = await self._content.readany()
        except Exception as error:
            if received := self._received():
                return received
            failure = error
        except BaseException:
            self.abort()
            raise
        else:
            if not data:
                self._finish()
            return data
        if self._over:
            raise _closed() from None
        self.abort()
        try:
            raise failure_of(
                failure,
                phase="body",
                url=self._url,
                headers=self._request_headers,
                proxy=self._proxy,
                origin=self._link.lost if self._link is not None else None,
                ambient=sys.exception(),
            )
        finally:
            del failure  # its traceback holds this frame

    def _received(self) -> bytes:
        """What had arrived before the failure: it comes first, then the failure. aiohttp would drop it."""
        content = self._content
        return content._read_nowait(-1) if content._buffer and not self._over else b""

    def abort(self) -> None:
        if self._over:
            return
        self._finish()
        # The response has no connection once its body has come whole: the pool has it again.
        if self._response.connection is not None and self._link is not None:
            self._link.drop()
        self._response.close()

    async def release(self) -> None:
        if self._over:
            return
        content = self._content
        if not content.is_eof():
            try:
                with suppress(Exception):
                    await self._drain()
            finally:
                if not content.is_eof():
                    self.abort()
        if not self._over:
            self._finish()
            self._response.close()

    async def _drain(self) -> None:
        drained = 0
        async with asyncio.timeout(DRAIN_SECONDS):
            while drained < DRAIN_BYTES:
                data = await self._content.readany()
                if not data:
                    return
                drained += len(data)

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._client.live.discard(self)
            self._client.slots.give()


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    plain = {name.lower(): value for name, value in headers.items()}
    if len(plain) != len(headers):
        plain = {}
        for name, value in headers.items():
            key = name.lower()
            plain[key] = f"{plain[key]}, {value}" if key in plain else value
    return plain


def _closed() -> StreamClosedError:
    return StreamClosedError("the response was closed")
