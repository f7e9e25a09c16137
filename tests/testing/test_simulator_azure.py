"""The simulator as Azure: what goes over the wire, read without the dialect."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lamellar.chat.content import ToolCall
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    InBandError,
    Reply,
    bad_request,
    content_policy,
    context_overflow,
    model_not_found,
    permission_denied,
    quota_exhausted,
    rate_limited,
    unauthorized,
)

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "What is it?"}]}
V1 = "/openai/v1/chat/completions"
CLASSIC = "/openai/deployments/mine/chat/completions?api-version=2024-10-21"


def ask(
    simulator: ProviderSimulator, path: str = V1, *, headers: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    url = simulator.base_url + path
    headers = {"api-key": "key"} if headers is None else headers
    return httpx.post(url, json={"model": "m", **BODY, **body}, headers=headers, timeout=2, trust_env=False)


def play(reply: Reply, path: str = V1, **body: Any) -> httpx.Response:
    with ProviderSimulator([reply], dialect="azure") as simulator:
        return ask(simulator, path, **body)


def chunks(response: httpx.Response) -> list[dict[str, Any]]:
    blocks = response.text.split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-2]]


def test_every_choice_and_the_prompt_have_a_verdict():
    whole = play(Answer("Paris.")).json()
    assert whole["choices"][0]["message"]["content"] == "Paris."
    assert whole["choices"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert whole["prompt_filter_results"][0]["prompt_index"] == 0


def test_a_stream_begins_with_the_prompts_verdict_and_empty_names():
    call = ToolCall(call_id="c", fn_name="f", fn_arguments={})
    first, *rest = chunks(
        play(Answer("Paris, ok.", tool_calls=[call]), stream=True, stream_options={"include_usage": True})
    )
    assert (first["choices"], first["id"], first["model"]) == ([], "", "")
    assert first["prompt_filter_results"]
    deltas = [choice for chunk in rest for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in deltas) == "Paris, ok."
    assert all("content_filter_results" in choice for choice in deltas)
    assert [bool(choice["content_filter_results"]) for choice in deltas if choice["delta"].get("content")] == [
        True,
        True,
    ]
    assert rest[-1]["usage"]
    assert rest[-1]["choices"] == []


def test_the_deployment_stands_in_the_path_or_the_body():
    with ProviderSimulator(dialect="azure") as simulator:
        assert ask(simulator, CLASSIC, model=None).status_code == 200
        assert simulator.last_request.model == "mine"
        assert ask(simulator, model="other").status_code == 200
        assert simulator.last_request.model == "other"
        assert ask(simulator, model=None).status_code == 400
        for path in ("/v1/chat/completions", "/openai/chat/completions", "/openai/deployments/chat/completions"):
            assert ask(simulator, path).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"), [({"api-key": "k"}, 200), ({"authorization": "Bearer k"}, 200), ({"x-api-key": "k"}, 401)]
)
def test_a_key_or_a_token_of_entra_id_opens(headers: dict[str, str], status: int):
    with ProviderSimulator(dialect="azure", require_key="k") as simulator:
        assert ask(simulator, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (rate_limited(2), 429, "429"),
        (quota_exhausted(), 429, "insufficient_quota"),
        (unauthorized(), 401, "401"),
        (permission_denied(), 403, "AuthorizationFailed"),
        (model_not_found(), 404, "DeploymentNotFound"),
        (context_overflow(), 400, "context_length_exceeded"),
        (bad_request(), 400, None),
    ],
)
def test_errors_are_the_platforms_or_the_models(reply: Reply, status: int, code: str | None):
    response = play(reply)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_a_blocked_prompt_has_an_inner_error():
    response = play(content_policy())
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "content_filter")
    assert error["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert error["innererror"]["content_filter_result"]["violence"]["filtered"] is True


def test_an_error_breaks_into_a_stream():
    response = play(InBandError(Answer("a b c"), after=1), stream=True)
    last = [block for block in response.text.split("\n\n") if block][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "server_is_overloaded"
