"""An executor that answers by hand: every inner call of a test is scripted, without a server and without time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ..accumulate import Accumulator
from ..chat.content import reasoning_of
from ..chat.events import Chunk, End, Progress, StreamEvent
from ..chat.response import ChatResponse, StopReason
from ..chat.usage import Usage
from ..errors import ConfigError, StreamTruncatedError
from ..source import EventSource, Finish
from ..stream import LlmEventStream

if TYPE_CHECKING:
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest

__all__ = ["Hang", "Scripted", "ScriptedCall", "ScriptedExecutor", "answer"]


@dataclass(frozen=True, slots=True)
class Hang:
    """A step that never comes: the provider is silent until somebody gives up."""


Step: TypeAlias = StreamEvent | Progress | BaseException | Hang | Callable[[], Awaitable[object]]
"""One step of a scripted stream: an event, an error to raise, silence, or something to await first."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """One scripted call, served as a whole answer or as a stream, whichever is asked.

    Args:
        steps: What happens, in order. A stream ends at its `End`; one without it is truncated.
        opening: What happens before the stream is accepted: errors to raise, silence, things to await.
    """

    steps: tuple[Step, ...]
    opening: tuple[Step, ...] = ()


@dataclass(slots=True)
class ScriptedCall:
    """What a `ScriptedExecutor` was asked.

    Args:
        model: The model.
        chat_req: The request.
        options: The options.
        streaming: Whether a stream was asked.
        accepted: Whether it came as far as an open stream.
        finish: How the stream ended; None while it is open, and for whole answers.
    """

    model: str
    chat_req: ChatRequest
    options: ChatOptions | None
    streaming: bool
    accepted: bool = False
    finish: Finish | None = field(default=None)


def answer(
    text: str | Iterable[str] = "Hello.",
    *,
    usage: Usage | None = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5),  # noqa: B008 -- frozen
    stop_reason: str | None = "completed",
    opening: Sequence[Step] = (),
) -> Scripted:
    """An ordinary answer.

    Args:
        text: The text, or its pieces; as a stream, one `Chunk` each.
        usage: What it cost.
        stop_reason: Why it stopped.
        opening: What happens before the stream is accepted.
    """
    pieces = [text] if isinstance(text, str) else list(text)
    end = End(stop_reason=StopReason(stop_reason) if stop_reason else None, usage=usage)
    return Scripted((*[Chunk(piece) for piece in pieces if piece], end), tuple(opening))


class ScriptedExecutor:
    """A leaf that plays a script, one entry a call, and keeps a list of what it was asked.

    Each entry is a text, a sequence of steps (events, errors, `Hang()`, things to await), a `Scripted`, or an error.
    When the script is over, the last entry is played again if `repeat` is true; otherwise the call fails the test.

    Args:
        script: The entries.
        name: The executor's name.
        repeat: Whether the last entry answers all further calls.
    """

    def __init__(
        self, *script: Scripted | str | BaseException | Sequence[Step], name: str = "scripted", repeat: bool = False
    ) -> None:
        self._name = name
        self._script: deque[Scripted] = deque(_entry(each) for each in script)
        self._repeat = repeat
        self.calls: list[ScriptedCall] = []

    @property
    def name(self) -> str:
        """The executor's name."""
        return self._name

    @property
    def open_streams(self) -> int:
        """How many streams have not ended yet."""
        return sum(call.accepted and call.finish is None for call in self.calls)

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """The next entry of the script as a whole answer."""
        entry = self._take(ScriptedCall(model, chat_req, options, streaming=False))
        gathered, end = Accumulator(), None
        for step in (*entry.opening, *entry.steps):
            event = await _perform(step)
            if isinstance(event, End):
                end = event
                break
            if event is not None and not isinstance(event, Progress):
                gathered.add(event)
        if end is None:
            raise StreamTruncatedError
        content = end.content if end.content is not None else gathered.parts()
        return ChatResponse(
            content=content,
            reasoning_content=reasoning_of(content),
            model=model,
            provider=self._name,
            provider_model=end.provider_model,
            stop_reason=end.stop_reason,
            usage=end.usage,
            response_id=end.response_id,
            raw=end.raw,
        )

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """The next entry of the script as a stream; it returns when the stream is accepted."""
        call = ScriptedCall(model, chat_req, options, streaming=True)
        entry = self._take(call)
        for step in entry.opening:
            await _perform(step)
        call.accepted = True
        return LlmEventStream(_ScriptedSource(entry.steps, call))

    def _take(self, call: ScriptedCall) -> Scripted:
        self.calls.append(call)
        if not self._script:
            raise ConfigError(f"the script of '{self._name}' is over: call {len(self.calls)} was not expected")
        return self._script[0] if self._repeat and len(self._script) == 1 else self._script.popleft()

    def __repr__(self) -> str:
        return f"ScriptedExecutor(name={self._name!r}, calls={len(self.calls)})"


class _ScriptedSource(EventSource):
    """A script as a stream, one step a read."""

    __slots__ = ("_call", "_steps")

    def __init__(self, steps: tuple[Step, ...], call: ScriptedCall) -> None:
        self._steps = deque(steps)
        self._call = call

    async def read(self) -> Sequence[StreamEvent | Progress]:
        if not self._steps:
            raise StreamTruncatedError
        event = await _perform(self._steps.popleft())
        return () if event is None else (event,)

    def finish(self, finish: Finish) -> None:
        self._call.finish = finish


async def _perform(step: Step) -> StreamEvent | Progress | None:
    """Do one step; the event it is, or None."""
    if isinstance(step, BaseException):
        raise step
    if isinstance(step, Hang):
        await asyncio.get_running_loop().create_future()
    elif callable(step):
        await step()
    else:
        return step
    return None


def _entry(value: Scripted | str | BaseException | Sequence[Step]) -> Scripted:
    if isinstance(value, Scripted):
        return value
    if isinstance(value, str):
        return answer(value)
    if isinstance(value, BaseException):
        return Scripted((), (value,))
    return Scripted(tuple(value))
