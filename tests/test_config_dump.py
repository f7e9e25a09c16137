"""What is dumped is what is loaded: the same stack, without a secret in it, or an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.errors import ConfigError
from lamellar.middleware import Defaults, Fallback, Log, Retry
from lamellar.providers import OpenAI
from lamellar.secrets import Secret
from lamellar.stack import Stack
from lamellar.target import Target
from lamellar.testing import ScriptedExecutor

BY_A_LAYER = "layers: [{defaults: {extra_headers: %s}}]\nexecutor: {openai: {api_key: k}}"
BY_A_TARGET = "executor: {fallback: {targets: [{executor: openai, options: {extra_headers: %s}}]}}"

# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BY_A_LAYER, BY_A_TARGET])
def test_a_header_that_names_its_secret_is_loaded_without_it_and_never_written(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    said = text.replace("api_key: k", "api_key: {env: KEY}") % "{Authorization: {env: TOKEN}, x-team: search}"
    stack = Stack.loads(said)
    monkeypatch.setenv("TOKEN", "hunter2")
    assert Stack.loads(said) == stack
    dumped = stack.dump()
    assert Stack.loads(dumped) == stack
    assert "env: TOKEN" in dumped
    assert "hunter2" not in dumped + repr(stack) + stack.describe() + stack.to_mermaid()


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X-Auth-Token"])
def test_a_credential_among_extra_headers_is_a_secret_and_not_dumped(name: str) -> None:
    stacks = [
        Stack.loads(text % f"{{{name}: hunter2}}") for text in (BY_A_LAYER.replace("{api_key: k}", "{}"), BY_A_TARGET)
    ]
    by_a_call = Target(OpenAI(), options=ChatOptions(extra_headers={name: "hunter2"}))
    stacks.append(Stack(Fallback(by_a_call)))
    for stack in stacks:
        with pytest.raises(ConfigError, match=re.escape("use {env: NAME}")) as caught:
            stack.dump()
        assert "hunter2" not in str(caught.value) + repr(stack)


async def test_what_a_header_names_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    headers = {"authorization": {"env": "TOKEN"}, "x-team": "search"}
    leaf = ScriptedExecutor("hi", repeat=True)
    for stack in (
        Stack(Defaults(extra_headers=headers), leaf),
        Stack.model_validate(
            {"executor": {"fallback": {"targets": [Target(leaf, options={"extra_headers": headers})]}}}
        ),
    ):
        async with stack.build() as llm:
            await llm.exec_chat_response("m", ChatRequest.from_user("hi"))
        assert leaf.calls[-1].options.extra_headers == {"authorization": "hunter2", "x-team": "search"}


def test_a_header_whose_secret_is_missing_is_named_when_the_stack_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    stack = Stack(Defaults(extra_headers={"authorization": Secret(env="TOKEN")}), ScriptedExecutor("hi"))
    assert "missing-key" in [each.code for each in stack.lint()]
    with pytest.raises(ConfigError, match=r"defaults.extra_headers.authorization: the environment variable TOKEN"):
        stack.build()


# -- the round trip --------------------------------------------------------------------------------------------------

_LOOKS = st.from_regex(r"[-+]?[0-9_]{0,3}[.:]?[0-9_]{0,3}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
_WORDS = st.sampled_from(
    ("null", "~", "true", "yes", "off", ".inf", "-.NaN", "0x1F", "0o17", "017", "0b1", "1:30", "2020-01-01", "<<", "=")
)
SCALAR_LOOKING = st.one_of(_LOOKS, _WORDS, st.text(max_size=8))


@given(SCALAR_LOOKING, SCALAR_LOOKING)
@example("12e4", "1e3")
@example("1E5", "+1e3")
@example("1.e3", "0e0")
@example("1e400", "-1.5E-7")
@example("!", "*")
@example("\x85", "a\u2028b")
@settings(max_examples=200, deadline=None)
def test_text_that_looks_like_something_else_stays_text(name: str, value: str) -> None:
    stack = Stack(Defaults(system=value, extra_body={name: value, "in": [value]}), OpenAI())
    for spelling in ("yaml", "json", "toml"):
        assert Stack.loads(stack.dump(spelling), spelling) == stack, spelling


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_numbers_stay_numbers(number: float) -> None:
    stack = Stack(Defaults(extra_body={"a": number}), OpenAI())
    assert Stack.loads(stack.dump()) == stack


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda: {"a": math.nan}, "extra_body.a: a file cannot hold the number nan"),
        (lambda: {"a": [1, -math.inf]}, "extra_body.a[1]: a file cannot hold the number -inf"),
        (lambda: {"a": 2**63}, "extra_body.a: a whole number has 64 bits at most"),
        (lambda: {"a": "\ud800"}, "extra_body.a: not text: half a surrogate pair (U+D800)"),
        (lambda: {"\udfff": 1}, "extra_body: a name: not text: half a surrogate pair (U+DFFF)"),
        (lambda: {"a": nested(99)}, "nested deeper than 100 levels"),
        (lambda: {"a": nested(150)}, "nested deeper than 100 levels"),
        (lambda: {"a": list(range(10_001))}, "a file holds 10000 values at most"),
    ],
)
def test_what_no_file_says_is_told_with_its_path(body: Callable[[], dict[str, object]], said: str) -> None:
    stack = Stack(Defaults(extra_body=body()), OpenAI())  # type: ignore[arg-type]
    for spelling in ("yaml", "json", "toml"):
        with pytest.raises(ConfigError) as caught:
            stack.dump(spelling)  # type: ignore[arg-type]
        assert str(caught.value).startswith("layers[0].defaults.extra_body")
        assert said in str(caught.value)


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_as_deep_as_can_be_loaded_is_dumped_and_no_deeper() -> None:
    def text(levels: int) -> str:
        data = {"layers": [{"defaults": {"extra_body": {"a": nested(levels)}}}], "executor": "openai"}
        return json.dumps(data)

    deepest = next(levels for levels in range(120) if not _loads(text(levels + 1)))
    stack = Stack.loads(text(deepest), "json")
    assert Stack.loads(stack.dump("json"), "json") == Stack.loads(stack.dump("yaml")) == stack
    with pytest.raises(ConfigError, match="nested deeper"):
        Stack(Defaults(extra_body={"a": nested(deepest + 1)}), OpenAI()).dump("json")  # type: ignore[dict-item]


def _loads(text: str) -> bool:
    try:
        Stack.loads(text, "json")
    except ConfigError:
        return False
    return True


# -- plates in a row -------------------------------------------------------------------------------------------------


async def test_as_many_layers_as_a_stack_takes_are_called_through_and_more_are_refused() -> None:
    layers = [Log()] * 200
    async with Stack(*layers, ScriptedExecutor("hi")).build() as llm:
        assert (await llm.exec_chat_response("m", ChatRequest.from_user("hi"))).text == "hi"
    with pytest.raises(ConfigError, match="layers: expected at most 200 items, got 201"):
        Stack(Retry(), *layers, OpenAI())
    with pytest.raises(ConfigError, match="layers: expected at most 200 items, got 600"):
        Stack.loads(f"layers: [{', '.join(['retry'] * 600)}]\nexecutor: openai")
    with pytest.raises(ConfigError, match="layers: expected at most 200 items, got 201"):
        Stack(Retry(), Stack(*layers, OpenAI()))


# -- names and words -------------------------------------------------------------------------------------------------


def test_a_name_can_neither_break_a_line_nor_move_the_cursor() -> None:
    with pytest.raises(ConfigError) as caught:
        Stack.loads('layers: [{retry: {"a\\nb\\e[2J": 1}}]\nexecutor: openai')
    (problem,) = caught.value.problems
    assert problem.startswith("line 1, column 19: layers[0].retry.a\\nb\\x1b[2J: unknown option")
    named = Stack.loads('executor: {fallback: {targets: [{name: "a\\nb\\e[2J", executor: openai}]}}')
    assert "target a\\nb\\x1b[2J" in named.describe()
    assert named.describe().count("\n") == 3
    spoken = Stack(Defaults(system="one\ntwo"), OpenAI())
    assert "system=one\\ntwo" in spoken.describe()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "executor: {fallback: {targets: [{name: '', executor: openai}]}}",
            "line 1, column 34: executor.fallback.targets[0].name: expected at least 1 character, got 0",
        ),
        (
            "stacks: {a: {executor: {fallback: {targets: [{use: b, model: x}]}}}, b: {executor: openai}}",
            "line 1, column 47: stacks.a.executor.fallback.targets[0]: `use` stands in the executor's place",
        ),
    ],
)
def test_a_mistake_is_told_once_and_in_plain_words(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Stack.loads(text, name="a" if "stacks" in text else None)
    (problem,) = caught.value.problems
    assert problem.startswith(said)
