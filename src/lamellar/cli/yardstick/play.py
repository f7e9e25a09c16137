"""Playing one fault: a simulated provider with two models, the stack under trial, and a consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...chat.events import Chunk, End, Restart, Start
from ...chat.request import ChatRequest
from ...errors import LamellarError
from ...providers import OpenAI
from ...stack import Stack
from ...target import Target
from ...testing.clocks import FastClock
from ...testing.simulator import ProviderSimulator
from .faults import FALLBACK_TEXT, PRIMARY_TEXT, Fault

if TYPE_CHECKING:
    from ...chat.usage import Usage
    from ...root import StackExecutor
    from ...testing.simulator import RequestLog

__all__ = ["Call", "MakeStack", "Play", "play_fault", "play_faults", "preset_stack"]

MakeStack = Callable[[Target, Target], Stack]
"""The stack under trial, over the primary's and the fallback's target."""

_REQUEST = ChatRequest.from_user("Say sixty words.")

_APART = 0.06
"""Real seconds from the beginning of one play to the next: making sixteen clients at once would delay them all, and the
delay would be taken for the stack's."""


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
    engine: str = "auto",
    streaming: bool = True,
) -> list[Play]:
    """Put several faults to stacks of their own, all at the same time; the plays are in the order of the faults.

    Args:
        faults: The faults.
        speed: As for `play_fault`.
        make: As for `play_fault`.
        engine: As for `play_fault`.
        streaming: As for `play_fault`.
    """
    longest_first = sorted(range(len(faults)), key=lambda at: -faults[at].calls * faults[at].every)

    async def play(at: int) -> Play:
        await asyncio.sleep(_APART * longest_first.index(at))
        return await play_fault(faults[at], speed=speed, make=make, engine=engine, streaming=streaming)

    return await asyncio.gather(*[play(at) for at in range(len(faults))])


async def play_fault(
    fault: Fault, *, speed: float = 1.0, make: MakeStack = preset_stack, engine: str = "auto", streaming: bool = True
) -> Play:
    """Put one fault to a stack, over real HTTP.

    Args:
        fault: The fault.
        speed: How many of the stack's seconds pass in a real one.
        make: The stack under trial.
        engine: The HTTP engine: ``auto``, ``aiohttp`` or ``httpx``.
        streaming: Whether streams are asked for, as the yardstick does, or whole answers.
    """
    rules = {"primary": fault.primary(speed), "fallback": fault.fallback()}
    with ProviderSimulator(rules=rules) as simulator:
        leaf = OpenAI(base_url=simulator.base_url, api_key="sk-yardstick", engine=engine, proxy=None)
        stack = make(Target(leaf, model="primary"), Target(leaf, model="fallback"))
        play = Play(fault, speed, time.monotonic())
        call = _stream if streaming else _answer
        async with stack.build(clock=FastClock(speed)) as executor:
            for number in range(fault.calls):
                due = play.began + number * fault.every / speed
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                play.calls.append(await _call(call, executor, speed))
        with suppress(TimeoutError):
            await simulator.wait_for_async(lambda server: all(each.outcome is not None for each in server.requests))
        play.primary = [each for each in simulator.requests if each.model == "primary"]
        play.fallback = [each for each in simulator.requests if each.model == "fallback"]
    return play


async def _call(call: Callable[[StackExecutor, Call], Awaitable[None]], executor: StackExecutor, speed: float) -> Call:
    seen = Call()
    began = time.monotonic()
    try:
        await call(executor, seen)
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
