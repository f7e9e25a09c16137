"""What opens a circuit, what does not, and for how long."""

from __future__ import annotations

import asyncio

import pytest
from tests.middleware.circuit_breaker.bench import REQUEST, Bench, failing, run, slowly

from lamellar import CallContext, ChatOptions, Chunk, ErrorKind, RejectedError, StreamInterruptedError
from lamellar.middleware import CircuitBreaker, Timeout
from lamellar.testing import Hang, Scripted, answer
from lamellar.verdicts import VERDICTS

BUSY = failing()
OF_KEY_AND_MODEL = ("unauthorized", "permission_denied", "model_not_found")


def test_failures_in_a_row_open_it_and_it_refuses_at_once():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=3, open_for=20), BUSY, BUSY, BUSY, target=True)
        assert [await bench.ask() for _ in range(3)] == ["overloaded"] * 3
        await asyncio.sleep(5)
        error = await bench.refusal()
        assert error.target == "here"
        assert error.retry_after == pytest.approx(15)
        assert error.message == (
            "the circuit of 'here (own)' is open after 3 failures in a row (overloaded); the next probe may go in 15 s"
        )
        assert (error.retryable, error.failover) == (False, True)
        assert [(each.outcome, each.kind, each.target) for each in error.attempts] == [
            ("refused", "circuit_open", "here")
        ]

    run(scenario)


def test_a_success_breaks_the_row():
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=2, failure_ratio=None)
        bench = Bench(breaker, BUSY, "ok", BUSY, "ok", BUSY, BUSY)
        assert [await bench.ask() for _ in range(5)] == ["overloaded", "ok", "overloaded", "ok", "overloaded"]
        assert bench.state == "closed"
        await bench.ask()
        assert bench.state == "open"

    run(scenario)


def test_a_share_of_failures_opens_it_once_there_are_calls_enough():
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=None, failure_ratio=0.5, min_calls=4)
        bench = Bench(breaker, BUSY, BUSY, "ok", BUSY)
        for _ in range(3):
            await bench.ask()
        assert bench.state == "closed", "three calls say nothing yet"
        await bench.ask()
        assert bench.state == "open"
        assert "after 3 failures in 4 calls" in (await bench.refusal()).message

    run(scenario)


def test_a_share_below_the_ratio_does_not_open_it():
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=None, failure_ratio=0.5, min_calls=2)
        bench = Bench(breaker, *["ok", "ok", "ok", BUSY] * 5)
        for _ in range(20):
            await bench.ask()
        assert bench.circuit() == {
            "state": "closed",
            "failures": 5,
            "calls": 20,
            "in_a_row": 1,
            "probe_in": None,
            "probes": 0,
        }

    run(scenario)


def test_what_is_older_than_the_window_is_forgotten():
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=None, failure_ratio=0.5, min_calls=4, window=30)
        bench = Bench(breaker, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY)
        for _ in range(3):
            await bench.ask()
        await asyncio.sleep(31)
        for _ in range(3):
            await bench.ask()
        assert bench.circuit()["calls"] == 3
        assert bench.state == "closed"
        await asyncio.sleep(20)
        await bench.ask()
        assert bench.state == "open", "these four lie within 30 s"

    run(scenario)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in OF_KEY_AND_MODEL])
@pytest.mark.failure(21)
def test_only_the_providers_faults_count(kind: ErrorKind):
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), failing(kind), target=True)
        await bench.ask()
        opened = bench.circuit("own")["state"] == "open"
        assert opened == VERDICTS[kind].counts_against_health

    run(scenario)


@pytest.mark.parametrize(("said", "state"), [(True, "open"), (False, "closed")])
def test_an_error_that_knows_better_is_believed(said: bool, state: str):
    async def scenario():
        kind = "invalid_request" if said else "server_error"
        bench = Bench(CircuitBreaker(consecutive_failures=1), failing(kind, counts_against_health=said))
        await bench.ask()
        assert bench.state == state

    run(scenario)


def test_rate_limits_count_where_that_is_asked():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1, count_rate_limits=True), failing("rate_limited"))
        await bench.ask()
        assert bench.state == "open"

    run(scenario)


@pytest.mark.parametrize("kind", OF_KEY_AND_MODEL)
def test_key_and_model_count_when_they_are_the_targets_own(kind: str):
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=1)
        own = Bench(breaker, failing(kind), target=True)
        await own.ask()
        assert own.circuit("own")["state"] == "open"

        callers = Bench(breaker, failing(kind))
        await callers.ask()
        assert callers.state == "closed", "the caller has named the model"

        with_key = Bench(breaker, failing(kind), target=True)
        await with_key.ask(options=ChatOptions(extra_headers={"Authorization": "Bearer mine"}))
        assert with_key.circuit("own")["state"] == "closed", "the caller has brought a key"

    run(scenario)


def test_a_refusal_below_is_no_failure():
    async def scenario():
        refusal = RejectedError("queue_full", "no room")
        bench = Bench(CircuitBreaker(consecutive_failures=1), refusal)
        assert await bench.ask() == "queue_full"
        assert bench.state == "closed"

    run(scenario)


def test_the_callers_own_haste_is_no_failure():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), Scripted((), (Hang(),)), Scripted((), (Hang(),)))
        assert await bench.ask(options=ChatOptions(call=CallContext(timeout=0.5))) == "deadline"
        call = bench.start()
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert bench.state == "closed"

    run(scenario)


def test_a_limit_of_the_attempt_is_a_failure():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), Scripted((), (Hang(),)), below=(Timeout(attempt=3),))
        assert await bench.ask() == "timeout"
        assert bench.state == "open"

    run(scenario)


def test_what_was_seen_before_time_began_anew_is_forgotten():
    bench = None

    async def fails():
        nonlocal bench
        breaker = CircuitBreaker(consecutive_failures=None, failure_ratio=0.5, min_calls=4)
        bench = Bench(breaker, BUSY, BUSY, BUSY, BUSY)
        await asyncio.sleep(1000)
        for _ in range(3):
            await bench.ask()

    async def fails_again():
        await bench.ask()
        assert bench.circuit()["calls"] == 1
        assert bench.state == "closed"

    run(fails)
    run(fails_again)


# -- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_is_judged_at_its_end():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=2, failure_ratio=None), BUSY, answer(["a", "b"]), BUSY, BUSY)
        await bench.ask()
        stream = await bench.stream()
        assert bench.circuit()["in_a_row"] == 1, "it has begun well, which says nothing yet"
        await stream.collect()
        assert bench.circuit()["in_a_row"] == 0

    run(scenario)


@pytest.mark.parametrize(("kind", "state"), [("overloaded", "open"), ("connection", "open"), ("empty", "closed")])
def test_an_interruption_counts_by_its_cause(kind: str, state: str):
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), [Chunk("a"), failing(kind)])
        with pytest.raises(StreamInterruptedError):
            await (await bench.stream()).collect()
        assert bench.state == state

    run(scenario)


def test_a_stream_that_is_cut_off_counts():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), [Chunk("a")])
        with pytest.raises(StreamInterruptedError):
            await (await bench.stream()).collect()
        assert bench.state == "open"

    run(scenario)


def test_a_stream_that_is_left_is_no_verdict():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=2), BUSY, [Chunk("a"), Hang()], BUSY)
        await bench.ask()
        async with await bench.stream():
            pass
        assert bench.circuit()["in_a_row"] == 1
        assert bench.circuit()["calls"] == 1

    run(scenario)


# -- for how long ----------------------------------------------------------------------------------------------------


@pytest.mark.failure(13)
def test_an_exhausted_quota_opens_it_at_once_and_for_long():
    async def scenario():
        bench = Bench(CircuitBreaker(quota_open_for=200), failing("quota_exhausted"), "ok")
        await bench.ask()
        error = await bench.refusal()
        assert error.retry_after == pytest.approx(200)
        assert "is open after an exhausted quota" in error.message
        await asyncio.sleep(199)
        await bench.refusal()
        await asyncio.sleep(1)
        assert await bench.ask() == "ok"

    run(scenario)


def test_a_quota_may_count_as_any_failure():
    async def scenario():
        spent = failing("quota_exhausted")
        bench = Bench(CircuitBreaker(quota_open_for=None, consecutive_failures=2), spent, spent)
        await bench.ask()
        assert bench.state == "closed"
        await bench.ask()
        assert bench.circuit()["probe_in"] == pytest.approx(15)

    run(scenario)


@pytest.mark.failure(21)
def test_of_two_ends_the_later_one_holds():
    async def scenario():
        bench = Bench(
            CircuitBreaker(consecutive_failures=1, open_for=10, quota_open_for=100),
            slowly(2, failing("quota_exhausted")),
            slowly(3, BUSY),
            BUSY,
        )
        late = [bench.start(), bench.start()]
        await asyncio.sleep(1)
        await bench.ask()
        assert bench.circuit()["probe_in"] == pytest.approx(10)
        await asyncio.sleep(1.5)
        assert bench.circuit()["probe_in"] == pytest.approx(99.5), "an empty account is news"
        await asyncio.gather(*late)
        assert bench.circuit()["probe_in"] == pytest.approx(99), "a failure of before is none"

    run(scenario)


@pytest.mark.parametrize(("hint", "expected"), [(None, 15), (5, 15), (40, 40), (3600, 60)])
def test_a_hint_is_kept_to_within_reason(hint: float | None, expected: float):
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), failing(retry_after=hint))
        await bench.ask()
        assert (await bench.refusal()).retry_after == pytest.approx(expected)

    run(scenario)


def test_failed_probes_may_lengthen_it():
    async def scenario():
        breaker = CircuitBreaker(consecutive_failures=1, open_for=10, open_max=35)
        bench = Bench(breaker, BUSY, BUSY, BUSY, BUSY, "ok", BUSY)
        ends = []
        for _ in range(4):
            await bench.ask()
            ends.append(bench.circuit()["probe_in"])
            await asyncio.sleep(ends[-1])
        assert ends == pytest.approx([10, 20, 35, 35])
        assert await bench.ask() == "ok"
        await bench.ask()
        assert bench.circuit()["probe_in"] == pytest.approx(10), "once it was well, it begins anew"

    run(scenario)


def test_without_a_bound_it_stays_the_same():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), *[BUSY] * 4)
        for _ in range(4):
            await bench.ask()
            assert bench.circuit()["probe_in"] == pytest.approx(15)
            await asyncio.sleep(15)

    run(scenario)


def test_a_call_of_before_says_nothing_afterwards():
    async def scenario():
        script = [slowly(30, BUSY), slowly(31), BUSY, "ok", BUSY]
        bench = Bench(CircuitBreaker(consecutive_failures=1, failure_ratio=None, open_for=10), *script)
        late = [bench.start(), bench.start()]
        await asyncio.sleep(1)
        await bench.ask()
        await asyncio.sleep(10)
        assert await bench.ask() == "ok"
        assert bench.state == "closed"
        await asyncio.gather(*late)
        assert bench.circuit()["calls"] == 0
        assert bench.state == "closed"

    run(scenario)


def test_it_works_outside_of_a_stack():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1, open_for=10), BUSY, "ok")
        plate = bench.executor.inner
        for expected in ("overloaded", "circuit_open"):
            with pytest.raises(Exception, match=expected) as caught:
                await plate.exec_chat_response("m", REQUEST)
            assert caught.value.kind == expected
        await asyncio.sleep(10)
        assert (await plate.exec_chat_response("m", REQUEST)).text == "ok"

    run(scenario)
