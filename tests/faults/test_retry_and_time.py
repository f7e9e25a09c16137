"""Failures 10 to 14: retries that multiply, silence that is asked again, hints, quotas, cancellation."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.faults.bench import REQUEST, SPARE, TEXT, WHOLE, all_closed, ask, asked, counts, pair, stack

from lamellar import (
    CallContext,
    ChatOptions,
    ErrorKind,
    ExecutorError,
    LamellarError,
    LlmExecutor,
    Stack,
    StreamInterruptedError,
)
from lamellar.middleware import Retry, Timeout
from lamellar.testing import FastClock
from lamellar.testing.simulator import (
    Cut,
    ProviderSimulator,
    Reply,
    Reset,
    Silence,
    Stall,
    Status,
    overloaded,
    quota_exhausted,
    rate_limited,
    server_error,
)

STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
AT_ONCE = Retry(attempts=3, initial=0, max=0, overloaded_initial=0)


@pytest.mark.failure(10)
@STREAMING
@pytest.mark.parametrize("reply", [server_error(), Reset(), overloaded()], ids=["500", "reset", "503"])
async def test_one_layer_retries_and_nobody_else(engine: str, reply: Reply, streaming: bool) -> None:
    """The leaf sends one request, and `Retry` is the only one that multiplies it."""
    for layers, expected in (((), 1), ((AT_ONCE,), 3)):
        with ProviderSimulator(reply) as simulator:
            async with stack(simulator, engine, *layers).build() as executor:
                with pytest.raises(ExecutorError) as caught:
                    await ask(executor, streaming)
            assert simulator.request_count == expected == len(caught.value.attempts)


@pytest.mark.failure(10)
@STREAMING
async def test_the_preset_asks_each_target_its_attempts_and_no_more(engine: str, streaming: bool) -> None:
    with ProviderSimulator(overloaded()) as simulator:
        async with Stack.preset(*pair(simulator, engine).targets).build(clock=FastClock(100)) as executor:
            with pytest.raises(ExecutorError) as caught:
                await ask(executor, streaming)
        assert counts(simulator, "primary", "spare") == (3, 3)
    assert len(caught.value.attempts) == 6


@pytest.mark.failure(10)
async def test_a_stream_that_keeps_breaking_is_bounded_over_the_whole_call(engine: str) -> None:
    """Attempts before and after the first content are one count: not three times three."""
    script = [overloaded(), *[Cut(WHOLE, after=2)] * 20]
    with ProviderSimulator(rules={"primary": script, "spare": Cut(SPARE, after=2)}) as simulator:
        layer = AT_ONCE.model_copy(update={"on_interrupt": "restart"})
        async with Stack(pair(simulator, engine, layer, on_interrupt="restart")).build() as executor:
            with pytest.raises(StreamInterruptedError):
                await ask(executor, streaming=True)
        assert counts(simulator, "primary", "spare") == (3, 3)


@pytest.mark.failure(11)
@STREAMING
async def test_silence_is_not_asked_again_and_the_callers_time_holds(engine: str, streaming: bool) -> None:
    """Two silent targets, three attempts each, thirty seconds: thirty seconds, not ninety."""
    speed = 60
    options = ChatOptions(call=CallContext(timeout=30))
    with ProviderSimulator(Silence()) as simulator:
        limits = Timeout(first_content=10, attempt=12)
        async with Stack(limits, pair(simulator, engine, Retry(attempts=3))).build(clock=FastClock(speed)) as executor:
            began = time.monotonic()
            with pytest.raises(LamellarError) as caught:
                await ask(executor, streaming, options=options)
            assert (time.monotonic() - began) * speed < 60
        assert counts(simulator, "primary", "spare") == (1, 1)
    assert [attempt.kind for attempt in caught.value.attempts] == ["timeout", "timeout"]


@pytest.mark.failure(11)
@STREAMING
async def test_a_share_of_the_time_is_kept_for_later_targets(engine: str, streaming: bool) -> None:
    speed = 60
    options = ChatOptions(call=CallContext(timeout=20))
    with ProviderSimulator(rules={"primary": Silence(), "spare": SPARE}) as simulator:
        async with Stack(pair(simulator, engine, Retry(attempts=3))).build(clock=FastClock(speed)) as executor:
            assert await ask(executor, streaming, options=options) == SPARE.text
        assert counts(simulator, "primary", "spare") == (1, 1)
        (first,), (second,) = asked(simulator, "primary"), asked(simulator, "spare")
        assert 10 <= (second.time - first.time) * speed <= 20


HINTS = {
    "seconds": rate_limited(retry_after="0.1"),
    "milliseconds": rate_limited(retry_after_ms=100),
    "both": rate_limited(retry_after=60, retry_after_ms=100),
    "reset": rate_limited(headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "100ms"}),
    "body": Status(429, message="Rate limit reached. Please try again in 100ms."),
    "overloaded": overloaded(retry_after="0.1"),
}


@pytest.mark.failure(12)
@pytest.mark.parametrize("name", HINTS)
async def test_a_hint_is_waited_for_in_whichever_form(engine: str, name: str) -> None:
    with ProviderSimulator([HINTS[name], WHOLE]) as simulator:
        async with stack(simulator, engine, AT_ONCE).build() as executor:
            assert (await executor.exec_chat_response("m", REQUEST)).text == TEXT
        first, second = simulator.requests
        assert 0.099 <= second.time - first.time < 5


@pytest.mark.failure(12)
@STREAMING
@pytest.mark.parametrize(
    ("hint", "options"),
    [(90, None), (30, ChatOptions(call=CallContext(timeout=20)))],
    ids=["above the cap", "longer than the call has"],
)
async def test_a_hint_that_is_too_long_means_the_next_target_now(
    engine: str, streaming: bool, hint: int, options: ChatOptions | None
) -> None:
    with ProviderSimulator(rules={"primary": rate_limited(retry_after=hint), "spare": SPARE}) as simulator:
        async with Stack(pair(simulator, engine, AT_ONCE)).build() as executor:
            began = time.monotonic()
            assert await ask(executor, streaming, options=options) == SPARE.text
            assert time.monotonic() - began < 5
        assert counts(simulator, "primary", "spare") == (1, 1)


@pytest.mark.failure(13)
@STREAMING
async def test_a_quota_is_not_asked_again(engine: str, streaming: bool) -> None:
    with ProviderSimulator(rules={"primary": quota_exhausted(), "spare": SPARE}) as simulator:
        async with Stack(pair(simulator, engine, AT_ONCE)).build() as executor:
            assert await ask(executor, streaming) == SPARE.text
        assert counts(simulator, "primary", "spare") == (1, 1)
    with ProviderSimulator(quota_exhausted()) as simulator:
        async with stack(simulator, engine, AT_ONCE).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await ask(executor, streaming)
        assert (caught.value.kind, caught.value.status) == (ErrorKind.QUOTA_EXHAUSTED, 429)
        assert simulator.request_count == 1


@pytest.mark.failure(14)
@STREAMING
@pytest.mark.parametrize("reply", [Silence(), overloaded(), Stall(WHOLE, after=2)], ids=["silence", "backoff", "stall"])
async def test_a_cancelled_call_is_cancelled_and_never_asked_again(engine: str, streaming: bool, reply: Reply) -> None:
    patient = Retry(attempts=3, overloaded_initial=1, max=1, jitter="none", on_interrupt="restart")
    with ProviderSimulator(rules={"primary": reply, "spare": WHOLE}) as simulator:
        targets = pair(simulator, engine, patient, on_interrupt="restart")
        async with Stack(Timeout(total=30), targets).build() as executor:
            await cancelled_once_it_waits(executor, simulator, streaming)
            await all_closed(simulator) if reply != overloaded() else None
            assert counts(simulator, "primary", "spare") == (1, 0)
            assert executor.snapshot()["stack"]["calls"] == 0


async def cancelled_once_it_waits(executor: LlmExecutor, simulator: ProviderSimulator, streaming: bool) -> None:
    call = asyncio.create_task(ask(executor, streaming))
    await simulator.wait_for_async(lambda server: server.request_count == 1)
    await asyncio.sleep(0.05)
    call.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert time.monotonic() - began < 0.5
    assert call.cancelled()
