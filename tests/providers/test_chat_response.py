"""Whole answers and errors of the Chat Completions dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
from lamellar.providers.wire import Exchange

OPTIONS = ChatOptions()


def answer(message: dict[str, Any] | None, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish}
    if message is not None:
        choice["message"] = {"role": "assistant", **message}
    return {"id": "r1", "object": "chat.completion", "model": "m-1", "choices": [choice], **more}


def parse(body: Any, options: ChatOptions | None = None, provider: str = "openai") -> ChatResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CHAT_COMPLETIONS.parse_response(Exchange(provider, "m", options), 200, {}, data)


def fails(body: Any, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(body, **more)
    assert caught.value.status == 200
    assert caught.value.model == "m"
    return caught.value


def error_of(
    status: int, body: Any, headers: dict[str, str] | None = None, provider: str = "openai", **more: Any
) -> ExecutorError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CHAT_COMPLETIONS.parse_error(Exchange(provider, "m", **more), status, headers or {}, data)


def test_an_answer():
    response = parse(answer({"content": "hello"}, usage={"prompt_tokens": 3, "completion_tokens": 2}))
    assert response.text == "hello"
    assert response.content == (Text("hello"),)
    assert (response.model, response.provider, response.provider_model) == ("m", "openai", "m-1")
    assert response.response_id == "r1"
    assert response.stop_reason == "completed"
    assert response.stop_reason.raw == "stop"
    assert response.usage
    assert response.usage.total_tokens == 5
    assert response.reasoning_content is None
    assert response.raw is None


def test_the_raw_body_on_demand():
    body = answer({"content": "x"}, custom={"a": [1]})
    assert parse(body, ChatOptions(capture_raw_body=True)).raw == body


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("stop", "completed"),
        ("eos", "completed"),
        ("STOP", "completed"),
        ("length", "max_tokens"),
        ("model_length", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("tool_calls", "tool_call"),
        ("function_call", "tool_call"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("stop_sequence", "stop_sequence"),
        ("who_knows", "other"),
    ],
)
def test_stop_reasons(raw: str, kind: str):
    reason = parse(answer({"content": "x"}, raw)).stop_reason
    assert reason == kind
    assert reason
    assert reason.raw == raw


def test_no_finish_reason_is_none():
    assert parse(answer({"content": "x"}, None)).stop_reason is None


@pytest.mark.parametrize(
    ("raw", "kind"),
    [("error", "server_error"), ("network_error", "server_error"), ("insufficient_system_resource", "overloaded")],
)
def test_finish_reasons_that_are_failures(raw: str, kind: str):
    assert fails(answer({"content": "half"}, raw)).kind == kind


def call(**more: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}, **more}


def test_tool_calls():
    response = parse(answer({"content": None, "tool_calls": [call(), call(id="c2")]}, "tool_calls"))
    assert [(c.call_id, c.fn_name, c.fn_arguments) for c in response.tool_calls] == [
        ("c1", "f", {"a": 1}),
        ("c2", "f", {"a": 1}),
    ]
    assert response.text == ""


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ({"name": "f", "arguments": ""}, {}),
        ({"name": "f", "arguments": None}, {}),
        ({"name": "f"}, {}),
        ({"name": "f", "arguments": '{"a": '}, '{"a": '),
        ({"name": "f", "arguments": {"a": 1}}, {"a": 1}),
        ({"name": "f", "arguments": "[1]"}, [1]),
    ],
)
def test_arguments(function: dict[str, Any], arguments: Any):
    (found,) = parse(answer({"tool_calls": [{"id": "c", "function": function}]})).tool_calls
    assert found.fn_arguments == arguments


def test_calls_that_differ_from_the_rule():
    stopped = parse(answer({"tool_calls": [call()]}, "stop")).stop_reason
    assert stopped == "tool_call"
    assert stopped
    assert stopped.raw == "stop"
    old = parse(answer({"function_call": {"name": "f", "arguments": "{}"}}, "function_call"))
    assert old.tool_calls == (ToolCall(call_id="call_0", fn_name="f", fn_arguments={}),)
    custom = parse(answer({"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "ls"}}]}))
    assert custom.tool_calls[0].fn_arguments == "ls"
    empty = parse(answer({"tool_calls": [call(id=""), call(id="")]}, "tool_calls"))
    assert [c.call_id for c in empty.tool_calls] == ["", "call_1"]
    signed = call(extra_content={"google": {"thought_signature": "sig"}})
    assert parse(answer({"tool_calls": [signed]})).tool_calls[0].thought_signatures == ("sig",)


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning_content": "2+2", "content": "4"},
        {"reasoning": "2+2", "content": "4"},
        {"reasoning": "2+2", "reasoning_content": "2+2", "content": "4"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "2+2"}], "content": "4"},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "2+2"}], "content": "4"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "2+"}, {"type": "text", "text": "2"}]},
                {"type": "text", "text": "4"},
            ]
        },
    ],
)
def test_reasoning(message: dict[str, Any]):
    response = parse(answer(message))
    assert response.reasoning_content == "2+2"
    assert response.text == "4"
    assert response.content[:2] == (ReasoningContent(text="2+2"), Text("4"))


def test_inline_thinking_is_lifted_on_demand_only():
    body = answer({"content": "<think>\n2+2\n</think>\n\n4"})
    assert parse(body).text == "<think>\n2+2\n</think>\n\n4"
    assert parse(body).reasoning_content is None
    lifted = parse(body, ChatOptions(normalize_reasoning_content=True))
    assert lifted.content == (ReasoningContent(text="2+2"), Text("4"))


def test_extras_are_kept():
    message = {
        "content": "x",
        "annotations": [{"type": "url_citation"}],
        "audio": {"id": "a", "data": "QUJD"},
        "executed_tools": [{"index": 0}],
        "extra_content": {"google": {"thought_signature": "sig"}},
    }
    response = parse(answer(message, citations=["https://x"], search_results=[]), provider="p")
    assert response.content == (
        Text("x"),
        ThoughtSignature(signature="sig", provider="p"),
        Custom(model="p", data={"annotations": [{"type": "url_citation"}]}),
        Custom(model="p", data={"audio": {"id": "a", "data": "QUJD"}}),
        Custom(model="p", data={"executed_tools": [{"index": 0}]}),
        Custom(model="p", data={"citations": ["https://x"]}),
    )


def test_log_probabilities_are_kept():
    told = {"content": [{"token": "x", "logprob": -0.1, "top_logprobs": []}], "refusal": None}
    body = answer({"content": "x"})
    body["choices"][0]["logprobs"] = told
    assert parse(body).content == (Text("x"), Custom(model="openai", data={"logprobs": told}))
    body["choices"][0]["logprobs"] = None
    assert parse(body).content == (Text("x"),)


def test_a_refusal_is_an_answer():
    response = parse(answer({"content": None, "refusal": "I can't."}))
    assert response.text == ""
    assert response.content == (Custom(model="openai", data={"refusal": "I can't."}),)
    assert response.stop_reason == "completed"


def test_a_blocked_answer():
    error = fails(answer({"content": None}, "content_filter"))
    assert error.kind == "content_filtered"
    assert not error.retryable
    assert fails(answer(None, "content_filter"), provider="azure").kind == "content_filtered"
    kept = parse(answer({"content": "The first"}, "content_filter"))
    assert kept.text == "The first"
    assert kept.stop_reason == "content_filter"
    filtered = {"choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {"filtered": True}}}]}
    assert fails(filtered).kind == "content_filtered"


def usage(**raw: Any) -> Any:
    return parse(answer({"content": "x"}, usage=raw)).usage


def test_usage():
    found = usage(
        prompt_tokens=10,
        completion_tokens=20,
        total_tokens=30,
        prompt_tokens_details={"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 0},
        completion_tokens_details={"reasoning_tokens": 5, "accepted_prediction_tokens": 1},
    )
    assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (10, 20, 30)
    assert found.prompt_details.cached_tokens == 4
    assert found.prompt_details.cache_creation_tokens == 2
    assert found.prompt_details.audio_tokens == 0
    assert found.completion_details.reasoning_tokens == 5
    assert found.completion_details.accepted_prediction_tokens == 1
    assert found.completion_details.rejected_prediction_tokens is None


def test_usage_is_absent_not_zero():
    assert parse(answer({"content": "x"})).usage is None
    for nothing in (None, {}, [], {"prompt_tokens": None}, {"prompt_tokens": "many", "completion_tokens": -1}):
        assert parse(answer({"content": "x"}, usage=nothing)).usage is None
    found = usage(prompt_tokens=1)
    assert (found.completion_tokens, found.total_tokens, found.prompt_details) == (None, None, None)
    assert usage(prompt_tokens=0, completion_tokens=0).total_tokens == 0


@pytest.mark.parametrize("name", ["cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens"])
def test_cached_tokens_elsewhere(name: str):
    assert usage(prompt_tokens=9, **{name: 7}).prompt_details.cached_tokens == 7
    both = usage(prompt_tokens=9, prompt_tokens_details={"cached_tokens": 3}, **{name: 7})
    assert both.prompt_details.cached_tokens == 3


def test_usage_where_reasoning_is_counted_beside_the_completion():
    found = usage(
        prompt_tokens=12, completion_tokens=2, total_tokens=334, completion_tokens_details={"reasoning_tokens": 320}
    )
    assert found.completion_tokens == 322
    assert found.total_tokens == 334


def test_usage_at_groqs_own_place():
    body = answer({"content": "x"}, x_groq={"id": "q", "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    found = parse(body).usage
    assert found
    assert found.total_tokens == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"not json at all", "not json at all"),
        (b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
        (b'{"id": "r1", "choices": [', "not JSON"),
        (b"[1, 2]", "list"),
        (b'"text"', "str"),
        (b"null", "NoneType"),
        (b"{}", "no choices"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": "x"}', "no choices"),
        (b'{"choices": [7]}', "no choices"),
        (b'{"choices": [{"index": 0}]}', "neither"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_answer_is_malformed(body: bytes, said: str):
    error = fails(body)
    assert error.kind == "malformed"
    assert said in error.message
    assert error.retryable


def test_a_malformed_body_is_shown_in_part_and_scrubbed():
    error = fails(b"key sk-proj-" + b"a" * 40 + b" " + b"x" * 5000)
    assert "sk-proj-a" not in error.message
    assert len(error.message) < 500


def test_leading_white_space_and_bom():
    data = json.dumps(answer({"content": "x"})).encode()
    assert parse(b"\n\n  \n" + data).text == "x"
    assert parse(b"\xef\xbb\xbf" + data).text == "x"


def test_the_first_choice_is_read():
    body = answer({"content": "zero"})
    body["choices"].insert(0, {"index": 1, "message": {"content": "one"}, "finish_reason": "stop"})
    assert parse(body).text == "zero"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"error": {"message": "boom", "code": 502}}, "server_error", "502"),
        ({"error": {"message": "slow", "code": 429}, "choices": []}, "rate_limited", "429"),
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, "overloaded", None),
        ({"error": "it broke"}, "server_error", None),
        ({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, "invalid_request", "400"),
        ({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, "unauthorized", "InvalidApiKey"),
        ({"choices": [{"index": 0, "error": {"code": 503, "message": "x"}}]}, "overloaded", "503"),
        ([{"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}], "rate_limited", "429"),
    ],
)
def test_errors_in_band(body: Any, kind: str, code: str | None):
    error = fails(body, provider="openrouter")
    assert error.kind == kind
    assert error.code == code


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "no", "type": "t", "code": "c"}}, "no", "c"),
        ({"error": "no"}, "no", None),
        ({"message": "no", "code": "c"}, "no", "c"),
        ({"object": "error", "message": "no", "code": None}, "no", None),
        ({"detail": "no"}, "no", None),
        ({"detail": [{"loc": ["body"], "msg": "no"}]}, '[{"loc":["body"],"msg":"no"}]', None),
        ({"statusCode": 400, "message": "no"}, "no", None),
        ([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], "no", "400"),
        ("no", "no", None),
        (b"no", "no", None),
        (b"<html><title> 400 no </title></html>", "an HTML page titled '400 no'", None),
        (b"", "the provider gave no message (status 400)", None),
    ],
)
def test_the_shapes_of_errors(body: Any, message: str, code: str | None):
    error = error_of(400, body)
    assert error.kind == "invalid_request"
    assert error.status == 400
    assert error.message == message
    assert error.code == code


def test_openrouters_upstream_is_told():
    raw = json.dumps({"error": {"message": "maximum context", "code": "context_length_exceeded"}})
    metadata = {"provider_name": "X", "raw": raw}
    error = error_of(400, {"error": {"code": 400, "message": "Provider returned error", "metadata": metadata}})
    assert error.kind == "context_overflow"
    assert error.code == "400"
    assert error.message == "Provider returned error: maximum context"
    text = {"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "upstream died"}}}
    assert error_of(502, text).message == "Provider returned error: upstream died"


def test_azures_inner_error_is_told():
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}
    error = error_of(400, {"error": {"message": "filtered", "code": None, "innererror": inner}}, provider="azure")
    assert error.kind == "content_filtered"


def test_hints_and_ids_of_an_error():
    headers = {"X-Request-Id": "req", "Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}
    error = error_of(429, {"error": {"message": "slow"}}, headers, wall=lambda: 1_700_000_000.0)
    assert error.retry_after == 30.0
    assert error.request_id == "req"
    dated = error_of(429, {}, {**headers, "date": "Tue, 14 Nov 2023 22:13:45 GMT"})
    assert dated.retry_after == 5.0
    assert error_of(429, {}, headers).retry_after is None


def test_the_key_that_was_sent_is_never_told():
    error = error_of(401, {"error": {"message": "bad key my-own-key"}}, secrets=("my-own-key",))
    assert "my-own-key" not in str(error)
