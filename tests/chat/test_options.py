"""Options of a call."""

from __future__ import annotations

import pytest

from lamellar.call import CallContext
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.tools import ToolChoice
from lamellar.errors import ConfigError


def test_what_is_set_is_laid_over_what_was() -> None:
    base = ChatOptions(temperature=0.9, seed=1, stop_sequences="END")
    over = ChatOptions(temperature=0.1, max_tokens=5)
    assert over.over(base) == ChatOptions(temperature=0.1, seed=1, stop_sequences=("END",), max_tokens=5)
    assert (base.temperature, over.seed) == (0.9, None)


def test_values_that_are_false_but_set_count_as_set() -> None:
    laid = ChatOptions(temperature=0.0, parallel_tool_calls=False).over(
        ChatOptions(temperature=1, parallel_tool_calls=True)
    )
    assert (laid.temperature, laid.parallel_tool_calls) == (0.0, False)


def test_nothing_over_something_is_that_something() -> None:
    base = ChatOptions(seed=1)
    assert ChatOptions().over(base) is base
    assert base.over(None) is base


def test_the_callers_context_stays_the_callers() -> None:
    context = CallContext(priority=1)
    assert ChatOptions(seed=2).over(ChatOptions(call=context)).call is context


def test_one_stop_sequence_or_many() -> None:
    assert ChatOptions(stop_sequences="END").stop_sequences == ("END",)
    assert ChatOptions(stop_sequences=["a", "b"]).stop_sequences == ("a", "b")


@pytest.mark.parametrize("effort", ["zero", "minimal", "low", "medium", "high", "xhigh", "max", 0, 1024])
def test_effort_is_a_word_or_a_budget(effort: str | int) -> None:
    assert ChatOptions(reasoning_effort=effort).reasoning_effort == effort


def test_tool_choice_and_format_take_a_word() -> None:
    options = ChatOptions(tool_choice="required", response_format="json")
    assert options.tool_choice == ToolChoice(kind="required")
    assert options.response_format == "json"


def test_a_schema_is_a_format() -> None:
    options = ChatOptions(response_format=JsonSchemaFormat(name="answer", schema={"type": "object"}))
    assert ChatOptions.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tokens": 0}, "max_tokens: expected greater than 0, got int 0"),
        ({"reasoning_effort": -1}, "reasoning_effort: a reasoning budget is a number of tokens, zero or more, got -1"),
        ({"extra_headers": {"x": "a\r\nb: c"}}, "extra_headers: 'x' holds a line break"),
        ({"extra_headers": {"x\n": "a"}}, "holds a line break"),
        ({"temprature": 1}, "temprature: unknown option; did you mean 'temperature'?"),
        ({"call": {"cache": "no"}}, "call.cache: expected 'use', 'refresh', 'bypass' or 'only', got str 'no'"),
    ],
)
def test_what_is_no_option_is_told(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ChatOptions(**options)
    assert said in str(caught.value)


def test_an_effort_that_is_no_word_is_told_with_the_words() -> None:
    with pytest.raises(ConfigError, match=r"reasoning_effort: expected 'zero', 'minimal'.*or 'max', got str 'hard'"):
        ChatOptions(reasoning_effort="hard")


def test_headers_that_are_secret_are_not_shown() -> None:
    assert "open-sesame" not in repr(ChatOptions(extra_headers={"Authorization": "open-sesame"}))
