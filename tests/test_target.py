"""Targets: the caller's request, as one target wants it."""

from __future__ import annotations

import pytest

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.errors import ConfigError, ExecutorError
from lamellar.middleware import Fallback, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.stack import Stack
from lamellar.target import TargetExecutor
from lamellar.testing import ScriptedExecutor

REQUEST = ChatRequest.from_user("hi")


async def asked(target: Target, options: ChatOptions | None = None, model: str = "callers"):
    """What the leaf of a target is asked."""
    executor = Stack(Fallback(target)).build()
    leaf = executor.find(ScriptedExecutor)
    assert leaf is not None
    await executor.exec_chat_response(model, REQUEST, options)
    async with await executor.exec_chat_stream_events(model, REQUEST, options) as events:
        _ = [event async for event in events]
    whole, stream = leaf.calls
    assert (whole.model, whole.chat_req, whole.options) == (stream.model, stream.chat_req, stream.options)
    assert whole.chat_req is REQUEST
    return whole


def leaf(name: str = "scripted") -> ScriptedExecutor:
    return ScriptedExecutor("a", "b", name=name)


async def test_a_targets_model_replaces_the_callers() -> None:
    assert (await asked(Target(leaf(), model="mine"))).model == "mine"


async def test_without_one_the_callers_passes_through() -> None:
    assert (await asked(Target(leaf()))).model == "callers"


async def test_a_targets_options_are_laid_over_the_callers() -> None:
    target = Target(leaf(), options=ChatOptions(temperature=0.1, seed=7))
    found = await asked(target, ChatOptions(temperature=0.9, max_tokens=5))
    assert found.options == ChatOptions(temperature=0.1, seed=7, max_tokens=5)


async def test_options_that_are_unset_do_not_reach_the_target() -> None:
    found = await asked(Target(leaf(), unset=("seed",)), ChatOptions(seed=1, max_tokens=5))
    assert found.options == ChatOptions(max_tokens=5)


async def test_what_is_unset_may_be_set_by_the_target_itself() -> None:
    target = Target(leaf(), unset=("seed",), options=ChatOptions(seed=2))
    assert (await asked(target, ChatOptions(seed=1))).options == ChatOptions(seed=2)


async def test_the_callers_options_are_never_changed() -> None:
    options = ChatOptions(seed=1, temperature=0.9)
    await asked(Target(leaf(), unset=("seed",), options=ChatOptions(temperature=0.1)), options)
    assert options == ChatOptions(seed=1, temperature=0.9)


async def test_no_options_stay_none() -> None:
    assert (await asked(Target(leaf(), unset=("seed",)))).options is None


@pytest.mark.parametrize(
    ("target", "label"),
    [
        (Target(OpenAI(), model="gpt"), "openai/gpt"),
        (Target(OpenAI()), "openai"),
        (Target(OpenAI(), model="gpt", name="main"), "main"),
        (Target(ScriptedExecutor(name="mine"), model="m"), "mine/m"),
        (Target(Fallback(OpenAI(), name="pair"), model="m"), "pair/m"),
        (Target(Timeout(total=1), OpenAI()), "openai"),
    ],
)
def test_what_a_target_is_called(target: Target, label: str) -> None:
    assert target.label == label


def names(executor) -> list[str]:
    return [each.name for each in executor.children() if isinstance(each, TargetExecutor)]


def test_equal_targets_are_told_apart_by_a_number() -> None:
    composite = Stack(Fallback(leaf("a"), leaf("b"), leaf("a"), leaf("a"))).build().inner
    assert names(composite) == ["a", "b", "a#2", "a#3"]


def test_targets_inside_targets_carry_the_outer_name() -> None:
    inner = Fallback(Target(leaf("a"), name="x"), leaf("b"))
    composite = Stack(Fallback(Target(inner, name="outer"), leaf("c"))).build().inner
    outer = composite.children()[0]
    assert names(composite) == ["outer", "c"]
    assert names(outer.children()[0]) == ["outer/x", "outer/b"]


async def test_the_record_of_a_try_names_its_target() -> None:
    broken = ScriptedExecutor(ExecutorError("connection", "reset"), name="a")
    executor = Stack(Fallback(Target(broken, name="first"), Target(ScriptedExecutor("x", name="b"), model="m"))).build()
    response = await executor.exec_chat_response("callers", REQUEST)
    assert [(each.target, each.provider, each.model) for each in response.attempts] == [
        ("first", "a", "callers"),
        ("b/m", "b", "m"),
    ]


@pytest.mark.parametrize("name", ["sed", "call", "nope"])
def test_only_options_can_be_unset(name: str) -> None:
    with pytest.raises(ConfigError, match=f"unset: '{name}' is no option that can be unset"):
        Target(OpenAI(), unset=(name,))


def test_the_nearest_option_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        Target(OpenAI(), unset=("sed",))


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_takes_at_least_one_token(window: int) -> None:
    with pytest.raises(ConfigError, match="context_window: expected greater than 0"):
        Target(OpenAI(), context_window=window)
