"""What `Stack.build()` returns: the root of a tree, which opens the scope of each call and owns what must be closed."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Protocol, Self

from .call import Outcome
from .chat.options import ChatOptions
from .chat.request import ChatRequest
from .clock import Interruption
from .deadline import exec_within
from .durations import Duration, seconds
from .errors import ConfigError, ErrorKind, LamellarError, RejectedError, StreamClosedError
from .executor import ExecutorWrapper, Operation, ResultT, respond
from .scope import CallScope, use_scope
from .source import Finish
from .state import isolate, reset, snapshot
from .stream import LlmEventStream

if TYPE_CHECKING:
    import random

    from pydantic import JsonValue

    from .clock import Clock
    from .executor import LlmExecutor
    from .providers.listing import ListedModel
    from .stack import Stack

__all__ = ["Closable", "StackExecutor"]


class Closable(Protocol):
    """What a stack owns: clients, stores, pools."""

    async def aclose(self) -> None:
        """Close it; may be called more than once."""


class StackExecutor(ExecutorWrapper):
    """A built stack: an executor, and an asynchronous context manager that closes what it owns.

    Use it from any event loop, several at a time included. Closing refuses new calls, waits `grace`, ends what is
    still open, and closes the clients it made; nothing that it was handed.

    Args:
        inner: The outermost plate.
        clock: Where its time comes from.
        rng: Where its randomness comes from.
        resources: What it owns.
        spec: What it was built from.
    """

    def __init__(
        self,
        inner: LlmExecutor,
        *,
        clock: Clock,
        rng: random.Random,
        resources: Sequence[Closable],
        spec: Stack,
    ) -> None:
        super().__init__(inner)
        self._spec = spec
        self._clock = clock
        self._rng = rng
        self._resources = resources  # it grows where a provider is first met in a call
        self._calls: set[Interruption] = set()
        self._streams: set[_OpenStream] = set()
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        _check(model, chat_req, options)
        context = options.call if options is not None else None
        scope = CallScope.open(self._clock, self._rng, context, streaming=operation is not respond)
        running = Interruption()
        running.enter()
        self._calls.add(running)
        if self._closed:  # asked when it is counted already: who closes in another thread sees it, or it sees that
            self._calls.discard(running)
            self._notice_idle()
            self._turn_away()
        scope.stopwatch.start()
        try:
            with use_scope(scope):
                if context is None or context.timeout is None:
                    result = await operation(self.inner, model, chat_req, options)
                else:
                    result = await exec_within(
                        seconds(context.timeout), 0.25, scope, operation, self.inner, model, chat_req, options
                    )
            if isinstance(result, LlmEventStream):
                result.bind(scope)
                _OpenStream.follow(result, self)  # before the call is over, so that a closer sees the one or the other
        except LamellarError as error:
            error.attempts = scope.attempts
            raise
        except asyncio.CancelledError:
            if running.absorb():
                closed = RejectedError(ErrorKind.CLOSED, "the executor was closed while this call was under way")
                closed.attempts = scope.attempts
                raise closed from None
            raise
        finally:
            running.leave()
            scope.stopwatch.stop()
            self._calls.discard(running)
            self._notice_idle()
        return result if isinstance(result, LlmEventStream) else result.with_attempts(scope.attempts)

    async def list_models(self, namespace: str | None = None, *, timeout: Duration = 30.0) -> tuple[ListedModel, ...]:
        """Which models the providers below offer, as they say themselves; no layer has a part in it.

        Args:
            namespace: Only the provider of this name, such as ``groq``: of an `Auto` any that it knows. Default: every
                provider of the stack, in the order in which they stand, each once.
            timeout: Seconds that each provider may take. Default 30.

        Raises:
            ConfigError: There is no such provider, or its key is missing.
            ExecutorError: A provider failed, or has no list of its models (kind ``invalid_request``, code
                ``unsupported``: Bedrock and Vertex AI).
            RejectedError: This executor is closed.
        """
        from .model_lists import list_models

        if self._closed:
            raise RejectedError(ErrorKind.CLOSED, "this executor is closed; build the stack again")
        return await list_models(self, namespace, timeout)

    def _turn_away(self) -> NoReturn:
        """Refuse a call that comes after the closing."""
        raise RejectedError(ErrorKind.CLOSED, "this executor is closed; build the stack again")

    @property
    def spec(self) -> Stack:
        """What it was built from."""
        return self._spec

    def identity(self) -> object:
        """What of the stack changes an answer; see `Spec.identity`."""
        return self._spec.identity()

    def snapshot(self) -> dict[str, dict[str, JsonValue]]:
        """What is going on, as plain data: calls and streams under way, and the state of every plate by its target.

        Plates that stand in no target are shown under ``stack``.
        """
        shown = snapshot(self)
        shown["stack"] = {"calls": len(self._calls), "streams": len(self._streams), **shown["stack"]}
        return shown

    def isolate(self, name: str) -> None:
        """Take the target of this name out: every call to it is refused (`circuit_open`) until `reset(name)`.

        Raises:
            ConfigError: There is no target of that name.
        """
        isolate(self, name)

    def reset(self, name: str) -> None:
        """Put the target of this name back to work, and all the state in it (breakers, windows) to its beginning.

        Raises:
            ConfigError: There is no target of that name.
        """
        reset(self, name)

    async def aclose(self, grace: float = 0) -> None:
        """Close the stack; idempotent.

        Args:
            grace: Seconds to wait for the calls and streams under way; then calls end with a `closed` refusal and
                streams with the outcome cancelled, whose consumers get a `StreamClosedError`.
        """
        self._closed = True
        if grace > 0 and (self._calls or self._streams):
            await self._idle(grace)
        for call in tuple(self._calls):
            call.fire()
        for stream in tuple(self._streams):
            stream.cut()
        for resource in reversed(self._resources):  # what was made last rests on what was made first
            await resource.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _idle(self, grace: float) -> None:
        """Wait until nothing is under way, `grace` seconds at most."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        self._notice_idle()  # another thread may have ended the last one meanwhile
        limit = self._clock.timeout_at(self._clock.now() + grace)
        try:
            async with limit:
                await waiter
        except TimeoutError:
            if not limit.expired:
                raise
        finally:
            self._waiting.discard(waiter)

    def _notice_idle(self) -> None:
        """Whoever ends the last call or stream tells those who wait to close, each in its own loop."""
        if self._waiting and not self._calls and not self._streams:
            for waiter in tuple(self._waiting):
                with suppress(RuntimeError):  # its loop was closed meanwhile
                    waiter.get_loop().call_soon_threadsafe(_wake, waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _OpenStream:
    """A stream under way, held weakly: the root can end it, and does not keep it alive."""

    __slots__ = ("_loop", "_owner", "_stream")

    def __init__(self, stream: LlmEventStream, owner: StackExecutor) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._stream = weakref.ref(stream, self._collected)

    def _collected(self, _: object) -> None:
        """The stream is gone; where its loop is gone too, nobody else would say so."""
        self._owner._streams.discard(self)

    @classmethod
    def follow(cls, stream: LlmEventStream, owner: StackExecutor) -> None:
        """Know of `stream` until it has ended."""
        entry = cls(stream, owner)
        owner._streams.add(entry)
        stream.on_finish(entry.ended)

    def ended(self, finish: Finish) -> None:
        self._owner._streams.discard(self)
        self._owner._notice_idle()

    def cut(self) -> None:
        if self._loop is not asyncio.get_running_loop():
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._cut)
        else:
            self._cut()

    def _cut(self) -> None:
        stream = self._stream()
        if stream is not None:
            farewell = StreamClosedError("the executor was closed while this stream was open")
            stream.cut(Finish(Outcome.CANCELLED), farewell)


def _check(model: object, chat_req: object, options: object) -> None:
    """Refuse arguments of the wrong type at the door, by name."""
    if not isinstance(model, str) or not model:
        raise ConfigError(f"model: expected a model's name, got {_show(model)}")
    if not isinstance(chat_req, ChatRequest):
        raise ConfigError(
            f"chat_req: expected a ChatRequest, got {_show(chat_req)}; for one question: ChatRequest.from_user('...')"
        )
    if options is not None and not isinstance(options, ChatOptions):
        raise ConfigError(f"options: expected ChatOptions or None, got {_show(options)}; say ChatOptions(seed=1)")


def _show(value: object) -> str:
    return "an empty str" if value == "" else type(value).__name__
