"""Whole answers and errors of the Anthropic dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.anthropic_events import LIFT

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.response import ChatResponse
from lamellar.chat.usage import CacheCreation, CompletionDetails, PromptDetails, Usage
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.wire import Endpoint, Exchange


def parse(body: Any, options: ChatOptions | None = None, headers: dict[str, str] | None = None) -> ChatResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ANTHROPIC_MESSAGES.parse_response(Exchange("anthropic", "m", options), 200, headers or {}, data)


def message(*content: Any, stop_reason: Any = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x-1",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        **more,
    }


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def failed(body: Any, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(body, **more)
    assert (caught.value.provider, caught.value.model, caught.value.status) == ("anthropic", "m", 200)
    return caught.value


def error(status: int, type_: str | None = None, said: str = "no", /, **headers: str) -> ExecutorError:
    body = {"type": "error", "error": {"type": type_, "message": said}, "request_id": "req_body"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    exchange = Exchange("anthropic", "m", wall=lambda: 1_770_000_000.0)
    return ANTHROPIC_MESSAGES.parse_error(exchange, status, named, json.dumps(body).encode())


def test_an_answer():
    response = parse(message(text("Hello")))
    assert response.content == (Text("Hello"),)
    assert (response.model, response.provider, response.provider_model) == ("m", "anthropic", "claude-x-1")
    assert response.response_id == "msg_1"
    assert response.stop_reason == "completed"
    assert response.stop_reason.raw == "end_turn"
    assert (response.usage, response.raw, response.reasoning_content) == (None, None, None)


CITED: Any = [{"type": "web_search_result_location", "url": "https://example.com", "encrypted_index": "e"}]
BLOCKS: list[Any] = [
    {"type": "thinking", "thinking": "hm", "signature": "s1"},
    {"type": "redacted_thinking", "data": "xyz"},
    {"type": "thinking", "thinking": "", "signature": "s2"},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
    text("Sunny", citations=CITED),
    text(", they say."),
    {"type": "from_the_future", "what": 1},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}},
    {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}, "caller": {"type": "code_execution_20250825"}},
    {"type": "tool_use", "id": "toolu_3", "name": "click", "input": {"x": 1}, "toolset_name": "browser"},
]


def test_every_kind_of_block():
    response = parse(message(*BLOCKS, stop_reason="tool_use", container={"id": "c"}))
    assert response.content == (
        ReasoningContent(text="hm"),
        ThoughtSignature(signature="s1", provider="anthropic"),
        Custom(model="anthropic", data=BLOCKS[1]),
        ThoughtSignature(signature="s2", provider="anthropic"),
        Custom(model="anthropic", data=BLOCKS[3]),
        Custom(model="anthropic", data=BLOCKS[4]),
        Text("Sunny"),
        Custom(model="anthropic", data={"citations": CITED}),
        Text(", they say."),
        Custom(model="anthropic", data=BLOCKS[7]),
        ToolCall(call_id="toolu_1", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="toolu_2", fn_name="g", fn_arguments={}),
        Custom(model="anthropic", data={"caller": {"type": "code_execution_20250825"}}),
        ToolCall(call_id="toolu_3", fn_name="click", fn_arguments={"x": 1}),
        Custom(model="anthropic", data={"toolset_name": "browser"}),
        Custom(model="anthropic", data={"container": {"id": "c"}}),
    )
    assert response.text == "Sunny, they say."
    assert response.reasoning_content == "hm"
    assert response.stop_reason == "tool_call"


def test_an_answer_goes_back_as_it_came():
    response = parse(message(*BLOCKS, stop_reason="tool_use", container={"id": "c"}))
    request = ChatRequest.from_messages([ChatMessage.user("q"), ChatMessage.assistant(response.content)])
    endpoint = Endpoint("anthropic", "https://api.example", "k")
    sent = json.loads(ANTHROPIC_MESSAGES.build_request(endpoint, "m", request, None, stream=False).body)
    plain = [{k: v for k, v in block.items() if (k, v) != ("caller", {"type": "direct"})} for block in BLOCKS]
    assert sent["messages"][1]["content"] == plain


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("end_turn", "completed"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_call"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("from_the_future", "other"),
    ],
)
def test_stop_reasons(raw, kind):
    reason = parse(message(text("a"), stop_reason=raw)).stop_reason
    assert reason is not None
    assert (reason, reason.raw) == (kind, raw)


def test_stop_reasons_that_are_not_told_or_do_not_fit():
    assert parse(message(text("a"), stop_reason=None)).stop_reason is None
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert parse(message(call)).stop_reason == "tool_call"


def test_empty_answers_are_answers():
    assert parse(message()).content == ()
    assert parse(message(text(""))).content == ()
    assert parse({**message(), "content": None}).content == ()


def test_a_refusal_with_nothing_delivered_is_an_error_with_the_reason():
    details: Any = {
        "type": "refusal",
        "category": "cyber",
        "explanation": "about sk-ant-api03-aaaaaaaaaaaaaaaaaaaaaaaa",
    }
    for content in ([], [{"type": "thinking", "thinking": "", "signature": "s"}]):
        caught = failed(message(*content, stop_reason="refusal", stop_details=details))
        assert (caught.kind, caught.code) == ("content_filtered", "refusal")
        assert caught.message.startswith("the model refused to answer: about ")
        assert "aaaaaaaa" not in caught.message
    assert failed(message(stop_reason="refusal")).message == "the model refused to answer"
    told = parse(message(text("I"), stop_reason="refusal", stop_details=details))
    assert told.stop_reason == "content_filter"
    assert told.content[-1] == Custom(model="anthropic", data={"stop_details": details})


def test_usage_in_the_normal_form():
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
        "service_tier": "standard",
    }
    assert parse(message(text("a"), usage=usage)).usage == Usage(
        prompt_tokens=123,
        completion_tokens=7,
        total_tokens=130,
        prompt_details=PromptDetails(
            cached_tokens=100,
            cache_creation_tokens=20,
            cache_creation=CacheCreation(ephemeral_5m=15, ephemeral_1h=5),
        ),
        completion_details=CompletionDetails(reasoning_tokens=4),
    )


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({}, None),
        ({"input_tokens": None, "output_tokens": "5", "cache_creation": []}, None),
        ({"input_tokens": 3, "output_tokens": -1}, Usage(prompt_tokens=3)),
        ({"output_tokens": 2.0}, Usage(completion_tokens=2)),
        (
            {"cache_read_input_tokens": 0},
            Usage(prompt_details=PromptDetails(cached_tokens=0)),
        ),
    ],
)
def test_usage_that_is_not_told_is_none(raw, usage):
    assert parse(message(text("a"), usage=raw)).usage == usage


def test_inline_thinking_is_lifted_where_that_is_asked():
    body = message(text("<think>hm</think>\n\nHello"))
    assert parse(body).content == (Text("<think>hm</think>\n\nHello"),)
    assert parse(body, LIFT).content == (ReasoningContent(text="hm"), Text("Hello"))


def test_the_raw_body_is_kept_where_that_is_asked():
    body = message(text("a"), context_management={"applied_edits": []})
    assert parse(body, ChatOptions(capture_raw_body=True)).raw == body


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the body is empty"),
        (b"<html><title>Busy</title>", "an HTML page titled 'Busy'"),
        ([], "a JSON list"),
        ({"choices": []}, "the body has no content"),
        (message(7), "a block is a int"),
        (message({"type": "text", "text": 7}), "`text` is a int"),
        (message({"type": "thinking", "thinking": []}), "`thinking` is a list"),
    ],
)
def test_what_is_no_answer_is_malformed(body, what):
    caught = failed(body)
    assert caught.kind == "malformed"
    assert what in caught.message


def test_an_error_under_200_is_classified_and_takes_no_hint_from_the_answers_headers():
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_9"}
    caught = failed(body, headers={"Retry-After": "31", "x-should-retry": "false"})
    assert (caught.kind, caught.retry_after, caught.request_id, caught.retryable) == ("overloaded", None, "req_9", True)
    assert failed({"error": {"type": "rate_limit_error", "message": "m"}}).kind == "rate_limited"


@pytest.mark.parametrize(
    ("status", "type_", "said", "kind"),
    [
        (400, "invalid_request_error", "messages.0: no", "invalid_request"),
        (400, "invalid_request_error", "This organization has been disabled.", "unauthorized"),
        (401, "authentication_error", "invalid x-api-key", "unauthorized"),
        (402, "billing_error", "pay", "quota_exhausted"),
        (403, "permission_error", "no", "permission_denied"),
        (404, "not_found_error", "model: claude-y", "model_not_found"),
        (404, "not_found_error", "Not found", "invalid_request"),
        (413, "request_too_large", "Request exceeds the maximum size", "invalid_request"),
        (429, "rate_limit_error", "slow down", "rate_limited"),
        (500, "api_error", "Internal server error", "server_error"),
        (504, "timeout_error", "late", "timeout"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
        (500, "overloaded_error", "Overloaded", "overloaded"),
        (400, "rate_limit_error", "slow down", "rate_limited"),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", "quota_exhausted"),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", "quota_exhausted"),
        (400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", "context_overflow"),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 9 + 1 > 8",
            "context_overflow",
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", "content_filtered"),
    ],
)
def test_errors(status, type_, said, kind):
    found = error(status, type_, said)
    assert (found.kind, found.status, found.request_id, found.code) == (kind, status, "req_body", None)
    assert said in found.message


def test_hints():
    assert error(429, "rate_limit_error", retry_after="7").retry_after == 7
    assert error(529, "overloaded_error", x_should_retry="false").retryable is False
    limits = {
        "anthropic_ratelimit_requests_remaining": "0",
        "anthropic_ratelimit_requests_reset": "2026-02-02T02:40:12Z",
        "anthropic_ratelimit_tokens_remaining": "5000",
        "anthropic_ratelimit_tokens_reset": "2026-02-02T03:00:00Z",
    }
    assert error(429, "rate_limit_error", **limits).retry_after == 12
    assert error(529, "overloaded_error", **limits).retry_after is None
    assert error(429, "rate_limit_error", request_id="req_head").request_id == "req_head"


def test_no_key_in_an_error():
    exchange = Exchange("anthropic", "m", secrets=("the-key",))
    body = b'{"error": {"type": "api_error", "message": "the-key is bad"}}'
    found = ANTHROPIC_MESSAGES.parse_error(exchange, 500, {}, body)
    assert "the-key" not in str(found)
    assert ANTHROPIC_MESSAGES.parse_error(exchange, 502, {}, b"<html>").request_id is None
