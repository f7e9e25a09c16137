"""The lifting at work: a whole answer part by part, a stream piece by piece, by the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lamellar.chat.content import ContentPart, ReasoningContent, Text, ThoughtSignature, ToolCall, reasoning_of
from lamellar.chat.events import Chunk, End, ReasoningChunk, Restart, StreamEvent, ToolCallChunk
from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.stream import LlmEventStream
from lamellar.thinking import ThinkSplitter

from ..rewriting import RewritingSource

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.executor import LlmExecutor

    from .spec import ExtractReasoning

__all__ = ["ExtractReasoningExecutor", "lifted"]

_BREAKS = (ReasoningContent, ThoughtSignature, ToolCall)
"""Parts that end a run of text, and with it a block that was not closed."""


class ExtractReasoningExecutor(ExecutorWrapper):
    """Tells reasoning from text in what the inner executor answers.

    Args:
        inner: The executor to wrap.
        spec: The options.
    """

    def __init__(self, inner: LlmExecutor, spec: ExtractReasoning) -> None:
        super().__init__(inner)
        self.spec = spec
        self._pairs = spec.pairs()

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        result = await operation(self.inner, model, chat_req, options)
        if not isinstance(result, LlmEventStream):
            return self._lift(result)  # type: ignore[return-value]
        stream = LlmEventStream(_LiftingSource(result, self))
        await stream.ready()
        return stream  # type: ignore[return-value]

    def splitter(self) -> ThinkSplitter:
        """One for an answer that begins now."""
        spec = self.spec
        return ThinkSplitter(self._pairs, inside=spec.starts_with_reasoning, separator=spec.separator)

    def _lift(self, response: ChatResponse) -> ChatResponse:
        content = lifted(response.content, self.splitter())
        if content == response.content:
            return response
        return response.model_copy(update={"content": content, "reasoning_content": reasoning_of(content)})


def lifted(content: Sequence[ContentPart], splitter: ThinkSplitter) -> tuple[ContentPart, ...]:
    """The parts of a whole answer, the texts among them split."""
    found: list[ContentPart] = []
    for part in content:
        if isinstance(part, Text):
            if splitter.passes(part.text):
                found.append(part)
            else:
                _add(splitter.feed(part.text), found, fresh=True)
            continue
        if isinstance(part, _BREAKS):
            _add(splitter.finish(), found, fresh=False)
        found.append(part)
    _add(splitter.finish(), found, fresh=False)
    return tuple(found)


def _add(pieces: Iterable[tuple[bool, str]], found: list[ContentPart], *, fresh: bool) -> None:
    """Add pieces as parts; neighbours of one kind are one part, except that a `fresh` first one begins another."""
    for reasoning, text in pieces:
        last = found[-1] if found and not fresh else None
        if reasoning:
            if isinstance(last, ReasoningContent):
                found[-1] = ReasoningContent(text=last.text + text)
            else:
                found.append(ReasoningContent(text=text))
        elif isinstance(last, Text):
            found[-1] = Text(last.text + text)
        else:
            found.append(Text(text))
        fresh = False


class _LiftingSource(RewritingSource):
    """A stream whose reasoning is told as reasoning."""

    __slots__ = ("_calls", "_layer", "_splitter")

    def __init__(self, inner: LlmEventStream, layer: ExtractReasoningExecutor) -> None:
        super().__init__(inner)
        self._layer = layer
        self._splitter = layer.splitter()
        self._calls: set[int] = set()

    def change(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """Text as it is found to be text or reasoning; everything else as it is, after what was held back."""
        if isinstance(event, Chunk):
            if self._splitter.passes(event.content):
                return (event,)
            return _events(self._splitter.feed(event.content))
        if isinstance(event, Restart):
            self._splitter = self._layer.splitter()
            self._calls.clear()
            return (event,)
        if isinstance(event, ToolCallChunk):
            if event.index in self._calls:  # more of a call that has begun: the text round it is one
                return (event,)
            self._calls.add(event.index)
        held = _events(self._splitter.finish())
        return (*held, self._ending(event) if isinstance(event, End) else event)

    def _ending(self, end: End) -> End:
        if end.content is None:
            return end
        return replace(end, content=lifted(end.content, self._layer.splitter()))


def _events(pieces: Iterable[tuple[bool, str]]) -> list[StreamEvent]:
    return [ReasoningChunk(text) if reasoning else Chunk(text) for reasoning, text in pieces]
