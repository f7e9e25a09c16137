"""A provider's stream: bytes from an engine, events from a dialect's parser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ..call import Outcome
from ..chat.events import Progress, StreamEvent
from ..errors import ExecutorError
from ..source import EventSource, Finish

if TYPE_CHECKING:
    from ..chat.usage import Usage
    from ..clock import Clock
    from ..errors import LamellarError
    from .engines.base import EngineResponse
    from .wire import Exchange, StreamParser

__all__ = ["HttpSource", "StreamOwner"]

_FINISH_GRACE = 1.0
"""Seconds that usage or `[DONE]` may take after the finish signal: the answer is whole, and its end is not delayed."""


class StreamOwner(Protocol):
    """The leaf that a stream came from."""

    @property
    def clock(self) -> Clock:
        """Where its time comes from."""
        ...

    def sign(self, error: LamellarError, exchange: Exchange, response: EngineResponse | None = None) -> None:
        """Say whose failure it is."""
        ...

    def release(self, response: EngineResponse) -> None:
        """Let go of a connection whose answer is whole."""
        ...


class HttpSource(EventSource):
    """A provider's stream: bytes from the engine, events from the dialect's parser."""

    __slots__ = ("_exchange", "_leaf", "_parser", "_response", "_whole")

    def __init__(self, leaf: StreamOwner, response: EngineResponse, parser: StreamParser, exchange: Exchange) -> None:
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
        if error is not None:
            self._leaf.sign(error, self._exchange, self._response)
            if not events:
                raise error
        return events

    async def _read(self) -> bytes:
        try:
            return await self._response.read()
        except ExecutorError as error:
            self._leaf.sign(error, self._exchange, self._response)
            raise

    async def _read_tail(self) -> bytes:
        """What follows the finish signal. The answer is whole: neither silence nor a broken end takes it back."""
        limit = self._leaf.clock.timeout_at(self._leaf.clock.now() + _FINISH_GRACE)
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
