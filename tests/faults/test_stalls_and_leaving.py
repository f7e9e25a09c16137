"""Failures 7 to 9: a provider that stalls, a caller that leaves, and what a `break` leaves behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import time

import pytest
from tests.faults.bench import PIECES, REQUEST, TEXT, WHOLE, all_closed, ask, stack
from tests.middleware.tracing.telemetry import Telemetry

from lamellar import Chunk, ExecutorError, LlmExecutor, RejectedError, StreamInterruptedError
from lamellar.middleware import Timeout
from lamellar.testing.simulator import Answer, Heartbeats, ProviderSimulator, Reply, Silence, Stall

SOON = 0.15


@pytest.mark.failure(7)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("limit", [{"total": SOON}, {"attempt": SOON}], ids=["total", "attempt"])
async def test_a_silent_provider_holds_nobody_for_long(engine: str, streaming: bool, limit: dict[str, float]) -> None:
    with ProviderSimulator(Silence()) as simulator:
        async with stack(simulator, engine, Timeout(**limit)).build() as executor:
            began = time.monotonic()
            with pytest.raises((ExecutorError, RejectedError)) as caught:
                await ask(executor, streaming)
            assert SOON * 0.9 <= time.monotonic() - began < 5
            assert caught.value.kind == ("deadline" if "total" in limit else "timeout")
            await all_closed(simulator)


@pytest.mark.failure(7)
@pytest.mark.parametrize(
    "reply",
    [
        Silence(),
        Answer(chunks=PIECES, first_chunk_delay=60),
        Heartbeats(WHOLE, every=0.02, kind="comment"),
        Heartbeats(WHOLE, every=0.02, kind="role"),
    ],
    ids=["no headers", "headers alone", "comments", "roles"],
)
async def test_no_content_is_noticed_whatever_else_comes(engine: str, reply: Reply) -> None:
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine, Timeout(first_content=SOON)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_stream_events("m", REQUEST)
            assert (caught.value.kind, caught.value.code) == ("timeout", "first_content")
            await all_closed(simulator)


@pytest.mark.failure(7)
@pytest.mark.parametrize(
    "reply",
    [Stall(WHOLE, after=2), Heartbeats(WHOLE, every=0.02, after=2)],
    ids=["silence", "heartbeats"],
)
async def test_a_stall_after_content_is_noticed(engine: str, reply: Reply) -> None:
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine, Timeout(idle=SOON)).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError) as caught:
                await events.collect()
            assert (caught.value.kind, caught.value.code) == ("timeout", "idle")
            assert caught.value.text == "".join(PIECES[:2])
            await all_closed(simulator)


@pytest.mark.failure(7)
async def test_an_answer_that_takes_long_but_keeps_coming_is_not_cut(engine: str) -> None:
    slow = Answer(chunks=PIECES * 3, chunk_delay=SOON / 4)
    with ProviderSimulator(slow) as simulator:
        async with stack(simulator, engine, Timeout(first_content=2 * SOON, idle=2 * SOON)).build() as executor:
            began = time.monotonic()
            assert await ask(executor, streaming=True) == TEXT * 3
            assert time.monotonic() - began > 2 * SOON


async def leave_the_block(executor: LlmExecutor) -> None:
    async with await executor.exec_chat_stream_events("m", REQUEST) as events:
        async for event in events:
            if isinstance(event, Chunk):
                return


async def let_it_be_collected(executor: LlmExecutor) -> None:
    async for event in await executor.exec_chat_stream_events("m", REQUEST):
        if isinstance(event, Chunk):
            break
    gc.collect()


async def close_it_elsewhere(executor: LlmExecutor) -> None:
    events = await executor.exec_chat_stream_events("m", REQUEST)
    await asyncio.create_task(events.aclose())


async def cancel(task: asyncio.Task[object]) -> None:
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancel_the_reader(executor: LlmExecutor) -> None:
    events = await executor.exec_chat_stream_events("m", REQUEST)
    await cancel(asyncio.create_task(events.collect()))


async def cancel_a_whole_call(executor: LlmExecutor) -> None:
    await cancel(asyncio.create_task(executor.exec_chat_response("m", REQUEST)))


WAYS = [leave_the_block, let_it_be_collected, close_it_elsewhere, cancel_the_reader, cancel_a_whole_call]


@pytest.mark.failure(8)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_caller_that_leaves_stops_the_provider(engine: str, way: object) -> None:
    """Promptly, and with two connections the third call still finds one."""
    with ProviderSimulator([Stall(WHOLE, after=2)] * 3, default=WHOLE) as simulator:
        async with stack(simulator, engine, max_connections=2).build() as executor:
            for number in range(3):
                await way(executor)  # type: ignore[operator]
                await simulator.wait_for_async(
                    lambda server, at=number: server.requests[at].outcome == "client_left", 2
                )
            await all_closed(simulator)
            assert (await executor.exec_chat_response("m", REQUEST)).text == TEXT
        assert simulator.request_count == 4


@pytest.mark.failure(9)
async def test_a_break_leaves_no_span_open_and_detaches_nothing(engine: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = Telemetry()
    with ProviderSimulator(Stall(WHOLE, after=2)) as simulator:
        async with stack(simulator, engine, told.tracing()).build() as executor:
            for way in WAYS:
                with told.tracer.start_as_current_span(way.__name__):
                    await way(executor)
            gc.collect()
            await all_closed(simulator)
        await asyncio.sleep(0)
    spans = told.spans  # each once
    roots = [span for span in spans if span.name in {way.__name__ for way in WAYS}]
    assert len(roots) == len(WAYS)
    below = {
        span.context.span_id: [each for each in spans if each.parent and each.parent.span_id == span.context.span_id]
        for span in spans
    }
    for root in roots:
        (call,) = below[root.context.span_id]
        (attempt,) = below[call.context.span_id]
        assert call.end_time is not None
        assert attempt.end_time is not None
    assert len(spans) == 3 * len(WAYS)
    noise = [
        record
        for record in caplog.records
        if record.name.startswith(("opentelemetry", "asyncio")) and record.levelno >= logging.WARNING
    ]
    assert not noise
    assert "detach" not in caplog.text
