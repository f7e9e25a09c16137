"""Stacks: how they may be written, and what building them does."""

from __future__ import annotations

from random import Random

import pytest

from lamellar.chat.request import ChatRequest
from lamellar.clock import LoopClock
from lamellar.errors import ConfigError, RejectedError
from lamellar.executor import walk
from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.root import StackExecutor
from lamellar.stack import Stack
from lamellar.testing import ManualClock, ScriptedExecutor

REQUEST = ChatRequest.from_user("hi")


# -- spellings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stack",
    [
        Stack(Timeout(total=60), Retry(), OpenAI()),
        Stack(Timeout(total=60), Stack(Retry(), OpenAI())),
        Stack(Stack(Timeout(total=60), Stack(Retry(), Stack(OpenAI())))),
        Stack(layers=(Timeout(total=60), Retry()), executor=OpenAI()),
        Stack(layers=[Timeout(total=60)], executor=Stack(Retry(), OpenAI())),
        Stack({"timeout": {"total": "1m"}}, "retry", "openai"),
        Stack.model_validate({"layers": [{"timeout": {"total": 60}}], "executor": Stack(Retry(), OpenAI())}),
        Stack.loads("{layers: [timeout: {total: 1m}, retry], executor: openai}"),
        Stack.loads("{layers: [timeout: {total: 1m}, retry: ], executor: {openai: {}}}"),
    ],
)
def test_one_stack_in_many_spellings(stack: Stack) -> None:
    assert stack == Stack(Timeout(total=60.0), Retry(), OpenAI())


@pytest.mark.parametrize(
    "composite",
    [
        Fallback(Target(OpenAI()), Target(Retry(), OpenAI())),
        Fallback(OpenAI(), Stack(Retry(), OpenAI())),
        Fallback(OpenAI(), Target(Stack(Retry(), OpenAI()))),
        Fallback(targets=[{"executor": "openai"}, {"layers": ["retry"], "executor": "openai"}]),
        Fallback("openai", Target("retry", "openai")),
    ],
)
def test_a_bare_executor_or_a_lone_stack_is_a_target(composite: Fallback) -> None:
    assert composite == Fallback(Target(OpenAI()), Target(Retry(), OpenAI()))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Stack, "there is no executor; end with a provider such as OpenAI()"),
        (lambda: Stack(layers=[Retry()]), "there is no executor"),
        (lambda: Stack(None), "there is no executor"),
        (lambda: Stack(OpenAI(), Retry()), "the last plate is the executor, and Retry is a layer"),
        (lambda: Stack(Retry()), "the last plate is the executor, and Retry is a layer"),
        (lambda: Stack(Retry, OpenAI()), "layers.0: expected a layer, got the class Retry; write Retry()"),
        (lambda: Stack(Retry(), OpenAI), "executor: expected an executor, got the class OpenAI; write OpenAI()"),
        (lambda: Stack(OpenAI(), OpenAI()), "layers.0: expected a layer, got the executor OpenAI"),
        (lambda: Stack(Stack(Retry(), OpenAI()), OpenAI()), "layers.0: expected a layer, got the executor Stack"),
        (lambda: Stack(5, OpenAI()), "layers.0: expected a layer, got int"),
        (lambda: Stack(Retry(), object()), "executor: expected an executor, got object"),
        (lambda: Stack(Target(OpenAI(), model="m")), "got a Target; targets stand in a composite such as Fallback"),
        (lambda: Stack(OpenAI(), executor=OpenAI()), "give the plates by position or by name, not both"),
        (lambda: Stack(Retry(), OpenAI(), layers=[]), "give the plates by position or by name, not both"),
        (lambda: Stack(OpenAI(), model="m"), "model: unknown option"),
        (lambda: Target(Retry(), model="m"), "Target: the last plate is the executor, and Retry is a layer"),
        (lambda: Target(model="m"), "Target: there is no executor"),
        (Fallback, "a fallback needs at least one target"),
        (lambda: Fallback(Retry()), "Target: the last plate is the executor, and Retry is a layer"),
        (lambda: Fallback(OpenAI), "expected an executor, got the class OpenAI; write OpenAI()"),
    ],
)
def test_what_is_no_stack_is_refused_with_the_mend(make, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert said in str(caught.value)


# -- building --------------------------------------------------------------------------------------------------------


def test_layers_are_built_in_the_order_they_are_listed() -> None:
    stack = Stack(Timeout(total=60), Retry(), Fallback(Target(Retry(), ScriptedExecutor("a"))))
    assert [type(each).__name__ for each in walk(stack.build())] == [
        "StackExecutor",
        "TimeoutExecutor",
        "RetryExecutor",
        "FallbackExecutor",
        "TargetExecutor",
        "RetryExecutor",
        "Attempt",
        "ScriptedExecutor",
    ]


def test_one_declaration_builds_executors_that_share_nothing() -> None:
    stack = Stack(Retry(), Fallback(ScriptedExecutor("a", repeat=True)))
    one, other = stack.build(), stack.build()
    assert not {id(each) for each in walk(one)} & {
        id(each) for each in walk(other) if not isinstance(each, ScriptedExecutor)
    }


def test_a_missing_key_is_told_at_build_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    stack = Stack(Retry(), OpenAI())
    assert stack.describe()
    with pytest.raises(ConfigError, match=r"openai\.api_key: no key; set the environment variable OPENAI_API_KEY"):
        stack.build()


async def test_clock_and_randomness_are_the_ones_that_were_given() -> None:
    clock, rng = ManualClock(), Random(0)
    seen: list[object] = []

    class Look(ScriptedExecutor):
        async def exec_chat_response(self, model, chat_req, options=None):
            from lamellar.scope import current_scope

            scope = current_scope()
            assert scope is not None
            seen.extend((scope.clock, scope.rng))
            return await super().exec_chat_response(model, chat_req, options)

    async with Stack(Look("a")).build(clock=clock, rng=rng) as executor:
        await executor.exec_chat_response("m", REQUEST)
    assert seen == [clock, rng]


async def test_without_a_clock_time_is_the_loops() -> None:
    executor = Stack(ScriptedExecutor("a")).build()
    assert isinstance(executor, StackExecutor)
    assert isinstance(executor._clock, LoopClock)


async def test_what_was_given_is_not_closed_and_the_stack_refuses_after_it() -> None:
    class Closable(ScriptedExecutor):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    mine = Closable("a")
    async with Stack(mine).build() as executor:
        pass
    assert not mine.closed
    with pytest.raises(RejectedError, match="this executor is closed"):
        await executor.exec_chat_response("m", REQUEST)


def test_a_stacks_name_is_its_executors() -> None:
    assert Stack(Retry(), ScriptedExecutor("a", name="mine")).build().name == "mine"
    assert Stack(Fallback(ScriptedExecutor("a"), name="pair")).build().name == "pair"
    assert Stack(Retry(), Fallback(ScriptedExecutor("a"), name="pair")).label == "pair"


def test_a_stack_may_stand_in_another_as_a_runtime_executor() -> None:
    inner = Stack(Retry(), ScriptedExecutor("a", name="mine")).build()
    assert Stack(Timeout(total=5), inner).build().find(ScriptedExecutor) is inner.find(ScriptedExecutor)


# -- identity --------------------------------------------------------------------------------------------------------


def test_what_changes_no_answer_is_no_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    plain = Stack(Retry(), OpenAI(api_key={"env": "A"})).identity()
    assert Stack(Retry(attempts=9), OpenAI(api_key={"env": "B"})).identity() == plain
    assert Stack(Retry(), OpenAI(base_url="http://localhost/v1")).identity() != plain
