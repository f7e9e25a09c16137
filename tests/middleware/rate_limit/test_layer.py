"""The layer in a stack: who waits, who is refused, and what is recorded."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ErrorKind,
    ExecutorError,
    Stack,
    Target,
)
from lamellar.middleware import Fallback, RateLimit, RateLimiter, RateLimitEvent, Retry, Timeout
from lamellar.scope import CallScope, use_scope
from lamellar.testing import ManualClock, ScriptedExecutor, run_virtual
from lamellar_middleware.rate_limit import RateLimitExecutor

from .support import REQUEST, limiter_of, tagged, timed

# -- waiting -----------------------------------------------------------------------------------------------------


def test_a_burst_of_twenty_goes_through_evenly_and_the_waits_are_on_the_record() -> None:
    leaf = ScriptedExecutor("fine", repeat=True)

    async def main() -> list[tuple[float, object]]:
        async with Stack(RateLimit(requests_per_second=10), leaf).build() as executor:
            return await asyncio.gather(*[timed(executor) for _ in range(20)])

    done = run_virtual(main())
    assert [when for when, _ in done] == pytest.approx([number / 10 for number in range(20)], abs=1e-3)
    assert [response.attempts[0].waited for _, response in done] == pytest.approx(
        [number / 10 for number in range(20)], abs=1e-3
    )
    assert len(leaf.calls) == 20


@pytest.mark.parametrize(
    ("options", "at_once", "times"),
    [
        ({"requests_per_minute": 10}, 1, {1: 6, 9: 54, 10: 60}),
        ({"requests_per_minute": 10, "burst": 0.5}, 5, {5: 6, 9: 30, 10: 60, 14: 60, 15: 66}),
        ({"requests_per_minute": 10, "burst": 1.0}, 10, {10: 60, 19: 60, 20: 120}),
        ({"requests_per_minute": 1}, 1, {1: 60, 2: 120}),
        ({"requests_per_second": 3, "burst": 0.01}, 1, {1: 1 / 3, 2: 2 / 3, 3: 1}),
        ({"requests_per_second": 2, "requests_per_minute": 4, "burst": 1}, 2, {2: 1, 3: 1, 4: 60, 5: 60, 6: 61}),
    ],
)
def test_a_share_comes_at_once_and_the_rest_evenly(options: dict, at_once: int, times: dict[int, float]) -> None:
    async def main() -> list[float]:
        async with Stack(RateLimit(**options), ScriptedExecutor("fine", repeat=True)).build() as executor:
            return [when for when, _ in await asyncio.gather(*[timed(executor) for _ in range(max(times) + 1)])]

    came = run_virtual(main())
    assert came[:at_once] == [0] * at_once
    assert {number: came[number] for number in times} == pytest.approx(times, abs=1e-3)


def test_a_call_that_waits_is_told_to_the_hook_whose_errors_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[RateLimitEvent] = []

    def hook(event: RateLimitEvent) -> None:
        told.append(event)
        raise ValueError("broken hook")

    async def main() -> None:
        layer = RateLimit(requests_per_minute=60, burst=0.01, on_wait=hook)
        async with Stack(layer, ScriptedExecutor("fine", repeat=True)).build() as executor:
            assert [(await each)[0] for each in [timed(executor)]] == [0]
            assert told == [], "who does not wait is not told"
            await asyncio.gather(timed(executor), timed(executor))

    run_virtual(main())
    assert [(each.limit, each.before, each.tokens, each.model, each.name) for each in told] == [
        ("60 requests per minute", 0, 0, "m", "scripted"),
        ("60 requests per minute", 1, 0, "m", "scripted"),
    ]
    assert [each.wait for each in told] == pytest.approx([1, 2], abs=1e-3)
    assert "on_wait hook failed" in caplog.text


def test_each_retry_reserves_anew() -> None:
    leaf = ScriptedExecutor(ExecutorError("server_error", "no"), "fine")

    async def main() -> object:
        async with Stack(Retry(initial=0, max=0), RateLimit(requests_per_second=1), leaf).build() as executor:
            _, response = await timed(executor)
            return response

    response = run_virtual(main())
    assert [attempt.waited for attempt in response.attempts] == pytest.approx([0, 1], abs=1e-3)


def test_who_watches_the_call_is_told_of_the_wait() -> None:
    notes = []

    class Observer:
        def attempt_began(self, live: object, leaf: object) -> None: ...
        def note(self, name: str, value: object) -> None:
            notes.append((name, value))

    async def main() -> None:
        clock = ManualClock()
        layer = RateLimit(requests_per_second=1)
        executor = RateLimitExecutor(ScriptedExecutor("fine", repeat=True), layer, RateLimiter(layer, clock), None)
        with use_scope(CallScope.open(clock, None).observed_by(Observer())):
            await executor.exec_chat_response("m", REQUEST)
            await clock.run(executor.exec_chat_response("m", REQUEST))

    asyncio.run(main())
    assert notes == [("lamellar.ratelimit.wait", pytest.approx(1, abs=1e-3))]


# -- refusals ----------------------------------------------------------------------------------------------------


def test_a_wait_that_would_outlast_the_call_is_refused_at_once_and_consumes_nothing() -> None:
    leaf = ScriptedExecutor("fine", repeat=True)

    async def main() -> None:
        async with Stack(Timeout(total=5), RateLimit(requests_per_minute=6), leaf).build() as executor:
            await timed(executor)
            before = limiter_of(executor).levels()
            when, error = await timed(executor)
            assert (when, error.kind) == (0, ErrorKind.LIMITER_DEADLINE)
            assert error.retry_after == pytest.approx(10, abs=1e-3)
            assert "6 requests per minute would have this call wait for 10 s" in str(error)
            assert limiter_of(executor).levels() == before
            await asyncio.sleep(5.5)
            when, response = await timed(executor)
            assert (round(when, 2), response.text) == (10, "fine"), "what is left of the call decides"

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_everyone_ahead_counts() -> None:
    async def main() -> None:
        async with Stack(RateLimit(requests_per_second=1), ScriptedExecutor("fine", repeat=True)).build() as executor:
            waiting = [asyncio.create_task(timed(executor)) for _ in range(4)]
            await asyncio.sleep(0)
            when, error = await timed(executor, options=ChatOptions(call=CallContext(timeout=3.5)))
            assert (when, error.kind) == (0, ErrorKind.LIMITER_DEADLINE)
            when, response = await timed(executor, options=ChatOptions(call=CallContext(timeout=4.5)))
            assert (round(when, 2), response.text) == (4, "fine")
            await asyncio.gather(*waiting)

    run_virtual(main())


def test_max_wait_bounds_a_wait_of_a_call_without_a_deadline() -> None:
    async def main() -> list[tuple[float, object]]:
        layer = RateLimit(requests_per_second=1, max_wait="1500ms")
        async with Stack(layer, ScriptedExecutor("fine", repeat=True)).build() as executor:
            return await asyncio.gather(*[timed(executor) for _ in range(3)])

    (_, first), (when, second), (refused_at, third) = run_virtual(main())
    assert (first.text, second.text, round(when, 2)) == ("fine", "fine", 1)
    assert (third.kind, refused_at) == (ErrorKind.LIMITER_DEADLINE, 0)


@pytest.mark.parametrize(("max_wait", "timeout"), [(1.5, 100), (100, 1.5)])
def test_the_sooner_of_deadline_and_max_wait_holds(max_wait: float, timeout: float) -> None:
    async def main() -> list[tuple[float, object]]:
        layer = RateLimit(requests_per_second=1, max_wait=max_wait)
        options = ChatOptions(call=CallContext(timeout=timeout))
        async with Stack(layer, ScriptedExecutor("fine", repeat=True)).build() as executor:
            return await asyncio.gather(*[timed(executor, options=options) for _ in range(3)])

    assert [getattr(each, "kind", None) for _, each in run_virtual(main())] == [None, None, ErrorKind.LIMITER_DEADLINE]


def test_a_grant_at_the_very_end_of_the_call_is_none() -> None:
    async def main() -> object:
        async with Stack(RateLimit(requests_per_second=1), ScriptedExecutor("fine", repeat=True)).build() as executor:
            await timed(executor)
            return (await timed(executor, options=ChatOptions(call=CallContext(timeout=1.0005))))[1]

    assert run_virtual(main()).kind is ErrorKind.LIMITER_DEADLINE


def test_a_full_queue_refuses() -> None:
    async def main() -> None:
        layer = RateLimit(requests_per_second=1, max_queue=2)
        async with Stack(layer, ScriptedExecutor("fine", repeat=True)).build() as executor:
            done = await asyncio.gather(*[timed(executor) for _ in range(4)])
        assert [getattr(each, "kind", None) for _, each in done] == [None, None, None, ErrorKind.QUEUE_FULL]
        assert "2 calls wait" in str(done[3][1])

    run_virtual(main())


def test_a_refusal_is_one_record_with_and_without_a_fallback() -> None:
    leaf, spare = ScriptedExecutor("fine", repeat=True), ScriptedExecutor("spare", name="spare", repeat=True)
    limited = RateLimit(requests_per_minute=1, max_wait=1)

    async def main() -> None:
        async with Stack(limited, leaf).build() as executor:
            await timed(executor)
            _, error = await timed(executor)
            assert [(each.target, each.outcome, each.kind) for each in error.attempts] == [
                ("scripted", "refused", ErrorKind.LIMITER_DEADLINE)
            ]
            assert error.attempts[0].retry_after == pytest.approx(60, abs=1e-3)
        fallback = Fallback(Target(Retry(), limited, leaf, model="theirs", name="main"), Target(spare, name="spare"))
        async with Stack(fallback).build() as executor:
            await timed(executor)
            _, response = await timed(executor)
            assert [(each.number, each.target, each.model, each.outcome, each.kind) for each in response.attempts] == [
                (1, "main", "theirs", "refused", ErrorKind.LIMITER_DEADLINE),
                (2, "spare", "m", "completed", None),
            ]

    run_virtual(main())


def test_a_retry_that_is_refused_is_on_the_record_and_its_error_is_the_providers() -> None:
    leaf = ScriptedExecutor(ExecutorError("server_error", "no"), "never")
    stack = Stack(
        Fallback(Target(Retry(initial=0, max=0), RateLimit(requests_per_minute=1, max_wait=1), leaf, name="t"))
    )

    async def main() -> object:
        async with stack.build() as executor:
            return (await timed(executor))[1]

    error = run_virtual(main())
    assert error.kind is ErrorKind.SERVER_ERROR
    assert [(each.target, each.outcome) for each in error.attempts] == [("t", "failed"), ("t", "refused")]


def test_a_refusal_names_its_target_and_its_key() -> None:
    layer = RateLimit(requests_per_minute=1, max_wait=1, per=("model", "tag:team"))
    stack = Stack(Fallback(Target(layer, ScriptedExecutor("fine", repeat=True), name="main")))

    async def main() -> object:
        async with stack.build() as executor:
            await timed(executor, "gpt", tagged(team="red"))
            return (await timed(executor, "gpt", tagged(team="red")))[1]

    error = run_virtual(main())
    assert error.target == "main"
    assert "1 request per minute of model=gpt, tag:team=red" in str(error)
