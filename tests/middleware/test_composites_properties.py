"""Balance and Hedge under whatever providers and callers may do: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    LamellarError,
    LlmEventStream,
    Outcome,
    Stack,
    Target,
    Usage,
)
from lamellar.middleware import Balance, Ejection, Hedge, HedgeBudget, Retry, Route, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual
from lamellar_middleware.balance.affinity import score
from lamellar_middleware.balance.ejection import Health
from lamellar_middleware.balance.latency import PeakEwma
from lamellar_middleware.hedge.delays import Window

REQUEST = ChatRequest.from_user("hi")
KINDS = [ErrorKind.SERVER_ERROR, ErrorKind.RATE_LIMITED, ErrorKind.INVALID_REQUEST, ErrorKind.CONNECTION]


def pause(seconds: float) -> object:
    return lambda: asyncio.sleep(seconds)


seconds = st.sampled_from([0, 0.5, 1, 1, 2, 3])
errors = st.sampled_from(KINDS).map(lambda kind: ExecutorError(kind, "no"))
steps = st.one_of(st.just(Chunk("a")), seconds.map(pause), errors, st.just(Hang()), st.just(Chunk("")))
openings = st.lists(st.one_of(seconds.map(pause), errors, st.just(Hang())), max_size=2)
scripts = st.builds(
    lambda opening, middle, whole: Scripted((*middle, *([End(usage=Usage(total_tokens=1))] if whole else [])), opening),
    openings.map(tuple),
    st.lists(steps, max_size=4),
    st.booleans(),
)
balances = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["round_robin", "weighted", "least_pending", "latency"]),
        "affinity": st.sampled_from([None, "conversation"]),
        "ejection": st.sampled_from([None, Ejection(failures=1, duration=3)]),
        "failover": st.booleans(),
    }
)
hedges = st.fixed_dictionaries(
    {
        "delay": st.sampled_from([0.5, 1, 2]),
        "max_parallel": st.sampled_from([2, 3]),
        "percentile": st.sampled_from([None, 0.5]),
        "budget": st.sampled_from([None, HedgeBudget(ratio=0.5)]),
    }
)
callers = st.tuples(
    st.booleans(),  # a stream, or a whole answer
    st.sampled_from(["read", "leave", "forget", "cancel"]),
    st.sampled_from([0.5, 1, 1.5, 4]),  # when
)


async def caller(executor, streaming: bool, way: str, when: float) -> None:
    """One caller; whatever the stack raises must be of our tree."""
    options = ChatOptions(call=CallContext(conversation_id=f"{when}"))

    async def consume() -> None:
        if not streaming:
            answer = await executor.exec_chat_response("m", REQUEST, options)
            assert isinstance(answer, ChatResponse)
            assert all(each.outcome is not None for each in answer.attempts)
            return
        stream = await executor.exec_chat_stream_events("m", REQUEST, options)
        if way == "forget":
            return
        async with stream:
            async for _ in stream:
                if way == "leave":
                    await asyncio.sleep(when)
                    break
        assert stream.outcome in (Outcome.COMPLETED, Outcome.ABANDONED)

    task = asyncio.create_task(consume())
    if way == "cancel":
        await asyncio.sleep(when)
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if way == "cancel" and isinstance(outcome, asyncio.CancelledError):
        return
    assert outcome is None or isinstance(outcome, LamellarError), outcome
    if isinstance(outcome, LamellarError):
        assert outcome.attempts
        assert all(each.outcome is not None for each in outcome.attempts)


def at_work(executor) -> int:
    return sum(state.get("balance", {}).get("pending", 0) for state in executor.snapshot().values())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(scripts, min_size=1, max_size=3), min_size=3, max_size=3),
    balances,
    hedges,
    st.lists(callers, min_size=1, max_size=4),
    st.sampled_from(["balance", "hedge", "hedge of balances", "balance of hedges"]),
    st.integers(0, 5),
)
def test_whatever_happens_nothing_is_left_behind(played, balance, hedge, calls, shape, seed) -> None:
    async def main() -> None:
        leaves = [ScriptedExecutor(*script, name=name, repeat=True) for name, script in zip("abc", played, strict=True)]
        composite = {
            "balance": lambda: Balance(*leaves, **balance),
            "hedge": lambda: Hedge(*leaves, **hedge),
            "hedge of balances": lambda: Hedge(
                Balance(*leaves[:2], **balance), Balance(*leaves[1:], **balance), **hedge
            ),
            "balance of hedges": lambda: Balance(
                Target(Retry(attempts=2, initial=1), Hedge(*leaves[:2], **hedge)), leaves[2], **balance
            ),
        }[shape]()
        async with Stack(Timeout(total=8), Route({"*": composite})).build(rng=Random(seed)) as executor:
            await asyncio.gather(*[caller(executor, *each) for each in calls])
            gc.collect()
            for _ in range(10):
                await asyncio.sleep(0)
            assert [each.open_streams for each in leaves] == [0, 0, 0]
            assert at_work(executor) == 0
            assert not executor._streams
            assert not executor._calls
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            assert not left
        assert not [each for each in gc.get_objects() if isinstance(each, LlmEventStream) and each.outcome is None]

    run_virtual(main())


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 3))
def test_turns_are_exactly_in_proportion(weights: list[int], rounds: int) -> None:
    async def main() -> None:
        leaves = [ScriptedExecutor("x", name=f"t{place}", repeat=True) for place in range(len(weights))]
        async with Stack(Balance(*leaves, weights=tuple(weights))).build() as executor:
            for number in range(1, sum(weights) * rounds + 1):
                await executor.exec_chat_response("m", REQUEST)
                for weight, each in zip(weights, leaves, strict=True):
                    due = number * weight / sum(weights)
                    assert abs(len(each.calls) - due) < len(weights), "at every moment nearly so"
        assert [len(each.calls) for each in leaves] == [weight * rounds for weight in weights]

    run_virtual(main())


@given(
    st.sets(st.text(min_size=1, max_size=8), min_size=2, max_size=8),
    st.lists(st.text(max_size=20), min_size=1, max_size=20),
    st.data(),
)
def test_a_target_that_leaves_moves_only_its_own_sessions(names: set[str], keys: list[str], data) -> None:
    lost = data.draw(st.sampled_from(sorted(names)))
    weights = {name: data.draw(st.sampled_from([0.5, 1, 3])) for name in sorted(names)}

    def owner(among: set[str], key: str) -> str:
        return max(sorted(among), key=lambda name: score(name, key, weights[name]))

    for key in keys:
        before, after = owner(names, key), owner(names - {lost}, key)
        assert before == lost or after == before


@pytest.mark.parametrize("weights", [(1, 1, 1), (5, 3, 2)])
def test_sessions_are_fair(weights: tuple[int, ...]) -> None:
    found = Counter(
        max("abc", key=lambda name: score(name, f"session {number}", weights["abc".index(name)]))
        for number in range(6000)
    )
    assert [found[name] / 6000 for name in "abc"] == pytest.approx([each / sum(weights) for each in weights], abs=0.02)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 20)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 10),
)
def test_an_ejection_is_never_longer_than_its_bound_nor_shorter_than_the_first(events, failures, duration) -> None:
    spec = Ejection(failures=failures, duration=duration, max_duration=duration * 5)
    health, now = Health(), 0.0
    for healthy, passes, took in events:
        now += passes
        began = now - min(took, now)
        if healthy:
            health.answered(began)
        elif health.failed(began, spec.failures):
            assert not health.is_out(now) or began >= health.ejected_at
            assert duration <= health.eject(now, spec) <= duration * 5
        assert health.ejected_until - now <= duration * 5


@given(st.lists(st.tuples(st.floats(0.001, 100), st.floats(0, 100)), min_size=1, max_size=40), st.floats(0.1, 100))
def test_a_latency_stays_between_what_was_seen_and_nothing(seen, decay) -> None:
    average, now = PeakEwma(decay), 0.0
    for took, passes in seen:
        now += passes
        known = average.value(now)
        average.observe(took, now)
        assert min(took, known) * 0.999 <= average.value(now) <= max(each for each, _ in seen) * 1.001
        known = average.value(now)
        average.at_least(took / 2, now)
        assert average.value(now) >= known, "an aborted call never makes it look faster"
    assert average.value(now + 50 * decay) < average.value(now)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=400), st.floats(0.01, 0.99))
def test_a_percentile_is_that_of_the_latest(times, share) -> None:
    window = Window()
    for each in times:
        window.add(each)
    kept = times[-250:]
    found = window.percentile(share)
    assert len(window) == len(kept)
    assert found in kept
    assert sum(each <= found for each in kept) >= share * len(kept) - 1e-6
    assert sum(each < found for each in kept) < share * len(kept) + 1e-6
