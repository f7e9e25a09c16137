"""Whole answers and errors of Cohere's Chat API."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
from tests.providers.cohere_events import USAGE, answer, call, error, exchange, parse, text, thinking, unread

from lamellar.chat.content import Custom, ReasoningContent, Text, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import PromptDetails, Usage
from lamellar.errors import ExecutorError
from lamellar.providers.cohere_chat import COHERE_CHAT


def test_an_answer():
    found = parse(answer(thinking("hm"), text("Hel"), text("lo")))
    assert found.content == (ReasoningContent(text="hm"), Text("Hello"))
    assert (found.text, found.reasoning_content) == ("Hello", "hm")
    assert (found.stop_reason, found.stop_reason and found.stop_reason.raw) == ("completed", "COMPLETE")
    assert found.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert (found.model, found.provider, found.provider_model) == ("command-a", "cohere", None)
    assert found.response_id == "a1"
    assert found.raw is None


def test_calls_and_the_plan_for_them():
    calls = [call("c1", "f", '{"a": 1}'), call("c2", "g", ""), call("c3", "h", "no {json")]
    found = parse(answer(tool_plan="first f", tool_calls=calls, finish="TOOL_CALL"))
    assert found.content == (
        ReasoningContent(text="first f"),
        Custom(model="cohere", data={"type": "tool_plan"}),
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="c2", fn_name="g", fn_arguments={}),
        ToolCall(call_id="c3", fn_name="h", fn_arguments="no {json"),
    )
    assert found.reasoning_content == "first f"
    assert found.stop_reason == "tool_call"


def test_thinking_and_a_plan_are_parts_of_their_own():
    found = parse(answer(thinking("hm"), tool_plan="p", tool_calls=[call("c1", "f")]))
    assert found.content[:2] == (ReasoningContent(text="hm"), ReasoningContent(text="p"))
    assert found.stop_reason == "tool_call"


def test_what_has_no_other_place_is_kept():
    cited: Any = [{"start": 0, "end": 1, "text": "x"}]
    said = answer(text("x"), {"type": "image", "url": "u"}, citations=cited, notes={"a": 1})
    found = parse({**said, "logprobs": [{"token_ids": [1]}]})
    assert found.content == (
        Text("x"),
        Custom(model="cohere", data={"type": "image", "url": "u"}),
        Custom(model="cohere", data={"citations": cited}),
        Custom(model="cohere", data={"notes": [{"a": 1}]}),
        Custom(model="cohere", data={"logprobs": [{"token_ids": [1]}]}),
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("COMPLETE", "completed"),
        ("STOP_SEQUENCE", "stop_sequence"),
        ("MAX_TOKENS", "max_tokens"),
        ("TOOL_CALL", "tool_call"),
        ("NEW", "other"),
    ],
)
def test_stop_reasons(said: str, kind: str):
    reason = parse(answer(text("x"), finish=said)).stop_reason
    assert (reason, reason and reason.raw) == (kind, said)


def test_no_reason_is_none():
    assert parse(answer(text("x"), finish=None)).stop_reason is None


@pytest.mark.parametrize(
    ("finish", "kind", "code"),
    [
        ("ERROR", "server_error", "ERROR"),
        ("ERROR_LIMIT", "server_error", "ERROR_LIMIT"),
        ("TIMEOUT", "timeout", "TIMEOUT"),
        ("ERROR_TOXIC", "content_filtered", "content_filter"),
    ],
)
def test_reasons_that_are_failures(finish: str, kind: str, code: str):
    found = unread(answer(text("x"), finish=finish))
    assert (found.kind, found.code, found.status) == (kind, code, 200)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        (
            {**USAGE, "cached_tokens": 1},
            Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5, prompt_details=PromptDetails(cached_tokens=1)),
        ),
        (
            {"billed_units": {"input_tokens": 2.0, "output_tokens": 1.0}},
            Usage(prompt_tokens=2, completion_tokens=1, total_tokens=3),
        ),
        ({"tokens": {"input_tokens": 4}, "billed_units": None}, Usage(prompt_tokens=4)),
        ({"tokens": {"input_tokens": True, "output_tokens": -1}, "cached_tokens": "1"}, None),
    ],
    ids=str,
)
def test_usage(raw: Any, usage: Usage | None):
    assert parse(answer(text("x"), usage=raw)).usage == usage


def test_options_of_the_answer():
    said = answer(text("<think>hm</think>so"))
    found = parse(said, ChatOptions(normalize_reasoning_content=True, capture_raw_body=True))
    assert found.content == (ReasoningContent(text="hm"), Text("so"))
    assert found.raw == said


def test_a_bare_text_is_content_too():
    said = answer()
    said["message"]["content"] = "plain"
    assert parse(said).text == "plain"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b"<html><title>Down</title></html>", "'Down'"),
        (b"[1]", "JSON list"),
        (b"{}", "neither a message nor"),
        (b'{"message":null}', "neither a message nor"),
        (b'{"message":[]}', "neither a message nor"),
    ],
)
def test_what_is_no_answer(body: bytes, told: str):
    found = unread(body)
    assert found.kind == "malformed"
    assert told in str(found)


ERRORS: list[tuple[int, str, str]] = [
    (400, "invalid request: message must be at least 1 token long", "invalid_request"),
    (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
        "context_overflow",
    ),
    (400, "too many tokens: max tokens must be less than or equal to 4096", "invalid_request"),
    (401, "invalid api token", "unauthorized"),
    (402, "Please add or update your payment method", "quota_exhausted"),
    (403, "forbidden", "permission_denied"),
    (404, "model 'x' not found, make sure the correct model ID was used", "model_not_found"),
    (422, "unknown field: parameter 'x' is not a valid field", "invalid_request"),
    (429, "You are past the per minute request limit, please wait and try again later.", "rate_limited"),
    (429, "You are using a Trial key, which is limited to 1000 API calls / month.", "quota_exhausted"),
    (498, "invalid token", "unauthorized"),
    (499, "request canceled", "server_error"),
    (500, "internal server error, this has been reported to our developers.", "server_error"),
    (503, "service unavailable", "overloaded"),
    (504, "gateway timeout", "timeout"),
]


@pytest.mark.parametrize(("status", "said", "kind"), ERRORS)
def test_errors(status: int, said: str, kind: str):
    found = error(status, {"id": "e1", "message": said}, {"retry-after": "3"})
    assert (found.kind, found.status, found.retry_after, found.request_id) == (kind, status, 3.0, "e1")
    assert said in str(found)


IN_BAND: list[tuple[str, str]] = [
    ("service unavailable: the model is overloaded", "overloaded"),
    ("You are past the per minute request limit", "rate_limited"),
    ("limited to 1000 API calls / month", "quota_exhausted"),
    ("model 'x' not found", "model_not_found"),
    ("invalid api token", "unauthorized"),
    ("too many tokens: total number of tokens in the prompt cannot exceed 4081", "context_overflow"),
    ("invalid request: no", "invalid_request"),
    ("something else", "server_error"),
]


@pytest.mark.parametrize(("said", "kind"), IN_BAND)
def test_errors_under_200_are_the_same(said: str, kind: str):
    found = unread({"id": "e1", "message": said})
    assert (found.kind, found.status, found.request_id) == (kind, 200, "e1")


def test_errors_in_other_forms():
    assert error(500, b"upstream connect error").kind == "server_error"
    assert error(400, {"error": {"message": "m", "code": "context_length_exceeded"}}).kind == "context_overflow"
    assert error(500, {"data": 1}).kind == "server_error"
    assert error(500, [1]).kind == "server_error"
    assert error(404, {"id": 7, "message": {"a": 1}}, {"x-request-id": "h"}).request_id == "h"


def test_no_secret_is_told():
    assert "s3cr3t-key" not in str(error(500, {"message": "key s3cr3t-key failed"}))
    assert "s3cr3t-key" not in str(unread(b"s3cr3t-key"))


@pytest.mark.parametrize("body", [b'{"message":"x"}', b'{"finish_reason":"ERROR"}'])
def test_an_error_holds_nothing_of_the_answer(body: bytes):
    class Marked(dict[str, str]):
        pass

    headers = Marked()
    alive = weakref.ref(headers)
    gc.disable()
    try:
        with suppress(ExecutorError):
            COHERE_CHAT.parse_response(exchange(), 200, headers, body)
        del headers
        assert alive() is None
    finally:
        gc.enable()
