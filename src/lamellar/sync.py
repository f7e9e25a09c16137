"""The same three members for synchronous code: one loop in one thread, for as long as the executor lives."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from .errors import ErrorKind, RejectedError

if TYPE_CHECKING:
    from .call import AttemptRecord, Outcome
    from .chat.events import StreamEvent
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .chat.response import ChatResponse
    from .chat.usage import Usage
    from .durations import Duration
    from .executor import LlmExecutor
    from .providers.listing import ListedModel
    from .stream import LlmEventStream

__all__ = ["SyncEventStream", "SyncExecutor"]

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds that closing waits for what is under way."""


class _LoopThread:
    """An event loop that runs in a thread of its own until it is stopped. A fork does not take the thread along."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._pid = os.getpid()
        self._closed = False
        self._gate = threading.Lock()  # what is let in before it closes is seen by the winding up
        self._thread = threading.Thread(target=self._run, name="lamellar-sync", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    @property
    def is_here(self) -> bool:
        """Whether the thread is one of this process: in a forked child it is not."""
        return self._pid == os.getpid()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` on the loop and wait for it; an interrupt of the waiting thread cancels it."""
        if not self.is_here:
            work.close()
            what = "this executor is closed" if self._closed else "this stream belongs to the process before the fork"
            raise RejectedError(ErrorKind.CLOSED, what)
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a SyncExecutor was called from its own loop; call the asynchronous executor there")
        future: Future[T] | None = None
        try:
            with self._gate:
                if self._closed:
                    work.close()
                    raise RejectedError(ErrorKind.CLOSED, "this executor is closed")
                future = asyncio.run_coroutine_threadsafe(work, self.loop)
            return future.result()
        except FutureCancelledError:
            raise RejectedError(ErrorKind.CLOSED, "the executor was closed while this call was under way") from None
        except BaseException:
            if future is not None:  # an interrupt may come at any line
                future.cancel()
            raise

    def stop(self, executor: object) -> None:
        """Close the executor, end what still runs, stop the loop and wait for the thread; once."""
        if not self.is_here:
            self._closed = True  # without the gate: whoever held it at the fork will never open it here
            return
        with self._gate:
            if self._closed:
                return
            self._closed = True
            ending = asyncio.run_coroutine_threadsafe(self._wind_up(executor), self.loop)
        if threading.current_thread() is self._thread:
            return  # collected by a task of its own: the loop ends as soon as that lets go
        try:
            ending.result(timeout=_PATIENCE)
        finally:
            self._thread.join(timeout=_PATIENCE)

    async def _wind_up(self, executor: object) -> None:
        try:
            close = getattr(executor, "aclose", None)
            if close is not None:
                await close()
        finally:
            await _end_tasks()
            self.loop.stop()


async def _end_tasks() -> None:
    current = asyncio.current_task()
    while rest := [task for task in asyncio.all_tasks() if task is not current]:
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


_moving = threading.Lock()
"""Held while an executor gets a thread in a forked child, which begins with a lock of its own."""


def _after_fork() -> None:
    global _moving  # noqa: PLW0603
    _moving = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class SyncExecutor:
    """An executor for synchronous code; safe from many threads.

    It takes the executor over: closing this one closes that one, and it must not be used from another loop any more.
    Whatever is still open is closed when the process ends. A forked child may use it too: it gets a thread of its own
    there, with the first call. Streams stay with the process that opened them.

    Args:
        executor: The executor, such as what `Stack.build()` returns.
    """

    def __init__(self, executor: LlmExecutor) -> None:
        self._executor = executor
        self._runner = _LoopThread()
        self._close = weakref.finalize(self, self._runner.stop, executor)

    @property
    def name(self) -> str:
        """The executor's name."""
        return self._executor.name

    def exec_chat_response(self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None) -> ChatResponse:
        """Ask for a whole answer, and wait for it; see `LlmExecutor`."""
        return self._here().run(self._executor.exec_chat_response(model, chat_req, options))

    def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> SyncEventStream:
        """Ask for a stream; returns at the commit point."""
        runner = self._here()
        stream = runner.run(self._executor.exec_chat_stream_events(model, chat_req, options))
        return SyncEventStream(stream, self, runner)

    def list_models(self, namespace: str | None = None, *, timeout: Duration = 30.0) -> tuple[ListedModel, ...]:
        """Which models the providers offer; see `StackExecutor.list_models`."""
        from .model_lists import list_models

        return self._here().run(list_models(self._executor, namespace, timeout))

    def close(self) -> None:
        """Close the executor and end its thread; idempotent."""
        if not self._runner.is_here:
            with _moving:  # no other thread may be giving it a new one
                if not self._runner.is_here:
                    self._close()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _here(self) -> _LoopThread:
        """The loop's thread in this process; in a forked child a new one, unless the executor is closed."""
        if self._runner.is_here:
            return self._runner
        with _moving:
            if not self._runner.is_here and self._close.detach() is not None:
                self._runner = _LoopThread()
                self._close = weakref.finalize(self, self._runner.stop, self._executor)
            return self._runner


class SyncEventStream:
    """A stream for synchronous code: iterate over it inside `with`."""

    def __init__(self, stream: LlmEventStream, owner: SyncExecutor, runner: _LoopThread) -> None:
        self._stream = stream
        self._owner = owner
        self._runner = runner

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        event = self._runner.run(_next(self._stream))
        if event is None:
            raise StopIteration
        return event

    def collect(self) -> ChatResponse:
        """Read to the end and return the whole answer."""
        return self._runner.run(self._stream.collect())

    def text(self) -> Iterator[str]:
        """The pieces of the text alone, as they come."""
        pieces = self._stream.text()
        while (piece := self._runner.run(_next(pieces))) is not None:
            yield piece

    def close(self) -> None:
        """Close the stream and the provider's connection; idempotent."""
        if self._owner._close.alive:
            with suppress(RejectedError):  # the executor is being closed, and this stream with it
                self._runner.run(self._stream.aclose())

    @property
    def outcome(self) -> Outcome | None:
        """How the stream ended, or None while it is open."""
        return self._stream.outcome

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        return self._stream.usage

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Every try of this call so far, in order."""
        return self._stream.attempts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


async def _next(events: AsyncIterator[T]) -> T | None:
    return await anext(events, None)
