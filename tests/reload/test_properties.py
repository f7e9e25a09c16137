"""Whatever is edited while calls are under way: each is served by exactly one stack, nothing is lost, limits hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reload.held import INTERVAL, Held, watched

from lamellar import ChatRequest, Chunk, ConfigError, End, ExecutorError, LayerSpec, Stack, StopReason
from lamellar.middleware import Cache, ConcurrencyLimit, Defaults, Log, RateLimit, Retry, Timeout
from lamellar.reload import WatchedExecutor
from lamellar.testing import Scripted, ScriptedExecutor, run_virtual

PERMITS = 3
REQUESTS = 40
"""A minute."""
PAUSE = 7.0


@dataclass
class World:
    """What the provider has seen of all versions."""

    rng: Random
    at_work: int = 0
    most_at_work: int = 0
    begun: list[float] = field(default_factory=list)
    paused_until: float = 0.0
    paused_at: float = 0.0
    broken_pauses: list[float] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def leaf(self, version: int) -> ScriptedExecutor:
        """The provider as this version asks it."""

        async def begin() -> None:
            now = asyncio.get_running_loop().time()
            self.begun.append(now)
            if self.paused_at + 1e-3 < now < self.paused_until - 1e-3:  # what was let go at that very moment, goes
                self.broken_pauses.append(now)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            if self.rng.random() < 0.05:
                self.at_work -= 1
                self.paused_at, self.paused_until = now, now + PAUSE
                raise ExecutorError("rate_limited", "slow down", retry_after=PAUSE)

        async def wait() -> None:
            await asyncio.sleep(self.rng.choice((0.0, 0.1, 1.0, 4.0)))

        async def end() -> None:
            self.at_work -= 1

        mark = f"{version} "
        steps = (wait, Chunk(mark), wait, Chunk(mark), wait, Chunk(mark), end, End(stop_reason=StopReason("completed")))
        return ScriptedExecutor(Scripted(steps, (begin,)), repeat=True)


class Numbered(LayerSpec):
    kind = "numbered"
    version: int

    def wrap(self, inner, context):
        context.own(Closing(self.version))
        return inner


WORLDS: list[World] = []


class Closing:
    def __init__(self, version: int) -> None:
        self.version = version

    async def aclose(self) -> None:
        WORLDS[-1].closed.append(self.version)


class Broken(LayerSpec):
    kind = "broken"

    def wrap(self, inner, context):
        raise ConfigError("no")


def edited(world: World, version: int) -> Stack | ConfigError:
    """The file after an edit: other layers in another order, round limits that stay as they are; or a mistake."""
    rng = world.rng
    fate = rng.random()
    if fate < 0.15:
        return ConfigError("a mistake")
    outer: list[LayerSpec] = [Numbered(version=version)]
    outer += rng.sample([Log(), Timeout(total=10_000), Cache(ttl=rng.randint(1, 9)), Defaults(temperature=0)], k=2)
    # The pause stands next to the provider: whoever has waited for a permit must still find it.
    limits = [ConcurrencyLimit(limit=PERMITS), RateLimit(requests_per_minute=REQUESTS)]
    retry = Retry(attempts=9, initial=rng.choice((0.1, 0.5)), retry_after_cap=600)
    broken = [Broken()] if fate < 0.3 else []
    return Stack(*outer, *broken, retry, *limits, world.leaf(version))


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_edits_while_calls_are_under_way(seed: int) -> None:
    world = World(Random(seed))
    WORLDS[:] = [world]
    run_virtual(play(world))


async def play(world: World) -> None:
    rng = world.rng
    first = edited(world, 0)
    while not isinstance(first, Stack) or any(isinstance(each, Broken) for each in first.layers):
        first = edited(world, 0)
    executor, held = watched(*first.layers, first.executor, grace=100_000.0)
    async with executor:
        calls = []
        for number in range(rng.randint(10, 40)):
            calls.append(asyncio.create_task(call(executor, number, streaming=rng.random() < 0.5)))
            await asyncio.sleep(rng.choice((0.0, 0.0, 0.3, 2.0)))
            if rng.random() < 0.4:
                edit(world, held, number + 1, executor)
        answers = await asyncio.gather(*calls)
        await asyncio.sleep(2 * INTERVAL)
        serving = executor.snapshot()["stack"]["reload"]
        assert isinstance(serving, dict)
        assert serving["retired"] == []
        assert not executor.snapshot()["stack"]["calls"]
    for text in answers:
        assert len(set(text.split())) == 1, f"one answer of several stacks: {text}"
        assert len(text.split()) == 3, f"a part was lost: {text}"
    assert len(world.closed) == len(set(world.closed)), "a stack was closed twice"
    assert {int(text.split()[0]) for text in answers} <= set(world.closed)
    assert world.at_work == 0
    assert world.most_at_work <= PERMITS
    assert world.broken_pauses == []
    for begin in world.begun:
        assert sum(begin <= other < begin + 60 for other in world.begun) <= REQUESTS


def edit(world: World, held: Held, version: int, executor: WatchedExecutor) -> None:
    held.stack = edited(world, version)
    if world.rng.random() < 0.3:
        executor.reload()


async def call(executor: WatchedExecutor, number: int, *, streaming: bool) -> str:
    request = ChatRequest.from_user(f"question {number}")
    if not streaming:
        return (await executor.exec_chat_response("m", request)).text
    async with await executor.exec_chat_stream_events("m", request) as events:
        return "".join([event.content async for event in events if isinstance(event, Chunk)])
