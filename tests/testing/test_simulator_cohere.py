"""The simulator in the format of Cohere's Chat API: what goes over the wire, read without the dialect."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import PromptDetails, Usage
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Heartbeats,
    InBandError,
    NoDone,
    Reply,
    Status,
    bad_request,
    context_overflow,
    model_not_found,
    overloaded,
    permission_denied,
    quota_exhausted,
    rate_limited,
    server_error,
    unauthorized,
)

BODY: dict[str, Any] = {"model": "command-a", "messages": [{"role": "user", "content": "What is it?"}]}
CALLS = [
    ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Orléans"}),
    ToolCall(call_id="c2", fn_name="time", fn_arguments=None),
]
SENT_CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Orléans"}'}},
    {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]


def ask(simulator: ProviderSimulator, **body: Any) -> httpx.Response:
    url = f"{simulator.base_url}/chat"
    return httpx.post(url, json={**BODY, **body}, headers={"authorization": "Bearer key"}, timeout=2, trust_env=False)


def play(reply: Reply, **body: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect="cohere") as simulator:
        return ask(simulator, **body)


def events(response: httpx.Response, *, done: bool = True) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "text/event-stream"
    *blocks, end = response.text.split("\n\n")
    assert end == ""
    if done:
        assert blocks.pop() == "data: [DONE]"
    found = []
    for block in blocks:
        name, data = block.split("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        found.append(payload)
    return found


def test_the_same_answer_is_a_body_or_a_stream():
    answer = Answer("Paris, of course.", reasoning="France it is")
    whole = play(answer).json()
    assert whole["message"] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "France it is"},
            {"type": "text", "text": "Paris, of course."},
        ],
    }
    assert (whole["id"], whole["finish_reason"]) == ("sim-1", "COMPLETE")
    assert whole["usage"]["tokens"] == {"input_tokens": 3, "output_tokens": 6}

    start, *parts, end = events(play(answer, stream=True))
    assert (start["id"], start["type"]) == ("sim-1", "message-start")
    assert [part["type"] for part in parts] == (["content-start", *["content-delta"] * 3, "content-end"] * 2)
    deltas = [part["delta"]["message"]["content"] for part in parts if part["type"] == "content-delta"]
    assert deltas[:3] == [{"thinking": "France"}, {"thinking": " it"}, {"thinking": " is"}]
    assert deltas[3:] == [{"text": "Paris,"}, {"text": " of"}, {"text": " course."}]
    assert [part["index"] for part in parts] == [0] * 5 + [1] * 5
    assert end == {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": whole["usage"]}}


def test_calls_and_the_plan_for_them():
    answer = Answer("", reasoning="First the weather", tool_calls=CALLS)
    whole = play(answer).json()
    assert whole["message"] == {
        "role": "assistant",
        "tool_plan": "First the weather",
        "tool_calls": SENT_CALLS,
    }
    assert whole["finish_reason"] == "TOOL_CALL"
    _, *parts, end = events(play(answer, stream=True))
    plan = [part["delta"]["message"]["tool_plan"] for part in parts if part["type"] == "tool-plan-delta"]
    assert "".join(plan) == "First the weather"
    begun = [part["delta"]["message"]["tool_calls"] for part in parts if part["type"] == "tool-call-start"]
    assert [(call["id"], call["function"]) for call in begun] == [
        ("c1", {"name": "weather", "arguments": ""}),
        ("c2", {"name": "time", "arguments": ""}),
    ]
    said = ["", ""]
    for part in parts:
        if part["type"] == "tool-call-delta":
            said[part["index"]] += part["delta"]["message"]["tool_calls"]["function"]["arguments"]
    assert said == [call["function"]["arguments"] for call in SENT_CALLS]
    assert end["delta"]["finish_reason"] == "TOOL_CALL"


def test_usage():
    usage = Usage(prompt_tokens=9, completion_tokens=7, prompt_details=PromptDetails(cached_tokens=4))
    assert play(Answer(usage=usage)).json()["usage"] == {
        "billed_units": {"input_tokens": 8, "output_tokens": 6},
        "tokens": {"input_tokens": 9, "output_tokens": 7},
        "cached_tokens": 4,
    }
    assert "usage" not in play(Answer(usage=None)).json()
    assert "usage" not in events(play(Answer(usage=None), stream=True))[-1]["delta"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("max_tokens", "MAX_TOKENS"),
        ("stop_sequence", "STOP_SEQUENCE"),
        ("content_filter", "ERROR_TOXIC"),
        ("TIMEOUT", "TIMEOUT"),
    ],
)
def test_stop_reasons(reason: str, word: str):
    assert play(Answer(stop_reason=reason)).json()["finish_reason"] == word


def test_nothing_at_all():
    assert play(Empty()).json()["message"] == {"role": "assistant"}
    assert [event["type"] for event in events(play(Empty(), stream=True))] == ["message-start", "message-end"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (rate_limited(), 429),
        (quota_exhausted(), 429),
        (overloaded(), 503),
        (server_error(), 500),
        (context_overflow(), 400),
        (bad_request(), 400),
        (unauthorized(), 401),
        (permission_denied(), 403),
        (model_not_found(), 404),
        (Status(498), 498),
        (Status(504), 504),
        (Status(418), 418),
    ],
)
def test_errors_are_a_message_with_an_id(reply: Status, code: int):
    response = play(reply)
    assert response.status_code == code
    assert response.json().keys() == {"id", "message"}
    assert response.json()["message"]
    assert play(Status(500, message="m")).json()["message"] == "m"


def test_an_error_ends_a_stream():
    *_, error = events(play(InBandError(Answer("a b c"), after=1), stream=True), done=False)
    assert (error["type"], error["delta"]["finish_reason"]) == ("message-end", "ERROR")
    assert "overloaded" in error["delta"]["error"]
    (first,) = events(play(InBandError(Answer("a"), code="TIMEOUT", done=True), stream=True))
    assert first["delta"]["finish_reason"] == "TIMEOUT"
    assert play(InBandError(Answer("a"))).json().keys() == {"id", "message"}


def test_heartbeats_marks_and_cuts():
    beats = {"comment": ": keep-alive\n\n", "role": "event: message-start\n", "blank": "\n"}
    for kind, beat in beats.items():
        reply = Heartbeats(Answer("a b"), kind=kind, seconds=0.02, every=0.01)  # type: ignore[arg-type]
        said = play(reply, stream=True).text
        assert beat in said
        assert '"finish_reason":"COMPLETE"' in said
    assert events(play(NoDone(Answer("a")), stream=True), done=False)[-1]["type"] == "message-end"
    with ProviderSimulator([Cut(Answer("a b c"), after=1)], dialect="cohere") as simulator:
        with pytest.raises(httpx.HTTPError):
            ask(simulator, stream=True)
        assert simulator.requests[0].chunks_sent == 1


def test_keys_paths_and_models():
    with ProviderSimulator(dialect="cohere", require_key="key") as simulator:
        assert ask(simulator).status_code == 200
        refused = httpx.post(f"{simulator.base_url}/chat", json=BODY, trust_env=False)
        assert (refused.status_code, refused.json()["message"]) == (401, "invalid api token")
    with ProviderSimulator(dialect="cohere") as simulator:
        assert httpx.post(f"{simulator.base_url}/chat/completions", json=BODY, trust_env=False).status_code == 404
        assert "name" in httpx.get(f"{simulator.base_url}/models", trust_env=False).json()["models"][0]
        ask(simulator, stream=True)
        assert (simulator.requests[-1].model, simulator.requests[-1].stream) == ("command-a", True)


def of(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x", **message}]}


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"messages": []}, 400, "must not be empty"),
        ({"stream": "yes"}, 400, "stream"),
        ({"top_p": 1}, 422, "'top_p' is not a valid field"),
        ({"tool_choice": "AUTO"}, 400, "tool_choice"),
        ({"tool_choice": "REQUIRED"}, 400, "needs tools"),
        (of(role="developer"), 400, "role"),
        (of(content=""), 400, "non-empty content"),
        (of(role="tool"), 400, "tool_call_id"),
        (of(role="assistant", tool_calls=[{"function": {"name": "f", "arguments": {}}}]), 400, "must be a string"),
    ],
)
def test_what_cohere_refuses_at_once(body: dict[str, Any], status: int, told: str):
    with ProviderSimulator(dialect="cohere") as simulator:
        response = ask(simulator, **body)
    assert response.status_code == status
    assert told in response.json()["message"]
