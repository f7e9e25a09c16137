"""The cache at work: what a call may be answered with, and what is kept of an answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from lamellar.durations import seconds
from lamellar.errors import ErrorKind, RejectedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT, respond
from lamellar.scope import CallScope, current_scope
from lamellar.sizes import in_bytes
from lamellar.stream import LlmEventStream

from .complaints import Complaints
from .flights import Flights
from .reader import FlightSource, Reader
from .rules import is_stateful, is_worth_keeping
from .sources import KeptSource, NotedSource
from .store import CacheStore, StoredAnswer
from .writer import Writer

if TYPE_CHECKING:
    import random

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .key import KeyMaker
    from .spec import Cache

__all__ = ["CacheExecutor"]

_FAREWELL = 5.0
"""Seconds that closing waits for what is being written."""


class _Here:
    """What a cache has under way in one event loop."""

    __slots__ = ("flights", "writer")

    def __init__(self, flights: Flights, writer: Writer) -> None:
        self.flights = flights
        self.writer = writer


class CacheExecutor(ExecutorWrapper):
    """Answers what was asked before.

    Args:
        inner: The executor to wrap.
        spec: The options.
        store: Where answers are kept.
        keys: Makes the keys.
        clock: Where its time comes from.
        rng: For calls that no stack has opened.
    """

    def __init__(
        self,
        inner: LlmExecutor,
        spec: Cache,
        store: CacheStore,
        keys: KeyMaker,
        *,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        super().__init__(inner)
        self.spec = spec
        self._store = store
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._ttl = None if spec.ttl is None else seconds(spec.ttl)
        self._complaints = Complaints()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Here] = WeakKeyDictionary()
        self._lock = Lock()

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        directive = options.call.cache if options is not None and options.call is not None else "use"
        if directive == "bypass":
            return await operation(self.inner, model, chat_req, options)
        key = None if is_stateful(chat_req, options) else self._keys.key(model, chat_req, options)
        if key is None and directive != "only":
            return await operation(self.inner, model, chat_req, options)
        here = self._here()
        scope = current_scope() or CallScope.open(self._clock, self._rng)
        if key is not None and directive != "refresh":
            kept = await self._find(key, here)
            if kept is not None:
                scope.note("lamellar.cache.hit", True)
                return await _given(kept, operation)
        if key is None or directive == "only":
            raise RejectedError(ErrorKind.CACHE_MISS, "no answer to this is kept, and the call asks for no other")
        if directive == "use" and self.spec.single_flight:
            reader = Reader((self.inner, model, chat_req, options), scope, streaming=operation is not respond)
            here.flights.board(key, reader)
            return cast("ResultT", await (_streamed(reader) if reader.streaming else reader.answer()))
        scope.note("lamellar.cache.hit", False)
        result = await operation(self.inner, model, chat_req, options)
        keep = partial(self._keep, here.writer, key, options=options, scope=scope)
        if not isinstance(result, LlmEventStream):
            keep(cast("ChatResponse", result))
            return result
        stream = LlmEventStream(NotedSource(result, keep))
        await stream.ready()
        return cast("ResultT", stream)

    async def _find(self, key: str, here: _Here) -> StoredAnswer | None:
        """The answer under `key`; None where there is none, or the store fails."""
        found: object = here.writer.find(key)
        if found is None:
            try:
                found = await self._store.get(key)
            except Exception as error:
                self._complaints.tell_of(error, "reading from")
        if not isinstance(found, StoredAnswer):
            if found is not None:
                self._complaints.tell("type", f"the cache's store gave a {type(found).__name__}, not a StoredAnswer")
            return None
        expires = found.expires
        return found if expires is None or expires > self._clock.wall() else None

    def _keep(
        self, writer: Writer, key: str, response: ChatResponse, options: ChatOptions | None, scope: CallScope
    ) -> None:
        """Have an answer written, if it is one to keep."""
        if not is_worth_keeping(response, options) or not (self.spec.store_fallback or scope.by_primary):
            return
        try:
            answer = StoredAnswer.of(response, created=self._clock.wall(), ttl=self._ttl)
        except Exception as error:  # an answer of a user's own making that is no JSON
            self._complaints.tell_of(error, "writing to")
            return
        if answer.size <= in_bytes(self.spec.max_entry_bytes):
            writer.put(key, answer)

    def _here(self) -> _Here:
        """The running loop's part."""
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None:
            writer = Writer(self._store, in_bytes(self.spec.max_bytes), self._complaints)
            flights = Flights(in_bytes(self.spec.max_entry_bytes), partial(self._keep, writer))
            here = _Here(flights, writer)
            with self._lock:  # loops of other threads come and go
                # What is under way refers to its loop, so weak keys alone would keep both for ever.
                for known in [known for known in self._loops if known.is_closed()]:
                    self._loops.pop(known, None)
                self._loops[loop] = here
        return here

    async def aclose(self) -> None:
        """End what is under way, and wait until what was to be written is; idempotent."""
        running = asyncio.get_running_loop()
        with self._lock:
            known = list(self._loops.items())
        for loop, here in known:
            if loop is not running and not loop.is_closed():
                with suppress(RuntimeError):  # it has just been closed
                    loop.call_soon_threadsafe(here.flights.close)
        mine = self._loops.get(running)
        if mine is not None:
            mine.flights.close()
            await mine.flights.landed()
            await mine.writer.drain(self._clock.timeout_at(self._clock.now() + _FAREWELL))


async def _streamed(reader: Reader) -> LlmEventStream:
    stream = LlmEventStream(FlightSource(reader))
    await stream.ready()
    return stream


async def _given(kept: StoredAnswer, operation: Operation[ResultT]) -> ResultT:
    """A kept answer, as this kind of call gets it."""
    if operation is respond:
        return cast("ResultT", kept.response)
    stream = LlmEventStream(KeptSource(kept.response))
    await stream.ready()
    return cast("ResultT", stream)
