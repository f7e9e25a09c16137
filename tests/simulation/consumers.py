"""Consumers that do what consumers do: read, dawdle, leave, close from elsewhere, cancel, and lose the stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeVar

from lamellar import (
    AttemptRecord,
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    End,
    LamellarError,
    LlmEventStream,
    LlmExecutor,
    Outcome,
    ReasoningChunk,
    Restart,
    StreamEvent,
    StreamInterruptedError,
    ToolCallChunk,
)
from lamellar.chat.content import text_of
from lamellar.scope import current_scope
from lamellar.source import Finish, FinishCallback

from .world import CALL, EMAIL, Invariant, World

__all__ = ["MODELS", "PROMPTS", "Consumer", "Failure", "Plan", "random_plans"]

T = TypeVar("T")

Way = Literal["respond", "read", "slow", "leave", "drop", "collect", "text"]
WAYS: tuple[Way, ...] = ("respond", "read", "read", "read", "slow", "slow", "leave", "drop", "collect", "text")
MODELS = ("m", "other", "x")
PROMPTS = (f"Why is the sky blue? Tell {EMAIL}.", f"Is it, {EMAIL}?")
STARTS = (0, 0, 0, 0.5, 2, 6, 20)
PAUSES = (0, 0, 1, 30)


@dataclass(frozen=True)
class Plan:
    """What one consumer is going to do.

    Args:
        number: Which of the case's consumers.
        at: Seconds after which it begins.
        way: How it takes the answer.
        model: The model it asks.
        prompt: What it asks.
        call: What it says to the stack.
        leaves_after: Events after which it leaves, or loses the stream.
        pauses: Seconds it takes for itself after each event, in turn.
        struck_at: Seconds after its beginning when something strikes it from outside; None never.
        turns: Turns of the loop after that.
        blow: What strikes: its task is canceled, or its stream is closed by another task.
    """

    number: int
    at: float
    way: Way
    model: str
    prompt: str
    call: CallContext
    leaves_after: int
    pauses: tuple[float, ...]
    struck_at: float | None
    turns: int
    blow: Literal["cancel", "close"]


def random_plans(seed: int) -> tuple[Plan, ...]:
    """The consumers of this seed."""
    rng = Random(f"consumers {seed}")
    return tuple([_random_plan(number, rng) for number in range(1, rng.randint(1, 5) + 1)])


def _random_plan(number: int, rng: Random) -> Plan:
    call = CallContext(
        timeout=rng.choice((None, None, None, 2, 8, 15)),
        tags=rng.choice(({}, {"team": "red"}, {"team": "blue"})),
        conversation_id=rng.choice((None, "talk")),
        cache=rng.choice(("use",) * 12 + ("refresh", "bypass", "only")),
        priority=rng.choice((0, 0, 5)),
    )
    return Plan(
        number,
        at=rng.choice(STARTS),
        way=rng.choice(WAYS),
        model=rng.choice(("m", "m", "m", "m", *MODELS)),
        prompt=rng.choice((PROMPTS[0], *PROMPTS)),
        call=call,
        leaves_after=rng.randint(0, 4),
        pauses=tuple(rng.choice(PAUSES) for _ in range(3)),
        struck_at=rng.choice((None, None, None, None, None, 0, 0.5, 1, 2, 6)),
        turns=rng.choice((0, 0, 1, 2, 3, 5)),
        blow=rng.choice(("cancel", "close")),
    )


@dataclass(frozen=True)
class Failure:
    """What is kept of an error; the error itself would keep its frames."""

    type: type[BaseException]
    kind: str | None
    said: str
    partial: str | None
    judged: tuple[bool, bool]
    """Whether it may be retried, and whether another target may be asked."""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        partial = text_of(error.partial) if isinstance(error, StreamInterruptedError) else None
        judged = bool(getattr(error, "retryable", False)), bool(getattr(error, "failover", False))
        return cls(type(error), getattr(error, "kind", None), str(error), partial, judged)


@dataclass
class Held:
    """What a consumer that obeys `Restart` holds."""

    text: str = ""
    reasoning: str = ""
    calls: int = 0

    def add(self, event: StreamEvent) -> None:
        if isinstance(event, Restart):
            self.text, self.reasoning, self.calls = "", "", 0
        elif isinstance(event, Chunk):
            self.text += event.content
        elif isinstance(event, ReasoningChunk):
            self.reasoning += event.content
        elif isinstance(event, ToolCallChunk):
            self.calls = max(self.calls, event.index + 1)


@dataclass
class Consumer:
    """One consumer, and what it saw."""

    plan: Plan
    executor: LlmExecutor
    world: World
    held: Held = field(default_factory=Held)
    events: list[StreamEvent] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    waited: float = 0.0
    attempts: tuple[AttemptRecord, ...] | None = None
    failure: Failure | None = None
    answer: str | None = None
    """The text of a whole answer."""
    opened: bool = False
    stream: LlmEventStream | None = None
    """Held for whoever closes it from elsewhere, while the consumer holds it."""
    canceled: bool = False
    closed: bool = False
    gave_up: bool = False

    async def run(self) -> None:
        plan = self.plan
        CALL.set(plan.number)
        await asyncio.sleep(plan.at)
        self.world.tell(f"consumer {plan.number} begins: {plan.way} {plan.model!r}")
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            await self._take()
        except LamellarError as error:
            self.failure = Failure.of(error)
            self.attempts = error.attempts
            self.world.tell(f"consumer {plan.number} is told: {error!r}")
        finally:
            self.stream = None
        if task is not None and task.cancelling() != before:
            self.world.complain(Invariant.CANCELLATION, f"consumer {plan.number} goes on as if it had been canceled")
        self.world.tell(f"consumer {plan.number} is done, holding {self.held.text!r}")

    async def _take(self) -> None:
        plan, executor = self.plan, self.executor
        asked = plan.model, ChatRequest.from_user(plan.prompt), ChatOptions(call=plan.call)
        if plan.way == "respond":
            response = await self._wait(executor.exec_chat_response(*asked))
            self.answer, self.attempts = response.text, response.attempts
            return
        stream = await self._wait(executor.exec_chat_stream_events(*asked))
        self.opened = True
        stream.on_finish(_noting(self.outcomes))
        self.world.tell(f"consumer {plan.number} has a stream")
        if plan.way == "drop":
            await self._read(stream)
            self.attempts = stream.attempts
            del stream
            gc.collect()
            return
        self.stream = stream
        try:
            if plan.way == "collect":
                response = await self._wait(stream.collect())
                self.answer = response.text
            else:
                async with stream:
                    await (self._read_text(stream) if plan.way == "text" else self._read(stream))
        finally:
            self.attempts = stream.attempts

    async def _read(self, stream: LlmEventStream) -> None:
        plan = self.plan
        while not (plan.way in ("leave", "drop") and len(self.events) >= plan.leaves_after):
            try:
                event = await self._wait(anext(stream))
            except StopAsyncIteration:
                return
            self.events.append(event)
            self.held.add(event)
            self.world.tell(f"consumer {plan.number} reads {event!r}")
            pause = plan.pauses[len(self.events) % len(plan.pauses)] if plan.way == "slow" else 0
            if pause and not isinstance(event, End):
                await asyncio.sleep(pause)

    async def _read_text(self, stream: LlmEventStream) -> None:
        texts = stream.text()
        while True:
            try:
                self.held.text += await self._wait(anext(texts))
            except StopAsyncIteration:
                return

    async def _wait(self, awaitable: Awaitable[T]) -> T:
        """Wait, and see that nothing of the library's stays with the consumer."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await awaitable
        finally:
            self.waited += loop.time() - began
            if current_scope() is not None:
                self.world.complain(Invariant.LEAKS, f"consumer {self.plan.number} is left in the scope of its call")

    async def strike(self, task: asyncio.Task[None]) -> None:
        """What comes from outside."""
        plan = self.plan
        if plan.struck_at is None:
            return
        await asyncio.sleep(plan.at + plan.struck_at)
        for _ in range(plan.turns):
            await asyncio.sleep(0)
        if plan.blow == "cancel" and not task.done():
            self.canceled = True
            self.world.tell(f"consumer {plan.number} is canceled")
            task.cancel()
        elif plan.blow == "close" and self.stream is not None:
            self.closed = True
            self.world.tell(f"the stream of consumer {plan.number} is closed from elsewhere")
            await self.stream.aclose()


def _noting(outcomes: list[Outcome]) -> FinishCallback:
    """A callback that holds neither the stream nor its error."""

    def note(finish: Finish) -> None:
        outcomes.append(finish.outcome)

    return note
