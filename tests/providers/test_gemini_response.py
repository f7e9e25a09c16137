"""Whole answers of the generateContent dialect."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest
from tests.providers.gemini_chunks import USAGE, call, exchange, parse, payload, sent_back, text

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage
from lamellar.errors import ExecutorError
from lamellar.providers.generate_content import GENERATE_CONTENT


def refused(said: Any, options: ChatOptions | None = None) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(said, options)
    assert (caught.value.provider, caught.value.model) == ("gemini", "gemini-9")
    return caught.value


def test_an_answer():
    response = parse(payload(text("Hel"), text("lo"), finish="STOP", usage=USAGE))
    assert response.content == (Text("Hello"),)
    assert (response.text, response.reasoning_content) == ("Hello", None)
    assert (response.model, response.provider) == ("gemini-9", "gemini")
    assert (response.provider_model, response.response_id) == ("gemini-9-001", "r1")
    assert response.stop_reason == "completed"
    assert response.stop_reason.raw == "STOP"
    assert response.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert response.raw is None


def test_the_body_is_kept_when_asked_for():
    said = payload(text("x"), finish="STOP")
    assert parse(said, ChatOptions(capture_raw_body=True)).raw == said
    assert parse([said], ChatOptions(capture_raw_body=True)).raw == [said]


def test_every_kind_of_part_goes_back_as_it_came():
    parts = [
        {"text": "hm", "thought": True},
        {"text": "aha", "thought": True, "thoughtSignature": "s1"},
        {"text": "a"},
        {"text": "b", "thoughtSignature": "s2"},
        {"text": "c"},
        {"executableCode": {"language": "PYTHON", "code": "1", "id": "x"}, "thoughtSignature": "s3"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "x"}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "s4"},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thought": True},
        {"fileData": {"fileUri": "gs://a", "mimeType": "video/mp4"}},
        {"functionCall": {"name": "f", "args": {"a": [1]}}, "thoughtSignature": "s5"},
        {"functionCall": {"name": "g", "args": {}, "id": "c9"}},
        {"somethingNew": {"deep": [None]}},
        {"text": "", "thoughtSignature": "s6"},
    ]
    response = parse(payload(*parts, finish="STOP"))
    assert sent_back(response.content) == parts


def test_what_the_parts_become():
    parts = (
        text("hm", thought=True),
        text("a", thoughtSignature="s"),
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"toolCall": {"x": 1}},
        call("f", {"a": 1}, id="c1"),
    )
    assert parse(payload(*parts, finish="STOP")).content == (
        ReasoningContent(text="hm"),
        Text("a"),
        ThoughtSignature(signature="s", provider="gemini"),
        Binary.from_base64("image/png", "aGk="),
        Custom(model="gemini", data={"toolCall": {"x": 1}}),
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1}),
    )


def test_calls_without_an_id_get_one_from_their_position():
    said = payload(call("f", {"a": 1}), call("f"), call("g", id="own"), call("h"), finish="STOP")
    response = parse(said)
    ids = [found.call_id for found in response.tool_calls]
    assert ids == ["gemini_call_0_r1", "gemini_call_1_r1", "own", "gemini_call_3_r1"]
    assert [found.call_id for found in parse(said).tool_calls] == ids
    assert response.tool_calls[1].fn_arguments == {}
    assert response.stop_reason == "tool_call"
    assert response.stop_reason.raw == "STOP"
    said["responseId"] = "with a blank"
    assert parse(said).tool_calls[0].call_id == "gemini_call_0"


def test_what_the_answer_reports_is_kept_and_not_sent_back():
    reports = {
        "groundingMetadata": {"groundingChunks": [1]},
        "urlContextMetadata": {"urlMetadata": []},
        "citationMetadata": {"citationSources": [{"uri": "u"}]},
        "continuationToken": "go-on",
    }
    response = parse(payload(text("x"), finish="STOP", **reports, safetyRatings=[{}]))
    customs = [part for part in response.content if isinstance(part, Custom)]
    assert [part.data for part in customs] == [{name: value} for name, value in reports.items()]
    assert sent_back(response.content) == [{"text": "x"}]
    assert parse(payload(text("x"), finish="STOP", groundingMetadata={})).content == (Text("x"),)


def test_inline_thinking_is_lifted_when_asked_for():
    said = payload(text("<think>hm</think>\n\nok"), finish="STOP")
    assert parse(said).text == "<think>hm</think>\n\nok"
    lifted = parse(said, ChatOptions(normalize_reasoning_content=True))
    assert (lifted.text, lifted.reasoning_content) == ("ok", "hm")


def test_an_empty_answer_is_an_answer():
    assert parse(payload(finish="STOP")).content == ()
    assert parse({"candidates": [{"finishReason": "MAX_TOKENS"}]}).stop_reason == "max_tokens"
    assert parse(payload(text(""), finish="STOP")).content == ()


def test_an_answer_that_does_not_say_why_it_stopped():
    assert parse(payload(text("x"))).stop_reason is None


def test_only_the_first_candidate_is_read():
    first, second = payload(text("a"), finish="STOP"), payload(text("b"), finish="MAX_TOKENS")
    second["candidates"][0]["index"] = 1
    first["candidates"] = second["candidates"] + first["candidates"]
    response = parse(first)
    assert (response.text, response.stop_reason) == ("a", "completed")


def test_a_list_of_payloads_is_one_answer():
    response = parse(
        [payload(text("a"), usage={"promptTokenCount": 1}), payload(text("b"), finish="STOP", usage=USAGE)]
    )
    assert response.text == "ab"
    assert response.usage
    assert response.usage.total_tokens == 5


# -- why it stopped -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("STOP", "completed"),
        ("MAX_TOKENS", "max_tokens"),
        ("CONTINUATION", "max_tokens"),
        ("ESCALATION", "content_filter"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_RECITATION", "content_filter"),
        ("LANGUAGE", "other"),
        ("OTHER", "other"),
        ("NO_IMAGE", "other"),
        ("TOO_MANY_TOOL_CALLS", "other"),
        ("FINISH_REASON_UNSPECIFIED", "other"),
        ("WHAT_IS_TO_COME", "other"),
    ],
)
def test_stop_reasons(raw: str, kind: str):
    reason = parse(payload(text("x"), finish=raw)).stop_reason
    assert reason is not None
    assert (str(reason), reason.raw) == (kind, raw)


@pytest.mark.parametrize(
    ("raw", "kind", "retryable"),
    [
        ("MALFORMED_FUNCTION_CALL", "malformed", True),
        ("MALFORMED_RESPONSE", "malformed", True),
        ("UNEXPECTED_TOOL_CALL", "malformed", True),
        ("MISSING_THOUGHT_SIGNATURE", "invalid_request", False),
        ("PUP_LIMITED_DISABLED", "permission_denied", False),
    ],
)
def test_reasons_that_are_failures(raw: str, kind: str, retryable: bool):
    for parts in ((), (text("I shall call"),)):
        error = refused(payload(*parts, finish=raw, finishMessage="because s3cr3t-key"))
        assert (error.kind, error.code, error.retryable) == (kind, raw, retryable)
        assert "because" in error.message
        assert "s3cr3t" not in error.message


@pytest.mark.parametrize("raw", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT"])
def test_an_answer_of_which_nothing_is_left_is_an_error(raw: str):
    error = refused(payload(finish=raw, citationMetadata={"citationSources": [1]}))
    assert (error.kind, error.code) == ("content_filtered", raw)
    assert raw in error.message


def test_a_blocked_prompt():
    said = {"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "jailbreak"}, "modelVersion": "m"}
    error = refused(said)
    assert (error.kind, error.code, error.status) == ("content_filtered", "MODEL_ARMOR", 200)
    assert error.message == "the prompt was blocked (MODEL_ARMOR): jailbreak"
    assert parse({**payload(text("x"), finish="STOP"), "promptFeedback": {"safetyRatings": []}}).text == "x"


# -- usage --------------------------------------------------------------------------------------------------------


def used(**raw: Any) -> Usage | None:
    return parse(payload(text("x"), finish="STOP", usage=raw)).usage


def test_usage_with_all_of_it():
    usage = used(
        promptTokenCount=100,
        toolUsePromptTokenCount=20,
        candidatesTokenCount=7,
        thoughtsTokenCount=5,
        totalTokenCount=132,
        cachedContentTokenCount=60,
        promptTokensDetails=[{"modality": "TEXT", "tokenCount": 90}, {"modality": "AUDIO", "tokenCount": 10}],
        toolUsePromptTokensDetails=[{"modality": "AUDIO", "tokenCount": 1}],
        candidatesTokensDetails=[{"modality": "AUDIO", "tokenCount": 3}],
    )
    assert usage == Usage(
        prompt_tokens=120,
        completion_tokens=12,
        total_tokens=132,
        prompt_details=PromptDetails(cached_tokens=60, audio_tokens=11),
        completion_details=CompletionDetails(reasoning_tokens=5, audio_tokens=3),
    )


def test_what_is_not_said_is_not_known():
    assert used() is None
    assert used(trafficType="ON_DEMAND") is None
    assert used(promptTokenCount=3, totalTokenCount=3) == Usage(prompt_tokens=3, total_tokens=3)
    assert used(thoughtsTokenCount=2) == Usage(
        completion_tokens=2, completion_details=CompletionDetails(reasoning_tokens=2)
    )
    assert used(promptTokenCount=1, candidatesTokenCount=2) == Usage(
        prompt_tokens=1, completion_tokens=2, total_tokens=3
    )


@pytest.mark.parametrize("odd", [-1, "3", True, 1.5, None, [], {}])
def test_a_count_that_is_none_is_absent(odd: Any):
    assert used(promptTokenCount=odd, totalTokenCount=4, promptTokensDetails=odd) == Usage(total_tokens=4)


# -- what is no answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [b"", b"  ", b"not json", b"<html><title>Oops</title></html>", b'"text"', b"null", b"[]", b"[1]", b"{}", {"a": 1}]
    + [{"candidates": said} for said in ("x", 1, [1], {}, [{}], [{"content": {"parts": "x"}}])]
    + [{"usageMetadata": USAGE, "modelVersion": "m"}],
)
def test_malformed_bodies(said: Any):
    error = refused(said)
    assert error.kind == "malformed"
    assert error.retryable


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_in_band_is_classified_like_one_with_a_status(wrapped: bool):
    said = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    error = refused([said] if wrapped else said)
    assert (error.kind, error.status, error.code) == ("overloaded", 200, "503")


def test_a_raised_error_is_not_kept_alive_by_its_own_traceback():
    gc.disable()
    try:
        gone = None
        try:
            parse({"promptFeedback": {"blockReason": "SAFETY"}})
        except ExecutorError as error:
            gone = weakref.ref(error)
        assert gone is not None
        assert gone() is None
    finally:
        gc.enable()


def test_arguments_in_pieces_are_not_passed_off_as_a_call():
    for part in (call("f", willContinue=True), {"functionCall": {"partialArgs": []}}):
        error = refused(payload(part, finish="STOP"))
        assert error.kind == "malformed"
        assert "streamFunctionCallArguments" in error.message


# -- errors with a status -----------------------------------------------------------------------------------------


def failure(http: int, **error: Any) -> ExecutorError:
    said = json.dumps([{"error": {"code": http, **error}}]).encode()
    return GENERATE_CONTENT.parse_error(exchange(), http, {}, said)


def quota(name: str) -> list[dict[str, Any]]:
    return [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "rate_limited"),
        ("GenerateContentInputTokensPerModelPerMinute", "rate_limited"),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quota_exhausted"),
    ],
)
def test_a_quota_per_day_is_another_failure_than_one_per_minute(name: str, kind: str):
    message = "You exceeded your current quota, please check your plan."
    error = failure(429, message=message, status="RESOURCE_EXHAUSTED", details=quota(name))
    assert (error.kind, error.code, error.retry_after) == (kind, "429", 34.4)


@pytest.mark.parametrize("details", [None, 1, [1], [{"violations": 1}], [{"violations": [1, {"quotaId": 1}]}], [{}]])
def test_odd_details_tell_nothing(details: Any):
    assert failure(429, message="m", status="RESOURCE_EXHAUSTED", details=details).kind == "rate_limited"


@pytest.mark.parametrize(
    ("status", "word", "message", "kind"),
    [
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "unauthorized"),
        (400, "INVALID_ARGUMENT", "Please use a valid role: user, model.", "invalid_request"),
        (400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens", "context_overflow"),
        (403, "PERMISSION_DENIED", "The caller does not have permission", "permission_denied"),
        (404, "NOT_FOUND", "models/x is not found for API version v1beta", "model_not_found"),
        (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", "quota_exhausted"),
        (500, "INTERNAL", "An internal error has occurred.", "server_error"),
        (503, "UNAVAILABLE", "The service is currently unavailable.", "overloaded"),
        (504, "DEADLINE_EXCEEDED", "Deadline expired", "timeout"),
    ],
)
def test_googles_errors(status: int, word: str, message: str, kind: str):
    assert failure(status, message=message, status=word).kind == kind
