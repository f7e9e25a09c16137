"""Failures 20 to 23: breakers that wedge or blame the wrong one, limits that leak, hedges that nobody pays for."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from tests.faults.bench import REQUEST, SPARE, TEXT, WHOLE, all_closed, ask, asked, pair, stack

from lamellar import CallContext, ChatOptions, LamellarError, Outcome, Stack, StackExecutor
from lamellar.middleware import CircuitBreaker, Hedge, RateLimit
from lamellar.testing import ManualClock
from lamellar.testing.simulator import (
    Answer,
    ProviderSimulator,
    Reply,
    Silence,
    Stall,
    bad_request,
    overloaded,
)

STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])


async def kind_of(executor: StackExecutor, streaming: bool = False, options: ChatOptions | None = None) -> str | None:
    """What a call fails with; None when it does not."""
    try:
        await ask(executor, streaming, options=options)
    except LamellarError as error:
        return error.kind  # type: ignore[attr-defined]
    return None


@pytest.mark.failure(20)
@STREAMING
async def test_a_circuit_neither_wedges_nor_floods(engine: str, streaming: bool) -> None:
    """One probe at a time; one that is cancelled, and one that gets a 4xx, leave the place to the next."""
    clock = ManualClock()
    breaker = CircuitBreaker(consecutive_failures=2, open_for=15, failure_ratio=None)
    script = [overloaded(), overloaded(), Silence(), bad_request(), WHOLE]
    with ProviderSimulator(script, default=WHOLE) as simulator:
        async with stack(simulator, engine, breaker).build(clock=clock) as executor:
            assert [await kind_of(executor, streaming) for _ in range(2)] == ["overloaded"] * 2
            assert [await kind_of(executor, streaming) for _ in range(5)] == ["circuit_open"] * 5
            assert simulator.request_count == 2, "a circuit that is open asks nobody"

            await clock.advance(15)
            probe = asyncio.create_task(kind_of(executor, streaming))
            await simulator.wait_for_async(lambda server: server.request_count == 3)
            assert [await kind_of(executor, streaming) for _ in range(5)] == ["circuit_open"] * 5
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
            await all_closed(simulator)

            assert await kind_of(executor, streaming) == "invalid_request", "the next probe went at once"
            assert await kind_of(executor, streaming) is None, "and the one after a mistake of the caller's, too"
            assert [await kind_of(executor, streaming) for _ in range(3)] == [None] * 3, "closed"
        assert simulator.request_count == 8


@pytest.mark.failure(21)
@STREAMING
async def test_what_is_the_callers_own_fault_cools_no_target(engine: str, streaming: bool) -> None:
    """Haste, bad requests and leaving early: with a breaker that one failure would open."""
    breaker = CircuitBreaker(consecutive_failures=1)
    in_haste = ChatOptions(call=CallContext(timeout=0.05))
    script = [Silence(), bad_request(), Stall(WHOLE, after=1), Silence()]
    with ProviderSimulator(script, default=WHOLE) as simulator:
        async with stack(simulator, engine, breaker).build() as executor:
            assert await kind_of(executor, streaming, in_haste) == "deadline"
            assert await kind_of(executor, streaming) == "invalid_request"
            async with await executor.exec_chat_stream_events("m", REQUEST):
                pass
            leaving = asyncio.create_task(ask(executor, streaming))
            await simulator.wait_for_async(lambda server: server.request_count == 4)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            assert await ask(executor, streaming) == TEXT
        assert simulator.request_count == 5


@pytest.mark.failure(22)
@STREAMING
async def test_a_limit_is_kept_and_refusals_burn_nothing(engine: str, streaming: bool) -> None:
    """Forty at once against five a minute: five arrive, and a minute later the next five, whoever was refused."""
    clock = ManualClock()
    limit = RateLimit(requests_per_minute=5, burst=1, max_wait=0)
    with ProviderSimulator(WHOLE) as simulator:
        async with stack(simulator, engine, limit).build(clock=clock, rng=Random(0)) as executor:
            for minute in range(1, 4):
                told = await asyncio.gather(*[kind_of(executor, streaming) for _ in range(40)])
                assert told.count("limiter_deadline") == 35
                assert told.count(None) == 5
                assert simulator.request_count == 5 * minute
                await clock.advance(60.001)


@pytest.mark.failure(22)
async def test_who_is_cancelled_in_the_queue_takes_nothing(engine: str) -> None:
    clock = ManualClock()
    limit = RateLimit(requests_per_minute=2, burst=1)
    with ProviderSimulator(WHOLE) as simulator:
        async with stack(simulator, engine, limit).build(clock=clock) as executor:
            await asyncio.gather(*[ask(executor, streaming=True) for _ in range(2)])
            waiting = [asyncio.create_task(ask(executor, streaming=True)) for _ in range(6)]
            await clock.settle()
            for each in waiting[:4]:
                each.cancel()
            await clock.advance(60.001)
            async with asyncio.timeout(5):
                done = await asyncio.gather(*waiting, return_exceptions=True)
            assert done[4:] == [TEXT, TEXT]
        assert simulator.request_count == 4


@pytest.mark.failure(23)
@STREAMING
@pytest.mark.parametrize("slow", [Silence(), Answer(chunks=("late",), delay=60)], ids=["silent", "late"])
async def test_the_loser_of_a_race_is_closed_and_recorded(engine: str, streaming: bool, slow: Reply) -> None:
    with ProviderSimulator(rules={"primary": slow, "spare": SPARE}) as simulator:
        hedge = Hedge(*pair(simulator, engine).targets, delay=0.05)
        async with Stack(hedge).build() as executor:
            if streaming:
                events = await executor.exec_chat_stream_events("m", REQUEST)
                attempts = (await events.collect()).attempts
            else:
                attempts = (await executor.exec_chat_response("m", REQUEST)).attempts
            await simulator.wait_for_async(lambda _: asked(simulator, "primary")[0].outcome == "client_left")
    assert [(each.target, each.outcome) for each in attempts] == [
        ("primary", Outcome.CANCELLED),
        ("spare", Outcome.COMPLETED),
    ]
    assert attempts[0].latency >= 0.05
    assert attempts[1].usage is not None
