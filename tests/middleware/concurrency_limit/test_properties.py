"""Whatever becomes of its calls: never more than the limit, no permit lost, and nobody starves."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.middleware.concurrency_limit.bench import REQUEST, options
from tests.middleware.gauge import Gauge, Plan

from lamellar import ExecutorError, RejectedError, Stack
from lamellar.middleware import AdaptiveLimit, ConcurrencyLimit
from lamellar.testing import run_virtual


@dataclass(frozen=True)
class Call:
    """One call: when it comes, how the provider takes it, and what its caller does."""

    after: float
    plan: Plan
    streaming: bool
    caller: str
    patience: float
    priority: int


seconds = st.sampled_from([0.0, 0.5, 3.0, 12.0])
errors = st.none() | st.sampled_from(["overloaded", "rate_limited", "invalid_request"]).map(
    lambda kind: ExecutorError(kind, "no")
)
calls = st.builds(
    Call,
    after=st.sampled_from([0.0, 0.0, 0.1, 1.0, 5.0]),
    plan=st.builds(Plan, first=seconds, rest=seconds, before=errors, after=errors),
    streaming=st.booleans(),
    caller=st.sampled_from(["reads", "leaves", "cancels", "hurries", "closes elsewhere", "forgets", "keeps"]),
    patience=st.sampled_from([0.0, 0.2, 2.0, 7.0]),
    priority=st.integers(-2, 2),
)
adapting = st.builds(
    AdaptiveLimit,
    max=st.integers(4, 8),
    cooldown=st.sampled_from([0.0, 5.0]),
    latency=st.sampled_from([None, 1.0]),
)
limits = st.builds(
    ConcurrencyLimit,
    limit=st.integers(1, 4),
    max_queue=st.sampled_from([0, 2, 1000]),
    max_wait=st.none(),
    priority_step=st.sampled_from([0.0, 3.0]),
    adaptive=st.none() | adapting,
)


class Crowd:
    """Callers with all sorts of manners."""

    def __init__(self, executor: object) -> None:
        self.executor = executor
        self.kept: list[object] = []
        self.endings: list[str] = []

    async def play(self, call: Call) -> None:
        try:
            if call.caller == "cancels":
                await asyncio.wait_for(self.ask(call), call.patience)
            else:
                await self.ask(call)
        except TimeoutError:
            self.endings.append("cancelled")
        except (ExecutorError, RejectedError) as error:
            self.endings.append(str(error.kind))
        else:
            self.endings.append("ok")

    async def ask(self, call: Call) -> None:
        said = options(priority=call.priority, timeout=call.patience + 1 if call.caller == "hurries" else None)
        if not call.streaming:
            await self.executor.exec_chat_response("m", REQUEST, said)
            return
        stream = await self.executor.exec_chat_stream_events("m", REQUEST, said)
        if call.caller in ("reads", "cancels", "hurries"):
            await stream.collect()
        elif call.caller == "leaves":
            async with stream:
                await anext(stream)
        elif call.caller == "closes elsewhere":
            self.kept.append(asyncio.create_task(self.close(stream, call.patience)))
        elif call.caller == "keeps":
            self.kept.append(asyncio.create_task(self.close(stream, 60.0)))

    async def close(self, stream: object, after: float) -> None:
        await asyncio.sleep(after)
        await stream.aclose()


@settings(max_examples=80, deadline=None)
@given(limits, st.lists(calls, max_size=25))
def test_no_permit_is_lost_and_none_too_many_given(spec: ConcurrencyLimit, plays: list[Call]):
    async def scenario():
        most = spec.limit if spec.adaptive is None else spec.adaptive.max
        gauge = Gauge(lambda number: plays[number % len(plays)].plan)
        executor = Stack(spec, gauge).build()
        crowd = Crowd(executor)
        tasks = []
        for call in plays:
            await asyncio.sleep(call.after)
            tasks.append(asyncio.create_task(crowd.play(call)))
            await asyncio.sleep(0)
            gc.collect(0)
            shown = executor.snapshot()["stack"]["concurrency_limit"]
            assert shown["queued"] <= spec.max_queue
            assert gauge.under_way <= most
        # Everything that holds a permit ends some time, so everybody who waits comes to his turn.
        await asyncio.wait_for(asyncio.gather(*tasks), 25 * 60.0)
        await asyncio.gather(*crowd.kept)
        gc.collect()
        await asyncio.sleep(0)
        assert len(crowd.endings) == len(plays)
        assert gauge.most <= most
        shown = executor.snapshot()["stack"]["concurrency_limit"]
        assert (shown["in_use"], shown["queued"], gauge.under_way) == (0, 0, 0)
        if spec.adaptive is None and not spec.max_queue:
            assert "limiter_deadline" not in crowd.endings
        gauge.plan = lambda _: Plan()
        assert [(await executor.exec_chat_response("m", REQUEST)).text for _ in range(2)] == ["ok", "ok"]

    run_virtual(scenario())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(0, 5), min_size=1, max_size=40), st.sampled_from([1.0, 4.0]))
def test_nobody_is_overtaken_for_longer_than_a_priority_is_worth(limit: int, priorities: list[int], step: float):
    """A call goes before another exactly when its priority outweighs how much later it came."""

    async def scenario():
        gauge = Gauge(lambda _: Plan(first=1.0))
        executor = Stack(ConcurrencyLimit(limit=limit, priority_step=step), gauge).build()
        loop = asyncio.get_running_loop()
        waited: dict[int, tuple[float, float]] = {}

        async def call(number: int, priority: int) -> None:
            came = loop.time()
            answer = await executor.exec_chat_response("m", REQUEST, options(priority=priority))
            waited[number] = (came, came + answer.attempts[0].waited)

        tasks = []
        for number, priority in enumerate(priorities):
            tasks.append(asyncio.create_task(call(number, priority)))
            await asyncio.sleep(0.3)
        await asyncio.gather(*tasks)
        for mine, (came, went) in waited.items():
            for other, (also_came, also_went) in waited.items():
                head_start = (priorities[other] - priorities[mine]) * step
                both_waited = came < also_went - 0.01 and also_came < went - 0.01
                if both_waited and came + head_start < also_came - 0.01:
                    assert went <= also_went + 0.01, "the other came too late to go first"

    run_virtual(scenario())
