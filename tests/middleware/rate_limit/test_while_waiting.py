"""Pauses and cancellations: what happens to those who wait."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    Chunk,
    ErrorKind,
    Stack,
    StreamInterruptedError,
)
from lamellar.clock import LoopClock
from lamellar.middleware import RateLimit, RateLimiter
from lamellar.testing import ManualClock, Scripted, ScriptedExecutor, run_virtual

from .support import REQUEST, limiter_of, rate_limited, timed, used

# -- pauses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"requests_per_second": 50}, {"tokens_per_minute": 10_000}])
def test_a_hint_pauses_everybody_until_then(options: dict) -> None:
    leaf = ScriptedExecutor(rate_limited(7), "fine", "fine")

    async def main() -> list[float]:
        async with Stack(RateLimit(**options), leaf).build() as executor:
            _, error = await timed(executor)
            assert error.kind is ErrorKind.RATE_LIMITED
            return [when for when, _ in await asyncio.gather(timed(executor), timed(executor))]

    times = run_virtual(main())
    assert times[0] == 7
    assert times[1] <= 8


def test_without_a_hint_there_is_no_pause() -> None:
    async def main() -> float:
        async with Stack(RateLimit(), ScriptedExecutor(rate_limited(), "fine")).build() as executor:
            await timed(executor)
            return (await timed(executor))[0]

    assert run_virtual(main()) == 0


def test_the_later_of_two_pauses_holds() -> None:
    async def late(hint: float, after: float) -> None:
        await asyncio.sleep(after)
        raise rate_limited(hint)

    leaf = ScriptedExecutor(
        Scripted((), (lambda: late(9, 0),)), Scripted((), (lambda: late(3, 1),)), "fine", repeat=True
    )

    async def main() -> float:
        async with Stack(RateLimit(), leaf).build() as executor:
            await asyncio.gather(timed(executor), timed(executor))
            return (await timed(executor))[0]

    assert run_virtual(main()) == 9


def test_a_hint_in_the_middle_of_a_stream_pauses_too() -> None:
    leaf = ScriptedExecutor([Chunk("par"), rate_limited(5)], "fine")

    async def main() -> float:
        async with Stack(RateLimit(), leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError):
                await stream.collect()
            return (await timed(executor))[0]

    assert run_virtual(main()) == 5


def test_a_pause_refuses_those_who_wait_and_can_wait_no_longer() -> None:
    async def fails() -> None:
        await asyncio.sleep(0.5)
        raise rate_limited(30)

    leaf = ScriptedExecutor(Scripted((), (fails,)), "fine", repeat=True)

    async def main() -> None:
        async with Stack(RateLimit(requests_per_second=1), leaf).build() as executor:
            bounded = ChatOptions(call=CallContext(timeout=20))
            done = await asyncio.gather(
                *[timed(executor, options=each) for each in (None, bounded, None, bounded, None)]
            )
            for when, error in (done[1], done[3]):
                assert (when, error.kind) == (0.5, ErrorKind.LIMITER_DEADLINE)
                assert "the pause that the provider asked for" in str(error) or "1 request per second" in str(error)
                assert error.attempts[0].waited == 0.5
            assert done[1][1].retry_after == 30
            assert [round(when, 3) for when, _ in (done[2], done[4])] == [30.5, 31.5], "they moved up"

    run_virtual(main())


# -- cancellation ------------------------------------------------------------------------------------------------


def test_whoever_is_cancelled_leaves_the_queue_and_burns_nothing() -> None:
    async def main() -> None:
        async with Stack(RateLimit(requests_per_second=1), ScriptedExecutor("fine", repeat=True)).build() as executor:
            tasks = [asyncio.create_task(timed(executor)) for _ in range(4)]
            await asyncio.sleep(0.5)
            tasks[1].cancel()
            tasks[2].cancel()
            assert round((await tasks[3])[0], 3) == 1, "the last has moved up"
            with pytest.raises(asyncio.CancelledError):
                await tasks[1]
            assert tasks[1].cancelling() == 1, "the cancellation was neither swallowed nor converted"
            assert limiter_of(executor).levels()[""]["waiting"] == 0

    run_virtual(main())


def test_whoever_stood_behind_a_large_amount_that_is_gone_is_served_at_once() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(tokens_per_minute=600, burst=0.1), LoopClock())
        loop = asyncio.get_running_loop()
        await limiter.reserve(50)
        large, small = (asyncio.create_task(limiter.reserve(tokens)) for tokens in (500, 5))
        await asyncio.sleep(1)
        large.cancel()
        await small
        assert loop.time() == 1

    run_virtual(main())


def test_a_grant_that_was_given_to_a_cancelled_call_passes_on() -> None:
    leaf = ScriptedExecutor("fine", repeat=True)

    async def main() -> None:
        async with Stack(RateLimit(requests_per_second=1), leaf).build() as executor:
            await timed(executor)
            first, second = (asyncio.create_task(timed(executor)) for _ in range(2))
            loop = asyncio.get_running_loop()
            await asyncio.sleep(0)
            alarm = next(iter(limiter_of(executor).lane()._queue._alarms.values())).timer
            loop.call_at(alarm.when(), first.cancel)  # after the alarm, in the same turn of the loop
            assert round((await second)[0], 3) == 1
            assert first.cancelled()
            assert used(executor, "1 request per second") == 1

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_a_coroutine_that_is_closed_while_it_waits_leaves_the_queue() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(requests_per_second=1), ManualClock())
        await limiter.reserve()
        waiting = limiter.reserve()
        waiting.send(None)
        assert limiter.levels()[""]["waiting"] == 1
        waiting.close()
        assert limiter.levels()[""]["waiting"] == 0

    asyncio.run(main())
