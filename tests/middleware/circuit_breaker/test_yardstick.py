"""S15 of the failover yardstick: 503 for 60 s, then healthy; twenty requests, one every 4 s."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random

import pytest
from tests.middleware.circuit_breaker.bench import REQUEST
from tests.middleware.gauge import Gauge, Plan

from lamellar import ExecutorError, Stack, Target
from lamellar.middleware import CircuitBreaker, CircuitEvent, Fallback, Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ManualClock, ProviderSimulator, run_virtual
from lamellar.testing.simulator import Answer, When, overloaded

OUTAGE = 60.0
EVERY = 4.0
REQUESTS = 20


class Primary(Gauge):
    """Down for a minute, then well."""

    def __init__(self, outage: float = OUTAGE) -> None:
        super().__init__(self._now)
        self._outage = outage

    def _now(self, number: int) -> Plan:
        down = asyncio.get_running_loop().time() < self._outage
        error = ExecutorError("overloaded", "busy", status=503) if down else None
        return Plan(first=0.1, before=error)


def stack(primary: object, spare: object, told: list[CircuitEvent], **options: object) -> Stack:
    breaker = CircuitBreaker(on_state_change=told.append, **options)
    return Stack(
        Timeout(total=30),
        Fallback(
            Target(Retry(attempts=2), breaker, primary, model="big", name="primary"),
            Target(spare, model="small", name="spare"),
        ),
    )


async def ask(executor: object, *, streaming: bool) -> str:
    """Which target has answered."""
    if not streaming:
        return (await executor.exec_chat_response("any", REQUEST)).attempts[-1].target
    async with await executor.exec_chat_stream_events("any", REQUEST) as stream:
        return (await stream.collect()).attempts[-1].target


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("outage", [41.0, 53.0, OUTAGE, 61.0, 66.0])
def test_an_outage_is_routed_around_and_its_end_is_found(streaming: bool, outage: float):
    async def scenario():
        told: list[CircuitEvent] = []
        primary, spare = Primary(outage), Gauge()
        loop = asyncio.get_running_loop()
        answered = []
        async with stack(primary, spare, told).build(rng=Random(1)) as executor:
            for number in range(REQUESTS + 6):
                await asyncio.sleep(number * EVERY - loop.time())
                answered.append((loop.time(), await ask(executor, streaming=streaming)))

        assert len(answered) == REQUESTS + 6, "not one request has failed"
        served = [when for when, target in answered if target == "primary"]
        assert served[0] - outage <= 30, "back within 30 s of the recovery"
        assert served == [when for when, _ in answered[-len(served) :]], "and there for good"
        during = [when for when in primary.asked if when < outage]
        assert [(each.before, each.after) for each in told[:2]] == [("closed", "open"), ("open", "half_open")]
        assert told[-1].after == "closed"
        assert len(during) <= 5 + 1 + outage / 15, "five failures, then one probe every 15 s"

    run_virtual(scenario())


async def patiently(call: Coroutine[object, object, str], clock: ManualClock) -> str:
    """Run a call that waits for the clock and for a real server in turn: the server gets its moment first."""
    task = asyncio.ensure_future(call)
    while not task.done():
        await asyncio.wait({task}, timeout=0.02)
        if not task.done():
            await clock.advance(0.25)
    return task.result()


async def test_the_same_over_http():
    told: list[CircuitEvent] = []
    clock = ManualClock()
    outage = When(lambda _: clock.now() < OUTAGE, overloaded(), Answer("From the primary."))
    with ProviderSimulator(outage) as primary, ProviderSimulator(Answer("From the spare.")) as spare:
        providers = [OpenAI(base_url=each.base_url, api_key="any") for each in (primary, spare)]
        answered = []
        async with stack(*providers, told).build(clock=clock, rng=Random(1)) as executor:
            for number in range(REQUESTS):
                await clock.advance(max(0.0, number * EVERY - clock.now()))
                answered.append(await patiently(ask(executor, streaming=number % 2 == 0), clock))
        assert set(answered[: int(OUTAGE / EVERY)]) == {"spare"}
        assert answered[-1] == "primary", "back within 16 s of the recovery"
        assert told[-1].after == "closed"
        served = answered.count("primary")
        assert primary.request_count <= 5 + OUTAGE / 15 + served, "five failures, then a probe every 15 s"
