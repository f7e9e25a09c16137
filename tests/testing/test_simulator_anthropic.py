"""The simulator in Anthropic's wire format."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.testing.simulator_client import CONTEXT

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CacheCreation, CompletionDetails, PromptDetails, Usage
from lamellar.errors import ErrorKind
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Heartbeats,
    InBandError,
    ProviderSimulator,
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
    server_error,
    unauthorized,
)

BODY: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
}
CALL = ToolCall(call_id="toolu_1", fn_name="weather", fn_arguments={"city": "Orléans"})


def post(simulator: ProviderSimulator, body: Any = None, **headers: str) -> httpx.Response:
    with httpx.Client(timeout=2, trust_env=False, verify=CONTEXT) as client:
        return client.post(f"{simulator.base_url}/v1/messages", json=BODY if body is None else body, headers=headers)


def play(reply: Reply) -> dict[str, Any]:
    with ProviderSimulator([reply], dialect="anthropic") as simulator:
        return post(simulator).json()


def stream(reply: Reply) -> list[tuple[str | None, dict[str, Any]]]:
    """The events of a stream: the name and the payload of each; comments are left out."""
    with ProviderSimulator([reply], dialect="anthropic") as simulator:
        text = post(simulator, {**BODY, "stream": True}).text
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.strip().split("\n"))
        if "data" in fields:
            found.append((fields.get("event"), json.loads(fields["data"])))
    return found


def kinds(events: list[tuple[str | None, dict[str, Any]]]) -> list[str]:
    assert all(name == payload["type"] for name, payload in events)
    return [payload["type"] for _, payload in events]


def test_a_body():
    message = play(Answer("Paris."))
    assert message["type"] == "message"
    assert message["model"] == "claude-haiku-4-5"
    assert message["content"] == [{"type": "text", "text": "Paris."}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["usage"] == {
        "input_tokens": 6,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 1,
    }


def test_a_stream():
    events = stream(Answer("It is Paris."))
    assert kinds(events) == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    payloads = [payload for _, payload in events]
    assert payloads[0]["message"]["content"] == []
    assert payloads[0]["message"]["usage"]["output_tokens"] == 1
    assert [payload["delta"]["text"] for payload in payloads[3:6]] == ["It", " is", " Paris."]
    assert payloads[-2]["delta"]["stop_reason"] == "end_turn"
    assert payloads[-2]["usage"]["output_tokens"] == 3


def test_thinking_and_tool_calls():
    answer = Answer("Let me see.", reasoning="France it is", tool_calls=[CALL])
    message = play(answer)
    thinking, text, call = message["content"]
    assert (thinking["thinking"], text["text"]) == ("France it is", "Let me see.")
    assert thinking["signature"]
    assert call == {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Orléans"}}
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 3}

    payloads = [payload for _, payload in stream(answer)]
    starts = [payload["content_block"] for payload in payloads if payload["type"] == "content_block_start"]
    assert [block["type"] for block in starts] == ["thinking", "text", "tool_use"]
    assert starts[2]["input"] == {}
    deltas = [payload["delta"] for payload in payloads if payload["type"] == "content_block_delta"]
    assert [delta["type"] for delta in deltas[:4]] == [*["thinking_delta"] * 3, "signature_delta"]
    assert deltas[3]["signature"] == thinking["signature"]
    fragments = [delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta"]
    assert fragments[0] == ""
    assert json.loads("".join(fragments)) == {"city": "Orléans"}
    assert payloads[-2]["delta"]["stop_reason"] == "tool_use"


def test_usage_counts_the_cache_beside_the_input():
    details = PromptDetails(
        cached_tokens=10, cache_creation_tokens=5, cache_creation=CacheCreation(ephemeral_5m=3, ephemeral_1h=2)
    )
    usage = Usage(
        prompt_tokens=20,
        completion_tokens=7,
        prompt_details=details,
        completion_details=CompletionDetails(reasoning_tokens=4),
    )
    told = play(Answer(usage=usage))["usage"]
    assert told["input_tokens"] == 5
    assert (told["cache_read_input_tokens"], told["cache_creation_input_tokens"]) == (10, 5)
    assert told["cache_creation"] == {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2}
    assert told["output_tokens_details"] == {"thinking_tokens": 4}
    assert "usage" not in play(Answer(usage=None))
    assert not any("usage" in payload for _, payload in stream(Answer(usage=None)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("max_tokens", "max_tokens"), ("content_filter", "refusal"), ("pause_turn", "pause_turn")],
)
def test_stop_reasons(ours, theirs):
    assert play(Answer(stop_reason=ours))["stop_reason"] == theirs


def test_an_empty_answer():
    assert play(Empty())["content"] == []
    assert kinds(stream(Empty())) == ["message_start", "ping", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("reply", "status", "type_"),
    [
        (rate_limited(), 429, "rate_limit_error"),
        (quota_exhausted(), 400, "invalid_request_error"),
        (overloaded(), 529, "overloaded_error"),
        (server_error(), 500, "api_error"),
        (context_overflow(), 400, "invalid_request_error"),
        (content_policy(), 400, "invalid_request_error"),
        (bad_request(), 400, "invalid_request_error"),
        (unauthorized(), 401, "authentication_error"),
        (permission_denied(), 403, "permission_error"),
        (model_not_found(), 404, "not_found_error"),
        (Status(413), 413, "request_too_large"),
        (Status(502), 502, "api_error"),
        (Status(kind=ErrorKind.TIMEOUT), 504, "timeout_error"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_errors_with_a_status(reply, status, type_, streaming):
    with ProviderSimulator([reply], dialect="anthropic") as simulator:
        seen = post(simulator, {**BODY, "stream": streaming})
    assert seen.status_code == status
    assert seen.json()["type"] == "error"
    assert seen.json()["error"]["type"] == type_
    assert seen.json()["error"]["message"]


def test_errors_in_band():
    first = stream(InBandError())
    assert kinds(first) == ["error"]
    assert first[-1][1] == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    later = stream(InBandError(Answer("a b c"), after=2, kind=ErrorKind.RATE_LIMITED))
    assert kinds(later).count("content_block_delta") == 2
    assert later[-1][1]["error"]["type"] == "rate_limit_error"


def test_cuts_and_heartbeats():
    cut = kinds(stream(Cut(Answer("a b c"), after=2, how="clean")))
    assert cut.count("content_block_delta") == 2
    assert "message_delta" not in cut
    assert kinds(stream(Answer("a", done=False)))[-1] == "message_delta"
    beats = kinds(stream(Heartbeats(Answer("a b"), seconds=0.05, every=0.02, kind="role", after=1)))
    assert beats.count("ping") >= 2  # one is always there
    assert beats[-1] == "message_stop"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "The request body is not valid JSON."),
        ({**BODY, "max_tokens": None}, "max_tokens: Field required"),
        ({**BODY, "max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({**BODY, "messages": []}, "messages: at least one message is required"),
        ({**BODY, "messages": ["hi"]}, "messages.0: Input does not match the expected shape."),
        (
            {**BODY, "messages": [{"role": "system", "content": "s"}]},
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (
            {**BODY, "messages": [{"role": "user", "content": []}]},
            "messages.0: all messages must have non-empty content",
        ),
        (
            {**BODY, "thinking": {"type": "enabled", "budget_tokens": 100}},
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
    ],
)
def test_requests_that_the_provider_would_refuse(body, message):
    with ProviderSimulator(dialect="anthropic") as simulator:
        seen = post(simulator, body)
    assert seen.status_code == 400
    assert seen.json()["error"] == {"type": "invalid_request_error", "message": message}


def test_keys_and_paths():
    with ProviderSimulator(dialect="anthropic", require_key="k", models=["claude-a", "claude-b"]) as simulator:
        assert post(simulator).status_code == 401
        assert post(simulator, **{"x-api-key": "k"}).status_code == 200
        assert post(simulator, authorization="Bearer k").status_code == 200
        with httpx.Client(trust_env=False, verify=CONTEXT, headers={"x-api-key": "k"}) as client:
            listed = client.get(f"{simulator.base_url}/v1/models").json()
            assert [model["id"] for model in listed["data"]] == ["claude-a", "claude-b"]
            assert (listed["first_id"], listed["last_id"]) == ("claude-a", "claude-b")
            assert client.post(f"{simulator.base_url}/v1/complete", json=BODY).status_code == 404
