"""The simulator in the wire format of Amazon Bedrock's Converse."""

from __future__ import annotations

import json
import zlib
from typing import Any

import httpx
import pytest
from tests.testing.simulator_client import CONTEXT

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import PromptDetails, Usage
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
from lamellar.testing.simulator.wire_bedrock_frames import frame

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "What is the capital of France?"}]}]}
CALL = ToolCall(call_id="tooluse_1", fn_name="weather", fn_arguments={"city": "Orléans"})
PATH = "/model/amazon.nova-lite-v1%3A0/converse"


def post(simulator: ProviderSimulator, body: Any = None, path: str = PATH, **headers: str) -> httpx.Response:
    with httpx.Client(timeout=2, trust_env=False, verify=CONTEXT) as client:
        return client.post(f"{simulator.base_url}{path}", json=BODY if body is None else body, headers=headers)


def play(reply: Reply) -> dict[str, Any]:
    with ProviderSimulator([reply], dialect="converse") as simulator:
        return post(simulator).json()


def frames(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The frames of a stream: headers that are text, and the payload of each; every checksum is looked at."""
    found = []
    while data:
        total, length = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
        assert zlib.crc32(data[:8]) == int.from_bytes(data[8:12])
        assert zlib.crc32(data[: total - 4]) == int.from_bytes(data[total - 4 : total])
        block, headers = data[12 : 12 + length], {}
        while block:
            name = block[1 : 1 + block[0]].decode()
            block = block[1 + block[0] :]
            assert block[0] == 7
            size = int.from_bytes(block[1:3])
            headers[name], block = block[3 : 3 + size].decode(), block[3 + size :]
        found.append((headers, data[12 + length : total - 4]))
        data = data[total:]
    return found


def stream(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream: the name and the payload of each, without its padding."""
    with ProviderSimulator([reply], dialect="converse") as simulator:
        response = post(simulator, path=f"{PATH}-stream")
    assert response.headers["content-type"] == "application/vnd.amazon.eventstream"
    found = []
    for headers, payload in frames(response.content):
        said = json.loads(payload)
        said.pop("p", None)
        found.append((headers.get(":event-type") or headers[":exception-type"], said))
    return found


def test_a_body():
    assert play(Answer("Paris.")) == {
        "metrics": {"latencyMs": 1},
        "output": {"message": {"content": [{"text": "Paris."}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 6, "outputTokens": 1, "totalTokens": 7},
    }


def test_a_stream():
    assert stream(Answer("It is Paris.")) == [
        ("messageStart", {"role": "assistant"}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "It"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": " is"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": " Paris."}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"metrics": {"latencyMs": 1}, "usage": {"inputTokens": 6, "outputTokens": 3, "totalTokens": 9}}),
    ]


def test_the_frames_are_those_of_aws():
    eventstream = pytest.importorskip("botocore.eventstream")
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(frame({":event-type": "é"}, b"payload"))
    (found,) = buffer
    assert (found.headers, found.payload) == ({":event-type": "é"}, b"payload")


def test_reasoning_and_tool_calls():
    answer = Answer("Let me see.", reasoning="France it is", tool_calls=[CALL])
    said = play(answer)
    reasoning, text, call = said["output"]["message"]["content"]
    assert reasoning["reasoningContent"]["reasoningText"]["text"] == "France it is"
    assert reasoning["reasoningContent"]["reasoningText"]["signature"]
    assert text == {"text": "Let me see."}
    assert call == {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Orléans"}}}
    assert said["stopReason"] == "tool_use"
    events = stream(answer)
    deltas = [payload for name, payload in events if name == "contentBlockDelta"]
    told = "".join(
        each["delta"]["reasoningContent"].get("text", "") for each in deltas if each["contentBlockIndex"] == 0
    )
    assert told == "France it is"
    assert [payload for name, payload in events if name == "contentBlockStart"] == [
        {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "weather"}}}
    ]
    written = "".join(each["delta"]["toolUse"]["input"] for each in deltas if each["contentBlockIndex"] == 2)
    assert json.loads(written) == {"city": "Orléans"}


def test_usage_with_a_cache():
    usage = Usage(
        prompt_tokens=10, completion_tokens=2, prompt_details=PromptDetails(cached_tokens=4, cache_creation_tokens=1)
    )
    assert play(Answer("x", usage=usage))["usage"] == {
        "inputTokens": 5,
        "outputTokens": 2,
        "totalTokens": 12,
        "cacheReadInputTokens": 4,
        "cacheWriteInputTokens": 1,
    }
    assert "usage" not in play(Answer("x", usage=None))
    assert "usage" not in stream(Answer("x", usage=None))[-1][1]


def test_an_empty_answer_and_a_word_of_its_own():
    assert [name for name, _ in stream(Empty())] == ["messageStart", "messageStop", "metadata"]
    assert play(Answer("x", stop_reason="guardrail_intervened"))["stopReason"] == "guardrail_intervened"
    assert play(Answer("x", stop_reason="content_filter"))["stopReason"] == "content_filtered"


ERRORS = [
    (rate_limited(), 429, "ThrottlingException"),
    (quota_exhausted(), 429, "ThrottlingException"),
    (overloaded(), 503, "ServiceUnavailableException"),
    (server_error(), 500, "InternalServerException"),
    (context_overflow(), 400, "ValidationException"),
    (content_policy(), 400, "ValidationException"),
    (bad_request(), 400, "ValidationException"),
    (unauthorized(), 403, "UnrecognizedClientException"),
    (permission_denied(), 403, "AccessDeniedException"),
    (model_not_found(), 400, "ValidationException"),
    (Status(kind=ErrorKind.TIMEOUT), 408, "ModelTimeoutException"),
    (Status(502), 502, "InternalServerException"),
    (Status(424, type="ModelErrorException", message="m"), 424, "ModelErrorException"),
]


@pytest.mark.parametrize(("reply", "status", "name"), ERRORS)
def test_errors(reply: Reply, status: int, name: str):
    with ProviderSimulator([reply], dialect="converse") as simulator:
        response = post(simulator)
    assert response.json()["__type"] == name
    assert response.json()["message"]
    assert response.status_code == status


def test_an_exception_within_a_stream():
    assert stream(InBandError(Answer("a b"), after=1))[-1] == (
        "serviceUnavailableException",
        {"message": "Bedrock is unable to process your request."},
    )
    with ProviderSimulator([InBandError(kind=ErrorKind.PERMISSION_DENIED)], dialect="converse") as simulator:
        ((headers, payload),) = frames(post(simulator, path=f"{PATH}-stream").content)
    assert (headers[":message-type"], headers[":error-code"], payload) == ("error", "AccessDeniedException", b"")


def test_a_cut_ends_between_two_frames():
    with ProviderSimulator([Cut(Answer("a b c"), after=2, how="clean")], dialect="converse") as simulator:
        found = frames(post(simulator, path=f"{PATH}-stream").content)
    assert [headers[":event-type"] for headers, _ in found] == ["messageStart", *["contentBlockDelta"] * 2]


@pytest.mark.parametrize("kind", ["comment", "role", "blank"])
def test_heartbeats_are_the_opening_again(kind: Any):
    events = stream(Heartbeats(Answer("x"), seconds=0.02, every=0.01, kind=kind))
    assert [name for name, _ in events][:3] == ["messageStart"] * 3


def test_keys_and_paths():
    with ProviderSimulator(dialect="converse", require_key="k") as simulator:
        assert post(simulator).status_code in (401, 403)
        assert post(simulator, authorization="Bearer k").status_code == 200
        assert post(simulator, path="/model/x/invoke", authorization="Bearer k").status_code == 404
        assert post(simulator, path="/model/arn%3Aa%2Fb/converse", authorization="Bearer k").status_code == 200
        assert simulator.last_request.model == "arn:a/b"
        with httpx.Client(trust_env=False, verify=CONTEXT, headers={"authorization": "Bearer k"}) as client:
            assert client.get(f"{simulator.base_url}/foundation-models").json()["modelSummaries"]


USER, ASSISTANT = {"role": "user", "content": [{"text": "a"}]}, {"role": "assistant", "content": [{"text": "b"}]}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"messages": []},
        {"messages": [1]},
        {"messages": [ASSISTANT]},
        {"messages": [USER, USER]},
        {"messages": [{"role": "tool", "content": [{"text": "a"}]}]},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": "a"}]},
        {"messages": [{"role": "user", "content": [{"text": " "}]}]},
        {"messages": [{"role": "user", "content": [{"text": "a", "image": {}}]}]},
        {"messages": [USER, {"role": "assistant", "content": [{"toolUse": {}}]}]},
    ],
)
def test_what_the_provider_would_not_take(body: Any):
    with ProviderSimulator(dialect="converse") as simulator:
        response = post(simulator, body)
    assert (response.status_code, response.json()["__type"]) == (400, "ValidationException")
