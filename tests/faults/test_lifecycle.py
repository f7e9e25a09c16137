"""Failures 30 to 33: loops that come and go, what is left behind, what is loaded, what is not known."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import warnings
from random import Random

import pytest
from tests.faults.bench import PIECES, REQUEST, SPARE, TEXT, WHOLE, all_closed, ask, pair, stack

from lamellar import CallContext, ChatOptions, ChatRequest, Chunk, LamellarError, Stack, StackExecutor
from lamellar.middleware import Cache, CircuitBreaker, ConcurrencyLimit, RateLimit, Retry, Timeout
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Garbage,
    InBandError,
    ProviderSimulator,
    Reply,
    RequestLog,
    Reset,
    Stall,
    overloaded,
    server_error,
)

CALLS = 300


@pytest.mark.failure(30)
def test_one_executor_serves_loop_after_loop(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody closes it in between, a stream is left open as its loop ends, and nothing is said of it."""
    caplog.set_level(logging.WARNING)
    with ProviderSimulator(WHOLE) as simulator, warnings.catch_warnings():
        warnings.simplefilter("error")
        layers = (Cache(), Timeout(total=30), Retry(), CircuitBreaker(), RateLimit(requests_per_minute=600))
        executor = stack(simulator, engine, *layers).build()

        async def leave_one_open() -> None:
            await executor.exec_chat_stream_events("left open", REQUEST)

        for number in range(3):
            assert asyncio.run(ask(executor, streaming=True, model=f"streamed {number}")) == TEXT
            assert asyncio.run(ask(executor, streaming=False, model=f"whole {number}")) == TEXT
            asyncio.run(leave_one_open())
            gc.collect()
        asyncio.run(executor.aclose())
        simulator.wait_for(lambda server: server.open_connections == 0)
        assert simulator.request_count == 9
    assert not caplog.records


def misbehave(request: RequestLog) -> Reply:
    """A fault now and then, and a call that is left alone to stall now and then."""
    if request.model == "spare":
        return SPARE
    plays: tuple[Reply, ...] = (
        overloaded(),
        Reset(),
        Cut(WHOLE, after=2),
        Garbage(WHOLE, at=2),
        server_error(),
        InBandError(WHOLE, after=1),
        Stall(WHOLE, after=1, seconds=0.05),
    )
    dice = Random(request.number)
    return dice.choice(plays) if dice.random() < 0.4 else WHOLE


async def one_call(executor: StackExecutor, number: int) -> bool:
    """One of the many ways in which a call is made and ends; whether it was answered."""
    request = ChatRequest.from_user(f"Question {number % 40}.")
    options = ChatOptions(call=CallContext(timeout=5, tags={"user": str(number)}, conversation_id=str(number)))
    try:
        if number % 5 == 0:
            await executor.exec_chat_response("m", request, options)
        elif number % 5 == 1:
            async with await executor.exec_chat_stream_events("m", request, options) as events:
                async for event in events:
                    if isinstance(event, Chunk):
                        break
        elif number % 5 == 2:
            call = asyncio.create_task(executor.exec_chat_response("m", request, options))
            await asyncio.sleep(0.001)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        else:
            await (await executor.exec_chat_stream_events("m", request, options)).collect()
    except LamellarError:
        return False
    return True


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.mark.failure(31)
async def test_many_calls_with_faults_leave_nothing_behind(engine: str) -> None:
    """Tasks, descriptors and connections are what they were, and what the layers keep is what they are bounded by."""
    layers = (
        Retry(attempts=2, initial=0, max=0, overloaded_initial=0, on_interrupt="restart"),
        CircuitBreaker(consecutive_failures=None, failure_ratio=None, per="tag:user"),
        RateLimit(requests_per_second=10_000, burst=1, per="tag:user"),
        ConcurrencyLimit(limit=8),
    )
    with ProviderSimulator(misbehave) as simulator:
        cache = Cache(ttl="1m", max_entries=20)
        targets = pair(simulator, engine, *layers, on_interrupt="restart")
        declared = Stack(cache, Timeout(total=20, first_content=2, idle=2), targets)
        before = descriptors(), len(asyncio.all_tasks())
        async with declared.build(rng=Random(0)) as executor:
            answered = 0
            for start in range(0, CALLS, 20):
                answered += sum(await asyncio.gather(*[one_call(executor, start + at) for at in range(20)]))
            gc.collect()
            shown = executor.snapshot()
            assert (shown["stack"]["calls"], shown["stack"]["streams"]) == (0, 0)
        await all_closed(simulator)
        async with asyncio.timeout(5):
            while len(asyncio.all_tasks()) > before[1] or descriptors() > before[0]:
                await asyncio.sleep(0.01)
        assert answered > CALLS * 0.95
        assert simulator.request_count > CALLS / 3


@pytest.mark.failure(31)
@pytest.mark.parametrize(
    "faulty",
    [Reset(), Cut(WHOLE), Garbage(WHOLE), Stall(WHOLE), overloaded()],
    ids=["reset", "cut", "not JSON", "stall", "503"],
)
async def test_a_failed_call_is_freed_without_the_garbage_collector(engine: str, faulty: Reply) -> None:
    """No error keeps its frames alive, and with them what they hold."""
    layers = (Timeout(attempt=0.05), Retry(attempts=2, initial=0, max=0, overloaded_initial=0))
    with ProviderSimulator(faulty) as simulator:
        async with stack(simulator, engine, *layers).build() as executor:
            await _fail(executor)
            gc.collect()
            gc.disable()
            try:
                before = _alive()
                for _ in range(3):
                    await _fail(executor)
                assert _alive() == before
            finally:
                gc.enable()
                gc.collect()


async def _fail(executor: StackExecutor) -> None:
    try:
        await ask(executor, streaming=False)
    except LamellarError:
        return
    pytest.fail("it was answered")


def _alive() -> int:
    """How many errors of ours there are."""
    return sum(isinstance(each, LamellarError) for each in gc.get_objects())


@pytest.mark.failure(33)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
async def test_usage_that_nobody_told_is_unknown_and_not_zero(engine: str, streaming: bool) -> None:
    with ProviderSimulator(Answer(chunks=PIECES, usage=None)) as simulator:
        async with stack(simulator, engine).build() as executor:
            if streaming:
                events = await executor.exec_chat_stream_events("m", REQUEST)
                response = await events.collect()
                assert events.usage is None
            else:
                response = await executor.exec_chat_response("m", REQUEST)
    assert response.text == TEXT
    assert response.usage is None
    assert response.attempts[0].usage is None
    assert response.cost is None


@pytest.mark.failure(33)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
async def test_usage_is_asked_for_and_told_in_full(engine: str, streaming: bool) -> None:
    with ProviderSimulator(WHOLE) as simulator:
        async with stack(simulator, engine).build() as executor:
            if streaming:
                response = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            else:
                response = await executor.exec_chat_response("m", REQUEST)
        (request,) = simulator.requests
    assert response.usage is not None
    assert response.usage.completion_tokens == len(PIECES)
    assert response.usage.total_tokens == response.usage.prompt_tokens + len(PIECES)
    assert request.json.get("stream_options", {}).get("include_usage", False) is streaming
