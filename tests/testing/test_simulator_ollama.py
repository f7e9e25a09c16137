"""The simulator in the format of Ollama's own API: what goes over the wire, read without the dialect."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import Usage
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

BODY: dict[str, Any] = {"model": "qwen3", "messages": [{"role": "user", "content": "What is it?"}]}


def ask(simulator: ProviderSimulator, **body: Any) -> httpx.Response:
    url = f"{simulator.base_url}/api/chat"
    return httpx.post(url, json={**BODY, **body}, headers={"authorization": "Bearer key"}, timeout=2, trust_env=False)


def play(reply: Reply, **body: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect="ollama") as simulator:
        return ask(simulator, **{"stream": False, **body})


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


def test_the_same_answer_is_a_body_or_a_stream():
    answer = Answer("Paris, of course.", reasoning="France it is")
    whole = play(answer).json()
    assert whole["message"] == {"role": "assistant", "content": "Paris, of course.", "thinking": "France it is"}
    assert (whole["model"], whole["done"], whole["done_reason"]) == ("qwen3", True, "stop")
    assert (whole["prompt_eval_count"], whole["eval_count"]) == (3, 6)

    *pieces, last = lines(play(answer, stream=True))
    assert [line["message"].get("thinking") for line in pieces[:3]] == ["France", " it", " is"]
    assert [line["message"]["content"] for line in pieces[3:]] == ["Paris,", " of", " course."]
    assert not any(line["done"] for line in pieces)
    assert last["message"]["content"] == ""
    assert {key: value for key, value in last.items() if key != "message"} == {
        key: value for key, value in whole.items() if key != "message"
    }


def test_a_stream_is_what_it_sends_unless_told_otherwise():
    with ProviderSimulator(dialect="ollama") as simulator:
        assert len(lines(ask(simulator))) > 1
        assert simulator.requests[0].stream


def test_calls_come_whole():
    calls = [
        ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Orléans"}),
        ToolCall(call_id="", fn_name="time", fn_arguments=None),
        ToolCall(call_id="", fn_name="day", fn_arguments='{"a": 1}'),
    ]
    expected = [
        {"id": "c1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Orléans"}}},
        {"function": {"index": 1, "name": "time", "arguments": {}}},
        {"function": {"index": 2, "name": "day", "arguments": {"a": 1}}},
    ]
    whole = play(Answer("", tool_calls=calls)).json()
    assert whole["message"]["tool_calls"] == expected
    assert whole["done_reason"] == "stop"
    *pieces, last = lines(play(Answer("", tool_calls=calls), stream=True))
    assert [line["message"]["tool_calls"] for line in pieces] == [[each] for each in expected]
    assert last["done_reason"] == "stop"


def test_usage():
    whole = play(Answer(usage=Usage(prompt_tokens=9, completion_tokens=7))).json()
    assert (whole["prompt_eval_count"], whole["eval_count"]) == (9, 7)
    cached = play(Answer(usage=Usage(completion_tokens=7)), stream=True)
    assert "prompt_eval_count" not in lines(cached)[-1]
    assert "eval_count" not in play(Answer(usage=None)).json()


@pytest.mark.parametrize(
    ("reason", "word"), [("max_tokens", "length"), ("stop_sequence", "stop"), ("unload", "unload")]
)
def test_stop_reasons(reason: str, word: str):
    assert play(Answer(stop_reason=reason)).json()["done_reason"] == word


def test_nothing_at_all():
    assert play(Empty()).json()["message"] == {"role": "assistant", "content": ""}
    (last,) = lines(play(Empty(usage=False), stream=True))
    assert last["done"] is True


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
        (Status(504), 504),
        (Status(418), 418),
    ],
)
def test_errors_are_a_text(reply: Status, code: int):
    response = play(reply)
    assert response.status_code == code
    (said,) = response.json().values()
    assert isinstance(said, str)
    assert play(Status(500, message="m")).json() == {"error": "m"}


def test_an_error_breaks_into_a_stream_as_a_line():
    first, error = lines(play(InBandError(Answer("a b c"), after=1), stream=True))
    assert first["message"]["content"] == "a"
    assert error.keys() == {"error"}
    assert play(InBandError(Answer("a"))).json().keys() == {"error"}


def test_heartbeats_and_cuts():
    for kind, beat in {"comment": "\n", "blank": "\n", "role": '{"model"'}.items():
        reply = Heartbeats(Answer("a b"), kind=kind, seconds=0.02, every=0.01)  # type: ignore[arg-type]
        said = play(reply, stream=True).text
        assert said.startswith(beat)
        assert '"done":true' in said
    with ProviderSimulator([Cut(Answer("a b c"), after=1)], dialect="ollama") as simulator:
        with pytest.raises(httpx.HTTPError):
            ask(simulator)
        assert simulator.requests[0].chunks_sent == 1


def test_keys_paths_and_models():
    with ProviderSimulator(dialect="ollama", require_key="key") as simulator:
        assert ask(simulator).status_code == 200
        refused = httpx.post(f"{simulator.base_url}/api/chat", json=BODY, trust_env=False)
        assert (refused.status_code, refused.json()) == (401, {"error": "unauthorized"})
    with ProviderSimulator(dialect="ollama") as simulator:
        assert httpx.post(f"{simulator.base_url}/v1/chat/completions", json=BODY, trust_env=False).status_code == 404
        assert "name" in httpx.get(f"{simulator.base_url}/api/tags", trust_env=False).json()["models"][0]


def of(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x", **message}]}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": ""}, "model is required"),
        ({"messages": None}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"format": "xml"}, "invalid format"),
        ({"think": "much"}, "invalid think value"),
        (of(role="developer"), "invalid role"),
        (of(content=[{"type": "text", "text": "x"}]), "messages.content"),
        (of(tool_calls=[{"function": {"name": "f", "arguments": "{}"}}]), "arguments"),
        (of(images=["https://example.com/a.png"]), "illegal base64"),
    ],
)
def test_what_ollama_refuses_at_once(body: dict[str, Any], told: str):
    with ProviderSimulator(dialect="ollama") as simulator:
        response = ask(simulator, **body)
    assert response.status_code == 400
    assert told in response.json()["error"]


def test_a_model_that_refuses_a_prefill():
    messages = [*BODY["messages"], {"role": "assistant", "content": "It is"}]
    assert play(refuses_prefill(), messages=messages).status_code == 400
    assert play(refuses_prefill()).status_code == 200
