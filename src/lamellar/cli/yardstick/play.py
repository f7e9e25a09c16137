"""Playing one fault: a simulated provider with two models, the stack under trial, and a consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ...chat.events import Chunk, End, Restart, Start
from ...chat.request import ChatRequest
from ...errors import LamellarError
from ...providers import OpenAI
from ...stack import Stack
from ...target import Target
from ...testing.clocks import FastClock
from ...testing.simulator import Answer, ProviderSimulator
from .faults import FALLBACK_TEXT, PRIMARY_TEXT, Fault

if TYPE_CHECKING:
    from ...chat.usage import Usage
    from ...root import StackExecutor
    from ...testing.simulator import RequestLog

__all__ = ["Call", "EngineName", "MakeStack", "Play", "play_fault", "play_faults", "preset_stack"]

EngineName = Literal["auto", "aiohttp", "httpx"]

MakeStack = Callable[[Target, Target], Stack]
"""The stack under trial, over the primary's and the fallback's target."""

_REQUEST = ChatRequest.from_user("Say sixty words.")


@dataclass
class Call:
    """What one call's consumer saw.

    Args:
        text: The text it held in the end.
        model: The model that it was told, by the last `Start` or `Restart`.
        usage: The usage that it was told.
        error: What the call failed with, or None.
        seconds: How long it took, in the stack's own seconds.
    """

    text: str = ""
    model: str | None = None
    usage: Usage | None = None
    error: BaseException | None = None
    seconds: float = 0.0


@dataclass
class Play:
    """How one fault went.

    Args:
        fault: The fault.
        speed: How many of the stack's seconds passed in a real one.
        began: When it began, on the simulator's clock.
        calls: What the consumer saw, call by call.
        primary: The requests at the primary model.
        fallback: The requests at the fallback model.
    """

    fault: Fault
    speed: float
    began: float
    calls: list[Call] = field(default_factory=list)
    primary: list[RequestLog] = field(default_factory=list)
    fallback: list[RequestLog] = field(default_factory=list)
    texts: tuple[str, ...] = (PRIMARY_TEXT, FALLBACK_TEXT)

    def between(self, first: RequestLog, second: RequestLog) -> float:
        """Seconds from the end of one request, or its beginning where it has none before, to the next."""
        ended = first.ended_at if first.ended_at is not None and first.ended_at <= second.time else first.time
        if first.outcome == "client_left" or first.status is None:
            ended = first.time
        return (second.time - ended) * self.speed

    def since_start(self, request: RequestLog) -> float:
        """Seconds from the beginning of the play."""
        return (request.time - self.began) * self.speed

    @property
    def problems(self) -> list[str]:
        """What is wrong with it; nothing is a pass."""
        return list(self.fault.judge(self))


def preset_stack(primary: Target, fallback: Target) -> Stack:
    """The stack that people get who do not choose."""
    return Stack.preset(primary, fallback)


async def play_faults(
    faults: Sequence[Fault],
    *,
    speed: float = 1.0,
    make: MakeStack = preset_stack,
    engine: EngineName = "auto",
    streaming: bool = True,
) -> list[Play]:
    """Put faults to a stack, over real HTTP, all at the same time, each to a stack of its own.

    Args:
        faults: The faults; the plays are in their order.
        speed: How many of the stack's seconds pass in a real one.
        make: The stack under trial.
        engine: The HTTP engine: ``auto``, ``aiohttp`` or ``httpx``.
        streaming: Whether streams are asked for, as the yardstick does, or whole answers.
    """
    async with AsyncExitStack() as stages:
        ready = [await stages.enter_async_context(_stage(fault, speed, make, engine)) for fault in faults]
        return await asyncio.gather(*[stage.play(_stream if streaming else _answer) for stage in ready])


async def play_fault(
    fault: Fault,
    *,
    speed: float = 1.0,
    make: MakeStack = preset_stack,
    engine: EngineName = "auto",
    streaming: bool = True,
) -> Play:
    """Put one fault to a stack; see `play_faults`."""
    (play,) = await play_faults([fault], speed=speed, make=make, engine=engine, streaming=streaming)
    return play


@asynccontextmanager
async def _stage(fault: Fault, speed: float, make: MakeStack, engine: EngineName) -> AsyncIterator[_Stage]:
    """A provider and the stack in front of it, ready to play."""
    hello = Answer(headers={"connection": "close"})
    with ProviderSimulator(hello) as simulator:
        # Without certificates to check, none are loaded: it is plain HTTP, and reading them takes its time.
        leaf = OpenAI(base_url=simulator.base_url, api_key="sk-yardstick", engine=engine, proxy=None, verify=False)
        stack = make(Target(leaf, model="primary"), Target(leaf, model="fallback"))
        async with stack.build(clock=FastClock(speed)) as executor:
            # A first call makes the HTTP client. That takes a while, which is not to be multiplied by the speed and
            # held against the stack; its connection is closed, so that what follows begins with a new one.
            await executor.exec_chat_response("primary", _REQUEST)
            yield _Stage(fault, speed, simulator, executor)


_Consume = Callable[["StackExecutor", Call], Awaitable[None]]


@dataclass
class _Stage:
    fault: Fault
    speed: float
    simulator: ProviderSimulator
    executor: StackExecutor

    async def play(self, consume: _Consume) -> Play:
        """Make the calls, and see what became of them on both sides."""
        fault, simulator = self.fault, self.simulator
        rules = {"primary": fault.primary(self.speed), "fallback": fault.fallback()}
        simulator.reset(rules=rules)  # the time of its scripts begins now
        play = Play(fault, self.speed, time.monotonic())
        for number in range(fault.calls):
            due = play.began + number * fault.every / self.speed
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            play.calls.append(await _call(consume, self.executor, self.speed))
        with suppress(TimeoutError):
            await simulator.wait_for_async(lambda server: all(each.outcome is not None for each in server.requests))
        play.primary = [each for each in simulator.requests if each.model == "primary"]
        play.fallback = [each for each in simulator.requests if each.model == "fallback"]
        return play


async def _call(consume: _Consume, executor: StackExecutor, speed: float) -> Call:
    seen = Call()
    began = time.monotonic()
    try:
        await consume(executor, seen)
    except LamellarError as error:
        seen.error = error
    seen.seconds = (time.monotonic() - began) * speed
    return seen


async def _stream(executor: StackExecutor, seen: Call) -> None:
    async with await executor.exec_chat_stream_events("primary", _REQUEST) as events:
        async for event in events:
            if isinstance(event, Start | Restart):
                seen.model = event.model
                seen.text = ""
            elif isinstance(event, Chunk):
                seen.text += event.content
            elif isinstance(event, End):
                seen.usage = event.usage


async def _answer(executor: StackExecutor, seen: Call) -> None:
    response = await executor.exec_chat_response("primary", _REQUEST)
    seen.text, seen.model, seen.usage = response.text, response.model, response.usage
