"""The leaf that talks HTTP: any dialect, over either engine. It is the only executor that does I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from ..call import Outcome
from ..chat.events import Progress, StreamEvent
from ..errors import ErrorKind, ExecutorError, LamellarError, RejectedError
from ..masking import scrub
from ..scope import note_response
from ..source import EventSource, Finish
from ..stream import LlmEventStream
from .classify import request_id
from .idempotency import idempotency_key
from .keys import KeyPool
from .wire import Dialect, Endpoint, Exchange, StreamParser

if TYPE_CHECKING:
    from pydantic import JsonValue

    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse
    from ..chat.usage import Usage
    from ..clock import Clock
    from .engines.base import Engine, EngineResponse

__all__ = ["HttpExecutor", "HttpSource", "ServerAddress"]

_BODY_LIMIT = 64 << 20
"""Bytes of one whole answer; a larger body is no chat answer."""

_ERROR_LIMIT = 1 << 20
"""Bytes of an error's body that are read."""

_ERROR_GRACE = 1.0
"""Seconds that an error's body may take."""

_FINISH_GRACE = 1.0
"""Seconds that usage or `[DONE]` may take after the finish signal: the answer is whole, and its end is not delayed."""


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
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect
        self._engine = engine
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._keys = keys or KeyPool((endpoint.api_key,) if endpoint.api_key else (), clock)
        self._secrets = self._keys.keys
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
        exchange = Exchange(self.name, model, options, self._clock.wall, self._secrets)
        response = await self._send(exchange, chat_req, stream=False)
        body = await self._read_whole(response, exchange)
        return self.dialect.parse_response(exchange, response.status, response.headers, body)

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """Ask for a stream; it returns when the provider has accepted."""
        exchange = Exchange(self.name, model, options, self._clock.wall, self._secrets)
        response = await self._send(exchange, chat_req, stream=True)
        parser = self.dialect.open_stream(exchange, response.headers)
        return LlmEventStream(HttpSource(self, response, parser, exchange))

    async def _send(self, exchange: Exchange, chat_req: ChatRequest, *, stream: bool) -> EngineResponse:
        """Send the request; a response that is not an error."""
        endpoint, key = self.endpoint, self._keys.take()
        if key != endpoint.api_key:
            endpoint = replace(endpoint, api_key=key)
        request = self.dialect.build_request(endpoint, exchange.model, chat_req, exchange.options, stream=stream)
        if endpoint.quirks.idempotency_header is not None:
            request.headers.setdefault(endpoint.quirks.idempotency_header, idempotency_key(request.body))
        try:
            response = await self._engine.send(request, connect_timeout=self._connect_timeout)
        except (ExecutorError, RejectedError) as error:
            self.sign(error, exchange)
            raise
        note_response(response.status, request_id(response.headers))
        if response.status >= 300:
            body = await self._read_error(response)
            refusal = self.dialect.parse_error(exchange, response.status, response.headers, body)
            try:
                raise self._keys.judged(key, refusal)
            finally:
                del refusal  # or the error would hold this frame, and the frame the error
        return response

    async def _read_whole(self, response: EngineResponse, exchange: Exchange) -> bytes:
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
                self.sign(error, exchange)
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read_error(self, response: EngineResponse) -> bytes:
        """What comes of an error's body in a short time: the status decides, so neither a cut nor a stall hides it."""
        pieces: list[bytes] = []
        limit = self._clock.timeout_at(self._clock.now() + _ERROR_GRACE)
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

    @staticmethod
    def sign(error: LamellarError, exchange: Exchange) -> None:
        """Say whose failure it is, where the engine could not know."""
        if isinstance(error, ExecutorError):
            error.provider = error.provider or exchange.provider
            error.model = error.model or exchange.model

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
        self._keys = KeyPool(self._keys.keys, self._clock)

    def __repr__(self) -> str:
        return f"HttpExecutor({self.name!r}, {scrub(self.endpoint.base_url)!r}, dialect={self.dialect.name!r})"


class HttpSource(EventSource):
    """A provider's stream: bytes from the engine, events from the dialect's parser."""

    __slots__ = ("_exchange", "_leaf", "_parser", "_response", "_whole")

    def __init__(self, leaf: HttpExecutor, response: EngineResponse, parser: StreamParser, exchange: Exchange) -> None:
        self._leaf = leaf
        self._response = response
        self._parser = parser
        self._exchange = exchange
        self._whole = False

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The events of the next bytes; those before an in-band error come first, then the error."""
        parser = self._parser
        if parser.error is not None:
            raise parser.error
        data = await (self._read_tail() if parser.finishing else self._read())
        if data:
            events = parser.feed(data)
        else:
            self._whole = True
            events = parser.finish()
        error: ExecutorError | None = parser.error  # `feed` may have set it
        if error is not None and not events:
            raise error
        return events

    async def _read(self) -> bytes:
        try:
            return await self._response.read()
        except ExecutorError as error:
            self._leaf.sign(error, self._exchange)
            raise

    async def _read_tail(self) -> bytes:
        """What follows the finish signal. The answer is whole: neither silence nor a broken end takes it back."""
        limit = self._leaf._clock.timeout_at(self._leaf._clock.now() + _FINISH_GRACE)
        try:
            async with limit:
                return await self._response.read()
        except TimeoutError:
            if not limit.expired:
                raise
            self._response.abort()
        except ExecutorError:
            pass  # the end was broken, not the answer
        return b""

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        return self._parser.usage

    @property
    def finishing(self) -> bool:
        """Whether the finish signal was seen; the wait for what may follow is bounded here."""
        return self._parser.finishing

    def finish(self, finish: Finish) -> None:
        """Keep the connection of a whole answer, drop that of any other."""
        if finish.outcome != Outcome.COMPLETED:
            self._response.abort()
        elif not self._whole:
            self._leaf.release(self._response)
