"""Flights over real HTTP, on both engines: one request, and no connection that outlives its readers."""

from __future__ import annotations

import asyncio

import pytest
from tests.middleware.cache.asking import PIECES, REQUEST, TEXT, ask, stream

from lamellar import Chunk, ErrorKind, RejectedError, Stack, StackExecutor
from lamellar.middleware import Cache, Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import Gate, ProviderSimulator
from lamellar.testing.simulator import Answer, overloaded

ENGINES = ("aiohttp", "httpx")


def build(simulator: ProviderSimulator, engine: str) -> StackExecutor:
    provider = OpenAI(base_url=simulator.base_url, api_key="sk-of-the-test", engine=engine)
    return Stack(
        Cache(ttl="10m"), Timeout(total=60, idle=30), Fallback(Target(Retry(initial=0, max=0), provider, model="gpt"))
    ).build()


@pytest.mark.parametrize("engine", ENGINES)
async def test_fifty_callers_are_one_request_whoever_leaves_mid_stream(engine: str) -> None:
    gate = Gate()
    async with ProviderSimulator(Answer(chunks=PIECES, chunk_gate=gate)) as simulator, build(simulator, engine) as ex:
        calls = [asyncio.create_task((ask if number % 2 else stream)(ex)) for number in range(50)]
        gate.step(2)
        await simulator.wait_for_async(lambda _: gate.waiting == 1)
        for call in calls[:40]:
            call.cancel()
        gate.open()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in done[:40])
        assert {(each.text, each.cached, each.attempts) for each in done[40:]} == {(TEXT, True, ())}
        assert len(simulator.requests) == 1
        assert (await ask(ex)).text == TEXT
        assert len(simulator.requests) == 1, "the answer was kept, though nobody was left who had been billed"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", [ask, stream])
async def test_the_last_to_leave_closes_the_connection(way, engine: str) -> None:
    gate = Gate()
    slow = Answer(chunks=PIECES, gate=gate)
    async with ProviderSimulator([slow, Answer("again")]) as simulator, build(simulator, engine) as executor:
        calls = [asyncio.create_task(way(executor)) for _ in range(10)]
        await simulator.wait_for_async(lambda _: gate.waiting == 1)
        for call in calls[:-1]:
            call.cancel()
        await asyncio.gather(*calls[:-1], return_exceptions=True)
        assert simulator.requests[0].outcome is None, "one still waits"
        calls[-1].cancel()
        await simulator.wait_for_async(lambda seen: seen.requests[0].outcome == "client_left")
        assert (await way(executor)).text == "again"


@pytest.mark.parametrize("engine", ENGINES)
async def test_leaving_a_stream_alone_closes_its_connection(engine: str) -> None:
    gate = Gate()
    async with ProviderSimulator(Answer(chunks=PIECES, chunk_gate=gate)) as simulator, build(simulator, engine) as ex:
        gate.step()
        async with await ex.exec_chat_stream_events("m", REQUEST) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
        await simulator.wait_for_async(lambda seen: seen.requests[0].outcome == "client_left")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_flight_includes_the_retries_and_closing_ends_it(engine: str) -> None:
    gate = Gate()
    script = [overloaded(), Answer(chunks=PIECES), Answer(gate=gate)]
    async with ProviderSimulator(script) as simulator:
        executor = build(simulator, engine)
        answers = await asyncio.gather(*[stream(executor) for _ in range(20)])
        assert [len(each.attempts) for each in answers] == [2, *[0] * 19]
        assert len(simulator.requests) == 2
        waiting = [asyncio.create_task(ask(executor, model="other")) for _ in range(3)]
        await simulator.wait_for_async(lambda _: gate.waiting == 1)
        await executor.aclose()
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(each, RejectedError)
            assert each.kind is ErrorKind.CLOSED
        await simulator.wait_for_async(lambda seen: seen.open_connections == 0)
