"""Each rule finds what it is for, and is silent about the stack next to it that is as it should be."""

from __future__ import annotations

import pytest
from tests.lint.cases import CASES, LIMITS, Case, a, b, openai

from lamellar import ExecutorSpec, LayerSpec, LlmExecutor, Stack
from lamellar.build import BuildContext
from lamellar.lint import CODES, Bounds
from lamellar.middleware import (
    Balance,
    Cache,
    Fallback,
    Hedge,
    KindPolicy,
    RateLimit,
    Replay,
    Retry,
    Timeout,
)
from lamellar.order import Rank
from lamellar.providers import Auto
from lamellar.testing import ScriptedExecutor


@pytest.fixture(autouse=True)
def a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_THAT_IS_SET", "k-0123456789")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code} {case.id}".strip())
def test_a_rule_finds_what_it_is_for_and_no_more(case: Case) -> None:
    found = [each for each in case.wrong.lint() if each.code == case.code]
    assert {each.path for each in found} == {case.path}, found
    assert any(case.said in each.message for each in found), found
    assert found[0].severity == CODES[case.code]
    assert found[0].mend
    assert case.code not in [each.code for each in case.right.lint()]


def test_every_code_has_a_case() -> None:
    assert {case.code for case in CASES} == set(CODES)


class Persistent(LayerSpec):
    """A third party's retry."""

    kind = "persistent"
    rank = Rank.RETRY

    attempts: int = 4

    def bounded(self, inner: Bounds, where: object) -> Bounds:
        return inner.times(self.attempts)

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        return inner


class Untold(LayerSpec):
    """A third party's layer that says nothing of itself."""

    kind = "untold"

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        return inner


def test_a_third_partys_layer_takes_part_by_what_it_declares() -> None:
    stack = Stack(LIMITS, Persistent(), RateLimit(), Retry(attempts=2), openai())
    assert [(each.code, each.path) for each in stack.lint()] == [
        ("limiter-outside-retry", "layers[2]"),
        ("retry-multiplies", "layers[3]"),
    ]
    assert "4 x 2 = 8 attempts" in stack.lint()[1].message
    assert stack.bounds().calls == 8


def test_a_layer_that_does_not_tell_its_bounds_leaves_them_open() -> None:
    bounds = Stack(LIMITS, Untold(), openai()).bounds()
    assert (bounds.calls, bounds.seconds) == (None, 300)
    assert str(bounds) == "no bound on provider calls ('untold' does not tell its bounds), at most 300 s"


@pytest.mark.failure(10)
def test_retries_that_multiply_are_told_before_they_do() -> None:
    """Three by three by five: what an SDK, a router and an application make of one call."""
    stack = Stack(LIMITS, Retry(attempts=5), Fallback(a(Retry(attempts=3), Retry(attempts=3))))
    told = [each.message for each in stack.lint() if each.code == "retry-multiplies"]
    assert "5 x 3 x 3 = 45 attempts" in told[-1]
    assert stack.bounds().calls == 45


def test_a_built_stack_inside_a_retry_multiplies_too() -> None:
    inner = Stack(Retry(attempts=4), ScriptedExecutor()).build()
    stack = Stack(LIMITS, Retry(attempts=3), inner)
    assert "3 x 4 = 12 attempts" in next(each.message for each in stack.lint() if each.code == "inner-retries")
    assert stack.bounds().calls == 12


# -- what is as it should be --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stack",
    [
        Stack.preset(a()),
        Stack.preset(a(), b(), attempts=5),
        Stack.preset(a(), b(), cache=Cache(ttl="10m")),
        Stack.preset(Auto()),
    ],
)
def test_the_preset_is_clean_and_bounded(stack: Stack) -> None:
    assert stack.lint() == ()
    assert None not in (stack.bounds().calls, stack.bounds().seconds)


def test_the_preset_stands_in_the_order_of_ranks() -> None:
    stack = Stack.preset(a(), b(), cache=Cache())
    target = next(each for each in stack.executor.children())
    for plates in (stack.children(), (stack.executor, *target.children())):
        ranks = [rank for plate in plates if (rank := plate.standing()) is not None]
        assert ranks == sorted(ranks)


# -- bounds, by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "told"),
    [
        (Stack.preset(a(), b()), "at most 6 provider calls, at most 300 s"),
        (Stack(Timeout(attempt=10), openai()), "at most 1 provider call, at most 10 s"),
        (
            Stack(Retry(attempts=3, retry_after_cap=0), Timeout(attempt=10), openai()),
            "at most 3 provider calls, at most 36 s",  # 3 x 10 s, and 2 + 4 s after `overloaded`
        ),
        (Stack(Retry(window=5), Timeout(attempt=10), openai()), "at most 3 provider calls, at most 15 s"),
        (
            Stack(Retry(kinds={"overloaded": KindPolicy(attempts=7)}), LIMITS, openai()),
            "at most 7 provider calls, at most 2496 s",
        ),
        (Stack(Timeout(attempt=9), RateLimit(max_wait=4), openai()), "at most 1 provider call, at most 13 s"),
        (Stack(Timeout(attempt=9), Balance(a(), b(), failover=False)), "at most 1 provider call, at most 9 s"),
        (Stack(Timeout(attempt=9), Hedge(a(), b())), "at most 2 provider calls, at most 18 s"),
        (
            Stack(Timeout(attempt=9), Fallback(a(), b(prefill=True), on_interrupt="continue")),
            "at most 3 provider calls, at most 27 s",
        ),
        (Stack(LIMITS, Replay(path="calls.jsonl")), "at most 0 provider calls, at most 300 s"),
    ],
)
def test_bounds_that_were_worked_out_by_hand(stack: Stack, told: str) -> None:
    assert str(stack.bounds()) == told


def test_what_has_no_bound_says_why() -> None:
    assert "'openai' has no limit `attempt`" in str(Stack(Retry(), openai()).bounds())
    assert "rate_limit has no `max_wait`" in str(Stack(Timeout(attempt=1), RateLimit(), openai()).bounds())
    assert "`stop` of one's own" in str(Stack(Retry(stop=len), openai()).bounds())


def test_a_spec_that_is_no_layer_has_no_place_in_the_order() -> None:
    assert isinstance(openai(), ExecutorSpec)
    assert openai().standing() is None
