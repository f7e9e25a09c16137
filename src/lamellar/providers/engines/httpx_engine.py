"""The engine over any client with the httpx API: our own `httpx.AsyncClient`, or one of httpx or httpx2 from the user.

Only the client's own methods and plain types are used, so that no module needs to be known: requests are made with
`build_request`, timeouts are tuples, failures are told by name. What is given is never closed, and its options (proxy,
TLS, pool, retries) are its owner's; only timeouts and redirects are ours.

A POST that meets a connection which the server has just closed is sent once more under the same rule as in the aiohttp
engine. On httpx and httpx2 the connection is found in the traceback of the failure, which costs a call that succeeds
nothing. A client on another transport (httpx-aiohttp, for one) does not show it, and its request is not repeated.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from lamellar.clock import Interruption
from lamellar.errors import ConfigError, ErrorKind, LamellarError, RejectedError, StreamClosedError
from lamellar.providers.wire import WireRequest

from .base import DRAIN_BYTES, DRAIN_SECONDS, Engine, EngineResponse, NetworkOptions
from .clients import ClientsByLoop, LoopClient, closed_here
from .decoding import accepted, decoded
from .failures import failure_of
from .httpx_insides import close_lost, ended_before_call, lost_connections, need_socks, wake_aiohttp_reader
from .httpx_pools import Pools
from .network import ProxyRules, TlsContext

if TYPE_CHECKING:
    import httpx
    import httpx2

    AsyncClient = httpx.AsyncClient | httpx2.AsyncClient

__all__ = ["HttpxEngine"]


class HttpxEngine(Engine):
    """Sends requests with httpx.

    Args:
        source: An `AsyncClient` of httpx or httpx2, used as it is and never closed here; or the options for clients of
            our own, one per loop and proxy.

    Raises:
        ConfigError: The client is not asynchronous, or is closed; or httpx lacks what a proxy needs.
    """

    name = "httpx"

    def __init__(self, source: AsyncClient | NetworkOptions | None = None) -> None:
        options = NetworkOptions() if source is None else source
        if isinstance(options, NetworkOptions):
            self._injected: AsyncClient | None = None
            self._headers: dict[str, str] = {}
            tls = TlsContext(options)
            self._clients = ClientsByLoop(lambda: _Client(Pools(options, tls)))
            if ProxyRules(options).uses_socks:
                need_socks()
        else:
            if not (hasattr(options, "build_request") and hasattr(options, "aclose")):
                raise ConfigError(
                    f"http_client: expected an AsyncClient of httpx or httpx2, got {type(options).__name__}"
                )
            self._injected = client = options
            self._headers = {"accept-encoding": accepted(client.headers.get("accept-encoding", ""))}
            self._clients = ClientsByLoop(lambda: _Client(client))

    async def send(self, request: WireRequest, *, connect_timeout: float | None) -> EngineResponse:
        """Send `request`; see `Engine.send`."""
        client = self._clients.get()
        http, proxy = client.choose(request.url)  # what fails in making a client is no failure of the network
        ambient = sys.exception()  # what our caller is handling, before we handle anything
        waiting = Interruption()
        waiting.enter()
        client.sending.add(waiting)
        resent = False
        try:
            while True:
                try:
                    response = await http.send(
                        http.build_request(  # type: ignore[arg-type]
                            request.method,
                            request.url,
                            content=request.body,
                            headers={**self._headers, **request.headers},
                            timeout=(connect_timeout, None, None, connect_timeout),
                        ),
                        stream=True,
                        follow_redirects=False,
                    )
                    answer = _Response(client, http, response, request, proxy)
                    return answer if response.is_stream_consumed else decoded(answer)  # a test's transport
                except Exception as error:
                    if resent or client.closed or not ended_before_call(error, ambient):
                        raise
                    resent = True
        except asyncio.CancelledError:
            client.recover(http)
            if waiting.absorb():
                raise closed_here() from None
            raise
        except LamellarError:
            raise
        except Exception as error:
            failure = error
        finally:
            client.sending.discard(waiting)
            waiting.leave()
        if client.closed:
            raise closed_here() from None
        if self._injected is not None and self._injected.is_closed:
            raise RejectedError(ErrorKind.CLOSED, "the injected HTTP client was closed by its owner") from None
        try:
            raise failure_of(
                failure, phase="send", url=request.url, headers=request.headers, proxy=proxy, ambient=ambient
            )
        finally:
            del failure  # its traceback holds this frame

    async def aclose(self) -> None:
        """Close; see `Engine.aclose`. An injected client stays open."""
        await self._clients.aclose()


class _Client(LoopClient):
    """What is open on one loop."""

    __slots__ = ("_source",)

    def __init__(self, source: Pools | AsyncClient) -> None:
        super().__init__()
        self._source = source

    def choose(self, url: str) -> tuple[AsyncClient, str | None]:
        return self._source.choose(url) if isinstance(self._source, Pools) else (self._source, None)

    def recover(self, http: AsyncClient, response: httpx.Response | httpx2.Response | None = None) -> None:
        """After a cancellation: free what it has left behind in the pool."""
        if lost := lost_connections(http, response):
            self.spawn(partial(close_lost, http, lost))

    def closer(self) -> Callable[[], Awaitable[None]]:
        return self._source.aclose if isinstance(self._source, Pools) else _leave_open


async def _leave_open() -> None:
    """What is injected is its owner's to close."""


class _Response(EngineResponse):
    __slots__ = (
        "_client",
        "_http",
        "_over",
        "_pieces",
        "_proxy",
        "_request_headers",
        "_response",
        "_url",
        "_waiting",
        "_whole",
    )

    def __init__(
        self,
        client: _Client,
        http: AsyncClient,
        response: httpx.Response | httpx2.Response,
        request: WireRequest,
        proxy: str | None,
    ) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers)
        self._client = client
        self._http = http
        self._response = response
        # The bytes as they are sent: `decoding` unpacks them. A test's transport may have read and unpacked it all.
        self._pieces = response.aiter_bytes() if response.is_stream_consumed else response.aiter_raw()
        self._waiting = Interruption()
        self._over = False
        self._whole = False
        self._url = request.url
        self._request_headers = request.headers
        self._proxy = proxy
        client.live.add(self)
        wake_aiohttp_reader(response)

    async def read(self) -> bytes:
        if self._over:
            return b"" if self._whole else self._refuse()
        waiting = self._waiting
        waiting.enter()
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self._whole = self._over = True
            self._client.live.discard(self)
            return b""
        except asyncio.CancelledError:
            self._client.recover(self._http, self._response)
            if waiting.absorb():
                raise _closed() from None
            waiting.leave()  # or our own abort would wake us once more
            self.abort()
            raise
        except Exception as error:
            failure = error
        except BaseException:
            waiting.leave()
            self.abort()
            raise
        finally:
            waiting.leave()
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
                ambient=sys.exception(),
            )
        finally:
            del failure  # its traceback holds this frame

    def abort(self) -> None:
        if self._over:
            return
        self._over = True
        self._client.live.discard(self)
        # Closing is asynchronous here; the reader, if there is one, is woken first, for not every transport does it.
        self._waiting.fire()
        self._client.spawn(self._close)

    async def release(self) -> None:
        if self._over:
            return
        drained = 0
        try:
            with suppress(Exception):
                async with asyncio.timeout(DRAIN_SECONDS):
                    while drained < DRAIN_BYTES:
                        data = await self.read()
                        if not data:
                            return
                        drained += len(data)
        finally:
            self.abort()

    async def _close(self) -> None:
        await self._response.aclose()
        with suppress(Exception):  # still running in the reader that has just been woken, or already over
            await self._pieces.aclose()  # type: ignore[attr-defined]

    def _refuse(self) -> bytes:
        raise _closed()


def _closed() -> StreamClosedError:
    return StreamClosedError("the response was closed")
