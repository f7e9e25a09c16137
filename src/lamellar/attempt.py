"""The innermost plate, put by `build()` round every leaf: one attempt at one target.

It enforces the limits of an attempt, waits for the commit point, keeps the attempt's record, and turns whatever a leaf
raises into the one error tree. What comes out of it obeys the stream contract, whatever the leaf is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from .accumulate import Accumulator
from .chat.events import Chunk, End, Progress, ReasoningChunk, Start, StreamEvent, ToolCallChunk
from .chat.response import ChatResponse
from .errors import LamellarError, StreamClosedError, StreamInterruptedError, StreamTruncatedError
from .executor import ExecutorWrapper, Operation, ResultT, respond
from .interruption import interrupted
from .observer import LeafCall
from .scope import current_scope, use_scope
from .source import Finish, InnerSource
from .stream import LlmEventStream
from .watch import AttemptLimits, AttemptWatch

if TYPE_CHECKING:
    from .chat.options import ChatOptions
    from .chat.request import ChatRequest
    from .executor import LlmExecutor

__all__ = ["Attempt", "AttemptSource"]

P = ParamSpec("P")
T = TypeVar("T")


class Attempt(ExecutorWrapper):
    """One attempt at one leaf.

    Args:
        inner: The leaf.
        target: The name of the target, for the record.
        limits: The limits of the attempt.
        leaf: The leaf itself, where something was put round it; whoever watches is told of it.
    """

    def __init__(
        self, inner: LlmExecutor, target: str, limits: AttemptLimits, *, leaf: LlmExecutor | None = None
    ) -> None:
        super().__init__(inner)
        self.target = target
        self.limits = limits
        self.leaf = inner if leaf is None else leaf

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        if scope is None:  # a leaf that is used outside of a built stack
            return await operation(self.inner, model, chat_req, options)
        watch = AttemptWatch(self.limits, self.target, self.inner, model, scope, streaming=operation is not respond)
        if scope.observer is not None:
            watch.observe(scope.observer, LeafCall(self.leaf, chat_req, options, watch.streaming))
        try:
            with use_scope(scope.for_attempt(watch.live)):
                result = await watch.wait(
                    _respond if operation is respond else _accept, self.inner, model, chat_req, options
                )
        except BaseException as error:
            told = watch.fail(error)
            try:
                if told is error:
                    raise
                raise told from told.__cause__
            finally:
                del told  # or the error would hold this frame, and the frame the error
        finally:
            watch.live.task = None  # it holds its result, and that would be this very stream
        if not isinstance(result, LlmEventStream):
            watch.complete(cast("ChatResponse", result))  # it was `respond`
            return cast("ResultT", result)
        stream = LlmEventStream(AttemptSource(result, watch))
        stream.on_finish(watch.ended)
        await stream.ready()
        return cast("ResultT", stream)


async def _respond(
    executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
) -> ChatResponse:
    """The leaf's whole answer, if it is one."""
    answer: object = await executor.exec_chat_response(model, chat_req, options)
    if not isinstance(answer, ChatResponse):
        raise TypeError(f"exec_chat_response of {executor.name!r} gave a {type(answer).__name__}, not a ChatResponse")
    return answer


async def _accept(
    executor: LlmExecutor, model: str, chat_req: ChatRequest, options: ChatOptions | None, /
) -> LlmEventStream:
    """The leaf's stream as soon as it is accepted; its commit point is awaited under the attempt's own limits."""
    return LlmEventStream.of(await executor.exec_chat_stream_events(model, chat_req, options))


class AttemptSource(InnerSource):
    """A leaf's stream under the attempt's limits, in the order of the contract, with its interruptions told."""

    __slots__ = ("_gathered", "_held", "_over", "_start", "_watch")

    def __init__(self, inner: LlmEventStream, watch: AttemptWatch) -> None:
        super().__init__(inner)
        self._watch = watch
        self._gathered = Accumulator()
        self._start = Start(watch.live.model, watch.live.provider, target=watch.live.target)
        self._held: list[StreamEvent | Progress] = []
        self._over = False

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The leaf's next events that a consumer may see."""
        if self._over:
            raise StreamTruncatedError
        while True:
            batch = await self._read_batch()
            visible = self._observe(batch)
            if visible:
                return visible
            if not self.inner.finishing:
                await self._pause()

    def finish(self, finish: Finish) -> None:
        """Let go of the leaf's stream; what it cost is on the record, also where it was left before its end."""
        watch = self._watch
        if not watch.cached:
            watch.live.usage = self.inner.usage or watch.live.usage
        super().finish(finish)

    async def _pause(self) -> None:
        """A turn of the loop, under the limits: a leaf of heartbeats alone must not keep the timers from their work."""
        try:
            await self._watch.wait(asyncio.sleep, 0)
        except LamellarError as error:
            raise self._broken(error) from None

    async def _read_batch(self) -> Sequence[StreamEvent | Progress]:
        watch = self._watch
        try:
            if self.inner.finishing:
                return await self.inner.read_batch()  # the answer is whole: no limit takes it back
            return await watch.wait(self.inner.read_batch)
        except StopAsyncIteration:
            raise self._broken(StreamTruncatedError()) from None
        except StreamClosedError:
            raise
        except Exception as error:
            told = self._broken(watch.classify(error))
            try:
                raise told from (told.cause if isinstance(told, StreamInterruptedError) else told.__cause__)
            finally:
                del told  # or the error would hold this frame, and the frame the error

    def _observe(self, batch: Sequence[StreamEvent | Progress]) -> list[StreamEvent | Progress]:
        """Keep the clocks, gather the partial, and let through what the contract allows."""
        watch, gathered = self._watch, self._gathered
        visible: list[StreamEvent | Progress] = []
        alive = False
        for event in batch:
            kind = event.__class__
            if kind is Chunk or kind is ReasoningChunk:
                if not event.content:  # type: ignore[union-attr]
                    continue
            elif kind is Start:
                self._meet(event)  # type: ignore[arg-type]
                continue
            elif kind is Progress:
                alive = True
                continue
            elif kind is End:
                self._commit(visible)
                visible.append(self._ending(event))  # type: ignore[arg-type]
                self._over = True
                return visible
            alive = True
            if not watch.committed:
                if kind not in _CONTENT:  # a signature: no content yet, and nothing may come before `Start`
                    self._held.append(event)
                    continue
                self._commit(visible)
            gathered.add(event)  # type: ignore[arg-type]
            visible.append(event)
        if alive:
            watch.idle_for = 0.0
        return visible

    def _meet(self, start: Start) -> None:
        """The leaf says who answers; ours goes out at the commit point, from what is known then."""
        ours = self._start
        self._watch.cached = start.cached
        self._start = Start(
            ours.model, ours.provider, start.provider_model, ours.target, start.response_id, start.cached
        )

    def _commit(self, visible: list[StreamEvent | Progress]) -> None:
        """The answer is committed: `Start` goes out, and what was held behind it."""
        watch = self._watch
        if watch.committed:
            return
        watch.committed = True
        watch.live.first_content = watch.spent
        visible.append(self._start)
        for event in self._held:
            self._gathered.add(event)  # type: ignore[arg-type]
        visible.extend(self._held)
        self._held = []

    def _ending(self, end: End) -> End:
        if end.content is not None:
            return end
        return End(end.stop_reason, end.usage, self._gathered.parts(), end.response_id, end.provider_model, end.raw)

    def _broken(self, error: LamellarError) -> LamellarError:
        """What to raise for a stream that broke: an interruption once something was delivered, else the error."""
        if not self._watch.committed:
            return cast("LamellarError", self._watch.undelivered(error))
        return interrupted(error, self._gathered, self.inner.usage)


_CONTENT = (Chunk, ReasoningChunk, ToolCallChunk)
