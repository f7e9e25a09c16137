"""Whatever becomes of its calls: never more probes than there may be, and never stuck."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from threading import RLock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.middleware.circuit_breaker.bench import REQUEST
from tests.middleware.gauge import Gauge, Plan

from lamellar import ExecutorError, RejectedError, Stack
from lamellar.middleware import CircuitBreaker, ConcurrencyLimit
from lamellar.testing import ManualClock, run_virtual
from lamellar_middleware.circuit_breaker.circuit import Circuit, Refusal, State
from lamellar_middleware.circuit_breaker.probe import Probe

FOREVER = 10_000.0
FAULTS = ("overloaded", "server_error", "timeout", "invalid_request", "rate_limited", "quota_exhausted")


@dataclass(frozen=True)
class Call:
    """One call: when it comes, how the provider takes it, and what its caller does."""

    after: float
    plan: Plan
    streaming: bool
    caller: str
    patience: float


seconds = st.sampled_from([0.0, 0.5, 3.0, 12.0, 40.0])
errors = st.none() | st.sampled_from(FAULTS).map(lambda kind: ExecutorError(kind, "no"))
plans = st.builds(Plan, first=seconds | st.just(FOREVER), rest=seconds | st.just(FOREVER), before=errors, after=errors)
calls = st.builds(
    Call,
    after=st.sampled_from([0.0, 0.1, 1.0, 5.0, 20.0]),
    plan=plans,
    streaming=st.booleans(),
    caller=st.sampled_from(["reads", "leaves", "cancels", "closes elsewhere", "forgets", "keeps"]),
    patience=st.sampled_from([0.0, 0.2, 2.0, 30.0]),
)
breakers = st.builds(
    CircuitBreaker,
    consecutive_failures=st.sampled_from([1, 2]),
    failure_ratio=st.sampled_from([0.5, 1.0]),
    open_for=st.sampled_from([1.0, 15.0]),
    open_max=st.sampled_from([None, 40.0]),
    quota_open_for=st.sampled_from([None, 60.0]),
    probes=st.integers(1, 3),
    probe_lease=st.sampled_from([5.0, 15.0]),
    per=st.just(()),
)


async def play(executor: object, call: Call, kept: list[object]) -> None:
    """One caller, with whatever manners it has."""
    asking = read(executor, call, kept) if call.streaming else executor.exec_chat_response("m", REQUEST)
    try:
        if call.caller == "cancels":
            await asyncio.wait_for(asking, call.patience)
        else:
            await asking
    except (ExecutorError, RejectedError, TimeoutError):
        pass


async def read(executor: object, call: Call, kept: list[object]) -> None:
    stream = await executor.exec_chat_stream_events("m", REQUEST)
    if call.caller in ("reads", "cancels"):
        await stream.collect()
    elif call.caller == "leaves":
        async with stream:
            await anext(stream)
    elif call.caller == "closes elsewhere":
        asyncio.get_running_loop().call_later(call.patience, lambda: kept.append(asyncio.create_task(stream.aclose())))
        kept.append(stream)
    elif call.caller == "keeps":
        kept.append(stream)


@settings(max_examples=50, deadline=None)
@given(breakers, st.lists(calls, max_size=15), st.booleans())
@pytest.mark.failure(20)
def test_it_never_wedges(spec: CircuitBreaker, plays: list[Call], queued: bool):
    """After the provider has recovered, some later call gets through in bounded time, whatever became of the probes."""

    async def scenario():
        gauge = Gauge(lambda number: plays[number].plan if number < len(plays) else Plan())
        layers = (ConcurrencyLimit(limit=50),) if queued else ()
        executor = Stack(spec, *layers, gauge).build()
        loop, kept, tasks = asyncio.get_running_loop(), [], []
        for call in plays:
            await asyncio.sleep(call.after)
            tasks.append(asyncio.create_task(play(executor, call, kept)))
        await asyncio.sleep(0)
        gauge.plan = lambda _: Plan()  # from now on it is well
        recovered = loop.time()
        bound = max(60.0, 40.0) + 4 * spec.probe_lease + 60.0
        in_a_row, hints = 0, []
        while in_a_row < 5:
            assert loop.time() - recovered <= bound, executor.snapshot()
            await asyncio.sleep(1.0)
            try:
                await executor.exec_chat_response("m", REQUEST)
                in_a_row += 1
            except RejectedError as error:
                hints.append(error.retry_after)
                in_a_row = 0
        assert all(hint is not None and hint >= 0 for hint in hints), "a refusal says when to come again"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        kept.clear()
        gc.collect()
        await executor.aclose()

    run_virtual(scenario())


class Hand(ManualClock):
    """A clock for code that only asks for the time."""

    time = 0.0

    def now(self) -> float:
        return self.time


@settings(max_examples=300, deadline=None)
@given(
    breakers,
    st.lists(st.tuples(st.sampled_from(["ask", "succeed", "fail", "end", "pass"]), st.integers(0, 9)), max_size=80),
)
def test_there_are_never_more_probes_than_there_may_be(spec: CircuitBreaker, steps: list[tuple[str, int]]):
    """A probe is one until it has ended, its lease is over, or the question it was to answer is settled."""
    clock = Hand()
    circuit = Circuit(spec, "", clock, RLock())
    under_way: list[tuple[int, Probe | None, float]] = []

    def probes() -> int:
        return sum(
            probe is not None and began == circuit.round and clock.now() - when < spec.probe_lease
            for began, probe, when in under_way
        )

    for step, number in steps:
        if step == "pass":
            clock.time += number
        elif step == "ask":
            before = probes()
            found, _ = circuit.ask(None)
            if isinstance(found, Refusal):
                assert circuit.state is State.OPEN or before == spec.probes, "it is refused only when it must be"
            else:
                assert (found is None) == (circuit.state is State.CLOSED)
                under_way.append((circuit.round, found, clock.now()))
        elif under_way:
            began, probe, _ = under_way.pop(number % len(under_way))
            if step == "succeed":
                circuit.succeeded(began, probe)
            elif step == "fail":
                circuit.failed(began, probe, ExecutorError("overloaded", "no"))
            else:
                circuit.neutral(probe)
        assert probes() <= spec.probes

    for _, probe, _ in under_way:
        circuit.neutral(probe)
    assert circuit.shown()["probes"] == 0, "every place was given back"
