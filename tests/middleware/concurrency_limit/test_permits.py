"""How many calls are under way, and when their permits come back."""

from __future__ import annotations

import asyncio
import gc
import os
import threading

import pytest
from tests.middleware.concurrency_limit.bench import REQUEST, Bench, options, run, taking
from tests.middleware.gauge import Gauge, Plan

from lamellar import ConfigError, ExecutorError, RejectedError, Stack, Target
from lamellar.middleware import AdaptiveLimit, ConcurrencyLimit, Fallback
from lamellar.testing import ScriptedExecutor, run_virtual

BUSY = ExecutorError("overloaded", "busy")


def test_so_many_go_at_a_time_and_the_others_wait():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=3))
        loop = asyncio.get_running_loop()
        assert await asyncio.gather(*[bench.ask() for _ in range(9)]) == ["ok"] * 9
        assert bench.gauge.most == 3
        assert loop.time() == pytest.approx(3)
        assert bench.state == {"limit": 3, "in_use": 0, "queued": 0}

    run(scenario)


def test_a_call_without_contention_takes_no_future_and_no_timer():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, max_wait=10), lambda _: Plan())
        loop = asyncio.get_running_loop()
        made = []
        real = loop.call_at, loop.create_future
        loop.call_at = lambda *call, **said: made.append("timer") or real[0](*call, **said)
        loop.create_future = lambda: made.append("future") or real[1]()
        permit = bench.executor.inner.limiter.take("m", None)
        assert bench.counts == (1, 0)
        permit.succeeded()
        del loop.call_at, loop.create_future
        assert made == []

    run(scenario)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("plan", [Plan(before=BUSY), Plan(after=BUSY), Plan()], ids=["fails", "breaks", "answers"])
def test_a_permit_comes_back_once(streaming: bool, plan: Plan):
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), lambda _: plan)
        for _ in range(3):
            if streaming:
                try:
                    async with await bench.stream() as stream:
                        assert bench.counts == (1, 0)
                        await stream.collect()
                except ExecutorError:
                    pass
            else:
                await bench.ask()
            assert bench.counts == (0, 0)

    run(scenario)


def test_a_stream_holds_its_permit_to_its_end():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1))
        stream = await bench.stream()
        waiting = await bench.start()
        await asyncio.sleep(100)
        assert bench.counts == (1, 1)
        await stream.collect()
        assert bench.counts == (1, 0)
        assert await waiting == "ok"

    run(scenario)


@pytest.mark.parametrize("how", ["left", "closed elsewhere", "collected", "cancelled", "stack closed"])
def test_a_stream_without_an_end_gives_its_permit_back(how: str):
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), lambda _: Plan(rest=10_000))
        stream = await bench.stream()
        if how == "left":
            async with stream:
                pass
        elif how == "closed elsewhere":
            await asyncio.create_task(stream.aclose())
        elif how == "collected":
            del stream
            gc.collect()
            await asyncio.sleep(0)
        elif how == "cancelled":
            reading = asyncio.create_task(stream.collect())
            await asyncio.sleep(1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        else:
            await bench.executor.aclose()
        assert bench.counts == (0, 0)

    run(scenario)


def test_a_cancelled_call_gives_its_permit_back():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(10))
        call = await bench.start()
        assert bench.counts == (1, 0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert bench.counts == (0, 0)

    run(scenario)


def test_the_permits_of_a_loop_that_is_gone_come_back():
    bench = None

    async def leaves_everything_open():
        nonlocal bench
        bench = Bench(ConcurrencyLimit(limit=2), lambda number: Plan(rest=10_000))
        bench.held = await bench.stream()
        bench.call = await bench.start()
        bench.waiting = await bench.start()
        assert bench.counts == (2, 1)

    async def goes_on():
        assert bench.counts[0] == 1, "the open stream's, as long as somebody holds it"
        del bench.held
        gc.collect()
        bench.gauge.plan = taking(1)
        assert await asyncio.gather(bench.ask(), bench.ask()) == ["ok", "ok"]
        assert bench.counts == (0, 0)

    run(leaves_everything_open)
    run(goes_on)


def test_those_whose_loop_is_gone_take_no_permit():
    async def holds():
        bench = Bench(ConcurrencyLimit(limit=1), taking(0))
        return bench, bench.executor.inner.limiter.take("m", None)

    async def waits(bench: Bench):
        return [asyncio.ensure_future(bench.ask()) for _ in range(2)]

    loop = asyncio.new_event_loop()
    bench, permit = loop.run_until_complete(holds())
    tasks = loop.run_until_complete(waits(bench))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()  # nobody has cancelled what waits
    assert bench.counts == (1, 2)
    permit.succeeded()
    assert bench.counts == (0, 0)
    for task in tasks:
        task._log_destroy_pending = False


def test_a_queue_full_of_the_gone_has_room():
    bench = None
    loop = asyncio.new_event_loop()

    async def fills():
        nonlocal bench
        bench = Bench(ConcurrencyLimit(limit=1, max_queue=2), taking(0))
        bench.permit = bench.executor.inner.limiter.take("m", None)
        bench.tasks = [asyncio.ensure_future(bench.ask()) for _ in range(2)]
        await asyncio.sleep(0.01)

    loop.run_until_complete(fills())
    loop.close()  # nobody has cancelled what waits
    assert bench.counts == (1, 2)

    async def goes_on():
        waiting = await bench.start()
        assert bench.counts == (1, 1), "a full queue forgets those who are gone"
        bench.permit.succeeded()
        assert await waiting == "ok"
        assert bench.counts == (0, 0)

    asyncio.run(goes_on())
    for task in bench.tasks:
        task._log_destroy_pending = False


def test_a_stream_that_is_collected_while_its_loop_rests_gives_its_permit_back_once():
    bench = None

    async def opens():
        nonlocal bench
        bench = Bench(ConcurrencyLimit(limit=2), lambda _: Plan(rest=10_000))
        bench.permit = bench.executor.inner.limiter.take("m", None)
        bench.held = await bench.stream()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(opens())
    del bench.held
    gc.collect()
    assert bench.counts == (1, 0), "the loop may never run again"
    loop.run_until_complete(asyncio.sleep(0.01))  # it does, and says that the stream was abandoned
    assert bench.gauge.under_way == 0
    assert bench.counts == (1, 0)
    loop.close()


def test_loops_in_several_threads_share_it():
    gauge = Gauge(taking(0.001))
    executor = Stack(ConcurrencyLimit(limit=4), gauge).build()

    async def calls():
        await asyncio.gather(*[executor.exec_chat_response("m", REQUEST) for _ in range(50)])

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(gauge.asked) == 200
    assert gauge.most <= 4
    assert executor.snapshot()["stack"]["concurrency_limit"] == {"limit": 4, "in_use": 0, "queued": 0}


def test_a_fork_has_none_of_the_calls_of_its_parent(monkeypatch: pytest.MonkeyPatch):
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), lambda _: Plan())
        stream = await bench.stream()
        waiting = await bench.start()
        real = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: real + 1)
        assert await bench.ask() == "ok"
        await stream.collect()
        assert bench.counts == (0, 0), "what the parent had is not given back a second time"
        waiting.cancel()

    run(scenario)


# -- keys and sharing ------------------------------------------------------------------------------------------------


def test_each_key_has_a_limit_of_its_own():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, per=("model", "tag:team")), taking(1))
        loop = asyncio.get_running_loop()
        calls = [
            await bench.start(model="a"),
            await bench.start(model="b"),
            await bench.start(model="a", tags={"team": "x"}),
            await bench.start(model="a"),
        ]
        assert bench.state == {
            "in_use": 3,
            "queued": 1,
            "keys": {
                "model=a, team=(none)": {"limit": 1, "in_use": 1, "queued": 1},
                "model=b, team=(none)": {"limit": 1, "in_use": 1, "queued": 0},
                "model=a, team=x": {"limit": 1, "in_use": 1, "queued": 0},
            },
        }
        await asyncio.gather(*calls)
        assert loop.time() == pytest.approx(2)
        assert bench.state == {"in_use": 0, "queued": 0, "keys": {}}

    run(scenario)


def test_the_map_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lamellar_middleware.concurrency_limit.limiter._MOST", 3)

    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1, per="model"), taking(1))
        calls = [await bench.start(model=name) for name in "abc"]
        with pytest.raises(RejectedError, match="calls of 3 values of model are under way") as caught:
            await bench.executor.exec_chat_response("d", REQUEST)
        assert caught.value.kind == "queue_full"
        await asyncio.gather(*calls)
        for name in "defgh":
            assert await bench.ask(name) == "ok"

    run(scenario)


def test_those_who_share_a_name_share_one_limit():
    async def scenario():
        gauge = Gauge(taking(1))
        limit = ConcurrencyLimit(limit=2, share="gpu")
        shared: dict[str, object] = {}
        stacks = [Stack(limit, gauge).build(shared=shared) for _ in range(2)]
        await asyncio.gather(*[each.exec_chat_response("m", REQUEST) for each in stacks * 4])
        assert gauge.most == 2

    run(scenario)


def test_those_who_share_must_say_the_same():
    shared: dict[str, object] = {}
    Stack(ConcurrencyLimit(limit=2, share="gpu", max_wait=3), ScriptedExecutor()).build(shared=shared)
    Stack(ConcurrencyLimit(limit=2, share="gpu"), ScriptedExecutor()).build(shared=shared)
    with pytest.raises(ConfigError, match=r"share: 'gpu' is shared by .*limit=2.* and .*limit=3.* which differ"):
        Stack(ConcurrencyLimit(limit=3, share="gpu"), ScriptedExecutor()).build(shared=shared)


# -- the record, and options -----------------------------------------------------------------------------------------


def test_a_wait_is_on_the_record():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(2))
        first = await bench.start()
        answer = await bench.executor.exec_chat_response("m", REQUEST)
        assert answer.attempts[0].waited == pytest.approx(2)
        assert answer.attempts[0].latency == pytest.approx(2)
        await first

    run(scenario)


def test_a_refusal_is_on_the_record_and_a_fallback_goes_on():
    async def scenario():
        full, spare = Gauge(taking(5)), ScriptedExecutor("spare", repeat=True)
        limit = ConcurrencyLimit(limit=1, max_queue=0)
        executor = Stack(Fallback(Target(limit, full, name="full"), Target(spare, name="spare"))).build()
        first = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
        await asyncio.sleep(1)
        answer = await executor.exec_chat_response("m", REQUEST)
        assert [(each.target, each.outcome, each.kind) for each in answer.attempts] == [
            ("full", "refused", "queue_full"),
            ("spare", "completed", None),
        ]
        await first

    run(scenario)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"limit": 0}, "limit: expected greater than or equal to 1"),
        ({}, "limit: required, but missing"),
        ({"limit": 1, "max_wait": 0}, "max_wait: more than zero seconds; for no waiting at all write max_queue=0"),
        ({"limit": 1, "max_wait": 1, "max_queue": 0}, "max_wait: with max_queue=0 nobody waits"),
        ({"limit": 1, "per": "tag:"}, "per: 'tag:' is nothing that can be kept apart"),
        ({"limit": 200, "adaptive": {}}, r"limit=200 is where the limit begins, and adaptive keeps it from 1 to 100"),
        ({"limit": 5, "adaptive": {"min": 9, "max": 5}}, "adaptive: min=9 is more than max=5"),
        (
            {"limit": 5, "adaptive": {"latency": 1, "latency_ratio": 2}},
            "adaptive.latency_ratio: latency says the same in seconds; give one of them",
        ),
        ({"limit": 5, "adaptive": {"errors": []}}, "adaptive.errors: nothing would ever lower the limit"),
        (
            {"limit": 5, "adaptive": {"errors": ["overloded"]}},
            "'overloded' is no kind of error; did you mean 'overloaded'",
        ),
    ],
)
def test_options_that_contradict_are_refused(said: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        ConcurrencyLimit(**said)


def test_it_changes_no_answer():
    assert ConcurrencyLimit(limit=1, adaptive=AdaptiveLimit()).identity() is None


def test_it_works_outside_of_a_stack():
    async def scenario():
        bench = Bench(ConcurrencyLimit(limit=1), taking(1))
        plate = bench.executor.inner
        calls = [plate.exec_chat_response("m", REQUEST, options(priority=number)) for number in range(3)]
        assert [answer.text for answer in await asyncio.gather(*calls)] == ["ok"] * 3

    run_virtual(scenario())
