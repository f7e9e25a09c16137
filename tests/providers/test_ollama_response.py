"""Whole answers and errors of Ollama's own API."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
from tests.providers.ollama_lines import COUNTS, MADE, call, error, exchange, line, parse, payload, unread

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage
from lamellar.errors import ExecutorError
from lamellar.providers.ollama_chat import OLLAMA_CHAT


def test_an_answer():
    answer = parse(payload("Hello", thinking="hm", done="stop", counts=COUNTS))
    assert answer.content == (ReasoningContent(text="hm"), Text("Hello"))
    assert (answer.text, answer.reasoning_content) == ("Hello", "hm")
    assert (answer.stop_reason, answer.stop_reason and answer.stop_reason.raw) == ("completed", "stop")
    assert answer.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert (answer.model, answer.provider, answer.provider_model) == ("qwen3", "ollama", "qwen3:8b")
    assert answer.response_id is None
    assert answer.raw is None


def test_calls_have_ids_that_stay_the_same():
    said = payload(tool_calls=[call("f", {"a": 1}), call("g", id="c2"), call("h", '{"b": 2}')], done="stop")
    made = "20260102T0304056Z"
    answer = parse(said)
    assert answer.tool_calls == (
        ToolCall(call_id=f"ollama_call_0_{made}", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="c2", fn_name="g", fn_arguments={}),
        ToolCall(call_id=f"ollama_call_2_{made}", fn_name="h", fn_arguments={"b": 2}),
    )
    assert (answer.stop_reason, answer.stop_reason and answer.stop_reason.raw) == ("tool_call", "stop")
    assert parse(said).tool_calls == answer.tool_calls
    later = parse({**said, "created_at": MADE.replace("05", "06")})
    assert later.tool_calls[0].call_id != answer.tool_calls[0].call_id
    del said["created_at"]
    assert parse(said).tool_calls[0].call_id == "ollama_call_0"


def test_arguments_that_are_no_json_stay_the_text_they_are():
    answer = parse(payload(tool_calls=[call("f", "no {json"), call("g", " ")], done="stop"))
    assert [each.fn_arguments for each in answer.tool_calls] == ["no {json", {}]


def test_pictures_and_what_is_new_are_kept():
    said = payload("x", images=["/9j/AA", "iVBORw", "zzz", 7], annotations=[{"a": 1}], done="stop")
    answer = parse({**said, "logprobs": [{"token": "x"}]})
    assert answer.content == (
        Text("x"),
        Binary.from_base64("image/jpeg", "/9j/AA"),
        Binary.from_base64("image/png", "iVBORw"),
        Binary.from_base64("image/png", "zzz"),
        Custom(model="ollama", data={"annotations": [{"a": 1}]}),
        Custom(model="ollama", data={"logprobs": [{"token": "x"}]}),
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [("stop", "completed"), ("length", "max_tokens"), ("load", "other"), ("unload", "other"), ("new", "other")],
)
def test_stop_reasons(said: str, kind: str):
    reason = parse(payload("x", done=said)).stop_reason
    assert (reason, reason and reason.raw) == (kind, said)


def test_older_servers_tell_no_reason():
    assert parse(payload("x", done="")).stop_reason is None
    assert parse(payload(tool_calls=[call("f")], done="")).stop_reason == "tool_call"


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({}, None),
        ({"eval_count": 4}, Usage(completion_tokens=4)),
        ({"prompt_eval_count": 4.0}, Usage(prompt_tokens=4)),
        ({"prompt_eval_count": 0, "eval_count": 0}, Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)),
        ({"prompt_eval_count": True, "eval_count": "4"}, None),
        ({"prompt_eval_count": -1, "eval_count": None}, None),
    ],
)
def test_usage(counts: Any, usage: Usage | None):
    assert parse(payload("x", done="stop", counts=counts)).usage == usage


def test_options_of_the_answer():
    said = payload("<think>hm</think>so", done="stop")
    answer = parse(said, ChatOptions(normalize_reasoning_content=True, capture_raw_body=True))
    assert answer.content == (ReasoningContent(text="hm"), Text("so"))
    assert answer.raw == said


def test_lines_are_one_answer():
    body = line(payload("a")) + b"\n" + line(payload("b", done="length", counts=COUNTS))
    answer = parse(body)
    assert (answer.text, answer.stop_reason) == ("ab", "max_tokens")
    assert unread(line(payload("a")) * 2).kind == "truncated"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<html><title>Down</title></html>", "'Down'"),
        (b"not\njson", "not JSON"),
        (b"[]", "JSON list"),
        (b"{}", "no message"),
        (b'{"message":null}', "no message"),
        (b'{"message":"hi"}', "not an object"),
        (b'{"message":{"tool_calls":[{"function":{}}]}}', "no name"),
        (b'{"message":{"tool_calls":[null]}}', "no name"),
    ],
)
def test_what_is_no_answer(body: bytes, told: str):
    error = unread(body)
    assert error.kind == "malformed"
    assert told in str(error)


ERRORS: list[tuple[int, str, str]] = [
    (400, "model is required", "invalid_request"),
    (400, '"gemma3" does not support tools', "invalid_request"),
    (400, "the input length exceeds the context length", "context_overflow"),
    (400, "prompt too long; exceeded max context length by 4 tokens", "context_overflow"),
    (500, "llama runner: requested tokens exceed context window", "context_overflow"),
    (401, "unauthorized", "unauthorized"),
    (403, "forbidden", "permission_denied"),
    (404, "model 'x' not found", "model_not_found"),
    (404, "model 'x' not found, try pulling it first", "model_not_found"),
    (429, "too many requests", "rate_limited"),
    (429, "you've reached your hourly usage limit, please upgrade", "quota_exhausted"),
    (500, "model requires more system memory (9 GiB) than is available", "server_error"),
    (502, "cannot reach the cloud", "server_error"),
    (503, "server busy, please try again.  maximum pending requests exceeded", "overloaded"),
]


@pytest.mark.parametrize(("status", "said", "kind"), ERRORS)
def test_errors(status: int, said: str, kind: str):
    found = error(status, {"error": said}, {"retry-after": "3"})
    assert (found.kind, found.status, found.retry_after) == (kind, status, 3.0)
    assert said in str(found)


IN_BAND: list[tuple[str, str]] = [
    ("server busy, please try again.  maximum pending requests exceeded", "overloaded"),
    ("too many requests", "rate_limited"),
    ("you've reached your weekly usage limit", "quota_exhausted"),
    ("model 'x' not found", "model_not_found"),
    ("unauthorized", "unauthorized"),
    ("forbidden", "permission_denied"),
    ("the input length exceeds the context length", "context_overflow"),
    ("timed out waiting for the model", "timeout"),
    ('"gemma3" does not support tools', "invalid_request"),
    ("an error was encountered while running the model", "server_error"),
]


@pytest.mark.parametrize(("said", "kind"), IN_BAND)
def test_errors_under_200_are_the_same(said: str, kind: str):
    found = unread({"error": said})
    assert (found.kind, found.status) == (kind, 200)


def test_errors_in_other_forms():
    assert error(404, b"404 page not found").kind == "invalid_request"
    assert error(502, b"<html><title>Bad gateway</title></html>").kind == "server_error"
    assert error(400, {"error": {"message": "nested", "code": "context_length_exceeded"}}).kind == "context_overflow"
    assert error(500, {"StatusCode": 500}).kind == "server_error"
    assert error(500, []).kind == "server_error"


def test_no_secret_is_told():
    assert "s3cr3t-key" not in str(error(500, {"error": "key s3cr3t-key failed"}))
    assert "s3cr3t-key" not in str(unread(b"s3cr3t-key"))


def test_an_error_holds_nothing_of_the_answer():
    class Marked(dict[str, str]):
        pass

    headers = Marked()
    alive = weakref.ref(headers)
    gc.disable()
    try:
        with suppress(ExecutorError):
            OLLAMA_CHAT.parse_response(exchange(), 200, headers, b'{"error":"x"}')
        del headers
        assert alive() is None
    finally:
        gc.enable()
