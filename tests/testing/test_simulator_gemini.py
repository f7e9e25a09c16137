"""The simulator in Google's generateContent format: what goes over the wire, read without the dialect."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage
from lamellar.errors import ConfigError
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Heartbeats,
    InBandError,
    Reply,
    Status,
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    quota_exhausted,
    rate_limited,
    refuses_prefill,
    server_error,
    unauthorized,
)

BODY: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "What is it?"}]}]}


def ask(
    simulator: ProviderSimulator, *, stream: bool = False, model: str = "models/gemini-9", **body: Any
) -> httpx.Response:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    url = f"{simulator.base_url}/{model}:{method}"
    return httpx.post(url, json={**BODY, **body}, headers={"x-goog-api-key": "key"}, timeout=2, trust_env=False)


def play(reply: Reply, **options: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect="gemini") as simulator:
        return ask(simulator, **options)


def payloads(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "text/event-stream"
    blocks = response.text.split("\r\n\r\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def parts(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return payload["candidates"][0]["content"].get("parts", [])


def test_the_same_answer_is_a_body_or_a_stream():
    answer = Answer("Paris, of course.", reasoning="France it is")
    whole = play(answer).json()
    assert parts(whole) == [{"text": "France it is", "thought": True}, {"text": "Paris, of course."}]
    assert whole["candidates"][0]["finishReason"] == "STOP"
    assert (whole["modelVersion"], whole["responseId"]) == ("gemini-9", "sim1")
    assert whole["usageMetadata"] == {
        "promptTokenCount": 3,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 3,
        "totalTokenCount": 9,
    }

    streamed = payloads(play(answer, stream=True))
    said = [part for payload in streamed for part in parts(payload)]
    assert "".join(part["text"] for part in said if part.get("thought")) == "France it is"
    assert [part["text"] for part in said if not part.get("thought")] == ["Paris,", " of", " course.", ""]
    assert [payload["candidates"][0].get("finishReason") for payload in streamed] == [None] * 6 + ["STOP"]
    assert [payload["usageMetadata"] for payload in streamed[:-1]] == [
        {"promptTokenCount": 3, "totalTokenCount": 3}
    ] * 6
    assert streamed[-1]["usageMetadata"] == whole["usageMetadata"]


def test_calls_come_whole():
    calls = [
        ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Orléans"}, thought_signatures=("s",)),
        ToolCall(call_id="", fn_name="time", fn_arguments=None),
        ToolCall(call_id="", fn_name="day", fn_arguments='{"a": 1}'),
    ]
    expected = [
        {"functionCall": {"name": "weather", "args": {"city": "Orléans"}, "id": "c1"}, "thoughtSignature": "s"},
        {"functionCall": {"name": "time", "args": {}}},
        {"functionCall": {"name": "day", "args": {"a": 1}}},
    ]
    whole = play(Answer("", tool_calls=calls)).json()
    assert parts(whole) == expected
    assert whole["candidates"][0]["finishReason"] == "STOP"
    streamed = payloads(play(Answer("", tool_calls=calls), stream=True))
    assert [part for payload in streamed for part in parts(payload)] == [*expected, {"text": ""}]


def test_usage_as_google_counts_it():
    usage = Usage(
        prompt_tokens=9,
        completion_tokens=7,
        total_tokens=16,
        prompt_details=PromptDetails(cached_tokens=4, audio_tokens=2),
        completion_details=CompletionDetails(reasoning_tokens=5),
    )
    assert play(Answer(usage=usage)).json()["usageMetadata"] == {
        "promptTokenCount": 9,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 16,
        "cachedContentTokenCount": 4,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
    }
    assert "usageMetadata" not in play(Answer(usage=None)).json()
    assert all("usageMetadata" not in said for said in payloads(play(Answer(usage=None), stream=True)))
    finish = payloads(play(Answer("a b", stream_usage="finish"), stream=True))
    assert ["usageMetadata" in said for said in finish] == [False, False, True]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("max_tokens", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("stop_sequence", "STOP"),
        ("RECITATION", "RECITATION"),
    ],
)
def test_stop_reasons(reason: str, word: str):
    assert play(Answer(stop_reason=reason)).json()["candidates"][0]["finishReason"] == word


def test_nothing_at_all():
    whole = play(Empty()).json()
    assert whole["candidates"] == [{"content": {"role": "model"}, "index": 0, "finishReason": "STOP"}]


@pytest.mark.parametrize(
    ("reply", "code", "word"),
    [
        (rate_limited(), 429, "RESOURCE_EXHAUSTED"),
        (quota_exhausted(), 429, "RESOURCE_EXHAUSTED"),
        (overloaded(), 503, "UNAVAILABLE"),
        (server_error(), 500, "INTERNAL"),
        (context_overflow(), 400, "INVALID_ARGUMENT"),
        (bad_request(), 400, "INVALID_ARGUMENT"),
        (unauthorized(), 400, "INVALID_ARGUMENT"),
        (permission_denied(), 403, "PERMISSION_DENIED"),
        (model_not_found(), 404, "NOT_FOUND"),
        (Status(504), 504, "DEADLINE_EXCEEDED"),
        (Status(502), 502, "INTERNAL"),
        (Status(418), 418, "INVALID_ARGUMENT"),
    ],
)
def test_errors_in_googles_words(reply: Status, code: int, word: str):
    response = play(reply)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (code, code, word)
    assert error["message"]


def test_quotas_are_told_apart_and_words_of_the_script_win():
    def quotas(reply: Status) -> list[str]:
        return [entry["quotaId"] for entry in play(reply).json()["error"]["details"][0]["violations"]]

    assert "PerMinute" in quotas(rate_limited())[0]
    assert "PerDay" in quotas(quota_exhausted())[0]
    error = play(Status(400, type="ODD", code="REASON", message="m", param="p")).json()["error"]
    assert (error["status"], error["message"]) == ("ODD", "m")
    assert [detail.get("reason") for detail in error["details"]] == ["REASON", None]
    assert error["details"][1]["fieldViolations"][0]["field"] == "p"


def test_a_blocked_prompt_is_a_success_without_candidates():
    response = play(content_policy(message="no"))
    assert response.status_code == 200
    assert response.json()["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "no"}
    assert "candidates" not in response.json()
    assert play(content_policy(), stream=True).text.startswith("data: ")


def test_an_error_breaks_into_a_stream_without_framing():
    bare = play(InBandError(Answer("a b c"), after=1), stream=True)
    first, error, end = bare.text.split("\r\n\r\n")
    assert json.loads(first.removeprefix("data: "))["candidates"]
    assert json.loads(error)["error"]["code"] >= 400
    assert end == ""
    framed = payloads(play(InBandError(Answer("a b c"), after=1, named=True), stream=True))
    assert "error" in framed[-1]


def test_heartbeats_and_cuts():
    beats = {"comment": ": keep-alive\r\n\r\n", "role": 'data: {"candidates"', "blank": "\r\n"}
    for kind, beat in beats.items():
        reply = Heartbeats(Answer("a b"), kind=kind, seconds=0.02, every=0.01)  # type: ignore[arg-type]
        said = play(reply, stream=True).text
        assert said.startswith(beat)
        assert '"finishReason": "STOP"' in said
    with ProviderSimulator([Cut(Answer("a b c"), after=1)], dialect="gemini") as simulator:
        with pytest.raises(httpx.HTTPError):
            ask(simulator, stream=True)
        assert simulator.requests[0].chunks_sent == 1


def test_the_path_says_model_and_method():
    with ProviderSimulator(dialect="gemini") as simulator:
        ask(simulator, model="tunedModels/mine")
        ask(simulator, stream=True)
        assert [(request.model, request.stream) for request in simulator.requests] == [
            ("tunedModels/mine", False),
            ("gemini-9", True),
        ]
        assert simulator.requests[0].messages == tuple(BODY["contents"])
        assert httpx.post(f"{simulator.base_url}/chat/completions", trust_env=False).status_code == 404
        models = httpx.get(f"{simulator.base_url}/models", trust_env=False).json()["models"]
        assert models[0]["name"].startswith("models/")


def test_keys():
    with ProviderSimulator(dialect="gemini", require_key="key") as simulator:
        url = f"{simulator.base_url}/models/m:generateContent"
        assert ask(simulator).status_code == 200
        bearer = httpx.post(url, json=BODY, headers={"authorization": "Bearer key"}, trust_env=False)
        assert bearer.status_code == 200
        refused = httpx.post(f"{url}?key=key", json=BODY, trust_env=False)
        assert "API key not valid" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"contents": []}, "contents is not specified"),
        ({"contents": None}, "contents is not specified"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
        ({"contents": [{"role": "user", "parts": [{}]}]}, "must not be empty"),
        ({"messages": []}, 'Unknown name "messages"'),
        (
            {
                "contents": [
                    {"role": "model", "parts": [{"functionCall": {"name": "f"}}] * 2},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
                ]
            },
            "number of function response parts",
        ),
    ],
)
def test_what_google_refuses_at_once(body: dict[str, Any], told: str):
    with ProviderSimulator(dialect="gemini") as simulator:
        response = ask(simulator, **body)
    assert response.status_code == 400
    assert told in response.json()["error"]["message"]


def test_a_model_that_refuses_a_prefill():
    contents = [*BODY["contents"], {"role": "model", "parts": [{"text": "It is"}]}]
    assert play(refuses_prefill(), contents=contents).status_code == 400
    assert play(refuses_prefill()).status_code == 200


def test_an_unknown_dialect_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match="gemini"):
        ProviderSimulator(dialect="gemin")
