"""What a plate has learned goes on in the new stack where its options did not change; and what holds on any options."""

from __future__ import annotations

import asyncio

import pytest
from tests.reload.held import Held, watched

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ConfigError,
    ErrorKind,
    ExecutorError,
    LayerSpec,
    RejectedError,
    Stack,
    Target,
)
from lamellar.middleware import (
    Balance,
    Budget,
    Cache,
    CircuitBreaker,
    ConcurrencyLimit,
    Fallback,
    Hedge,
    RateLimit,
    Retry,
)
from lamellar.reload import WatchedExecutor
from lamellar.testing import Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")
SHORT = ChatOptions(call=CallContext(timeout=1))


async def ask(executor: WatchedExecutor, options: ChatOptions | None = None, model: str = "m") -> str:
    return (await executor.exec_chat_response(model, REQUEST, options)).text


def leaf(text: str = "fine") -> ScriptedExecutor:
    return ScriptedExecutor(text, repeat=True)


def slow(seconds: float, text: str = "fine") -> ScriptedExecutor:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return ScriptedExecutor(answer(text, opening=(wait,)), repeat=True)


def failing(kind: str = "server_error", **said: object) -> ScriptedExecutor:
    return ScriptedExecutor(ExecutorError(kind, "no", **said), repeat=True)  # type: ignore[arg-type]


def turn(executor: WatchedExecutor, held: Held, *plates: object) -> None:
    held.stack = Stack(*plates)
    assert executor.reload().error is None


# -- pauses, levels, permits, circuits, answers, money -----------------------------------------------------------------

PAUSED = RateLimit(requests_per_minute=600)


@pytest.mark.parametrize(
    "after",
    [PAUSED, RateLimit(requests_per_minute=60), RateLimit(), RateLimit(tokens_per_minute=10)],
    ids=["the same", "another limit", "no limit", "another unit"],
)
def test_a_pause_that_the_provider_asked_for_holds_on_any_terms(after: RateLimit) -> None:
    async def main() -> None:
        executor, held = watched(PAUSED, failing("rate_limited", retry_after=30.0))
        async with executor:
            with pytest.raises(ExecutorError):
                await ask(executor)
            turn(executor, held, Retry(), after, leaf("after"))
            with pytest.raises(RejectedError) as refused:
                await ask(executor, SHORT)
            assert refused.value.kind is ErrorKind.LIMITER_DEADLINE
            began = asyncio.get_running_loop().time()
            assert await ask(executor) == "after"
            assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.1)

    run_virtual(main())


@pytest.mark.parametrize(("after", "wait"), [(3, 60.0), (4, 0.0), (2, 60.0), (30, 0.0)])
def test_what_was_used_of_a_limit_stays_used_of_a_higher_or_lower_one(after: int, wait: float) -> None:
    async def main() -> None:
        executor, held = watched(RateLimit(requests_per_minute=3, burst=1), leaf())
        async with executor:
            for _ in range(3):
                await ask(executor)
            turn(executor, held, RateLimit(requests_per_minute=after, burst=1), leaf())
            began = asyncio.get_running_loop().time()
            await ask(executor)
            took = asyncio.get_running_loop().time() - began
            assert (took > 0) == (wait > 0)
            assert took <= wait + 1

    run_virtual(main())


def test_limits_kept_apart_in_another_way_begin_anew() -> None:
    async def main() -> None:
        executor, held = watched(RateLimit(requests_per_minute=1, per="model"), leaf())
        async with executor:
            await ask(executor)
            turn(executor, held, RateLimit(requests_per_minute=1, per="model"), leaf())
            with pytest.raises(RejectedError):
                await ask(executor, SHORT)
            await ask(executor, SHORT, "another")
            turn(executor, held, RateLimit(requests_per_minute=1), leaf())
            await ask(executor, SHORT)

    run_virtual(main())


@pytest.mark.parametrize(("limit", "free"), [(2, 0), (1, -1), (3, 1)])
def test_permits_of_calls_under_way_count_whatever_the_limit_is_now(limit: int, free: int) -> None:
    async def main() -> None:
        executor, held = watched(ConcurrencyLimit(limit=2, max_queue=10), slow(10))
        async with executor:
            under_way = [asyncio.create_task(ask(executor)) for _ in range(2)]
            await asyncio.sleep(1)
            turn(executor, held, ConcurrencyLimit(limit=limit, max_queue=10), leaf())
            state = executor.snapshot()["stack"]["concurrency_limit"]
            assert isinstance(state, dict)
            assert "'in_use': 2" in str(state)
            if free > 0:
                assert await ask(executor, SHORT) == "fine"
            else:
                with pytest.raises(RejectedError):
                    await ask(executor, SHORT)
            waiting = [asyncio.create_task(ask(executor)) for _ in range(3)]
            assert await asyncio.gather(*under_way, *waiting) == ["fine"] * 5
            assert "'in_use': 0" in str(executor.snapshot()["stack"]["concurrency_limit"])

    run_virtual(main())


def test_through_several_limits_no_permit_is_lost_or_made() -> None:
    async def main() -> None:
        executor, held = watched(ConcurrencyLimit(limit=4), slow(10))
        async with executor:
            calls = [asyncio.create_task(ask(executor)) for _ in range(4)]
            for limit in (3, 2, 5, 1):
                await asyncio.sleep(1)
                turn(executor, held, ConcurrencyLimit(limit=limit), slow(10))
                calls.append(asyncio.create_task(ask(executor)))
            await asyncio.sleep(0)
            assert "'in_use': 5" in str(executor.snapshot()["stack"]["concurrency_limit"])
            assert await asyncio.gather(*calls) == ["fine"] * 8
            assert "'in_use': 0" in str(executor.snapshot()["stack"]["concurrency_limit"])

    run_virtual(main())


def test_an_open_circuit_stays_open_and_begins_anew_on_other_options() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(consecutive_failures=1)
        executor, held = watched(breaker, failing())
        async with executor:
            with pytest.raises(ExecutorError):
                await ask(executor)
            turn(executor, held, Retry(), breaker, leaf())
            with pytest.raises(RejectedError, match="circuit_open"):
                await ask(executor)
            turn(executor, held, CircuitBreaker(consecutive_failures=2), leaf())
            assert await ask(executor) == "fine"

    run_virtual(main())


@pytest.mark.parametrize(
    ("after", "hit"),
    [
        (Cache(ttl="10m"), True),
        (Cache(ttl="10m", single_flight=False), True),
        (Cache(ttl="5m"), False),
        (Cache(ttl="10m", namespace="other"), False),
    ],
    ids=["the same", "what says nothing of the store", "another ttl", "another namespace"],
)
def test_answers_are_kept_where_they_are_as_good_as_before(after: Cache, hit: bool) -> None:
    async def main() -> None:
        inner = leaf()
        executor, held = watched(Cache(ttl="10m"), inner)
        async with executor:
            await ask(executor)
            turn(executor, held, Retry(), after, inner)
            response = await executor.exec_chat_response("m", REQUEST)
            assert response.cached is hit

    run_virtual(main())


def test_an_answer_of_another_model_is_not_served() -> None:
    async def main() -> None:
        executor, held = watched(Cache(), leaf("a"))
        async with executor:
            assert await ask(executor) == "a"
            turn(executor, held, Cache(), leaf("b"))
            assert await ask(executor) == "b"

    run_virtual(main())


@pytest.mark.parametrize(("tokens", "passes"), [(100, True), (50, True), (15, False), (5, False)])
def test_money_that_is_spent_stays_spent_whatever_the_budget_is_now(tokens: int, passes: bool) -> None:
    async def main() -> None:
        options = ChatOptions(max_tokens=5, call=CallContext(tags={"team": "red"}))
        executor, held = watched(Budget(tokens=100, per="tag:team"), leaf())
        async with executor:
            for _ in range(2):
                await ask(executor, options)  # of 5 tokens each
            turn(executor, held, Budget(tokens=tokens, per="tag:team", max_keys=7), leaf())
            assert "'red': {'tokens': {'spent': 10" in str(executor.snapshot()["stack"]["budget"])
            if passes:
                assert await ask(executor, options) == "fine"
            else:
                with pytest.raises(RejectedError) as refused:
                    await ask(executor, options)
                assert refused.value.kind is ErrorKind.BUDGET

    run_virtual(main())


def test_what_a_call_under_way_has_set_aside_counts_in_the_new_budget() -> None:
    async def main() -> None:
        options = ChatOptions(max_tokens=500)
        executor, held = watched(Budget(tokens=1000), slow(10))
        async with executor:
            call = asyncio.create_task(ask(executor, options))
            await asyncio.sleep(1)
            turn(executor, held, Budget(tokens=900), leaf())
            with pytest.raises(RejectedError):
                await ask(executor, options)
            await call

    run_virtual(main())


# -- what composites and retries have learned --------------------------------------------------------------------------


def states(executor: WatchedExecutor, name: str, key: str) -> object:
    return executor.snapshot()[name][key]


def test_a_retry_budget_goes_on() -> None:
    async def main() -> None:
        retry = Retry(attempts=2, initial=0, overloaded_initial=0, budget={"ratio": 0, "min_per_second": 0.1})
        inner = failing()
        executor, held = watched(retry, inner)
        async with executor:
            for plates, calls in (((retry, inner), 2), ((Cache(), retry, inner), 1)):
                if plates[0] is not retry:
                    turn(executor, held, *plates)
                before = len(inner.calls)
                with pytest.raises(ExecutorError):
                    await ask(executor)
                assert len(inner.calls) - before == calls

    run_virtual(main())


def test_a_fallback_stays_where_it_was_stuck_and_begins_anew_with_other_targets() -> None:
    async def main() -> None:
        first, second = failing(), leaf("second")
        targets = Target(first, name="a"), Target(second, name="b")
        executor, held = watched(Fallback(*targets, sticky="1h"))
        async with executor:
            await ask(executor)
            turn(executor, held, Retry(attempts=1), Fallback(*targets, sticky="1h"))
            await ask(executor)
            assert len(first.calls) == 1
            turn(executor, held, Fallback(*targets, Target(leaf(), name="c"), sticky="1h"))
            await ask(executor)
            assert len(first.calls) == 2

    run_virtual(main())


def test_a_target_that_was_ejected_stays_out() -> None:
    async def main() -> None:
        first, second = failing(), leaf("second")
        targets = Target(first, name="a"), Target(second, name="b")
        balance = Balance(*targets, ejection={"failures": 1, "max_share": 0.5})
        executor, held = watched(balance)
        async with executor:
            for _ in range(2):
                await ask(executor)
            calls = len(first.calls)
            assert calls
            turn(executor, held, Cache(), balance)
            for model in "abcd":
                assert await ask(executor, model=model) == "second"
            assert len(first.calls) == calls

    run_virtual(main())


def test_a_hedges_delays_go_on() -> None:
    async def main() -> None:
        targets = Target(slow(1), name="a"), Target(leaf(), name="b")
        hedge = Hedge(*targets, delay=5, percentile=0.9)
        executor, held = watched(hedge)
        async with executor:
            for _ in range(20):
                await ask(executor)
            turn(executor, held, Retry(), hedge)
            state = states(executor, "stack", "hedge")
            assert isinstance(state, dict)
            assert state["delay"] == pytest.approx(1, abs=0.01)

    run_virtual(main())


# -- sharing -----------------------------------------------------------------------------------------------------------


def shared_limit(requests: int) -> RateLimit:
    return RateLimit(requests_per_minute=requests, burst=1, share="all")


def both(requests: int) -> Fallback:
    return Fallback(
        Target(shared_limit(requests), failing(), name="a"), Target(shared_limit(requests), leaf(), name="b")
    )


def test_what_the_file_shares_by_name_goes_on_and_may_change() -> None:
    async def main() -> None:
        executor, held = watched(both(2))
        async with executor:
            await ask(executor)
            turn(executor, held, Retry(attempts=1), both(2))
            with pytest.raises(RejectedError):
                await ask(executor, SHORT)
            turn(executor, held, both(4))
            assert await ask(executor, SHORT) == "fine"

    run_virtual(main())


def test_what_other_stacks_share_too_does_not_change_with_the_file() -> None:
    async def main() -> None:
        shared: dict[str, object] = {}
        executor, held = watched(shared_limit(2), leaf(), shared=shared)
        async with executor, Stack(shared_limit(2), leaf()).build(shared=shared) as other:
            await ask(executor)
            held.stack = Stack(shared_limit(3), RateLimit(share="new"), leaf())
            record = executor.reload()
            assert "share: 'all' is shared by" in str(record.error)
            assert shared.keys() == {"all"}  # what was made for a stack that was refused is not there
            await other.exec_chat_response("m", REQUEST)
            with pytest.raises(RejectedError):
                await ask(executor, SHORT)
            turn(executor, held, shared_limit(2), RateLimit(share="new"), leaf())
            assert shared.keys() == {"all", "new"}

    run_virtual(main())


# -- the core ----------------------------------------------------------------------------------------------------------


def test_a_plate_in_another_target_is_another() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(consecutive_failures=1)
        executor, held = watched(Fallback(Target(breaker, failing(), name="a")))
        async with executor:
            with pytest.raises(ExecutorError):
                await ask(executor)
            turn(executor, held, Fallback(Target(breaker, leaf(), name="b")))
            assert await ask(executor) == "fine"
            turn(executor, held, Fallback(Target(breaker, leaf(), name="a")))
            assert await ask(executor) == "fine"  # it was gone for a while, and is forgotten

    run_virtual(main())


def test_a_build_that_fails_leaves_no_trace() -> None:
    class Broken(LayerSpec):
        kind = "broken"

        def wrap(self, inner, context):
            raise ConfigError("broken")

    async def main() -> None:
        breaker = CircuitBreaker(consecutive_failures=2)
        executor, held = watched(breaker, ScriptedExecutor(*[Scripted((), (failing_once(),))] * 2, "fine"))
        async with executor:
            with pytest.raises(ExecutorError):
                await ask(executor)
            held.stack = Stack(Broken(), breaker, leaf())
            assert executor.reload().error is not None
            with pytest.raises(ExecutorError):
                await ask(executor)
            with pytest.raises(RejectedError, match="circuit_open"):
                await ask(executor)

    run_virtual(main())


def failing_once() -> ExecutorError:
    return ExecutorError("server_error", "no")
