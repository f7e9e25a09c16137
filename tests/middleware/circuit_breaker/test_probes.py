"""How a circuit finds out that its target is well: probes, their leases and their verdicts."""

from __future__ import annotations

import asyncio
import gc

import pytest
from tests.middleware.circuit_breaker.bench import Bench, failing, run, slowly

from lamellar import Chunk, RejectedError
from lamellar.middleware import CircuitBreaker, ConcurrencyLimit
from lamellar.testing import Hang, Scripted, answer

BUSY = failing()
SILENT = Scripted((), (Hang(),))


def breaker(**options: object) -> CircuitBreaker:
    return CircuitBreaker(**{"consecutive_failures": 1, "open_for": 10, "probe_lease": 20, **options})


async def half_open(bench: Bench) -> None:
    """Bring the circuit to where the next call is a probe."""
    await bench.ask()
    assert bench.state == "open"
    await asyncio.sleep(10)


def test_one_probe_goes_and_the_others_are_refused_meanwhile():
    async def scenario():
        bench = Bench(breaker(), BUSY, slowly(5), "ok")
        await half_open(bench)
        probe = bench.start()
        await asyncio.sleep(2)
        assert (bench.state, bench.circuit()["probes"]) == ("half_open", 1)
        error = await bench.refusal()
        assert error.message == (
            "the circuit of 'leaf (m)' is half-open after a failure (overloaded), and 1 of 1 probes are under way"
        )
        assert error.retry_after == pytest.approx(18), "until the lease is over"
        assert await probe == "ok"
        assert bench.state == "closed"
        assert await bench.ask() == "ok"

    run(scenario)


def test_a_failed_probe_opens_it_again():
    async def scenario():
        bench = Bench(breaker(), BUSY, BUSY, "ok")
        await half_open(bench)
        assert await bench.ask() == "overloaded"
        error = await bench.refusal()
        assert error.retry_after == pytest.approx(10)
        assert "is open after a failed probe (overloaded)" in error.message
        await asyncio.sleep(10)
        assert await bench.ask() == "ok"
        assert bench.state == "closed"

    run(scenario)


def test_as_many_as_go_at_a_time_must_succeed():
    async def scenario():
        bench = Bench(breaker(probes=2), BUSY, slowly(5), slowly(7), "ok")
        await half_open(bench)
        first, second = bench.start(), bench.start()
        await asyncio.sleep(1)
        assert bench.circuit()["probes"] == 2
        await bench.refusal()
        await first
        assert (bench.state, bench.circuit()["probes"]) == ("half_open", 1)
        await second
        assert bench.state == "closed"

    run(scenario)


def test_one_failure_among_the_probes_is_enough():
    async def scenario():
        bench = Bench(breaker(probes=2), BUSY, slowly(5), slowly(2, BUSY))
        await half_open(bench)
        first, second = bench.start(), bench.start()
        await second
        assert bench.state == "open"
        assert await first == "ok"
        assert bench.state == "open", "it was let through before the other failed"

    run(scenario)


def test_a_new_round_of_probes_begins_with_nothing():
    async def scenario():
        bench = Bench(breaker(probes=2), BUSY, "ok", SILENT, BUSY, slowly(1), slowly(2))
        await half_open(bench)
        assert await bench.ask() == "ok"
        lost = bench.start()
        await asyncio.sleep(1)
        await bench.ask()
        assert bench.state == "open"
        await asyncio.sleep(10)
        calls = [bench.start(), bench.start()]
        await asyncio.sleep(0.5)
        assert bench.circuit()["probes"] == 2, "the lost one holds no place of this round"
        assert await calls[0] == "ok"
        assert bench.state == "half_open", "the success of the round before does not count"
        await calls[1]
        assert bench.state == "closed"
        lost.cancel()

    run(scenario)


# -- neutral outcomes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome",
    [failing("invalid_request"), failing("rate_limited"), failing("unauthorized"), RejectedError("queue_full", "no")],
    ids=lambda error: str(error.kind),
)
@pytest.mark.failure(20)
def test_a_probe_without_a_verdict_gives_its_place_back(outcome: BaseException):
    async def scenario():
        bench = Bench(breaker(), BUSY, outcome, "ok")
        await half_open(bench)
        assert await bench.ask() == str(outcome.kind)
        assert (bench.state, bench.circuit()["probes"]) == ("half_open", 0)
        assert await bench.ask() == "ok"
        assert bench.state == "closed"

    run(scenario)


@pytest.mark.failure(20)
def test_a_cancelled_probe_gives_its_place_back():
    async def scenario():
        bench = Bench(breaker(), BUSY, SILENT, "ok")
        await half_open(bench)
        probe = bench.start()
        await asyncio.sleep(1)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert await bench.ask() == "ok"

    run(scenario)


@pytest.mark.parametrize("how", ["left", "closed elsewhere", "collected"])
def test_an_abandoned_stream_gives_its_place_back(how: str):
    async def scenario():
        bench = Bench(breaker(), BUSY, [Chunk("a"), Hang()], "ok")
        await half_open(bench)
        stream = await bench.stream()
        await bench.refusal()
        if how == "left":
            async with stream:
                pass
        elif how == "closed elsewhere":
            await asyncio.create_task(stream.aclose())
        else:
            del stream
            gc.collect()
            await asyncio.sleep(0)
        assert (bench.state, bench.circuit()["probes"]) == ("half_open", 0)
        assert await bench.ask() == "ok"
        assert bench.state == "closed"

    run(scenario)


def test_a_stream_is_a_probe_until_its_end():
    async def scenario():
        bench = Bench(breaker(), BUSY, answer(["a", "b"]))
        await half_open(bench)
        stream = await bench.stream()
        assert bench.state == "half_open"
        await stream.collect()
        assert bench.state == "closed"

    run(scenario)


# -- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_that_is_over_makes_room_for_another_probe():
    async def scenario():
        bench = Bench(breaker(), BUSY, SILENT, "ok")
        await half_open(bench)
        lost = bench.start()
        await asyncio.sleep(19.9)
        await bench.refusal()
        await asyncio.sleep(0.2)
        assert await bench.ask() == "ok"
        assert bench.state == "closed"
        lost.cancel()

    run(scenario)


@pytest.mark.parametrize(("entry", "state"), [("ok", "closed"), (BUSY, "open")])
def test_a_late_verdict_counts_while_the_question_is_open(entry: object, state: str):
    async def scenario():
        bench = Bench(breaker(), BUSY, slowly(25, entry), SILENT)
        await half_open(bench)
        late = bench.start()
        await asyncio.sleep(21)
        second = bench.start()
        await asyncio.sleep(1)
        assert (bench.state, bench.circuit()["probes"]) == ("half_open", 1)
        await late
        assert bench.state == state
        second.cancel()

    run(scenario)


def test_a_late_verdict_says_nothing_once_another_has_answered():
    async def scenario():
        bench = Bench(breaker(), BUSY, slowly(25, BUSY), "ok")
        await half_open(bench)
        late = bench.start()
        await asyncio.sleep(21)
        assert await bench.ask() == "ok"
        assert await late == "overloaded"
        assert (bench.state, bench.circuit()["in_a_row"]) == ("closed", 0)

    run(scenario)


def test_the_lease_begins_with_the_attempt_and_not_in_a_queue():
    async def scenario():
        bench = Bench(breaker(), slowly(1, BUSY), slowly(45), slowly(15), "ok", below=(ConcurrencyLimit(limit=1),))
        first = bench.start()
        await asyncio.sleep(0.5)
        blocking = bench.start()  # let through before it opens, and then in the way for 45 s
        await first
        await asyncio.sleep(10)
        probe = bench.start()
        await asyncio.sleep(30)  # ten more than a lease, and the probe still waits
        assert len(bench.leaf.calls) == 2
        await bench.refusal()
        await blocking
        await asyncio.sleep(14)
        error = await bench.refusal()
        assert error.retry_after == pytest.approx(6), "20 s from the beginning of its attempt"
        assert await probe == "ok"
        assert bench.state == "closed"

    run(scenario)


def test_a_queue_that_never_moves_does_not_hold_the_place_for_ever():
    async def scenario():
        bench = Bench(breaker(), slowly(1, BUSY), SILENT, "ok", below=(ConcurrencyLimit(limit=1),))
        first = bench.start()
        await asyncio.sleep(0.5)
        blocking = bench.start()
        await first
        await asyncio.sleep(10)
        probe = bench.start()
        await asyncio.sleep(79)
        await bench.refusal()
        await asyncio.sleep(2)
        another = bench.start()
        await asyncio.sleep(1)
        assert bench.circuit()["probes"] == 1
        assert not another.done(), "it was let through, into the same queue"
        blocking.cancel()
        assert await probe == "ok"
        assert bench.state == "closed"
        another.cancel()

    run(scenario)


def test_a_probe_whose_loop_is_gone_makes_room():
    bench = None

    async def dies():
        nonlocal bench
        bench = Bench(breaker(), BUSY, [Chunk("a"), Hang()], "ok")
        await half_open(bench)
        await asyncio.sleep(100)
        bench.held = await bench.stream()  # open when the loop ends

    async def lives():
        assert bench.state == "half_open"
        assert await bench.ask() == "ok", "time began anew, and the probe of the old time is lost"

    run(dies)
    run(lives)


def test_an_open_circuit_opens_in_time_though_time_begins_anew():
    bench = None

    async def fails():
        nonlocal bench
        bench = Bench(breaker(), BUSY, "ok")
        await asyncio.sleep(1000)
        await bench.ask()

    async def recovers():
        assert (await bench.refusal()).retry_after == pytest.approx(10)
        await asyncio.sleep(10)
        assert await bench.ask() == "ok"

    run(fails)
    run(recovers)
