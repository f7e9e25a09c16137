"""The simulator in OpenAI's Responses format: what goes over the wire, read without the dialect."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Empty,
    Heartbeats,
    InBandError,
    Reply,
    Status,
    context_overflow,
    model_not_found,
    overloaded,
    quota_exhausted,
    rate_limited,
    unauthorized,
)
from lamellar.testing.simulator.wire_responses import ENCRYPTED, ResponsesWire

BODY: dict[str, Any] = {"model": "gpt-9", "input": [{"role": "user", "content": "What is it?"}]}
CALLS = [
    ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Orléans"}),
    ToolCall(call_id="c2", fn_name="time"),
]


def ask(simulator: ProviderSimulator, **body: Any) -> httpx.Response:
    said = {name: value for name, value in {**BODY, **body}.items() if value is not None}
    url = f"{simulator.base_url}/responses"
    return httpx.post(url, json=said, headers={"authorization": "Bearer key"}, timeout=2, trust_env=False)


def play(reply: Reply, dialect: Any = "responses", **body: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect=dialect) as simulator:
        return ask(simulator, **body)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    found = []
    for block in blocks:
        if block.startswith(":") or not block:
            continue
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_the_same_answer_is_a_body_or_a_stream():
    answer = Answer("Paris, of course.", reasoning="France it is", tool_calls=CALLS)
    whole = play(answer).json()
    assert (whole["id"], whole["object"], whole["status"], whole["model"]) == (
        "resp_sim_1",
        "response",
        "completed",
        "gpt-9",
    )
    reasoning, message, weather, time = whole["output"]
    assert reasoning == {
        "id": "rs_sim_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "France it is"}],
    }
    assert message["content"] == [
        {"type": "output_text", "text": "Paris, of course.", "annotations": [], "logprobs": []}
    ]
    assert (weather["call_id"], weather["name"], json.loads(weather["arguments"])) == (
        "c1",
        "weather",
        {"city": "Orléans"},
    )
    assert (time["call_id"], time["name"], time["arguments"]) == ("c2", "time", "{}")

    streamed = events(play(answer, stream=True))
    assert [said["sequence_number"] for said in streamed] == list(range(len(streamed)))
    assert [said["type"] for said in streamed[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert streamed[0]["response"]["status"] == "in_progress"
    assert streamed[-1] == {
        "type": "response.completed",
        "sequence_number": len(streamed) - 1,
        "response": {**whole, "id": "resp_sim_1"},
    }
    done = [said["item"] for said in streamed if said["type"] == "response.output_item.done"]
    assert done == whole["output"]
    for kind, expected in (
        ("output_text", "Paris, of course."),
        ("reasoning_summary_text", "France it is"),
        ("function_call_arguments", weather["arguments"] + "{}"),
    ):
        pieces = [said["delta"] for said in streamed if said["type"] == f"response.{kind}.delta"]
        assert "".join(pieces) == expected
    opened = [said["item"] for said in streamed if said["type"] == "response.output_item.added"]
    assert [item.get("content", item.get("arguments", item.get("summary"))) for item in opened] == [[], [], "", ""]


def test_reasoning_is_encrypted_for_those_who_ask():
    answer = Answer("a", reasoning="b")
    assert play(answer, include=["reasoning.encrypted_content"]).json()["output"][0]["encrypted_content"] == ENCRYPTED


def test_usage():
    usage = Usage(
        prompt_tokens=9,
        completion_tokens=7,
        prompt_details=PromptDetails(cached_tokens=4),
        completion_details=CompletionDetails(reasoning_tokens=5),
    )
    assert play(Answer(usage=usage)).json()["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 16,
    }
    assert play(Answer(usage=None)).json()["usage"] is None
    counted = play(Answer("a b", reasoning="c")).json()["usage"]
    assert (counted["input_tokens"], counted["output_tokens"]) == (3, 3)


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("completed", "completed", None),
        ("stop_sequence", "completed", None),
        ("max_tokens", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        ("new_reason", "incomplete", {"reason": "new_reason"}),
    ],
)
def test_stop_reasons(reason: str, status: str, details: Any):
    whole = play(Answer("a", stop_reason=reason)).json()
    assert (whole["status"], whole["incomplete_details"]) == (status, details)
    assert events(play(Answer("a", stop_reason=reason), stream=True))[-1]["type"] == f"response.{status}"


def test_nothing_at_all():
    assert play(Empty()).json()["output"] == []
    assert [said["type"] for said in events(play(Empty(), stream=True))] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]


def test_a_mark_of_the_end_is_openrouters():
    assert "[DONE]" not in play(Answer("a"), stream=True).text
    assert play(Answer("a"), ResponsesWire(mark=True), stream=True).text.endswith("data: [DONE]\n\n")
    assert "[DONE]" not in play(Answer("a", done=False), ResponsesWire(mark=True), stream=True).text


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (rate_limited(), 429, "rate_limit_exceeded"),
        (quota_exhausted(), 429, "insufficient_quota"),
        (overloaded(), 503, "server_is_overloaded"),
        (context_overflow(), 400, "context_length_exceeded"),
        (unauthorized(), 401, "invalid_api_key"),
        (model_not_found(), 400, "model_not_found"),
        (Status(418, message="tea", code="t", type="t"), 418, "t"),
    ],
)
def test_errors(reply: Status, status: int, code: str):
    response = play(reply)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def test_an_unknown_model_is_named():
    assert play(model_not_found()).json()["error"]["message"] == "The requested model 'gpt-9' does not exist."


def test_an_error_in_a_stream_is_two_events():
    *_, delta, error, failed = events(play(InBandError(Answer("a b"), after=1), stream=True))
    assert delta["type"] == "response.output_text.delta"
    assert (error["type"], error["error"]["code"]) == ("error", "server_is_overloaded")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["code"] == "server_is_overloaded"
    assert play(InBandError(Answer("a b"))).json()["error"]["code"] == "server_is_overloaded"


def test_a_cut():
    said = events(play(Cut(Answer("a b c"), after=2, how="clean"), stream=True))
    assert [each["delta"] for each in said if each["type"] == "response.output_text.delta"] == ["a", " b"]
    assert not [each for each in said if each["type"] == "response.completed"]
    with ProviderSimulator([Cut(Answer("a b c"), after=1)], dialect="responses") as simulator:
        with pytest.raises(httpx.HTTPError):
            ask(simulator, stream=True)
        assert simulator.requests[0].chunks_sent == 1


@pytest.mark.parametrize("kind", ["comment", "role", "blank"])
def test_heartbeats(kind: Any):
    reply = Heartbeats(Answer("a b"), kind=kind, seconds=0.02, every=0.01)
    text = play(reply, stream=True).text
    expected = {"comment": ": keep-alive", "role": "event: response.in_progress", "blank": "\n\n\n"}[kind]
    assert expected in text


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "function_call_output", "call_id": "c9", "output": ""}]}, "input"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "input"),
        ({"messages": []}, "messages"),
        ({"stop": ["x"]}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
    ],
)
def test_requests_that_the_provider_would_not_take(wrong: dict[str, Any], param: str):
    response = play(Answer("never"), **wrong)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_requests_that_it_takes():
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "x"}
    for body in (
        {"input": "hi"},
        {"input": [call, output]},
        {"input": [output], "previous_response_id": "resp_0"},
        {"input": None, "prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
    ):
        assert play(Answer("ok"), **body).status_code == 200


def test_the_list_of_models_and_other_paths():
    with ProviderSimulator(dialect="responses", models=["a"]) as simulator:
        with httpx.Client(trust_env=False, timeout=2) as client:
            listed = client.get(f"{simulator.base_url}/models").json()
            assert [model["id"] for model in listed["data"]] == ["a"]
            assert client.post(f"{simulator.base_url}/chat/completions", json={}).status_code == 404
        assert ask(simulator).status_code == 200
        assert simulator.requests[-1].messages == tuple(BODY["input"])
