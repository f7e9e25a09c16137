"""Targets that do what targets do: answer, fail, dawdle, fall silent, break off, and say things out of order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from lamellar import (
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    LlmEventStream,
    ReasoningChunk,
    RejectedError,
    Start,
    StopReason,
    StreamTruncatedError,
    ThoughtSignatureChunk,
    ToolCallChunk,
    Usage,
)
from lamellar.accumulate import Accumulator
from lamellar.chat.content import reasoning_of, text_of
from lamellar.chat.events import PROGRESS, Progress, StreamEvent
from lamellar.scope import current_scope
from lamellar.source import EventSource, Finish, commits

from .world import EMAIL, Invariant, TargetCall, World, plain

__all__ = ["SimulatedTarget"]

STEADY = (
    "The sky is blue because the air scatters blue light.",
    "The sky is blue because of Rayleigh, says {address}.",
    "<think>Easy.</think>The sky is not blue at night.",
)
"""Texts that targets say again and again: their common beginnings are what a splice has to tell apart."""

DELAYS = (0, 0, 0, 0, 0.1, 0.5, 1, 2, 7)
KINDS = (
    *(ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR, ErrorKind.CONNECTION) * 3,
    *(ErrorKind.RATE_LIMITED, ErrorKind.MALFORMED, ErrorKind.TIMEOUT) * 2,
    ErrorKind.QUOTA_EXHAUSTED,
    ErrorKind.INVALID_REQUEST,
    ErrorKind.UNAUTHORIZED,
    ErrorKind.CONTEXT_OVERFLOW,
    ErrorKind.CONTENT_FILTERED,
)
FATES = (
    *("whole",) * 5,
    *("breaks",) * 4,
    *("fails at once",) * 2,
    *("empty", "fails", "stops", "falls silent", "mute"),
)


@dataclass(frozen=True)
class Step:
    """One thing a target does, after a delay; None as a delay never ends."""

    delay: float | None
    events: tuple[StreamEvent | Progress, ...] = ()
    fails: bool = False


class SimulatedTarget:
    """A leaf that answers as chance has it; the same seed and name give the same answers in the same order.

    Args:
        name: The name.
        seed: The seed of the case.
        world: What is told of it.
    """

    def __init__(self, name: str, seed: int, world: World) -> None:
        self._name = name
        self._rng = Random(f"{seed}/{name}")
        self._world = world
        self._favorite = self._rng.choice(FATES)
        self._steady = self._rng.random() < 0.6

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return self._name

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        call = self._asked(streaming=False)
        gathered = Accumulator()
        try:
            for step in self._script(chat_req):
                for event in await self._perform(step, call):
                    if isinstance(event, End):
                        content = gathered.parts()
                        self._world.whole.add(plain(_said_before(chat_req) + text_of(content)))
                        return ChatResponse(
                            content=content,
                            reasoning_content=reasoning_of(content),
                            model=model,
                            provider=self._name,
                            stop_reason=event.stop_reason,
                            usage=event.usage,
                        )
                    if not isinstance(event, Progress):
                        gathered.add(event)
            raise StreamTruncatedError
        finally:
            call.running = False

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        call = self._asked(streaming=True)
        try:
            steps = self._script(chat_req)
            if self._rng.random() < 0.4:  # told when it is accepted, not when it is read
                await self._perform(Step(self._rng.choice(DELAYS)), call)
                if steps and steps[0].fails:
                    await self._perform(steps[0], call)
            call.opened = True
            return LlmEventStream(_Source(self, deque(steps), call, _said_before(chat_req), self._world))
        finally:
            call.running = False

    # -- what it does -------------------------------------------------------------------------------------------

    def _asked(self, *, streaming: bool) -> TargetCall:
        if current_scope() is None:
            self._world.complain(Invariant.TARGETS, f"{self._name} is asked outside of any call")
        return self._world.ask(self._name, streaming=streaming)

    def _script(self, chat_req: ChatRequest) -> list[Step]:
        rng = self._rng
        before = _said_before(chat_req)
        if before and (rng.random() < 0.2 or "<think>" in before.casefold()):
            raise ExecutorError(ErrorKind.INVALID_REQUEST, "this model goes on from nothing, or not from there")
        fate = self._favorite if rng.random() < 0.5 else rng.choice(FATES)
        if fate == "fails at once":
            return [Step(rng.choice(DELAYS), fails=True)]
        if fate == "mute":
            return [Step(None)]
        if fate == "empty":
            usage = rng.choice((None, Usage(prompt_tokens=1)))
            return [Step(rng.choice(DELAYS)), Step(rng.choice(DELAYS), (End(usage=usage),))]
        steps = self._answer(self._text(chat_req))
        if fate == "whole":
            return steps
        ends_at = next((place for place, step in enumerate(steps) if End in map(type, step.events)), 0)
        del steps[rng.randint(0, ends_at) :]
        if fate == "fails":
            steps = [Step(step.delay) for step in steps]  # heartbeats, and then an error
        if fate in ("fails", "breaks"):
            steps.append(Step(rng.choice(DELAYS), fails=True))
        elif fate == "falls silent":
            steps.append(Step(None))
        return steps  # or it just stops

    def _text(self, chat_req: ChatRequest) -> str:
        """What this answer says; going on from what a request ends with, where it does."""
        before = _said_before(chat_req)
        redacted = all(EMAIL not in text_of(message.content) for message in chat_req.messages)
        text = self._rng.choice(STEADY).format(address="[EMAIL_1]" if redacted else EMAIL)
        if not self._steady:
            text = f"<{len(self._world.target_calls)}>{text}"
        if text.casefold().startswith(before.casefold()):
            text = text[len(before) :]
        self._world.begun.add(plain(before + text))
        return text

    def _answer(self, text: str) -> list[Step]:
        """An answer that comes to its end, in pieces."""
        rng = self._rng
        said: list[StreamEvent | Progress] = []
        if rng.random() < 0.3:
            said += [ReasoningChunk("Hm. "), ReasoningChunk("Well.")]
        if rng.random() < 0.15:
            said.append(ThoughtSignatureChunk("signed"))
        while text:
            size = rng.randint(1, 30)
            said.append(Chunk(text[:size]))
            text = text[size:]
        if rng.random() < 0.2:
            said += [ToolCallChunk(0, "call-1", "look", '{"at": '), ToolCallChunk(0, arguments='"sky"}')]
        for noise in (Start("said", "twice"), Chunk(""), PROGRESS, PROGRESS):
            if rng.random() < 0.4:
                said.insert(rng.randint(0, len(said)), noise)
        usage = rng.choice((None, Usage(prompt_tokens=5, completion_tokens=7, total_tokens=12)))
        said.append(End(StopReason("completed", "stop"), usage))
        if rng.random() < 0.2:  # what comes after the end is nobody's
            said += [Chunk("AFTER"), End()]
        steps = []
        while said:
            batch = rng.randint(0, 4)
            steps.append(Step(rng.choice(DELAYS) if rng.random() < 0.5 else 0, tuple(said[:batch])))
            del said[:batch]
        return steps

    async def _perform(self, step: Step, call: TargetCall) -> tuple[StreamEvent | Progress, ...]:
        if step.delay is None:
            call.hangs = True
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                call.hangs = False
        elif step.delay or self._rng.random() < 0.3:
            await self._dawdle(step.delay)
        if step.fails:
            raise self._error()
        return step.events

    async def _dawdle(self, delay: float) -> None:
        """Wait in one of the ways a leaf may wait."""
        if self._rng.random() < 0.7:
            await asyncio.sleep(delay)
            return
        helper = asyncio.get_running_loop().create_task(asyncio.sleep(delay))
        try:
            await helper
        finally:
            helper.cancel()

    def _error(self) -> BaseException:
        rng = self._rng
        drawn = rng.random()
        if drawn < 0.08:
            return ValueError("an error of somebody else's")
        if drawn < 0.12:
            return TimeoutError("a timeout of somebody else's")
        if drawn < 0.16:
            return StreamTruncatedError()
        if drawn < 0.2:
            return RejectedError(ErrorKind.POOL_EXHAUSTED, "no connection is free")
        return ExecutorError(rng.choice(KINDS), "it failed", retry_after=rng.choice((None, None, None, 1, 3, 100)))


class _Source(EventSource):
    """A script as a stream; it complains of whoever does not read as a source is to be read."""

    def __init__(
        self, target: SimulatedTarget, steps: deque[Step], call: TargetCall, before: str, world: World
    ) -> None:
        self._target = target
        self._steps = steps
        self._call = call
        self._before = before
        self._world = world
        self._said: list[str] = []
        self._empty = True

    async def read(self) -> Sequence[StreamEvent | Progress]:
        call, complain = self._call, self._world.complain
        if call.over or call.outcomes:
            complain(Invariant.TARGETS, f"#{call.number} is read after its end")
        if call.reading:
            complain(Invariant.TARGETS, f"#{call.number} is read by two at once")
        call.reading = True
        try:
            events = await self._next()
        except BaseException:
            call.over = True
            raise
        finally:
            call.reading = False
        for event in events:
            if isinstance(event, End):
                call.over = True
                if not (self._before and self._empty and event.usage is None):  # that would be no end of the text
                    self._world.whole.add(plain(self._before + "".join(self._said)))
                break
            self._empty = self._empty and not commits(event)
            if isinstance(event, Chunk):
                self._said.append(event.content)
        return events

    async def _next(self) -> Sequence[StreamEvent | Progress]:
        if not self._steps:
            raise StreamTruncatedError
        return await self._target._perform(self._steps.popleft(), self._call)

    def finish(self, finish: Finish) -> None:
        self._call.outcomes.append(finish.outcome)
        self._world.tell(f"target {self._call.target} lets go of #{self._call.number}: {finish.outcome}")


def _said_before(chat_req: ChatRequest) -> str:
    """The text that the answer is to go on from; empty where it begins anew."""
    last = chat_req.messages[-1]
    return text_of(last.content) if last.role == "assistant" else ""
