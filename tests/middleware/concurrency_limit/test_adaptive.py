"""A limit that finds itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.middleware.concurrency_limit.bench import REQUEST, Bench, run, taking
from tests.middleware.gauge import Gauge, Plan

from lamellar import ErrorKind, ExecutorError, Stack
from lamellar.middleware import AdaptiveLimit, ConcurrencyLimit
from lamellar.testing import run_virtual


def adaptive(limit: int, **said: object) -> ConcurrencyLimit:
    return ConcurrencyLimit(limit=limit, adaptive=AdaptiveLimit(**said))


def failing(kind: str = "rate_limited", seconds: float = 1.0, **known: object) -> Callable[[int], Plan]:
    return lambda _: Plan(first=seconds, before=ExecutorError(kind, "no", **known))


async def burst(bench: Bench, calls: int) -> list[str]:
    return await asyncio.gather(*[bench.ask() for _ in range(calls)])


def test_it_grows_by_one_for_as_many_successes_as_it_allows():
    async def scenario():
        bench = Bench(adaptive(4, max=6))
        await burst(bench, 4)
        assert bench.state["limit"] == 4, "4.9 are 4"
        await burst(bench, 5)
        assert bench.state["limit"] == 5
        await burst(bench, 100)
        assert bench.state["limit"] == 6
        assert bench.gauge.most == 6

    run(scenario)


def test_it_does_not_grow_while_it_is_not_used_up():
    async def scenario():
        bench = Bench(adaptive(4))
        for _ in range(50):
            await burst(bench, 3)
        assert bench.state["limit"] == 4

    run(scenario)


def test_growth_lets_more_in_from_the_queue():
    async def scenario():
        bench = Bench(adaptive(1, increase=1))
        calls = [await bench.start() for _ in range(10)]
        await asyncio.sleep(1.5)
        assert bench.counts == (2, 7)
        await asyncio.gather(*calls)

    run(scenario)


@pytest.mark.parametrize("kind", list(ErrorKind)[:15])
def test_only_signs_of_load_lower_it(kind: ErrorKind):
    async def scenario():
        bench = Bench(adaptive(8), failing(kind))
        await bench.ask()
        assert bench.state["limit"] == (4 if kind in ("rate_limited", "overloaded", "timeout") else 8)

    run(scenario)


def test_the_callers_own_haste_is_no_sign():
    async def scenario():
        bench = Bench(adaptive(8), failing("timeout", counts_against_health=False))
        await bench.ask()
        assert bench.state["limit"] == 8

    run(scenario)


def test_the_signs_are_the_users_to_choose():
    async def scenario():
        bench = Bench(adaptive(8, errors=("server_error",), decrease=0.25), failing("rate_limited"))
        await bench.ask()
        assert bench.state["limit"] == 8
        bench.gauge.plan = failing("server_error")
        await bench.ask()
        assert bench.state["limit"] == 2

    run(scenario)


def test_one_burst_of_refusals_lowers_it_once():
    async def scenario():
        bench = Bench(adaptive(32), lambda number: Plan(first=1 + number, before=ExecutorError("rate_limited", "no")))
        await burst(bench, 32)  # they end one by one over 32 s, and all of them began before the first sign
        assert bench.state["limit"] == 16

    run(scenario)


def test_a_decrease_holds_for_a_while():
    async def scenario():
        bench = Bench(adaptive(32, cooldown=10), failing(seconds=0.1))
        for _ in range(20):
            await bench.ask()
        assert bench.state["limit"] == 16
        await asyncio.sleep(10)
        await bench.ask()
        assert bench.state["limit"] == 8

    run(scenario)


def test_it_never_falls_below_its_least():
    async def scenario():
        bench = Bench(adaptive(20, min=3, cooldown=0), failing())
        for _ in range(20):
            await bench.ask()
        assert bench.state["limit"] == 3

    run(scenario)


def test_what_is_under_way_goes_on_when_it_falls():
    async def scenario():
        plans = [Plan(first=1, before=ExecutorError("overloaded", "no")), *[Plan(first=10)] * 3, *[Plan(first=1)] * 2]
        bench = Bench(adaptive(4), lambda number: plans[number])
        calls = [await bench.start(str(number)) for number in range(6)]
        await asyncio.sleep(1.5)
        assert bench.state == {"limit": 2, "in_use": 3, "queued": 2}
        await asyncio.gather(*calls)
        assert bench.state == {"limit": 2, "in_use": 0, "queued": 0}

    run(scenario)


def test_a_success_of_before_does_not_raise_it():
    async def scenario():
        plans = [Plan(first=1, before=ExecutorError("overloaded", "no")), Plan(first=2), Plan(first=2), Plan(first=2)]
        bench = Bench(adaptive(4, increase=100, max=100), lambda number: plans[number])
        await burst(bench, 4)
        assert bench.state["limit"] == 2

    run(scenario)


def test_an_interrupted_stream_is_a_sign_by_its_cause():
    async def scenario():
        bench = Bench(adaptive(8), lambda _: Plan(after=ExecutorError("overloaded", "no")))
        with pytest.raises(ExecutorError):
            await (await bench.stream()).collect()
        assert bench.state["limit"] == 4

    run(scenario)


# -- latency ---------------------------------------------------------------------------------------------------------


def test_latency_is_no_sign_unless_that_is_asked():
    async def scenario():
        bench = Bench(adaptive(8), lambda number: Plan(first=1.0 + 50 * number))
        for _ in range(5):
            await bench.ask()
        assert bench.state["limit"] == 8

    run(scenario)


def test_a_slow_answer_lowers_it():
    async def scenario():
        bench = Bench(adaptive(8, latency="5s"), lambda number: Plan(first=4.9 if number == 0 else 5.1))
        await bench.ask()
        assert bench.state["limit"] == 8
        await bench.ask()
        assert bench.state["limit"] == 4

    run(scenario)


def test_a_stream_is_slow_by_its_first_content():
    async def scenario():
        bench = Bench(adaptive(8, latency=5), lambda number: Plan(first=1 if number == 0 else 6, rest=100))
        await (await bench.stream()).collect()
        assert bench.state["limit"] == 8
        stream = await bench.stream()
        assert bench.state["limit"] == 4, "at its first content, and not at its end"
        await stream.collect()
        assert bench.state["limit"] == 4, "and a slow success does not raise it again"

    run(scenario)


def test_a_ratio_is_of_the_smallest_latency_of_its_kind():
    async def scenario():
        bench = Bench(adaptive(8, latency_ratio=3), lambda number: Plan(first=(1.0, 20.0, 2.9, 3.1)[number]))
        await bench.ask()
        await (await bench.stream()).collect()
        await bench.ask()
        assert bench.state["limit"] == 8, "streams and whole answers are measured apart"
        await bench.ask()
        assert bench.state["limit"] == 4

    run(scenario)


def test_a_latency_of_some_minutes_ago_is_remembered():
    async def scenario():
        bench = Bench(adaptive(8, latency_ratio=3), lambda number: Plan(first=1.0 if number == 0 else 5.0))
        await bench.ask()
        await asyncio.sleep(310)
        await bench.ask()
        assert bench.state["limit"] == 4

    run(scenario)


def test_an_old_latency_is_forgotten():
    async def scenario():
        bench = Bench(adaptive(8, latency_ratio=3, cooldown=0), lambda number: Plan(first=1.0 if number == 0 else 5.0))
        await bench.ask()
        await asyncio.sleep(700)
        for _ in range(3):
            await bench.ask()
        assert bench.state["limit"] == 8, "this provider has become slower, which is no load of ours"

    run(scenario)


# -- by hand, and in the large ---------------------------------------------------------------------------------------


def test_reset_begins_anew():
    async def scenario():
        bench = Bench(adaptive(8), failing())
        await bench.ask()
        bench.gauge.plan = taking(1)
        calls = [await bench.start() for _ in range(8)]
        assert bench.counts == (4, 4)
        bench.executor.reset("stack")
        assert bench.state == {"limit": 8, "in_use": 8, "queued": 0}
        await asyncio.gather(*calls)

    run(scenario)


def test_it_finds_what_a_provider_can_bear():
    """A provider that is overloaded by more than ten calls at a time: the limit settles near ten."""

    class Bearing(Gauge):
        def _enter(self) -> Plan:
            plan = super()._enter()
            too_much = self.under_way > 10
            return Plan(first=0.2, before=ExecutorError("overloaded", "no")) if too_much else plan

    async def scenario():
        gauge = Bearing(taking(1.0))
        executor = Stack(adaptive(50), gauge).build()
        limits, answered = [], []

        async def caller() -> None:
            for _ in range(60):
                try:
                    await executor.exec_chat_response("m", REQUEST)
                    answered.append(True)
                except ExecutorError:
                    answered.append(False)
                limits.append(executor.snapshot()["stack"]["concurrency_limit"]["limit"])

        await asyncio.gather(*[caller() for _ in range(40)])
        settled = limits[len(limits) // 2 :]
        assert 5 <= sum(settled) / len(settled) <= 11
        late = answered[len(answered) // 2 :]
        assert late.count(False) < len(late) / 10

    run_virtual(scenario())
