"""The transform at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.accumulate import Accumulator
from lamellar.chat.content import reasoning_of
from lamellar.chat.events import Start
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.chat.response import ChatResponse
from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.replay import events_of
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..rewriting import merged, undelivered
from ..told import ToldSource, events_at
from .hooks import call_event_hook, call_value_hook
from .source import ChangedSource

if TYPE_CHECKING:
    from lamellar.executor import LlmExecutor

    from .spec import Transform

__all__ = ["TransformExecutor"]


class TransformExecutor(ExecutorWrapper):
    """Puts what a user's functions return in the place of what they take.

    Args:
        inner: The executor to wrap.
        spec: The options.
    """

    def __init__(self, inner: LlmExecutor, spec: Transform) -> None:
        super().__init__(inner)
        self.spec = spec

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        spec, refused = self.spec, ErrorKind.INVALID_REQUEST
        if spec.model is not None:
            model = await call_value_hook(spec.model, model, str, "model", refused)
        if spec.request is not None:
            chat_req = await call_value_hook(spec.request, chat_req, ChatRequest, "request", refused)
        if spec.options is not None:
            options = await call_value_hook(spec.options, options or ChatOptions(), ChatOptions, "options", refused)
        result = await operation(self.inner, model, chat_req, options)
        if not isinstance(result, LlmEventStream):
            return await self._changed(result)  # type: ignore[return-value]
        if spec.event is not None:
            stream = LlmEventStream(ChangedSource(result, spec.event))
            await stream.ready()
        elif spec.response is not None:
            stream = await self._held_back(result)
        else:
            stream = result
        return stream  # type: ignore[return-value]

    async def _changed(self, response: ChatResponse) -> ChatResponse:
        """A whole answer, by `response` or by way of its events."""
        hook = self.spec.response
        if hook is None and self.spec.event is None:
            return response
        try:
            if hook is not None:
                return await call_value_hook(hook, response, ChatResponse, "response", ErrorKind.ANSWER_REJECTED)
            return self._by_events(response)
        except (ExecutorError, RejectedError) as error:
            scope = current_scope()
            if scope is not None:
                scope.blame_last(error)
            raise

    def _by_events(self, response: ChatResponse) -> ChatResponse:
        hook, gathered = self.spec.event, Accumulator()
        for event in events_of(response)[1:-1]:
            for told in [event] if hook is None else call_event_hook(hook, event):
                gathered.add(told)
        content = merged(gathered.parts(), response.content)
        if content == response.content:
            return response
        return response.model_copy(update={"content": content, "reasoning_content": reasoning_of(content)})

    async def _held_back(self, inner: LlmEventStream) -> LlmEventStream:
        """A stream that is read to its end, changed as a whole, and told in one go."""
        start = next((event for event in inner.peek() if isinstance(event, Start)), None)
        outcome: ChatResponse | LamellarError | None = None
        try:
            outcome = await _whole(inner)
            if isinstance(outcome, LamellarError):
                raise outcome
            response = outcome
        finally:
            outcome = None  # or the error would hold this frame, and the frame the error
        changed = await self._changed(response)
        events = events_at(changed, start.target if start is not None else None)
        stream = LlmEventStream(ToldSource(events, changed.usage))
        await stream.ready()
        return stream


async def _whole(stream: LlmEventStream) -> ChatResponse | LamellarError:
    """A stream's whole answer, or the failure that broke it: nothing of it was delivered."""
    try:
        return await stream.collect()
    except StreamInterruptedError as error:
        return undelivered(error)
