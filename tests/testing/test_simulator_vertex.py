"""The simulator as Vertex AI: Gemini and Claude at one address, read without the dialects."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.errors import ErrorKind
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Heartbeats,
    InBandError,
    Reply,
    bad_request,
    content_policy,
    model_not_found,
    overloaded,
    permission_denied,
    rate_limited,
    unauthorized,
)

HERE = "/projects/p/locations/global/publishers"
GEMINI = f"{HERE}/google/models/gemini-9"
CLAUDE = f"{HERE}/anthropic/models/claude-9@20260101"
ASKED: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "What is it?"}]}]}
MESSAGES: dict[str, Any] = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "What is it?"}],
}


def ask(
    simulator: ProviderSimulator, path: str, *, stream: bool = False, key: str = "key", **body: Any
) -> httpx.Response:
    claude = "/anthropic/" in path
    if claude:
        method, said = (
            ("streamRawPredict" if stream else "rawPredict"),
            {**MESSAGES, **({"stream": True} if stream else {})},
        )
    else:
        method, said = ("streamGenerateContent?alt=sse" if stream else "generateContent"), ASKED
    url = f"{simulator.base_url}{path}:{method}"
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(url, json={**said, **body}, headers=headers, timeout=2, trust_env=False)


def play(reply: Reply, path: str, **options: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect="vertex") as simulator:
        return ask(simulator, path, **options)


def test_each_model_answers_in_its_own_format():
    call = ToolCall(call_id="c", fn_name="f", fn_arguments={"a": 1})
    reply = Answer("Paris.", reasoning="hm", tool_calls=[call])
    gemini = play(reply, GEMINI).json()
    assert [next(iter(part)) for part in gemini["candidates"][0]["content"]["parts"]] == [
        "text",
        "text",
        "functionCall",
    ]
    claude = play(reply, CLAUDE).json()
    assert [block["type"] for block in claude["content"]] == ["thinking", "text", "tool_use"]
    assert (claude["model"], claude["stop_reason"]) == ("claude-9@20260101", "tool_use")


def test_each_model_streams_in_its_own_format():
    gemini = play(Answer("Paris, ok."), GEMINI, stream=True)
    assert gemini.text.startswith('data: {"candidates"')
    claude = play(Heartbeats(Answer("Paris, ok."), seconds=0.02, every=0.01, kind="comment"), CLAUDE, stream=True)
    assert claude.text.startswith("event: message_start")
    assert "event: message_stop" in claude.text
    for response in (gemini, claude):
        assert response.headers["content-type"] == "text/event-stream"


def test_requests_are_known_by_their_path():
    with ProviderSimulator(dialect="vertex", require_key="key") as simulator:
        assert ask(simulator, CLAUDE, stream=True).status_code == 200
        seen = simulator.last_request
        assert (seen.model, seen.stream) == ("claude-9@20260101", True)
        assert ask(simulator, GEMINI).status_code == 200
        assert (simulator.last_request.model, simulator.last_request.stream) == ("gemini-9", False)
        for path in (GEMINI, CLAUDE):
            assert ask(simulator, path, key="wrong").status_code == 401
        assert ask(simulator, f"{HERE}/meta/llama").status_code == 404


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        (CLAUDE, {"model": "claude-9"}, "model: Extra inputs"),
        (CLAUDE, {"anthropic_version": None}, "anthropic_version: Field required"),
        (CLAUDE, {"service_tier": "auto"}, "service_tier: Extra inputs"),
        (CLAUDE, {"max_tokens": 0}, "max_tokens"),
        (GEMINI, {"store": True}, 'Unknown name \\"store\\"'),
        (GEMINI, {"contents": []}, "contents"),
    ],
)
def test_what_no_server_of_googles_would_take_is_refused(path: str, wrong: dict[str, Any], said: str):
    response = play(Answer(), path, **wrong)
    assert response.status_code == 400
    assert said in response.text


def test_method_and_body_agree_on_whether_it_streams():
    with ProviderSimulator(dialect="vertex") as simulator:
        url = f"{simulator.base_url}{CLAUDE}:rawPredict"
        response = httpx.post(url, json={**MESSAGES, "stream": True}, timeout=2, trust_env=False)
    assert response.status_code == 400
    assert "stream: does not match" in response.text


@pytest.mark.parametrize(
    ("reply", "status", "word"),
    [
        (rate_limited(2), 429, "RESOURCE_EXHAUSTED"),
        (unauthorized(), 401, "UNAUTHENTICATED"),
        (permission_denied(), 403, "PERMISSION_DENIED"),
        (model_not_found(), 404, "NOT_FOUND"),
    ],
)
def test_the_platforms_errors_are_googles_and_of_claude_in_a_list(reply: Reply, status: int, word: str):
    gemini, claude = play(reply, GEMINI), play(reply, CLAUDE)
    assert (gemini.status_code, gemini.json()["error"]["status"]) == (status, word)
    assert (claude.status_code, claude.json()[0]["error"]["status"]) == (status, word)


@pytest.mark.parametrize(
    ("reply", "status", "word"),
    [
        (overloaded(), 529, "overloaded_error"),
        (bad_request(), 400, "invalid_request_error"),
        (content_policy(), 400, "invalid_request_error"),
    ],
)
def test_claudes_own_errors_are_anthropics(reply: Reply, status: int, word: str):
    response = play(reply, CLAUDE)
    assert (response.status_code, response.json()["error"]["type"]) == (status, word)


def test_errors_break_into_a_stream_of_claudes_bare_or_as_an_event():
    limited = play(InBandError(Answer("a b"), after=1, kind=ErrorKind.RATE_LIMITED), CLAUDE, stream=True)
    assert json.loads(limited.text.split("\n\n")[-2])[0]["error"]["code"] == 429
    busy = play(InBandError(Answer("a b"), after=1), CLAUDE, stream=True)
    assert "event: error\n" in busy.text


def test_claude_alone_is_a_format_too():
    with ProviderSimulator(dialect="anthropic_vertex") as simulator:
        url = f"{simulator.base_url}/models/claude-9:rawPredict"
        response = httpx.post(url, json=MESSAGES, timeout=2, trust_env=False)
    assert response.json()["content"][0]["type"] == "text"


def test_models_are_listed_as_google_does():
    with ProviderSimulator(dialect="vertex", models=["gemini-9"]) as simulator:
        response = httpx.get(f"{simulator.base_url}{HERE}/google/models", timeout=2, trust_env=False)
    assert response.json()["models"][0]["name"] == "models/gemini-9"
