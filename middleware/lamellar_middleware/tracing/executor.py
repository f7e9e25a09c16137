"""The layer at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lamellar.accumulate import Accumulator
from lamellar.clock import LoopClock
from lamellar.executor import ExecutorWrapper, Operation, ResultT, respond, when_finished
from lamellar.scope import CallScope, current_scope, use_scope
from lamellar.stream import LlmEventStream

from .attempt import InsideTrace
from .call import CallTrace, PartTrace
from .kit import Kit
from .source import ChunkPace, TracedSource

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .spec import Tracing

__all__ = ["TracingExecutor"]


class TracingExecutor(ExecutorWrapper):
    """Makes a span for every call, and has the tries below it make theirs.

    Args:
        inner: The executor to wrap.
        spec: The options.
    """

    def __init__(self, inner: LlmExecutor, spec: Tracing) -> None:
        super().__init__(inner)
        self._kit = Kit(spec, inner)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        kit = self._kit
        if not kit.listening():
            return await operation(self.inner, model, chat_req, options)
        scope = current_scope()
        if scope is not None and isinstance(scope.observer, CallTrace):
            return await self._part(scope.observer, operation, model, chat_req, options)
        clock = scope.clock if scope is not None else LoopClock()
        trace = CallTrace(kit, model, chat_req, options, streaming=operation is not respond, clock=clock)
        view = self._observed(scope, trace)
        try:
            with trace.current(), use_scope(view):
                result = await operation(self.inner, model, chat_req, options)
            if isinstance(result, LlmEventStream):
                trace.committed(result)
                stream = await self._looked_into(result, trace, clock)
                stream.on_finish(trace.ended)
                return cast("ResultT", stream)
        except BaseException as error:
            trace.failed(error)
            raise
        trace.answered(cast("ChatResponse", result))
        return result

    def _observed(self, scope: CallScope | None, trace: CallTrace) -> CallScope | None:
        """The scope in which `trace` watches the tries."""
        if scope is None:
            return None
        if isinstance(scope.observer, InsideTrace) and self._kit.meters is not None:
            scope.observer.counts_for_itself()
        return scope.observed_by(trace)

    async def _looked_into(self, stream: LlmEventStream, trace: CallTrace, clock: Clock) -> LlmEventStream:
        """The stream, through a source that looks at its events where something asks for that."""
        pace = None
        attributes = trace.chunk_attributes()
        if attributes is not None and self._kit.meters is not None:
            pace = ChunkPace(clock, self._kit.meters, attributes)
        if trace.wants_content:
            trace.gathered = Accumulator()
        if pace is None and trace.gathered is None:
            return stream
        looked_into = LlmEventStream(TracedSource(stream, trace.gathered, pace))
        await looked_into.ready()
        return looked_into

    async def _part(
        self,
        outer: CallTrace,
        operation: Operation[ResultT],
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
    ) -> ResultT:
        """A second Tracing layer in one call: a plain span of its part."""
        part = PartTrace(self._kit, model, outer, streaming=operation is not respond)
        try:
            with part.current:
                result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            part.failed(error)
            raise
        when_finished(result, part.ended)
        return result
