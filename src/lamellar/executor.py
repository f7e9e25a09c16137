"""The one interface, and the base of everything that wraps it.

A layer overrides `_exec`, which serves both kinds of call: `operation` is `respond` or `open_stream`, and running it
gives a whole answer or a stream that is ready. What a layer wants done when the answer is over, it hands to
`when_finished`, which is at once for an answer and at its end for a stream.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from .call import Outcome

if TYPE_CHECKING:
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .chat.response import ChatResponse
    from .source import FinishCallback
    from .stream import LlmEventStream

__all__ = [
    "CompositeExecutor",
    "ExecutorWrapper",
    "LlmExecutor",
    "Operation",
    "discard",
    "find",
    "open_stream",
    "respond",
    "walk",
    "when_finished",
]

E = TypeVar("E")
ResultT_co = TypeVar("ResultT_co", covariant=True, bound="ChatResponse | LlmEventStream")
ResultT = TypeVar("ResultT", bound="ChatResponse | LlmEventStream")


@runtime_checkable
class LlmExecutor(Protocol):
    """What every part of a stack is: a leaf that talks to a provider, a wrapper, a composite, a whole stack."""

    @property
    def name(self) -> str:
        """A leaf's namespace, a wrapper's inner name, a composite's kind or the name it was given."""
        ...

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """Ask for a whole answer.

        Args:
            model: The model to ask; a `Target` may replace it.
            chat_req: The request.
            options: How it should be answered; None takes the defaults.

        Raises:
            ExecutorError: The provider's side failed.
            RejectedError: A layer refused.
            ConfigError: An argument is wrong.
        """
        ...

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """Ask for a stream; returns at the commit point (a bare leaf may return when it is accepted).

        Args:
            model: The model to ask; a `Target` may replace it.
            chat_req: The request.
            options: How it should be answered; None takes the defaults.

        Raises:
            ExecutorError: The provider's side failed before the first content.
            RejectedError: A layer refused.
            ConfigError: An argument is wrong.
        """
        ...


class Operation(Protocol[ResultT_co]):
    """One of the two kinds of call, as a value: `respond` or `open_stream`."""

    def __call__(
        self, executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
    ) -> Awaitable[ResultT_co]:
        """Run it on `executor`."""
        ...


def respond(
    executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
) -> Awaitable[ChatResponse]:
    """The operation of a whole answer."""
    return executor.exec_chat_response(model, chat_req, options)


async def open_stream(
    executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
) -> LlmEventStream:
    """The operation of a stream: open it, and wait for its commit point inside the caller's own scope."""
    stream = await executor.exec_chat_stream_events(model, chat_req, options)
    await stream.ready()
    return stream


def when_finished(result: ChatResponse | LlmEventStream, callback: FinishCallback) -> None:
    """Call `callback` when the answer is over: now for a whole answer, at its end for a stream."""
    register = getattr(result, "on_finish", None)
    if register is not None:
        register(callback)
    else:
        from .source import Finish

        callback(Finish(Outcome.COMPLETED))


def discard(result: ChatResponse | LlmEventStream) -> None:
    """An answer that is not wanted: a stream ends here, as completed when its whole answer is held already."""
    end = getattr(result, "discard", None)
    if end is not None:
        end()


class _Executor:
    """Both calls by way of `_exec`, and introspection."""

    @property
    def name(self) -> str:
        """The executor's name."""
        raise NotImplementedError

    def children(self) -> tuple[LlmExecutor, ...]:
        """The executors directly below this one."""
        raise NotImplementedError

    def find(self, kind: type[E]) -> E | None:
        """The first executor of this type, this one included, outermost first; None when there is none."""
        return find(self, kind)

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
        raise NotImplementedError


class ExecutorWrapper(_Executor):
    """The base of a layer: holds one inner executor and forwards everything to it, explicitly.

    Override `_exec` for both kinds of call at once, or either of the two public methods. Pass `options` on.

    Args:
        inner: The executor to wrap.
    """

    def __init__(self, inner: LlmExecutor) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner executor's name."""
        return self.inner.name

    def children(self) -> tuple[LlmExecutor, ...]:
        """The inner executor."""
        return (self.inner,)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        return await operation(self.inner, model, chat_req, options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"


class CompositeExecutor(_Executor):
    """The base of what holds several executors.

    Args:
        name: The composite's kind, or the name it was given.
        targets: The executors, in order.
    """

    def __init__(self, name: str, targets: tuple[LlmExecutor, ...]) -> None:
        self._name = name
        self.targets = targets

    @property
    def name(self) -> str:
        """The composite's kind, or the name it was given."""
        return self._name

    def children(self) -> tuple[LlmExecutor, ...]:
        """The targets."""
        return self.targets

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.targets))})"


@runtime_checkable
class _HasChildren(Protocol):
    """What can be walked into."""

    def children(self) -> tuple[object, ...]:
        """The executors directly below."""
        ...


def walk(executor: object) -> Iterator[LlmExecutor]:
    """Every executor of a tree, outermost first."""
    if isinstance(executor, LlmExecutor):
        yield executor
        if isinstance(executor, _HasChildren):
            for child in executor.children():
                yield from walk(child)


def find(executor: object, kind: type[E]) -> E | None:
    """The first executor of type `kind` in a tree, outermost first; None when there is none."""
    for each in walk(executor):
        if isinstance(each, kind):
            return each
    return None
