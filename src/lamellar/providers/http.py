"""The leaf that talks HTTP: any dialect, over either engine. It is the only executor that does I/O."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ..errors import ErrorKind, ExecutorError, LamellarError, RejectedError
from ..masking import scrub
from ..scope import note_response
from ..stream import LlmEventStream
from .classify import request_id
from .http_source import HttpSource
from .idempotency import idempotency_key
from .keys import KeyPool
from .sent_secrets import SentSecrets
from .wire import Dialect, Endpoint, Exchange, WireRequest

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse
    from ..clock import Clock
    from .engines.base import Engine, EngineResponse
    from .guard import Guard
    from .listing import ListedModel

__all__ = ["HttpExecutor", "ServerAddress"]

_BODY_LIMIT = 64 << 20
"""Bytes of one whole answer; a larger body is no chat answer."""

_ERROR_LIMIT = 1 << 20
"""Bytes of an error's body that are read."""

_ERROR_GRACE = 1.0
"""Seconds that an error's body may take."""


class ServerAddress(NamedTuple):
    """A server's host and port, as telemetry tells them."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> ServerAddress | None:
        """The address in a URL; None when there is none in it."""
        parts = urlsplit(url)
        try:
            port = parts.port or (80 if parts.scheme == "http" else 443)
        except ValueError:
            return None
        return cls(parts.hostname, port) if parts.hostname else None


class HttpExecutor:
    """A provider, spoken to in one dialect at one endpoint.

    Args:
        endpoint: Where requests go.
        dialect: The wire format.
        engine: What sends them.
        clock: Where time comes from.
        connect_timeout: Seconds until a connection must stand; None is no limit.
        keys: The keys, where there are several; by default the endpoint's own.
        guard: What refuses a request that its model cannot serve; None lets every request pass.
        secrets: What beside the keys must not appear in an error, such as headers that were given as secrets.
    """

    state_key = "keys"

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        engine: Engine,
        clock: Clock,
        connect_timeout: float | None,
        keys: KeyPool | None = None,
        guard: Guard | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect
        self._engine = engine
        self.clock = clock
        self._connect_timeout = connect_timeout
        self._keys = keys or KeyPool((endpoint.api_key,) if endpoint.api_key else (), clock)
        self._hidden = secrets
        self._secrets = (*self._keys.keys, *secrets)
        self._guard = guard
        self._releases: set[asyncio.Task[None]] = set()
        self.server = ServerAddress.of(endpoint.base_url)

    @property
    def name(self) -> str:
        """The endpoint's namespace."""
        return self.endpoint.namespace

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """Ask for a whole answer; see `LlmExecutor`."""
        exchange, response = await self._send(model, chat_req, options, stream=False)
        body = await self.read_whole(response, exchange)
        try:
            return self.dialect.parse_response(exchange, response.status, response.headers, body)
        except ExecutorError as error:
            self.sign(error, exchange, response)
            raise

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """Ask for a stream; it returns when the provider has accepted."""
        exchange, response = await self._send(model, chat_req, options, stream=True)
        parser = self.dialect.open_stream(exchange, response.headers)
        return LlmEventStream(HttpSource(self, response, parser, exchange))

    async def _send(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> tuple[Exchange, EngineResponse]:
        """Send the request; what its answer is read with, and a response that is not an error."""
        if self._guard is not None:
            self._guard.check(model, chat_req, options)
        endpoint, key = self.keyed()
        request = self.dialect.build_request(endpoint, model, chat_req, options, stream=stream)
        if endpoint.quirks.idempotency_header is not None:
            request.headers.setdefault(endpoint.quirks.idempotency_header, idempotency_key(request.body))
        exchange = self.exchange(request, model, options)
        return exchange, await self.transmit(exchange, request, endpoint, key)

    def exchange(self, request: WireRequest, model: str = "", options: ChatOptions | None = None) -> Exchange:
        """What the answer to a request is read with."""
        secrets = SentSecrets(self._secrets, request.headers)
        return Exchange(self.name, model, options, self.clock.wall, secrets)

    def keyed(self) -> tuple[Endpoint, str | None]:
        """Where requests go, with the key whose turn it is, and that key."""
        endpoint, key = self.endpoint, self._keys.take()
        return (endpoint if key == endpoint.api_key else replace(endpoint, api_key=key)), key

    async def transmit(
        self, exchange: Exchange, request: WireRequest, endpoint: Endpoint, key: str | None
    ) -> EngineResponse:
        """Send a request that was made; a response that is not an error."""
        try:
            if endpoint.sign is not None:
                await endpoint.sign(request)
            response = await self._engine.send(request, connect_timeout=self._connect_timeout)
        except (ExecutorError, RejectedError) as error:
            self.sign(error, exchange)
            raise
        note_response(response.status, request_id(response.headers, exchange.secrets), response.headers)
        if response.status >= 300:
            body = await self._read_error(response)
            refusal = self.dialect.parse_error(exchange, response.status, response.headers, body)
            self.sign(refusal, exchange, response)
            try:
                raise self._keys.judged(key, refusal)
            finally:
                del refusal  # or the error would hold this frame, and the frame the error
        return response

    async def read_whole(self, response: EngineResponse, exchange: Exchange) -> bytes:
        """The body to its end; one larger than any answer is refused."""
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await response.read():
                pieces.append(piece)
                size += len(piece)
                if size > _BODY_LIMIT:
                    raise ExecutorError(
                        ErrorKind.MALFORMED,
                        f"the body is larger than {_BODY_LIMIT >> 20} MiB, which no chat answer is",
                        status=response.status,
                        code="body_too_large",
                    )
        except BaseException as error:
            response.abort()
            if isinstance(error, LamellarError):
                self.sign(error, exchange, response)
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read_error(self, response: EngineResponse) -> bytes:
        """What comes of an error's body in a short time: the status decides, so neither a cut nor a stall hides it."""
        pieces: list[bytes] = []
        limit = self.clock.timeout_at(self.clock.now() + _ERROR_GRACE)
        try:
            async with limit:
                while (piece := await response.read()) and sum(map(len, pieces)) < _ERROR_LIMIT:
                    pieces.append(piece)
        except TimeoutError:
            if not limit.expired:
                raise
        except ExecutorError:
            pass
        finally:
            response.abort()
        return b"".join(pieces)

    def variant(self, endpoint: Endpoint, dialect: Dialect, secrets: tuple[str, ...] = ()) -> HttpExecutor:
        """This leaf for one call that goes elsewhere or is asked by somebody else; engine and connections are shared.

        Args:
            endpoint: Where that call goes, with its key.
            dialect: How it is made.
            secrets: What beside the key must not appear in an error.
        """
        other = copy(self)
        other.endpoint, other.dialect, other.server = endpoint, dialect, ServerAddress.of(endpoint.base_url)
        other._keys = KeyPool((endpoint.api_key,) if endpoint.api_key else (), self.clock)
        other._secrets = (*other._keys.keys, *self._hidden, *secrets)
        return other

    @staticmethod
    def sign(error: LamellarError, exchange: Exchange, response: EngineResponse | None = None) -> None:
        """Say whose failure it is, and of which response, where the engine or the dialect could not know.

        No secret of the request passes here, whatever the dialect took into the error.
        """
        if isinstance(error, ExecutorError):
            error.provider = error.provider or exchange.provider
            error.model = error.model or exchange.model
            error.message = scrub(error.message, *exchange.secrets)
            if response is not None and error.request_id is None:
                error.request_id = request_id(response.headers, exchange.secrets)
            elif error.request_id is not None:
                error.request_id = scrub(error.request_id, *exchange.secrets)

    @property
    def source(self) -> object:
        """What another leaf has too that gives the same list of models."""
        endpoint = self.endpoint
        return endpoint.namespace, endpoint.base_url, self._keys.keys, tuple(endpoint.headers.items())

    async def list_models(self, *, timeout: float = 30.0) -> tuple[ListedModel, ...]:
        """Every model that the provider offers; see `StackExecutor.list_models`.

        Args:
            timeout: Seconds that it may take. Default 30.

        Raises:
            ExecutorError: The provider failed, or has no such list (code ``unsupported``).
        """
        from .model_pages import fetch_models

        return await fetch_models(self, timeout)

    def release(self, response: EngineResponse) -> None:
        """Let go of a connection whose answer is whole; a short drain in the background keeps it for the next call."""
        task = asyncio.get_running_loop().create_task(response.release())
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def aclose(self) -> None:
        """Wait for the connections that are being let go; the engine is closed by whoever owns it."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._releases if task.get_loop() is loop]
        if mine:
            await asyncio.gather(*mine, return_exceptions=True)

    def state(self) -> dict[str, JsonValue]:
        """How many keys there are, and how many are set aside."""
        return self._keys.state()

    def reset(self) -> None:
        """Use every key again."""
        self._keys.forget()

    def __repr__(self) -> str:
        return f"HttpExecutor({self.name!r}, {scrub(self.endpoint.base_url)!r}, dialect={self.dialect.name!r})"
