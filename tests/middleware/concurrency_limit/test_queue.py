"""Who waits, in which order, and for how long."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from tests.middleware.concurrency_limit.bench import REQUEST, Bench, options, run, taking
from tests.middleware.gauge import Gauge

from lamellar import RejectedError, Stack, Target
from lamellar.middleware import ConcurrencyLimit, Fallback, Timeout
from lamellar.testing import ScriptedExecutor


def test_first_come_first_served():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1))
        calls = [await bench.start(str(number)) for number in range(6)]
        await asyncio.gather(*calls)
        assert bench.ended == list("012345")

    run(scenario)


def test_nobody_overtakes_a_queue():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=2), taking(10))
        first, second = await bench.start("first"), await bench.start("second")
        third = await bench.start("third")
        first.cancel()
        late = await bench.start("late")  # a permit is free at the very moment, and it is the third's
        await asyncio.gather(first, second, third, late, return_exceptions=True)
        assert bench.ended == ["first", "second", "third", "late"]

    run(scenario)


def test_a_higher_priority_goes_first():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1))
        calls = [await bench.start("running")]
        for name, priority in (("low", -1), ("a", 0), ("high", 5), ("b", 0), ("higher", 6)):
            calls.append(await bench.start(name, priority=priority))
        await asyncio.gather(*calls)
        assert bench.ended == ["running", "higher", "high", "a", "b", "low"]

    run(scenario)


def test_waiting_makes_up_for_a_lower_priority():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, priority_step=3), taking(1))
        calls = [await bench.start("running"), await bench.start("patient")]
        for number in range(8):
            calls.append(await bench.start(f"urgent-{number}", priority=1))
            await asyncio.sleep(1)
        await asyncio.gather(*calls)
        # Those that came up to 3 s later went first, one each second; then it was the patient one's turn.
        assert bench.ended.index("patient") == 4

    run(scenario)


def test_priorities_may_be_taken_no_notice_of():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, priority_step=0))
        calls = [await bench.start(str(number), priority=number) for number in range(4)]
        await asyncio.gather(*calls)
        assert bench.ended == list("0123")

    run(scenario)


@pytest.mark.parametrize("priority", [10**400, -(10**400)])
def test_a_priority_beyond_all_bounds_is_one_too(priority: int):
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1))
        calls = [await bench.start("running"), await bench.start("plain"), await bench.start("odd", priority=priority)]
        await asyncio.gather(*calls)
        assert bench.ended == ["running", "odd", "plain"] if priority > 0 else ["running", "plain", "odd"]

    run(scenario)


# -- leaving ---------------------------------------------------------------------------------------------------------


def test_whoever_is_cancelled_leaves_the_queue():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1))
        first, second, third = [await bench.start(str(number)) for number in range(3)]
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert bench.counts == (1, 1)
        await asyncio.gather(first, third)
        assert len(bench.gauge.asked) == 2

    run(scenario)


def test_a_permit_given_to_a_cancelled_call_passes_on():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(5))
        permit = bench.executor.inner.limiter.take("m", None)
        second, third = await bench.start("second"), await bench.start("third")
        permit.succeeded()
        second.cancel()  # its future has a result already
        await asyncio.gather(second, return_exceptions=True)
        assert bench.counts == (1, 0)
        assert await third == "ok"
        assert bench.counts == (0, 0)

    run(scenario)


def test_those_who_left_do_not_fill_the_memory():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(1000))
        running = await bench.start()
        lane = next(lane for _, lane in bench.executor.inner.limiter.lanes())
        for _ in range(40):
            calls = [await bench.start() for _ in range(10)]
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert bench.counts == (1, 0)
        assert len(lane._queue._heap) <= 32
        assert not lane._queue._loops
        running.cancel()

    run(scenario)


# -- refusals --------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=2, max_queue=1), taking(5))
        calls = [await bench.start() for _ in range(3)]
        with pytest.raises(RejectedError) as caught:
            await bench.executor.exec_chat_response("m", REQUEST)
        error = caught.value
        assert str(error) == (
            "queue_full at gauge: 2 calls are under way already (limit), and 1 wait (max_queue); raise the limit, or "
            "ask less often"
        )
        assert (error.retryable, error.failover, error.target) == (False, True, "gauge")
        assert await asyncio.gather(*calls) == ["ok"] * 3

    run(scenario)


def test_without_a_queue_nobody_waits():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, max_queue=0), taking(5))
        call = await bench.start()
        assert await bench.ask() == "queue_full"
        await call
        assert await bench.ask() == "ok"

    run(scenario)


def test_the_longest_wait_is_kept_to():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, max_wait="3s"), taking(10))
        loop = asyncio.get_running_loop()
        call = await bench.start()
        with pytest.raises(RejectedError) as caught:
            await bench.executor.exec_chat_response("m", REQUEST)
        assert loop.time() == pytest.approx(3)
        assert str(caught.value) == (
            "limiter_deadline at gauge: none of the 1 calls that may be under way (limit) ended in the 3 s for which "
            "this one may wait (max_wait); raise the limit, give the call more time, or ask less often"
        )
        assert caught.value.failover
        assert bench.counts == (1, 0)
        await call

    run(scenario)


@pytest.mark.parametrize("whose", ["the stack's", "the caller's"])
def test_a_wait_ends_before_the_call_does(whose: str):
    async def scenario():
        outside = (Timeout(total=4),) if whose == "the stack's" else ()
        bench = Bench(ConcurrencyLimit(limit=1), taking(3.5), outside=outside)
        loop = asyncio.get_running_loop()
        call = await bench.start()
        blocked = await bench.start()
        said = {} if outside else {"timeout": 4}
        with pytest.raises(RejectedError, match="what is left of its time") as caught:
            await bench.executor.exec_chat_response("m", REQUEST, options(**said) if said else None)
        assert caught.value.kind == "limiter_deadline"
        assert loop.time() < 4, "a permit at the very end would be of no use"
        assert loop.time() == pytest.approx(4, abs=0.01)
        blocked.cancel()
        await asyncio.gather(call, blocked, return_exceptions=True)

    run(scenario)


def test_a_wait_keeps_the_time_that_is_reserved_for_another_target():
    async def scenario():
        full, spare = Gauge(taking(100)), ScriptedExecutor("spare", repeat=True)
        fallback = Fallback(Target(ConcurrencyLimit(limit=1), full, name="full"), Target(spare, name="spare"))
        executor = Stack(Timeout(total=20), fallback).build()
        blocking = asyncio.create_task(executor.inner.inner.exec_chat_response("m", REQUEST))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        answer = await executor.exec_chat_response("m", REQUEST)
        assert answer.text == "spare"
        assert [(each.target, each.kind) for each in answer.attempts] == [("full", "limiter_deadline"), ("spare", None)]
        assert asyncio.get_running_loop().time() - began == pytest.approx(15, abs=0.01)
        blocking.cancel()

    run(scenario)


def test_a_call_whose_time_is_over_is_refused_at_once():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(5))
        call = await bench.start()
        began = asyncio.get_running_loop().time()
        assert await bench.ask(timeout=0.0005) == "limiter_deadline"
        assert asyncio.get_running_loop().time() == began
        assert bench.counts == (1, 0)
        await call

    run(scenario)


def test_a_refusal_is_freed_by_whoever_caught_it():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, max_wait=1), taking(10))
        call = await bench.start()
        gc.collect()
        gc.disable()
        try:
            try:
                await bench.executor.inner.exec_chat_response("m", REQUEST)
            except RejectedError as error:
                freed = weakref.ref(error)
            assert freed() is None, "no frame holds it"
        finally:
            gc.enable()
        call.cancel()

    run(scenario)
