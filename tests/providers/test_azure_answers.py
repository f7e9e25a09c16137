"""What Azure says differently: verdicts of its filter, errors of its platform; whole, streamed, and over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar import ChatMessage, ChatRequest, Chunk, Stack, Tool, ToolCall, ToolResponse
from lamellar.chat.events import End, ReasoningChunk, Start
from lamellar.errors import ExecutorError, StreamInterruptedError
from lamellar.providers import AzureOpenAI
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
from lamellar.providers.wire import Exchange
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    InBandError,
)

KEY = "k-s3cr3t-0123456789"
MODEL = "gpt-5-mini"
ASK = ChatRequest.from_user("What is the weather in Paris?").with_tools(
    Tool(name="weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
)
CALL = ToolCall(call_id="call_1", fn_name="weather", fn_arguments={"city": "Paris"})
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
BAD = {"hate": {"filtered": True, "severity": "high"}}
EXCHANGE = Exchange("azure", MODEL)


def chunk(*choices: Any, **more: Any) -> bytes:
    named = {"id": "chatcmpl-1", "model": "gpt-5-mini-2025-08-07", "choices": list(choices), **more}
    return f"data: {json.dumps(named)}\n\n".encode()


def choice(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    told = {} if delta is None else {"delta": delta}
    return {"index": 0, **told, "finish_reason": finish, "content_filter_results": SAFE, **more}


FIRST = chunk(id="", model="", prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}])


def streamed(*pieces: bytes, size: int) -> tuple[list[Any], ExecutorError | None]:
    parser = CHAT_COMPLETIONS.open_stream(EXCHANGE, {})
    data = b"".join(pieces)
    events = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]
    return [*events, *parser.finish()], parser.error


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_verdicts_beside_the_answer_are_no_part_of_it(size: int, ends: bytes):
    pieces = (
        FIRST,
        chunk(choice({"role": "assistant", "content": ""})),
        chunk(choice({"content": "Paris."})),
        chunk(
            {
                "index": 0,
                "finish_reason": None,
                "content_filter_results": SAFE,
                "content_filter_offsets": {"end_offset": 6},
            }
        ),
        chunk(choice({}, "stop", content_filter_results={})),
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        b"data: [DONE]\n\n",
    )
    events, error = streamed(*[piece.replace(b"\n", ends) for piece in pieces], size=size)
    assert error is None
    assert isinstance(events[0], Start)
    assert (events[0].provider_model, events[0].response_id) == ("gpt-5-mini-2025-08-07", "chatcmpl-1")
    assert [event.content for event in events if isinstance(event, Chunk)] == ["Paris."]
    assert isinstance(events[-1], End)
    assert events[-1].usage.total_tokens == 5


def test_an_answer_that_the_filter_stops_ends_and_an_empty_one_is_an_error():
    events, error = streamed(FIRST, chunk(choice({"content": "Par"})), chunk(choice(None, "content_filter")), size=99)
    assert error is None
    assert events[-1].stop_reason == "content_filter"
    events, error = streamed(FIRST, chunk(choice(None, "content_filter", content_filter_results=BAD)), size=99)
    assert error is not None
    assert (error.kind, error.code) == ("content_filtered", "content_filter")


def test_a_blocked_prompt_may_be_told_in_a_stream():
    blocked = chunk(id="", model="", prompt_filter_results=[{"prompt_index": 0, "content_filter_results": BAD}])
    events, error = streamed(blocked, size=99)
    assert events == []
    assert error is not None
    assert error.kind == "content_filtered"


def test_a_filter_that_is_out_of_order_stops_nothing():
    broken = {"error": {"code": "content_filter_error", "message": "The contents are not filtered"}}
    events, error = streamed(
        FIRST, chunk(choice({"content": "Paris."}, "stop", content_filter_results=broken)), b"data: [DONE]\n\n", size=99
    )
    assert error is None
    assert events[-1].stop_reason == "completed"


ERRORS: list[tuple[int, dict[str, Any], str, str | None]] = [
    (
        400,
        {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": BAD},
        },
        "content_filtered",
        "content_filter",
    ),
    (400, {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, "content_filtered", None),
    (401, {"code": "401", "message": "Access denied due to invalid subscription key"}, "unauthorized", "401"),
    (
        401,
        {"code": "PermissionDenied", "message": "The principal lacks the required data action"},
        "permission_denied",
        "PermissionDenied",
    ),
    (
        404,
        {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."},
        "model_not_found",
        "DeploymentNotFound",
    ),
    (404, {"code": "404", "message": "Resource not found"}, "invalid_request", "404"),
    (
        429,
        {"code": "429", "message": "exceeded token rate limit. Please retry after 6 seconds."},
        "rate_limited",
        "429",
    ),
    (
        400,
        {"code": "OperationNotSupported", "message": "The chatCompletion operation does not work with this model."},
        "invalid_request",
        "OperationNotSupported",
    ),
    (408, {"code": "Timeout", "message": "The operation was timeout."}, "server_error", "Timeout"),
]


@pytest.mark.parametrize(("status", "error", "kind", "code"), ERRORS, ids=[f"{e[0]}-{e[2]}" for e in ERRORS])
def test_errors_of_the_platform(status: int, error: dict[str, Any], kind: str, code: str | None):
    headers = {"apim-request-id": "apim-1", "x-ms-region": "East US"}
    found = CHAT_COMPLETIONS.parse_error(EXCHANGE, status, headers, json.dumps({"error": error}).encode())
    assert (found.kind, found.code, found.status, found.request_id) == (kind, code, status, "apim-1")
    assert found.retry_after == (6.0 if status == 429 else None)


def test_a_wait_in_milliseconds_is_taken():
    error = {"error": {"code": "429", "message": "Please retry after 6 seconds."}}
    headers = {"retry-after-ms": "1500", "retry-after": "2"}
    assert CHAT_COMPLETIONS.parse_error(EXCHANGE, 429, headers, json.dumps(error).encode()).retry_after == 1.5


@pytest.mark.parametrize("version", [None, "2024-10-21"])
async def test_a_conversation_with_tools_whole_and_streamed(version: str | None):
    replies = [
        Answer("", reasoning="France.", tool_calls=[CALL]),
        Answer("Sunny."),
        Answer("Let me see.", reasoning="France.", tool_calls=[CALL]),
    ]
    with ProviderSimulator(replies, dialect="azure", require_key=KEY) as simulator:
        spec = AzureOpenAI(base_url=simulator.base_url, api_key=KEY, api_version=version)
        async with Stack(spec).build() as executor:
            first = await executor.exec_chat_response(MODEL, ASK)
            assert (first.stop_reason, first.reasoning_content, first.provider) == ("tool_call", "France.", "azure")
            assert first.usage
            again = ASK.append_message(
                ChatMessage.assistant(first.content), ChatMessage.tool(ToolResponse(call_id="call_1", content="sunny"))
            )
            assert (await executor.exec_chat_response(MODEL, again)).text == "Sunny."
            async with await executor.exec_chat_stream_events(MODEL, ASK) as events:
                found = [event async for event in events]
    assert (found[0].provider, found[0].provider_model) == ("azure", MODEL)
    assert "".join(event.content for event in found if isinstance(event, ReasoningChunk)) == "France."
    assert "".join(event.content for event in found if isinstance(event, Chunk)) == "Let me see."
    assert found[-1].tool_calls == (CALL,)
    assert found[-1].usage
    assert {request.model for request in simulator.requests} == {MODEL}


async def test_what_breaks_into_a_stream_is_never_an_answer():
    replies = [InBandError(Answer("a b c"), after=1), Cut(Answer("a b c"), after=2)]
    with ProviderSimulator(replies, dialect="azure") as simulator:
        async with Stack(AzureOpenAI(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            for kind in ("overloaded", "truncated"):
                stream = await executor.exec_chat_stream_events(MODEL, ASK)
                with pytest.raises(StreamInterruptedError) as caught:
                    async with stream as events:
                        async for _ in events:
                            pass
                assert caught.value.kind in (kind, "connection")
