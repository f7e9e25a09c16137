"""Balance: which target a call goes to."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from tests.middleware.composites import REQUEST, after, balanced, failing, leaf

from lamellar import (
    CallContext,
    ChatOptions,
    Chunk,
    ConfigError,
    End,
    ExecutorError,
    Outcome,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.middleware import Balance, Ejection
from lamellar.providers import OpenAI
from lamellar.root import StackExecutor
from lamellar.testing import Hang, Scripted, run_virtual


async def call(executor: StackExecutor, options: ChatOptions | None = None) -> str:
    """Who answered, or the kind of the error."""
    try:
        return (await executor.exec_chat_response("m", REQUEST, options)).provider
    except (ExecutorError, RejectedError) as error:
        return error.kind.value


def picks(balance: Balance, calls: int, *, seed: int = 1) -> list[str]:
    """Who answers a number of calls, one after the other."""

    async def main() -> list[str]:
        async with Stack(balance).build(rng=Random(seed)) as executor:
            return [await call(executor) for _ in range(calls)]

    return run_virtual(main())


def loads(executor: StackExecutor) -> list[int]:
    return [state["balance"]["pending"] for name, state in executor.snapshot().items() if name != "stack"]


# -- strategies -------------------------------------------------------------------------------------------------


def test_round_robin_takes_them_in_turn() -> None:
    assert picks(Balance(leaf("a"), leaf("b"), leaf("c")), 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_round_robin_with_weights_is_even_and_smooth() -> None:
    found = picks(Balance(leaf("a"), leaf("b"), leaf("c"), weights=(5, 1, 1)), 14)
    assert found == ["a", "a", "b", "a", "c", "a", "a"] * 2


@pytest.mark.parametrize("weights", [(7, 2, 1), {"a": 7, "b": 2}])
def test_weighted_draws_in_proportion(weights: object) -> None:
    found = Counter(picks(Balance(leaf("a"), leaf("b"), leaf("c"), strategy="weighted", weights=weights), 4000))
    assert [found[name] / 4000 for name in "abc"] == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


@pytest.mark.parametrize("strategy", ["weighted", "least_pending", "latency"])
def test_a_seed_decides_all(strategy: str) -> None:
    one, again, other = (
        picks(Balance(leaf("a"), leaf("b"), leaf("c"), strategy=strategy), 40, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert set(one) == {"a", "b", "c"}, "equals share"


def test_least_pending_takes_who_has_least_to_do_for_its_weight() -> None:
    async def main() -> None:
        stack = Stack(Balance(leaf("a"), leaf("b"), strategy="least_pending", weights=(2, 1)))
        async with stack.build(rng=Random(1)) as executor:
            streams = [await executor.exec_chat_stream_events("m", REQUEST) for _ in range(9)]
            assert loads(executor) == [6, 3]
            for stream in streams:
                await stream.aclose()
            assert loads(executor) == [0, 0]

    run_virtual(main())


def test_latency_prefers_the_fast_one() -> None:
    found = Counter(
        picks(Balance(leaf("slow", after(4)), leaf("a", after(1)), leaf("b", after(1)), strategy="latency"), 300)
    )
    # The slow one is asked again and again, since what is known of it decays.
    assert found["slow"] < found["a"] / 3
    assert found["slow"] < found["b"] / 3
    assert found["slow"] > 0


def test_latency_counts_calls_under_way() -> None:
    async def main() -> None:
        stack = Stack(Balance(leaf("a", after(1)), leaf("b", after(1)), strategy="latency", decay=1000))
        async with stack.build(rng=Random(1)) as executor:
            for _ in range(2):
                await call(executor)
            many = [asyncio.create_task(call(executor)) for _ in range(20)]
            await asyncio.sleep(0.5)
            assert loads(executor) == [10, 10]
            await asyncio.gather(*many)

    run_virtual(main())


def test_streams_are_measured_to_their_first_content_and_apart_from_answers() -> None:
    steps = Scripted((lambda: asyncio.sleep(1), Chunk("a"), lambda: asyncio.sleep(60), Chunk("b"), End()))

    async def main() -> None:
        async with Stack(Balance(leaf("a", steps), strategy="latency", decay=1e9)).build() as executor:
            await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            state = balanced("a", executor)
            assert (state["first_content"], state["latency"]) == (pytest.approx(1), None)
            await call(executor)
            assert balanced("a", executor)["latency"] == pytest.approx(61)

    run_virtual(main())


def test_an_aborted_call_counts_as_slow_and_never_as_fast() -> None:
    async def main() -> None:
        silent = leaf("a", after(2), Scripted((), (Hang(),)))
        async with Stack(Balance(silent, strategy="latency", decay=1e9)).build() as executor:
            await call(executor)
            for seconds, known in ((0.5, 2), (5, 5)):
                task = asyncio.create_task(call(executor))
                await asyncio.sleep(seconds)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert balanced("a", executor)["latency"] == pytest.approx(known)
            assert loads(executor) == [0]

    run_virtual(main())


def test_a_target_that_fails_at_once_does_not_draw_the_calls() -> None:
    async def main() -> Counter[str]:
        broken, fine = leaf("broken", failing()), leaf("fine", after(1))
        async with Stack(Balance(broken, fine, strategy="latency")).build(rng=Random(1)) as executor:
            for _ in range(100):
                assert await call(executor) == "fine"
        return Counter(broken=len(broken.calls), fine=len(fine.calls))

    found = run_virtual(main())
    assert found["fine"] == 100
    assert found["broken"] < 30


# -- affinity ---------------------------------------------------------------------------------------------------


def said(conversation: str | None = None, **tags: str) -> ChatOptions:
    return ChatOptions(call=CallContext(conversation_id=conversation, tags=tags))


def owners(balance: Balance, sessions: list[str]) -> dict[str, str]:
    async def main() -> dict[str, str]:
        async with Stack(balance).build() as executor:
            found = {each: await call(executor, said(each)) for each in sessions}
            assert found == {each: await call(executor, said(each)) for each in sessions}, "and again the same"
            return found

    return run_virtual(main())


def test_a_conversation_stays_at_its_target_and_only_a_lost_targets_own_move() -> None:
    sessions = [f"conversation-{number}" for number in range(300)]
    three = owners(Balance(leaf("a"), leaf("b"), leaf("c"), affinity="conversation"), sessions)
    two = owners(Balance(leaf("a"), leaf("c"), affinity="conversation"), sessions)
    assert all(count > 70 for count in Counter(three.values()).values())
    assert {each for each in sessions if three[each] != two[each]} == {each for each in sessions if three[each] == "b"}


def test_sessions_are_shared_out_by_weight() -> None:
    sessions = [f"conversation-{number}" for number in range(2000)]
    found = Counter(owners(Balance(leaf("a"), leaf("b"), weights=(3, 1), affinity="conversation"), sessions).values())
    assert found["a"] / 2000 == pytest.approx(0.75, abs=0.03)


def test_the_tag_decides_and_calls_that_belong_nowhere_follow_the_strategy() -> None:
    async def main() -> None:
        async with Stack(Balance(leaf("a"), leaf("b"), affinity="tag:user")).build() as executor:
            assert len({await call(executor, said(user="u1")) for _ in range(10)}) == 1
            for nobody in (None, said("conversation"), said(other="u1")):
                assert [await call(executor, nobody), await call(executor, nobody)] == ["a", "b"]

    run_virtual(main())


def test_a_session_whose_target_fails_goes_to_its_next_and_comes_back() -> None:
    async def main() -> None:
        leaves = {name: leaf(name) for name in "abc"}
        async with Stack(Balance(*leaves.values(), affinity="conversation")).build() as executor:
            first = await call(executor, said("x"))
            executor.isolate(first)
            second = await call(executor, said("x"))
            assert second != first
            assert await call(executor, said("x")) == second
            executor.reset(first)
            assert await call(executor, said("x")) == first

    run_virtual(main())


# -- loads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["completed", "failed", "abandoned", "cancelled", "collected"])
def test_a_call_counts_to_the_end_of_its_stream(end: str) -> None:
    steps = (
        [Chunk("a"), failing()] if end == "failed" else [Chunk("a"), *([Hang()] if end == "cancelled" else []), End()]
    )

    async def main() -> None:
        async with Stack(Balance(leaf("a", Scripted(tuple(steps))))).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert balanced("a", executor)["pending"] == 1
            if end == "abandoned":
                await stream.aclose()
                await stream.aclose()
            elif end == "cancelled":
                task = asyncio.create_task(stream.collect())
                await asyncio.sleep(1)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            elif end == "collected":
                stream = None
                await asyncio.sleep(0)
            else:
                with pytest.raises(StreamInterruptedError) if end == "failed" else _nothing():
                    await stream.collect()
            if stream is not None:
                assert stream.outcome is Outcome(end)
            await asyncio.sleep(0)
            assert (balanced("a", executor)["pending"], balanced("a", executor)["picks"]) == (0, 1)

    run_virtual(main())


def _nothing() -> object:
    from contextlib import nullcontext

    return nullcontext()


# -- the spec ---------------------------------------------------------------------------------------------------


def test_it_is_the_same_in_yaml() -> None:
    assert Stack.loads("""
executor:
  balance:
    targets: [{executor: openai, name: east}, {executor: openai, name: west}]
    strategy: least_pending
    weights: {east: 3}
    affinity: tag:user
    ejection: {failures: 3, duration: 1m}
""") == Stack(
        Balance(
            Target(OpenAI(), name="east"),
            Target(OpenAI(), name="west"),
            strategy="least_pending",
            weights={"east": 3},
            affinity="tag:user",
            ejection=Ejection(failures=3, duration=60),
        )
    )


def test_only_its_targets_change_an_answer() -> None:
    targets = (OpenAI(), OpenAI(base_url="http://b.test"))
    plain = Balance(*targets).identity()
    assert (
        Balance(*targets, strategy="latency", weights=(2, 1), affinity="conversation", ejection={}).identity() == plain
    )
    assert Balance(OpenAI()).identity() != plain


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Balance, "at least one target"),
        (lambda: Balance(OpenAI(), targets=()), "by position or by name"),
        (lambda: Balance(Target(OpenAI(), name="a"), Target(OpenAI(), name="a")), "named 'a'"),
        (lambda: Balance(OpenAI(), strategy="fastest"), "strategy: expected 'round_robin'"),
        (lambda: Balance(OpenAI(), weights=(1, 2)), "1 targets and 2 weights"),
        (lambda: Balance(OpenAI(), weights=(0,)), "more than zero, got 0"),
        (lambda: Balance(OpenAI(), weights=(float("nan"),)), "more than zero, got nan"),
        (lambda: Balance(Target(OpenAI(), name="east"), weights={"eats": 1}), "did you mean 'east'"),
        (lambda: Balance(OpenAI(), OpenAI(), weights={"openai": 1}), "give each a name"),
        (lambda: Balance(OpenAI(), affinity="user"), "'conversation' or 'tag:NAME', got 'user'"),
        (lambda: Balance(OpenAI(), failover=False, rules={"timeout": False}), "drop one"),
        (lambda: Balance(OpenAI(), rules={"overloadd": True}), "did you mean 'overloaded'"),
        (lambda: Balance(OpenAI(), decay=0), "decay: more than zero"),
        (lambda: Ejection(duration=400), "longer than max_duration=300"),
        (lambda: Ejection(duration=0), "more than zero seconds"),
        (lambda: Ejection(max_share=0), "max_share"),
    ],
)
def test_wrong_options_are_named(make: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()
