"""Whole answers and errors of the Converse dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.bedrock_frames import HEADERS, MODEL, body, exchange, sent_back

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.response import ChatResponse
from lamellar.chat.usage import CacheCreation, PromptDetails, Usage
from lamellar.errors import ExecutorError
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.bedrock_converse.usage import usage_of


def parse(data: bytes, options: ChatOptions | None = None, status: int = 200) -> ChatResponse:
    return BEDROCK_CONVERSE.parse_response(exchange(options), status, HEADERS, data)


def failed(data: bytes) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(data)
    return caught.value


def error(status: int, said: object, headers: dict[str, str] | None = None) -> ExecutorError:
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    return BEDROCK_CONVERSE.parse_error(exchange(), status, {**HEADERS, **(headers or {})}, data)


def test_an_answer():
    response = parse(body({"text": "Paris."}))
    assert response.content == (Text("Paris."),)
    assert (response.model, response.provider, response.provider_model) == (MODEL, "bedrock", None)
    assert (response.stop_reason, response.response_id) == ("completed", "req-1")
    assert response.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert response.raw is None


def test_every_block_becomes_a_part_and_goes_back():
    cited = [{"title": "D", "location": {"web": {"url": "https://x.example"}}}]
    blocks: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "YQ=="}},
        {"text": "Yes."},
        {"citationsContent": {"content": [{"text": "Blue."}], "citations": cited}},
        {"image": {"format": "png", "source": {"bytes": "YQ=="}}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"guardContent": {"text": {"text": "g"}}},
    ]
    response = parse(body(*blocks))
    assert response.content == (
        ReasoningContent(text="Hm."),
        ThoughtSignature(signature="s", provider="bedrock"),
        Custom(model="bedrock", data=blocks[1]),
        Text("Yes."),
        Text("Blue."),
        Custom(model="bedrock", data={"citations": cited}),
        Binary.from_base64("image/png", "YQ=="),
        ToolCall(call_id="t", fn_name="f", fn_arguments={"a": 1}),
        Custom(model="bedrock", data=blocks[6]),
    )
    assert response.reasoning_content == "Hm."
    assert response.stop_reason == "tool_call"
    assert sent_back(response.content) == blocks
    assert ChatResponse.model_validate_json(response.model_dump_json()) == response


def test_the_word_that_some_models_put_on_a_plain_call_is_nothing():
    response = parse(body({"toolUse": {"toolUseId": "t", "name": "f", "input": {}, "type": "tool_use"}}))
    assert response.content == (ToolCall(call_id="t", fn_name="f", fn_arguments={}),)


def test_a_tool_of_the_providers_own():
    blocks: list[dict[str, Any]] = [
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "a"}], "type": "nova_grounding_result"}},
        {"text": "Found."},
    ]
    response = parse(body(*blocks))
    assert response.stop_reason == "completed"
    assert sent_back(response.content) == blocks


def test_a_call_without_an_id_gets_one():
    response = parse(body({"toolUse": {"name": "f"}}, {"toolUse": {"name": "g", "input": "{}"}}))
    assert [call.call_id for call in response.tool_calls] == ["call_0", "call_1"]
    assert [call.fn_arguments for call in response.tool_calls] == [{}, {}]


def test_a_thought_in_the_text_is_lifted_on_demand():
    said = body({"text": "<think>hm</think>yes"})
    assert parse(said).text == "<think>hm</think>yes"
    lifted = parse(said, ChatOptions(normalize_reasoning_content=True))
    assert (lifted.reasoning_content, lifted.text) == ("hm", "yes")


def test_what_was_asked_for_beside_the_content():
    trace = {"promptRouter": {"invokedModelId": "arn:m"}}
    response = parse(body({"text": "x"}, trace=trace, additionalModelResponseFields={"a": 1}))
    assert response.content[1:] == (
        Custom(model="bedrock", data={"additionalModelResponseFields": {"a": 1}}),
        Custom(model="bedrock", data={"trace": trace}),
    )
    assert response.provider_model == "arn:m"


def test_the_body_is_kept_on_demand():
    assert parse(body({"text": "x"}), ChatOptions(capture_raw_body=True)).raw == json.loads(body({"text": "x"}))


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"inputTokens": "3", "outputTokens": True, "totalTokens": -1}, None),
        ({"inputTokens": 3.0}, Usage(prompt_tokens=3)),
        (
            {
                "inputTokens": 3,
                "outputTokens": 227,
                "totalTokens": 1942,
                "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 1712,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 700},
                    {"ttl": "5m", "inputTokens": 1012},
                    {"ttl": "9d"},
                    1,
                ],
            },
            Usage(
                prompt_tokens=1715,
                completion_tokens=227,
                total_tokens=1942,
                prompt_details=PromptDetails(
                    cached_tokens=0,
                    cache_creation_tokens=1712,
                    cache_creation=CacheCreation(ephemeral_5m=1012, ephemeral_1h=700),
                ),
            ),
        ),
    ],
)
def test_usage(raw: object, usage: Usage | None):
    assert usage_of(raw) == usage


def test_an_answer_without_usage():
    assert parse(body({"text": "x"}, usage=None)).usage is None
    assert parse(body(reason="end_turn")).content == ()
    assert parse(body({"text": "x"}, reason=None)).stop_reason is None


@pytest.mark.parametrize("raw", ["guardrail_intervened", "content_filtered"])
def test_a_filter(raw: str):
    assert parse(body({"text": "I cannot."}, reason=raw)).stop_reason == "content_filter"
    caught = failed(body(reason=raw))
    assert (caught.kind, caught.code) == ("content_filtered", raw)


def test_what_the_model_wrote_and_nobody_can_read():
    caught = failed(body({"text": "x"}, reason="malformed_tool_use"))
    assert (caught.kind, caught.retryable) == ("malformed", True)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'"x"',
        b'{"output":{}}',
        b'{"output":{"message":{"content":"x"}}}',
        body(1),
        body({"text": 1}),
        body({"toolUse": 1}),
        body({"reasoningContent": []}),
        body({"image": None}),
    ],
)
def test_what_the_dialect_does_not_send(said: bytes):
    caught = failed(said)
    assert (caught.kind, caught.status) == ("malformed", 200)


def test_an_error_in_band():
    caught = failed(b'{"__type":"com.amazon.coral.service#ThrottlingException","message":"Slow down."}')
    assert (caught.kind, caught.code, caught.status) == ("rate_limited", "ThrottlingException", 200)


@pytest.mark.parametrize(
    ("status", "name", "message", "kind"),
    [
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", "rate_limited"),
        (429, None, "Too many tokens, please wait before trying again.", "rate_limited"),
        (429, None, "Too many tokens per day, please wait before trying again.", "quota_exhausted"),
        (400, "ServiceQuotaExceededException", "Quota", "quota_exhausted"),
        (429, "ModelNotReadyException", "Not ready", "overloaded"),
        (503, "ServiceUnavailableException", "Busy", "overloaded"),
        (500, "InternalServerException", "Oh", "server_error"),
        (408, "ModelTimeoutException", "Late", "timeout"),
        (424, "ModelErrorException", "The model failed", "server_error"),
        (400, "ValidationException", "Input is too long for requested model.", "context_overflow"),
        (400, "ValidationException", "Malformed input request", "invalid_request"),
        (400, "ValidationException", "Output blocked by our content filters", "content_filtered"),
        (400, "ValidationException", "The provided model identifier is invalid.", "model_not_found"),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn\u2019t supported. Retry with an inference profile.",
            "model_not_found",
        ),
        (
            404,
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the identifier",
            "model_not_found",
        ),
        (403, "AccessDeniedException", "You don't have access to the model", "permission_denied"),
        (403, "UnrecognizedClientException", "The security token is invalid", "unauthorized"),
        (403, "ExpiredTokenException", "The security token is expired", "unauthorized"),
    ],
)
def test_errors_with_a_status(status: int, name: str | None, message: str, kind: str):
    headers = (
        {} if name is None else {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    )
    in_header = error(status, {"message": message}, headers)
    in_body = error(
        status, {"Message": message} if name is None else {"__type": f"com.amazon#{name}", "message": message}
    )
    for found in (in_header, in_body):
        assert (found.kind, found.status, found.code) == (kind, status, name)
        assert found.message == message
        assert found.request_id == "req-1"


def test_a_wait_that_is_said():
    assert error(429, {"message": "Slow"}, {"retry-after": "7"}).retry_after == 7


def test_a_model_that_tells_its_own_status():
    said = {"message": "failed", "originalStatusCode": 429}
    assert error(424, said, {"x-amzn-errortype": "ModelErrorException"}).kind == "rate_limited"


def test_a_gateways_own_errors():
    assert error(429, {"error": {"message": "slow", "type": "rate_limit_error"}}).kind == "rate_limited"
    assert error(502, b"<html><title>Bad gateway</title></html>").kind == "server_error"
    assert error(500, b"").kind == "server_error"
    assert error(403, b"plain", {"x-amzn-errortype": "ExpiredTokenException"}).message == "plain"


def test_a_wrong_signature_does_not_tell_what_was_signed():
    message = (
        "The request signature we calculated does not match. The Canonical String for this request should have been\n"
        "'POST\n/model/m/converse\n\nhost:x\nx-amz-security-token:FwoGZXIvYXdzEXAMPLETOKEN\n\nhost'"
    )
    found = error(403, {"message": message}, {"x-amzn-errortype": "InvalidSignatureException"})
    assert "FwoG" not in found.message + repr(found)
    assert "does not match" in found.message
