"""Budget: what is reserved before a call, what is settled after it, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    Stack,
    Start,
    StreamInterruptedError,
    Target,
    Usage,
)
from lamellar.build import BuildContext
from lamellar.middleware import Budget, BudgetEvent, Fallback, Hedge, Retry
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")
GUESS = 5  # tokens that the prompt of REQUEST is estimated at
USAGE = Usage(prompt_tokens=30, completion_tokens=12, total_tokens=42)


def options(max_tokens: int | None = None, **tags: str) -> ChatOptions:
    return ChatOptions(max_tokens=max_tokens, call=CallContext(tags=tags))


def spent(executor: object) -> float:
    return executor.snapshot()["stack"]["budget"]["tokens"]["spent"]


def reserved(executor: object) -> float:
    return executor.snapshot()["stack"]["budget"]["tokens"]["reserved"]


def settled(leaf: ScriptedExecutor, *layers: object, streaming: bool = False, budget: Budget | None = None) -> float:
    """The tokens that one call is settled at."""

    async def main() -> float:
        async with Stack(
            budget or Budget(tokens=100_000, default_output_tokens=995), *layers, leaf
        ).build() as executor:
            try:
                if streaming:
                    await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
                else:
                    await executor.exec_chat_response("m", REQUEST)
            except LamellarError:
                pass
            assert reserved(executor) == 0
            return spent(executor)

    return run_virtual(main())


# -- what a call costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, 42),
        (None, 1000),
        (Usage(total_tokens=50), 50),
        (Usage(prompt_tokens=7), 7 + 995),
        (Usage(prompt_tokens=7, total_tokens=50), 50),
        (Usage(completion_tokens=9), GUESS + 9),
    ],
)
def test_the_usage_is_what_is_spent_and_the_estimate_where_it_is_unknown(
    usage: Usage | None, expected: int, streaming: bool
) -> None:
    assert settled(ScriptedExecutor(answer(usage=usage)), streaming=streaming) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ExecutorError("rate_limited", "no", status=429), 0),
        (ExecutorError("server_error", "no", status=500), 0),
        (ExecutorError("connection", "no", code="refused"), 0),
        (RejectedError("queue_full", "a layer inside said no"), 0),
        (ExecutorError("connection", "reset"), 1000),
        (ExecutorError("timeout", "silent"), 1000),
        (ExecutorError("malformed", "what?"), 1000),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_failure_costs_the_estimate_where_the_provider_may_have_answered(error: Exception, expected: int) -> None:
    assert settled(ScriptedExecutor(error)) == expected


def test_failed_tries_cost_what_they_have_used() -> None:
    broken = Scripted((Chunk("a"), StreamInterruptedError(ExecutorError("connection", "reset"), usage=USAGE)))
    leaf = ScriptedExecutor(broken, answer("a b", usage=USAGE))
    assert settled(leaf, Retry(on_interrupt="restart", initial=0), streaming=True) == 84
    unknown = ScriptedExecutor([Chunk("a")], answer("a b", usage=USAGE))
    assert settled(unknown, Retry(on_interrupt="restart", initial=0), streaming=True) == 1042


@pytest.mark.failure(29)
def test_what_comes_from_a_cache_costs_nothing() -> None:
    inner = Stack(ScriptedExecutor([Start("m", "p", cached=True), Chunk("a"), End(usage=USAGE)]))
    assert settled(inner.build(), streaming=True) == 0

    class Kept(ScriptedExecutor):
        async def exec_chat_response(self, *call: object) -> object:
            return (await super().exec_chat_response(*call)).model_copy(update={"cached": True})

    assert settled(Kept(answer(usage=USAGE))) == 0


def test_an_abandoned_stream_keeps_its_estimate_and_a_cancelled_call_too() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor([Chunk("a"), Hang()], Scripted((Hang(),)))
        async with Stack(Budget(tokens=10_000, default_output_tokens=995), leaf).build() as executor:
            async with await executor.exec_chat_stream_events("m", REQUEST):
                assert reserved(executor) == 1000
            assert (reserved(executor), spent(executor)) == (0, 1000)
            task = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (reserved(executor), spent(executor)) == (0, 2000)

    run_virtual(main())


def test_a_stream_that_outlives_its_loop_is_not_reserved_for_ever() -> None:
    executor = Stack(Budget(tokens=10_000, default_output_tokens=995), ScriptedExecutor([Chunk("a"), Hang()])).build()

    async def leave() -> object:
        return await executor.exec_chat_stream_events("m", REQUEST)

    stream = run_virtual(leave())
    assert reserved(executor) == 1000
    del stream
    gc.collect()
    assert (reserved(executor), spent(executor)) == (0, 1000)


def test_inside_a_hedge_each_target_pays_for_itself() -> None:
    slow = ScriptedExecutor(Scripted((lambda: asyncio.sleep(9), *answer(usage=USAGE).steps)), name="slow")
    quick = ScriptedExecutor(answer(usage=Usage(prompt_tokens=1, completion_tokens=1)), name="quick")
    budget = Budget(tokens=10_000, default_output_tokens=995)
    stack = Stack(Hedge(Target(budget, slow, name="a"), Target(budget, quick, name="b"), delay=1))

    async def main() -> None:
        async with stack.build() as executor:
            assert (await executor.exec_chat_response("m", REQUEST)).provider == "quick"
            state = executor.snapshot()
            assert state["b"]["budget"]["tokens"]["spent"] == 2
            assert state["a"]["budget"]["tokens"]["spent"] == 1000, "the loser was asked, and its usage is not known"

    run_virtual(main())


# -- refusals ----------------------------------------------------------------------------------------------------


def test_what_would_go_over_is_refused_and_nobody_is_asked() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), repeat=True)
        async with Stack(Budget(tokens=100, period=60), leaf).build() as executor:
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=90))
            with pytest.raises(RejectedError) as caught:
                await executor.exec_chat_response("m", REQUEST, options(max_tokens=90))
            error = caught.value
            assert error.kind is ErrorKind.BUDGET
            assert not error.retryable
            assert not error.failover
            assert "100 tokens in 60 s has no room: 42 are spent or reserved, 95 are needed" in error.message
            assert error.retry_after == pytest.approx(61)
            assert len(leaf.calls) == 1
            assert [(each.outcome, each.kind) for each in error.attempts] == [("refused", "budget")]
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=53))

    run_virtual(main())


def test_what_was_spent_comes_back_when_it_is_a_period_old() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), repeat=True)
        async with Stack(Budget(tokens=60, period=60), leaf).build() as executor:
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))
            assert executor.snapshot()["stack"]["budget"]["resets_in"] == pytest.approx(61)
            await asyncio.sleep(60)
            with pytest.raises(RejectedError):
                await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))
            await asyncio.sleep(1)
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))

    run_virtual(main())


def test_without_a_period_it_never_comes_back_until_it_is_reset() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), repeat=True)
        async with Stack(Budget(tokens=60, period=None), leaf).build() as executor:
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))
            await asyncio.sleep(10**6)
            with pytest.raises(RejectedError) as caught:
                await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))
            assert caught.value.retry_after is None
            assert executor.snapshot()["stack"]["budget"]["resets_in"] is None
            executor.reset("stack")
            await executor.exec_chat_response("m", REQUEST, options(max_tokens=40))

    run_virtual(main())


def test_a_call_that_no_budget_could_pay_for_says_so() -> None:
    async def main() -> None:
        async with Stack(Budget(tokens=100), ScriptedExecutor("never")).build() as executor:
            with pytest.raises(
                RejectedError, match="estimated at 1005, more than the whole budget of 100 tokens"
            ) as caught:
                await executor.exec_chat_response("m", REQUEST, options(max_tokens=1000))
            assert caught.value.retry_after is None

    run_virtual(main())


def test_calls_at_the_same_time_reserve_before_they_ask() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(Scripted((lambda: asyncio.sleep(5), *answer(usage=USAGE).steps)), repeat=True)
        async with Stack(Budget(tokens=1000), leaf).build() as executor:
            calls = [executor.exec_chat_response("m", REQUEST, options(max_tokens=95)) for _ in range(30)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert len(leaf.calls) == 10
            assert sum(isinstance(each, RejectedError) for each in results) == 20
            assert spent(executor) == 420

    run_virtual(main())


def test_a_fallback_goes_on_only_where_a_rule_says_so_and_the_refusal_is_told_once() -> None:
    async def main(rules: dict[str, bool]) -> object:
        first, second = ScriptedExecutor("never", name="first"), ScriptedExecutor("from second", name="second")
        dear = Target(Budget(tokens=10), first, name="dear")
        async with Stack(Fallback(dear, Target(second, name="cheap"), rules=rules)).build() as executor:
            try:
                return await executor.exec_chat_response("m", REQUEST)
            except RejectedError as error:
                return error

    assert run_virtual(main({})).target == "dear"
    response = run_virtual(main({"budget": True}))
    assert response.text == "from second"
    assert [(each.target, each.kind) for each in response.attempts] == [("dear", "budget"), ("cheap", None)]


# -- keys and sharing --------------------------------------------------------------------------------------------


def test_each_value_of_a_tag_has_a_budget_of_its_own() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), repeat=True)
        async with Stack(Budget(tokens=60, per="tag:team", max_keys=2), leaf).build() as executor:
            await executor.exec_chat_response("m", REQUEST, options(40, team="search"))
            with pytest.raises(RejectedError, match="the budget of 'search' of 60 tokens"):
                await executor.exec_chat_response("m", REQUEST, options(40, team="search"))
            await executor.exec_chat_response("m", REQUEST, options(40, team="ads"))
            state = executor.snapshot()["stack"]["budget"]
            assert {name: each["tokens"]["spent"] for name, each in state["by"].items()} == {"search": 42, "ads": 42}
            with pytest.raises(RejectedError, match="max_keys"):
                await executor.exec_chat_response("m", REQUEST, options(40, team="third"))
            await asyncio.sleep(2 * 86400)
            await executor.exec_chat_response("m", REQUEST, options(40, team="third"))
            assert executor.snapshot()["stack"]["budget"]["keys"] == 1, "what is idle makes room"

    run_virtual(main())


def test_stacks_and_threads_share_a_budget_by_name() -> None:
    shared: dict[str, object] = {}
    leaf = ScriptedExecutor(answer(usage=Usage(prompt_tokens=1, completion_tokens=0)), repeat=True)
    stacks = [Stack(Budget(tokens=300, share="all", default_output_tokens=0), leaf) for _ in range(4)]
    executors = [stack.build(shared=shared) for stack in stacks]
    refused = []

    async def spend(executor: object) -> None:
        for _ in range(100):
            try:
                await executor.exec_chat_response("m", REQUEST)
            except RejectedError as error:
                refused.append(error)

    threads = [threading.Thread(target=lambda each=each: asyncio.run(spend(each))) for each in executors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = len(leaf.calls)
    assert len(refused) + made == 400
    assert spent(executors[0]) == spent(executors[3]) == made
    assert 300 - 4 * GUESS <= made <= 300


def test_sharing_with_other_terms_names_both() -> None:
    shared: dict[str, object] = {}
    Stack(Budget(tokens=5, share="a"), ScriptedExecutor()).build(shared=shared)
    with pytest.raises(ConfigError, match=r"'a' is shared by Budget\(tokens=5.*tokens=6.*whose budgets differ"):
        Stack(Budget(tokens=6, share="a"), ScriptedExecutor()).build(shared=shared)


# -- hooks, options ----------------------------------------------------------------------------------------------


def test_hooks_are_told_of_spending_and_of_the_first_refusal() -> None:
    told: list[BudgetEvent] = []
    empty: list[BudgetEvent] = []

    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), repeat=True)
        layer = Budget(tokens=100, period=60, on_spend=told.append, on_exhausted=empty.append)
        async with Stack(layer, leaf).build() as executor:
            for size in (80, 80, 80, 20):
                try:
                    await executor.exec_chat_response("m", REQUEST, options(max_tokens=size))
                except RejectedError:
                    continue
            with pytest.raises(RejectedError):
                await executor.exec_chat_response("m", REQUEST, options(max_tokens=20))

    run_virtual(main())
    assert [(each.tokens, each.spent_tokens) for each in told] == [(42, 42), (42, 84)]
    assert [(each.tokens, each.spent_tokens) for each in empty] == [(85, 42), (25, 84)]


def test_an_estimate_of_ones_own_is_reserved() -> None:
    async def main() -> None:
        def estimate(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> int:
            return 77 if model == "m" else 1 // 0

        leaf = ScriptedExecutor([Chunk("a"), Hang()], [Chunk("a"), Hang()])
        async with Stack(Budget(tokens=1000, estimate=estimate), leaf).build() as executor:
            async with await executor.exec_chat_stream_events("m", REQUEST):
                assert reserved(executor) == 77
            async with await executor.exec_chat_stream_events("other", REQUEST):
                assert reserved(executor) == GUESS + 500, "one that fails is replaced by the built-in one"

    run_virtual(main())


def test_outside_of_a_stack_the_answers_own_usage_counts() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(answer(usage=USAGE), ExecutorError("overloaded", "no"), [Chunk("a"), End(usage=USAGE)])
        layer = Budget(tokens=1000).wrap(leaf, BuildContext(ManualClock(), None))
        await layer.exec_chat_response("m", REQUEST)
        with pytest.raises(ExecutorError):
            await layer.exec_chat_response("m", REQUEST)
        await (await layer.exec_chat_stream_events("m", REQUEST)).collect()
        assert layer.state()["tokens"] == {"spent": 84, "reserved": 0, "left": 916}

    run_virtual(main())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "tokens: a budget needs a limit"),
        ({"tokens": 0}, "tokens"),
        ({"cost": -1}, "cost"),
        ({"cost": float("inf")}, "cost"),
        ({"tokens": 1, "period": 0}, "period: more than zero"),
        ({"tokens": 1, "per": "team"}, "per: 'team' is nothing that can be kept apart"),
        ({"tokens": 1, "prices": {"*": {"input": 1, "output": 1}}}, "prices: they can never act"),
        ({"cost": 1, "prices": {"*": {"input": 1}}}, r"prices.*output: required"),
        ({"tokens": 1, "perod": 3}, "did you mean 'period'"),
    ],
)
def test_wrong_options_are_named(wrong: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Budget(**wrong)
