"""An executor that follows its file: `Stack.watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeVar

from ..errors import ErrorKind, RejectedError
from ..executor import Operation, ResultT, find, open_stream, respond
from .background import in_thread
from .succession import Succession
from .version import SupersededError
from .watcher import Watcher

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import JsonValue

    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from ..chat.response import ChatResponse
    from ..clock import Clock
    from ..durations import Duration
    from ..errors import ConfigError
    from ..executor import LlmExecutor
    from ..providers.listing import ListedModel
    from ..stream import LlmEventStream
    from .background import Background
    from .record import Reload
    from .source import Source
    from .version import Builder

__all__ = ["WatchedExecutor"]

E = TypeVar("E")


class WatchedExecutor:
    """The stack of a file as it is at the moment: an executor, made by `Stack.watch`.

    Each call is served by one stack from its beginning to its end, a stream to its last event. A file that is changed
    takes effect for the calls that begin after it was noticed; one that is wrong is refused, and the old stack goes on.
    Use it from any event loop, from several at a time or one after another.

    Args:
        source: Where the stacks come from.
        builder: Builds them.
        clock: Where time comes from.
        interval: Seconds between two looks at the source.
        grace: Seconds that an old stack has for its last calls and streams.
        on_reload: Told of every change; None for nobody.
        background: Where the source is read.

    Raises:
        ConfigError: The source holds no valid stack at first.
    """

    def __init__(
        self,
        source: Source,
        builder: Builder,
        *,
        clock: Clock,
        interval: float,
        grace: float,
        on_reload: Callable[[Reload], object] | None = None,
        background: Background = in_thread,
    ) -> None:
        first = source.load()
        self._succession = Succession(str(source), first, builder, clock=clock, grace=grace, on_reload=on_reload)
        self._watcher = Watcher(source, first, self._succession, clock=clock, interval=interval, background=background)
        self._closed = False

    @property
    def name(self) -> str:
        """The name of the stack of the moment."""
        return self._succession.current.name

    @property
    def last_error(self) -> ConfigError | None:
        """Why the file's stack does not serve calls; None while it does."""
        return self._succession.last_error

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """Ask for a whole answer; see `LlmExecutor`."""
        return await self._exec(respond, model, chat_req, options)

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """Ask for a stream; see `LlmExecutor`."""
        return await self._exec(open_stream, model, chat_req, options)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        loop = asyncio.get_running_loop()
        if not self._watcher.is_at(loop):
            await self._watcher.come_to(loop)
        while not self._closed:
            try:
                return await operation(self._succession.current, model, chat_req, options)
            except SupersededError:
                continue  # another thread has put a new stack in its place since this line looked
        raise RejectedError(ErrorKind.CLOSED, "this executor is closed; watch the file again")

    def reload(self) -> Reload:
        """Read the file now and take what it says, changed or not; keys and other secrets are read anew.

        For a signal handler (SIGHUP), or a button: from any thread, with a loop or without. It waits for the files to
        be read. A file that is wrong is refused, as `Reload.error` says.

        Raises:
            RejectedError: ``closed``, after `aclose`.
        """
        if self._closed:
            raise RejectedError(ErrorKind.CLOSED, "this executor is closed; watch the file again")
        return self._watcher.reload()

    def children(self) -> tuple[LlmExecutor, ...]:
        """The stack of the moment."""
        return (self._succession.current,)

    def find(self, kind: type[E]) -> E | None:
        """The first executor of this type, this one included, outermost first; None when there is none."""
        return find(self, kind)

    def identity(self) -> object:
        """What of the stack of the moment changes an answer; see `Spec.identity`."""
        return self._succession.current.identity()

    def snapshot(self) -> dict[str, dict[str, JsonValue]]:
        """As that of a built stack; ``stack`` has one entry more, ``reload``: version, last error, old stacks."""
        shown = self._succession.current.snapshot()
        shown["stack"]["reload"] = self._succession.state()
        return shown

    async def list_models(self, namespace: str | None = None, *, timeout: Duration = 30.0) -> tuple[ListedModel, ...]:
        """Which models the providers of the stack as it is now offer; see `StackExecutor.list_models`."""
        return await self._succession.current.list_models(namespace, timeout=timeout)

    def isolate(self, name: str) -> None:
        """Take the target of this name out until `reset(name)`, in this stack and in those that follow it.

        Raises:
            ConfigError: There is no target of that name.
        """
        self._succession.current.isolate(name)

    def reset(self, name: str) -> None:
        """Put the target of this name back to work, and all the state in it to its beginning.

        Raises:
            ConfigError: There is no target of that name.
        """
        self._succession.current.reset(name)

    async def aclose(self, grace: float = 0) -> None:
        """Close the stack of the moment and those before it, and watch no more; idempotent.

        Args:
            grace: Seconds to wait for the calls and streams under way, those of old stacks too.
        """
        self._closed = True
        await self._watcher.aclose()
        await self._succession.aclose(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"WatchedExecutor({self._succession.current!r})"
