"""Declarations: one object for code and files."""

from __future__ import annotations

import pickle
from typing import ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar.chat.options import ChatOptions
from lamellar.errors import ConfigError
from lamellar.executor import LlmExecutor
from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.spec import ExecutorSpec, Given, LayerSpec, Spec, dump_spec
from lamellar.stack import Stack
from lamellar.testing import ScriptedExecutor

from .specimens import every_spec

SPECIMENS = dict(every_spec())
LAYERS = [spec for spec in SPECIMENS.values() if isinstance(spec, LayerSpec)]
EXECUTORS = [spec for spec in SPECIMENS.values() if isinstance(spec, ExecutorSpec)]
NAMES = {each.__name__: each for each in (OpenAI, Retry, Timeout, Fallback, Target, Stack)}


def as_stack(spec: Spec) -> Stack:
    return Stack(spec) if isinstance(spec, ExecutorSpec) else Stack(spec, OpenAI())


def said(spec: object) -> object:
    """What was said, all the way down: None where that was said is not the same as silence."""
    if isinstance(spec, Spec):
        return type(spec), {name: said(getattr(spec, name)) for name in spec.model_fields_set}
    return [said(each) for each in spec] if isinstance(spec, tuple) else spec


@pytest.mark.parametrize("spelling", ["yaml", "toml", "json"])
@pytest.mark.parametrize("spec", SPECIMENS.values(), ids=SPECIMENS)
def test_every_option_of_every_spec_goes_to_a_file_and_back(
    spec: Spec, spelling: Literal["yaml", "toml", "json"]
) -> None:
    stack = as_stack(spec)
    again = Stack.loads(stack.dump(spelling), spelling)
    assert again == stack
    assert said(again.children()) == said(stack.children())
    assert type(again.children()[0]) is type(spec)


@pytest.mark.parametrize("spec", SPECIMENS.values(), ids=SPECIMENS)
def test_every_spec_can_be_handled(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://some.openai.azure.com")  # these two are nowhere by themselves
    monkeypatch.setenv("VERTEX_PROJECT_ID", "some")
    assert spec == type(spec).model_validate(spec.model_dump(mode="json", exclude_unset=True))
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert repr(spec).startswith(f"{type(spec).__name__}(")
    assert type(spec).__name__ + "(" in repr(as_stack(spec))
    assert as_stack(spec).describe()
    spec.identity()


executors = st.deferred(lambda: st.sampled_from(EXECUTORS) | composites)
targets = st.builds(
    lambda layers, executor, model, name: Target(*layers, executor, model=model, name=name),
    st.lists(st.sampled_from(LAYERS), max_size=3),
    executors,
    st.none() | st.sampled_from(["gpt-4o-mini", "claude-haiku-4-5"]),
    st.none() | st.text("abc", min_size=1, max_size=8),
)
composites = st.lists(targets, min_size=1, max_size=3, unique_by=lambda each: each.name or id(each)).map(
    lambda found: Fallback(*found)
)


@given(st.lists(st.sampled_from(LAYERS), max_size=4), executors, st.sampled_from(["yaml", "json"]))
def test_composed_stacks_go_to_a_file_and_back(layers, executor, spelling) -> None:
    stack = Stack(*layers, executor)
    assert Stack.loads(stack.dump(spelling), spelling) == stack


@given(st.lists(st.sampled_from(LAYERS), max_size=4), executors)
def test_nested_and_flat_stacks_are_equal(layers, executor) -> None:
    flat = Stack(*layers, executor)
    for split in range(len(layers) + 1):
        assert Stack(*layers[:split], Stack(*layers[split:], executor)) == flat


# -- what a spec is --------------------------------------------------------------------------------------------------


def test_specs_compare_by_what_they_say() -> None:
    assert Retry(attempts=3) == Retry()
    assert Retry(attempts=2) != Retry()
    assert Timeout(total="1m") == Timeout(total=60)


def test_a_spec_with_nothing_said_is_its_bare_kind() -> None:
    assert dump_spec(Retry()) == "retry"
    assert dump_spec(Retry(attempts=2)) == {"retry": {"attempts": 2}}


def test_none_where_it_was_said_is_dumped() -> None:
    """A limit of None is switched off; one that is not said is inherited."""
    assert dump_spec(Timeout(total=60, idle=None)) == {"timeout": {"total": 60.0, "idle": None}}


def test_toml_which_knows_no_none_says_so() -> None:
    with pytest.raises(ConfigError, match="write YAML or JSON"):
        Stack(Timeout(total=60, idle=None), OpenAI()).dump("toml")


# -- reprs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "Retry()",
        "Retry(attempts=2)",
        "OpenAI(base_url='http://localhost:8000/v1')",
        "Stack(Timeout(total=60.0), Fallback(Target(Retry(attempts=2), OpenAI(), model='gpt-4o-mini')))",
        "Stack(Retry(attempts=3), Retry(), OpenAI(), version=1)",
        "Target(OpenAI(), name='main', unset=('seed',))",
        "Fallback(Target(OpenAI()), Target(OpenAI(), model='b'), name='pair', sticky=30.0)",
    ],
)
def test_a_repr_is_the_code_that_makes_it(code: str) -> None:
    spec = eval(code, dict(NAMES))
    assert repr(spec) == str(spec) == code


def test_options_inside_a_repr_are_only_those_that_were_said() -> None:
    target = Target(OpenAI(), options=ChatOptions(temperature=0.5))
    assert repr(target) == "Target(OpenAI(), options=ChatOptions(temperature=0.5))"


def test_an_executor_that_was_given_shows_itself() -> None:
    stack = Stack(Retry(), ScriptedExecutor(name="mine"))
    assert repr(stack) == "Stack(Retry(), ScriptedExecutor(name='mine', calls=0))"


# -- runtime executors -----------------------------------------------------------------------------------------------


def test_a_given_executor_is_never_dumped() -> None:
    stack = Stack(Fallback(ScriptedExecutor(name="mine")))
    with pytest.raises(ConfigError, match="the executor 'mine' was given as an object, which a file cannot hold"):
        stack.dump()
    with pytest.raises(ConfigError, match="'mine'"):
        dump_spec(Given(executor=ScriptedExecutor(name="mine")))


def test_a_given_executor_is_the_same_object_all_the_way() -> None:
    mine = ScriptedExecutor("a")
    assert Stack(Retry(), mine).build().find(ScriptedExecutor) is mine


# -- a user's own ----------------------------------------------------------------------------------------------------


class Shout(LayerSpec):
    """A layer of a user's own, which is not registered."""

    kind: ClassVar[str] = "shout"
    loud: bool = True

    def wrap(self, inner: LlmExecutor, context: object) -> LlmExecutor:
        return inner


def test_a_layer_that_is_not_registered_works_in_code_and_is_drawn() -> None:
    stack = Stack(Shout(loud=False), OpenAI())
    assert repr(stack) == "Stack(Shout(loud=False), OpenAI())"
    assert "shout loud=False" in stack.describe()


def test_a_layer_without_its_verb_cannot_be_made() -> None:
    class Lazy(LayerSpec):
        kind: ClassVar[str] = "lazy"

    with pytest.raises(TypeError, match="wrap"):
        Lazy()  # type: ignore[abstract]
