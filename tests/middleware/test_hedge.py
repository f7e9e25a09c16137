"""Hedge: when another target is asked, and what an error means to the race."""

from __future__ import annotations

import asyncio

import pytest
from tests.middleware.composites import SILENT, after, answered, failing, leaf, now, others, tries

from lamellar import (
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    Stack,
    Target,
)
from lamellar.middleware import Hedge, HedgeBudget
from lamellar.providers import OpenAI
from lamellar.testing import Scripted, run_virtual

# -- when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_in_time_asks_nobody_else(stream: bool) -> None:
    second = leaf("b")

    async def main() -> None:
        async with Stack(Hedge(leaf("a", after(1.9)), second)).build() as executor:
            response = await answered(executor, stream=stream)
            assert tries(response.attempts) == [("a", "completed", 1.9)]
            assert not second.calls
            assert not others()

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
def test_after_the_delay_the_next_is_asked_and_the_first_to_answer_wins(stream: bool) -> None:
    first, second = leaf("a", SILENT), leaf("b", after(1))

    async def main() -> None:
        async with Stack(Hedge(first, second, delay="3s")).build() as executor:
            response = await answered(executor, stream=stream)
            assert (response.provider, now()) == ("b", 4)
            assert tries(response.attempts) == [("a", "cancelled", 4), ("b", "completed", 1)]
            assert first.open_streams == 0
            assert not others()

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_may_still_win(stream: bool) -> None:
    async def main() -> None:
        async with Stack(Hedge(leaf("a", after(4)), leaf("b", after(9)), delay=3)).build() as executor:
            response = await answered(executor, stream=stream)
            assert (response.provider, now()) == ("a", 4)
            assert tries(response.attempts) == [("a", "completed", 4), ("b", "cancelled", 1)]

    run_virtual(main())


def test_a_stream_wins_by_its_first_content_not_by_its_end() -> None:
    long = Scripted((Chunk("a"), *[lambda: asyncio.sleep(5), Chunk("a")] * 4, End()))

    async def main() -> None:
        second = leaf("b")
        async with Stack(Hedge(leaf("a", long), second, delay=3)).build() as executor:
            assert (await answered(executor, stream=True)).text == "aaaaa"
            assert not second.calls
            assert (await answered(executor)).provider == "b", "a whole answer has to be whole"

    run_virtual(main())


def test_no_delay_asks_both_at_once_and_at_most_so_many_are_at_work() -> None:
    leaves = [leaf(name, after(seconds)) for name, seconds in (("a", 9), ("b", 8), ("c", 7), ("d", 1))]

    async def main() -> None:
        async with Stack(Hedge(*leaves, delay=0, max_parallel=3)).build() as executor:
            assert ((await answered(executor)).provider, now()) == ("c", 7)
            assert not leaves[3].calls

    run_virtual(main())


def test_each_later_one_is_asked_a_delay_after_the_one_before() -> None:
    async def main() -> None:
        leaves = [leaf("a", SILENT), leaf("b", SILENT), leaf("c")]
        async with Stack(Hedge(*leaves, delay=2, max_parallel=3)).build() as executor:
            assert ((await answered(executor)).provider, now()) == ("c", 4)

    run_virtual(main())


@pytest.mark.parametrize("said", [{"store": True}, {"previous_response_id": "resp_1"}])
def test_what_leaves_something_behind_is_never_hedged(said: dict) -> None:
    first, second = leaf("a", after(10), failing(), repeat=False), leaf("b")

    async def main() -> None:
        async with Stack(Hedge(first, second, delay=1)).build() as executor:
            assert (await answered(executor, **said)).provider == "a"
            assert not second.calls
            assert (await answered(executor, **said)).provider == "b", "a failure goes on all the same"
            assert executor.snapshot()["stack"]["hedge"]["calls"] == 0

    run_virtual(main())


def test_requests_that_say_not_to_store_are_hedged() -> None:
    async def main() -> None:
        async with Stack(Hedge(leaf("a", SILENT), leaf("b"), delay=1)).build() as executor:
            assert (await answered(executor, store=False)).provider == "b"

    run_virtual(main())


def test_a_percentile_is_learned_from_the_first_target() -> None:
    times = [0.1 * number for number in range(1, 21)]
    first = leaf("a", *[after(seconds) for seconds in times], SILENT)

    async def main() -> None:
        async with Stack(Hedge(first, leaf("b"), percentile=0.9, delay=60)).build() as executor:
            for seconds in times:
                assert executor.snapshot()["stack"]["hedge"]["delay"] == 60
                assert (await answered(executor)).attempts[0].latency == pytest.approx(seconds)
            assert executor.snapshot()["stack"]["hedge"]["delay"] == pytest.approx(1.8)
            assert executor.snapshot()["stack"]["hedge"]["delay_of_streams"] == 60, "streams are another matter"
            began = now()
            assert (await answered(executor)).provider == "b"
            assert now() - began == pytest.approx(1.8)
            for _ in range(20):  # a loser counts as slower than it was given
                await answered(executor)
            assert executor.snapshot()["stack"]["hedge"]["delay"] >= 1.8
            executor.reset("stack")
            assert executor.snapshot()["stack"]["hedge"]["delay"] == 60

    run_virtual(main())


def test_the_budget_bounds_hedges_over_all_calls() -> None:
    async def main() -> None:
        first, second = leaf("a", after(5)), leaf("b", after(1))
        budget = HedgeBudget(ratio=0.2, min_per_second=0, window=10_000)
        async with Stack(Hedge(first, second, delay=1, budget=budget)).build() as executor:
            providers = [(await answered(executor)).provider for _ in range(20)]
            assert providers == ["a", "a", "a", "a", "b"] * 4
            state = executor.snapshot()["stack"]["hedge"]
            assert (state["calls"], state["hedged"], state["won"]) == (20, 4, 4)

    run_virtual(main())


# -- failures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_delay_asks_the_next_at_once(stream: bool) -> None:
    async def main() -> None:
        async with Stack(Hedge(leaf("a", failing()), leaf("b"), delay=5)).build() as executor:
            response = await answered(executor, stream=stream)
            assert (response.provider, now()) == ("b", 0)
            assert [each.kind for each in response.attempts] == [ErrorKind.SERVER_ERROR, None]
            assert executor.snapshot()["stack"]["hedge"]["hedged"] == 0

    run_virtual(main())


@pytest.mark.parametrize(
    ("rules", "kind", "goes_on"),
    [
        ({}, "invalid_request", False),
        ({"server_error": False}, "server_error", False),
        ({"content_filtered": True}, "content_filtered", True),
    ],
)
def test_the_verdict_and_the_rules_say_whether(rules: dict, kind: str, goes_on: bool) -> None:
    second = leaf("b")

    async def main() -> None:
        async with Stack(Hedge(leaf("a", failing(kind)), second, rules=rules)).build() as executor:
            if goes_on:
                assert (await answered(executor)).provider == "b"
            else:
                with pytest.raises(ExecutorError):
                    await answered(executor)
        assert bool(second.calls) is goes_on

    run_virtual(main())


def test_a_final_error_of_the_first_ends_the_call_whoever_is_at_work() -> None:
    async def main() -> None:
        second = leaf("b", after(9))
        async with Stack(Hedge(leaf("a", after(2, failing("content_filtered"))), second, delay=1)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await answered(executor)
            assert caught.value.kind is ErrorKind.CONTENT_FILTERED
            assert tries(caught.value.attempts) == [("a", "failed", 2), ("b", "cancelled", 1)]

    run_virtual(main())


def test_a_hedge_that_fails_does_no_harm() -> None:
    async def main() -> None:
        third = leaf("c")
        stack = Stack(Hedge(leaf("a", after(4)), leaf("b", failing("invalid_request")), third, delay=1))
        async with stack.build() as executor:
            assert ((await answered(executor)).provider, now()) == ("a", 4)
        assert not third.calls, "and that error says that no other would do better"

    run_virtual(main())


def test_when_all_fail_the_decisive_error_is_raised() -> None:
    busy = failing("overloaded")

    async def main() -> None:
        stack = Stack(Hedge(leaf("a", after(3, busy)), leaf("b", after(1, failing("unauthorized"))), delay=1))
        async with stack.build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await answered(executor)
            assert caught.value is busy
            assert [each.kind for each in busy.attempts] == [ErrorKind.OVERLOADED, ErrorKind.UNAUTHORIZED]
            assert now() == 3

    run_virtual(main())


def test_a_mistake_is_told_at_once() -> None:
    async def main() -> None:
        async with Stack(Hedge(leaf("a", ConfigError("no key")), leaf("b"))).build() as executor:
            with pytest.raises(ConfigError, match="no key"):
                await answered(executor)
            assert not others()

    run_virtual(main())


# -- the spec ---------------------------------------------------------------------------------------------------


def test_it_is_the_same_in_yaml() -> None:
    assert Stack.loads("""
executor:
  hedge:
    targets: [openai, {executor: openai, model: m}]
    delay: 500ms
    percentile: 0.95
    budget: {ratio: 0.05}
""") == Stack(Hedge(OpenAI(), Target(OpenAI(), model="m"), delay=0.5, percentile=0.95, budget=HedgeBudget(ratio=0.05)))


def test_only_its_targets_change_an_answer() -> None:
    assert Hedge(OpenAI(), OpenAI()).identity() == Hedge(OpenAI(), OpenAI(), delay=9, percentile=0.5).identity()
    assert Hedge(OpenAI(), OpenAI()).identity() != Hedge(OpenAI(), OpenAI(), OpenAI()).identity()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Hedge, "at least 2 targets, and got 0"),
        (lambda: Hedge(OpenAI()), "at least 2 targets, and got 1"),
        (lambda: Hedge(OpenAI(), targets=()), "by position or by name"),
        (lambda: Hedge(OpenAI(), OpenAI(), max_parallel=1), "max_parallel"),
        (lambda: Hedge(OpenAI(), OpenAI(), percentile=95), "percentile"),
        (lambda: Hedge(OpenAI(), OpenAI(), percentile=0.9, delay=0), "waits for none"),
        (lambda: Hedge(OpenAI(), OpenAI(), delay="soon"), "delay"),
        (lambda: Hedge(OpenAI(), OpenAI(), rules={"overloadd": True}), "did you mean 'overloaded'"),
    ],
)
def test_wrong_options_are_named(make: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
