"""A whole answer as a stream, in pieces and at leisure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lamellar.chat.events import Chunk, ReasoningChunk, StreamEvent
from lamellar.durations import seconds
from lamellar.executor import ExecutorWrapper, Operation, ResultT, respond
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..told import ToldSource, events_at

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.executor import LlmExecutor

    from .spec import SimulateStream

__all__ = ["SimulateStreamExecutor"]

_WORD = re.compile(r"\s*\S+|\s+")
"""A word with the white space before it, as models' tokens have it."""


class SimulateStreamExecutor(ExecutorWrapper):
    """Answers a call for a stream with the events of a whole answer.

    Args:
        inner: The executor to wrap.
        spec: The options.
        context: What it is built with: the clock, and the target that it stands in.
    """

    def __init__(self, inner: LlmExecutor, spec: SimulateStream, context: BuildContext) -> None:
        super().__init__(inner)
        self.spec = spec
        self._clock = context.clock
        self._target = context.target

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        streaming = operation is not respond
        if not streaming:
            return await operation(self.inner, model, chat_req, options)
        response = await self.inner.exec_chat_response(model, chat_req, options)
        events = self._in_pieces(events_at(response, self._answered_by()))
        delay = seconds(self.spec.delay)
        stream = LlmEventStream(ToldSource(events, response.usage, clock=self._clock, delay=delay))
        await stream.ready()
        return stream  # type: ignore[return-value]

    def _answered_by(self) -> str | None:
        """The target of the answer: the one that this stands in, else that of the last try."""
        if self._target is not None:
            return self._target
        scope = current_scope()
        attempts = scope.attempts if scope is not None else ()
        return attempts[-1].target if attempts else None

    def _in_pieces(self, events: Sequence[StreamEvent]) -> Iterator[StreamEvent]:
        for event in events:
            if isinstance(event, Chunk):
                yield from map(Chunk, self._cut(event.content))
            elif isinstance(event, ReasoningChunk):
                yield from map(ReasoningChunk, self._cut(event.content))
            else:
                yield event

    def _cut(self, text: str) -> Sequence[str]:
        words, size = self.spec.words, self.spec.characters
        if words is not None:
            found = _WORD.findall(text)
            return ["".join(found[at : at + words]) for at in range(0, len(found), words)]
        if size is not None:
            return [text[at : at + size] for at in range(0, len(text), size)]
        return (text,)
