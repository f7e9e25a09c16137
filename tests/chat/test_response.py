"""Whole answers."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from pydantic import TypeAdapter, ValidationError

from lamellar.call import AttemptRecord, Outcome
from lamellar.chat.content import ReasoningContent, Text, ToolCall
from lamellar.chat.response import ChatResponse, StopReason
from lamellar.chat.usage import CacheCreation, PromptDetails, Usage

CALL = ToolCall(call_id="c", fn_name="f", fn_arguments={})
RESPONSE = ChatResponse(
    content=(ReasoningContent(text="hm"), Text("a"), CALL, Text("b")),
    reasoning_content="hm",
    model="m",
    provider="p",
    stop_reason=StopReason("tool_call", raw="tool_use"),
    usage=Usage(prompt_tokens=5, prompt_details=PromptDetails(cache_creation=CacheCreation(ephemeral_5m=2))),
    attempts=(AttemptRecord(1, "t", "p", "m", Outcome.COMPLETED),),
)


def test_its_text_and_calls() -> None:
    assert RESPONSE.text == "ab"
    assert RESPONSE.tool_calls == (CALL,)


def test_it_goes_to_json_and_back_whole() -> None:
    again = ChatResponse.model_validate_json(RESPONSE.model_dump_json())
    assert again == RESPONSE
    assert again.stop_reason is not None
    assert again.stop_reason.raw == "tool_use"


def test_other_attempts_make_another_response() -> None:
    attempts = (AttemptRecord(1, "x", "p", "m"),)
    other = RESPONSE.with_attempts(attempts)
    assert other.attempts == attempts
    assert other == RESPONSE.model_copy(update={"attempts": attempts})
    assert RESPONSE.attempts[0].target == "t"
    assert pickle.loads(pickle.dumps(other)) == copy.deepcopy(other) == other


@pytest.mark.parametrize(
    ("said", "empty"),
    [
        ({}, True),
        ({"content": (Text("a"),)}, False),
        ({"content": (CALL,)}, False),
        ({"reasoning_content": "hm"}, False),
        ({"usage": Usage()}, False),
        ({"stop_reason": StopReason("completed")}, True),
    ],
)
def test_an_answer_is_empty_when_nothing_is_in_it_and_no_usage_says_otherwise(said, empty: bool) -> None:
    assert ChatResponse(model="m", provider="p", **said).is_empty is empty


@pytest.mark.failure(33)
def test_unknown_usage_is_none_and_never_zero() -> None:
    assert set(Usage().model_dump().values()) == {None}


# -- stop reasons ----------------------------------------------------------------------------------------------------


def test_a_stop_reason_is_a_word_with_the_providers_own_beside_it() -> None:
    reason = StopReason("completed", raw="end_turn")
    assert reason == "completed"
    assert f"{reason}" == str(reason) == "completed"
    assert reason.raw == "end_turn"
    assert repr(reason) == "StopReason('completed', raw='end_turn')"
    assert eval(repr(StopReason("other"))) == "other"


@pytest.mark.parametrize("journey", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_stop_reason_travels(journey) -> None:
    arrived = journey(StopReason("max_tokens", raw="length"))
    assert (type(arrived), arrived, arrived.raw) == (StopReason, "max_tokens", "length")


@pytest.mark.parametrize(
    ("data", "raw", "written"),
    [
        ("completed", None, "completed"),
        ({"kind": "completed"}, None, "completed"),
        ({"kind": "completed", "raw": "stop"}, "stop", {"kind": "completed", "raw": "stop"}),
        (StopReason("completed", "stop"), "stop", {"kind": "completed", "raw": "stop"}),
    ],
)
def test_a_stop_reason_as_data(data: object, raw: str | None, written: object) -> None:
    adapter = TypeAdapter(StopReason)
    reason = adapter.validate_python(data)
    assert (reason, reason.raw) == ("completed", raw)
    assert json.loads(adapter.dump_json(reason)) == written


@pytest.mark.parametrize("data", ["finished", 5, {"kind": 5}, {}, None])
def test_what_is_no_stop_reason_is_refused(data: object) -> None:
    with pytest.raises(ValidationError, match="stop reason"):
        TypeAdapter(StopReason).validate_python(data)


def test_its_schema_lists_the_words() -> None:
    assert TypeAdapter(StopReason).json_schema()["enum"] == list(StopReason.KINDS)
