"""Whole answers of the Responses dialect, and its errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.responses_events import (
    USAGE,
    call,
    exchange,
    message,
    no_answer,
    parse,
    response,
    sent_back,
    text,
    thought,
)

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage
from lamellar.providers.responses import RESPONSES

ME = "openai_resp"
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
CITED = [{"type": "url_citation", "url": "https://x.test", "start_index": 0, "end_index": 1, "title": "X"}]


def mine(**data: Any) -> Custom:
    return Custom(model=ME, data=data)


def test_an_answer():
    answer = parse(response(message(text("Paris"))))
    assert answer.content == (Text("Paris"),)
    assert (answer.model, answer.provider, answer.provider_model) == ("gpt-9", ME, "gpt-9-001")
    assert (answer.response_id, answer.stop_reason, answer.raw) == ("resp_1", "completed", None)
    assert answer.stop_reason
    assert answer.stop_reason.raw == "completed"
    assert answer.usage == Usage(
        prompt_tokens=7,
        completion_tokens=5,
        total_tokens=12,
        prompt_details=PromptDetails(cached_tokens=2),
        completion_details=CompletionDetails(reasoning_tokens=3),
    )


def test_the_raw_body_when_it_is_asked_for():
    said = response(message(text("a")))
    assert parse(said, ChatOptions(capture_raw_body=True)).raw == said


def test_everything_at_once_goes_back_as_it_came():
    output = [
        thought("one", "two", encrypted_content="enc"),
        SEARCH,
        message(text("a", annotations=CITED), text("b"), phase="commentary"),
        call("f", '{"q": "ü"}', id="fc_1", namespace="n"),
        {"id": "ct_1", "type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
    ]
    answer = parse(response(*output))
    assert answer.content == (
        ReasoningContent(text="one"),
        ReasoningContent(text="two"),
        ThoughtSignature(signature="enc", provider=ME),
        mine(reasoning={"id": "rs_1"}),
        mine(**SEARCH),
        Text("a"),
        mine(annotations=CITED),
        Text("b"),
        mine(message={"id": "msg_1", "status": "completed", "phase": "commentary"}),
        ToolCall(call_id="call_1", fn_name="f", fn_arguments={"q": "ü"}),
        mine(function_call={"id": "fc_1", "status": "completed", "namespace": "n"}),
        mine(**output[4]),
    )
    assert (answer.text, answer.reasoning_content, answer.stop_reason) == ("ab", "onetwo", "tool_call")
    assert answer.stop_reason.raw == "completed"
    back = sent_back(answer.content)
    assert json.loads(back[3].pop("arguments")) == json.loads(output[3].pop("arguments"))
    assert back[2].pop("content") == [
        {"type": "output_text", "text": "a", "annotations": CITED},
        {"type": "output_text", "text": "b", "annotations": []},
    ]
    del output[2]["content"]
    assert back == output


def test_ids_matter_only_beside_reasoning():
    answer = parse(response(message(text("a")), call()))
    assert answer.content == (Text("a"), ToolCall(call_id="call_1", fn_name="f", fn_arguments={}))
    phased = parse(response(message(text("a"), phase="final_answer")))
    assert phased.content == (Text("a"), mine(message={"phase": "final_answer"}))


@pytest.mark.parametrize(
    "item",
    [
        thought(content=[{"type": "reasoning_text", "text": "hmm"}]),
        thought("so", content=[{"type": "reasoning_text", "text": "hmm"}], encrypted_content="enc"),
        thought(summary=[{"type": "summary_text", "text": "hmm", "more": 1}]),
        thought(summary=[{"type": "new", "text": "hmm"}, 7]),
    ],
)
def test_reasoning_that_is_more_than_summaries_goes_back_whole(item: dict[str, Any]):
    answer = parse(response(item, message(text("a"))))
    assert answer.reasoning_content
    assert "hmm" in answer.reasoning_content
    back, said = sent_back(answer.content)
    assert back == item
    assert said["id"] == "msg_1"


def test_reasoning_that_is_not_shown():
    answer = parse(response(thought(encrypted_content=None), message(text("a"))))
    assert answer.reasoning_content is None
    assert sent_back(answer.content)[0] == thought()


def test_a_refusal_is_an_answer():
    answer = parse(response(message({"type": "refusal", "refusal": "No."})))
    assert answer.content == (mine(refusal="No."),)
    assert (answer.text, answer.stop_reason) == ("", "completed")
    assert sent_back(answer.content) == [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]


def test_parts_that_nobody_knows_are_kept():
    new = {"type": "output_hologram", "data": "…"}
    answer = parse(response(message(text("a"), new), {"type": "new_call", "id": "n1"}))
    assert answer.content == (Text("a"), mine(**new), mine(type="new_call", id="n1"))


def test_inline_thoughts_are_lifted_when_that_is_asked_for():
    said = response(message(text("<think>hm</think>so")))
    assert parse(said).text == "<think>hm</think>so"
    lifted = parse(said, ChatOptions(normalize_reasoning_content=True))
    assert lifted.content == (ReasoningContent(text="hm"), Text("so"))


@pytest.mark.parametrize(
    ("arguments", "parsed"),
    [("", {}), (None, {}), ('{"a": [1]}', {"a": [1]}), ("{broken", "{broken"), ({"a": 1}, {"a": 1})],
)
def test_arguments(arguments: Any, parsed: Any):
    (made,) = parse(response(call(arguments=arguments))).tool_calls
    assert made.fn_arguments == parsed


def test_calls_without_ids_get_some():
    output = [call(call_id=None, id="fc_9"), call(call_id="", id=None), call(call_id=None, id=None)]
    assert [each.call_id for each in parse(response(*output)).tool_calls] == ["fc_9", "call_1", "call_2"]


@pytest.mark.parametrize(
    ("status", "reason", "kind", "raw"),
    [
        ("incomplete", "max_output_tokens", "max_tokens", "max_output_tokens"),
        ("incomplete", "content_filter", "content_filter", "content_filter"),
        ("incomplete", "new_reason", "other", "new_reason"),
        ("incomplete", None, "other", "incomplete"),
        ("new_status", None, "other", "new_status"),
    ],
)
def test_stop_reasons(status: str, reason: str | None, kind: str, raw: str):
    answer = parse(response(message(text("a")), call(), status=status, incomplete_details={"reason": reason}))
    assert answer.stop_reason == kind
    assert answer.stop_reason.raw == raw


def test_what_is_not_said_is_none():
    answer = parse({"output": [], "usage": {"input_tokens": 0, "output_tokens": 3, "input_tokens_details": None}})
    assert (answer.content, answer.stop_reason, answer.response_id, answer.provider_model) == ((), None, None, None)
    assert answer.usage == Usage(prompt_tokens=0, completion_tokens=3, total_tokens=3)
    assert parse({"output": [], "usage": {}}).usage is None
    assert parse({"output": [], "usage": {"input_tokens": True, "output_tokens": -1}}).usage is None


def test_what_was_written_to_the_cache():
    told = {**USAGE, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 6}}
    usage = parse(response(usage=told)).usage
    assert usage
    assert usage.prompt_details == PromptDetails(cached_tokens=0, cache_creation_tokens=6)


# -- failures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the body is empty"),
        (b"<html><title>Hm</title>", "the body is not JSON: an HTML page titled 'Hm'"),
        (b"[]", "the body is a JSON list"),
        (b"{}", "the body has no output"),
        (b'{"output": {}}', "the body has no output"),
        (b'{"output": [7]}', "an output item is a int"),
        (b'{"output": [{"type": "message", "content": [7]}]}', "a part of a message is a int"),
        (b'{"output": [{"type": "message", "content": [{"type": "output_text", "text": 7}]}]}', "`text` is a int"),
        (b'{"output": [{"type": "function_call", "name": []}]}', "`name` is a list"),
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes, what: str):
    error = no_answer(body)
    assert error.kind == "malformed"
    assert error.message.startswith(what)


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"error": {"code": "insufficient_quota", "message": "m"}}, "quota_exhausted", "insufficient_quota"),
        (response(status="failed", error={"code": "server_error", "message": "m"}), "server_error", "server_error"),
        (response(status="failed", error={"code": "rate_limit_exceeded", "message": "m"}), "rate_limited", None),
        ({"type": "error", "code": "server_error", "message": "m"}, "server_error", "server_error"),
        (response(status="failed", error={"code": "invalid_image_url", "message": "m"}), "invalid_request", None),
        (
            response(status="failed", error={"code": "image_content_policy_violation", "message": "m"}),
            "content_filtered",
            None,
        ),
        (response(status="failed"), "server_error", "failed"),
        (response(status="cancelled"), "server_error", "cancelled"),
        ([{"error": {"message": "m", "code": "model_not_found"}}], "model_not_found", "model_not_found"),
    ],
)
def test_errors_in_band(said: Any, kind: str, code: str | None):
    error = no_answer(said)
    assert (error.kind, error.status) == (kind, 200)
    assert code is None or error.code == code


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_answer_that_is_not_made_yet_is_not_asked_for_again(status: str):
    error = no_answer(response(status=status))
    assert (error.kind, error.retryable, error.code) == ("invalid_request", False, status)
    assert "background" in error.message


def test_an_answer_that_was_filtered():
    blocked = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    assert no_answer(response(**blocked)).kind == "content_filtered"
    assert (
        no_answer(response(thought(encrypted_content="enc"), message(text("")), **blocked)).kind == "content_filtered"
    )
    assert parse(response(message(text("a")), **blocked)).stop_reason == "content_filter"
    assert parse(response(thought("hm"), **blocked)).stop_reason == "content_filter"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, {"code": "model_not_found", "message": "The requested model 'x' does not exist."}, "model_not_found"),
        (400, {"code": "context_length_exceeded", "message": "m"}, "context_overflow"),
        (400, {"code": None, "type": "invalid_request_error", "message": "m"}, "invalid_request"),
        (
            404,
            {"code": None, "message": "Item with id 'rs_1' not found. Items are not persisted when `store` is false."},
            "invalid_request",
        ),
        (401, {"code": "invalid_api_key", "message": "Incorrect API key provided: s3cr3t-key"}, "unauthorized"),
        (429, {"code": "rate_limit_exceeded", "message": "Please try again in 1.5s."}, "rate_limited"),
        (503, {"code": None, "message": "busy"}, "overloaded"),
    ],
)
def test_errors_with_a_status(status: int, said: dict[str, Any], kind: str):
    headers = {"content-type": "application/octet-stream"}  # as DeepSeek sends them
    error = RESPONSES.parse_error(exchange(), status, headers, json.dumps({"error": said}).encode())
    assert (error.kind, error.status, error.code) == (kind, status, said["code"])
    assert "s3cr3t" not in error.message
    assert error.retry_after == (1.5 if status == 429 else None)
