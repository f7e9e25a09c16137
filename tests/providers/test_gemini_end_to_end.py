"""Gemini through a whole stack, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lamellar import ChatMessage, ChatOptions, ChatRequest, Stack, Tool, ToolCall, ToolResponse
from lamellar.chat.content import ReasoningContent, Text
from lamellar.chat.events import Chunk, End, ReasoningChunk, Start, ToolCallChunk
from lamellar.errors import ErrorKind, ExecutorError, StreamInterruptedError
from lamellar.executor import LlmExecutor
from lamellar.providers import Gemini
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
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
    server_error,
    unauthorized,
)

MODEL = "gemini-2.5-flash"
KEY = "k-s3cr3t-0123456789"
ASK = ChatRequest.from_user("What is the weather in Paris and Rome?").with_tools(
    Tool(name="weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
)
CALLS = Answer(
    "Let me see.",
    reasoning="Two cities.",
    tool_calls=[
        ToolCall(call_id="", fn_name="weather", fn_arguments={"city": "Paris"}, thought_signatures=("sig-1",)),
        ToolCall(call_id="", fn_name="weather", fn_arguments={"city": "Rome"}),
    ],
)
THINK = ChatOptions(reasoning_effort="low", max_tokens=500)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch):
    """A stack on a simulator that plays some replies, and the simulator."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    opened: list[ProviderSimulator] = []

    def make(replies: Sequence[Reply]) -> tuple[LlmExecutor, ProviderSimulator]:
        simulator = ProviderSimulator(replies, dialect="gemini", require_key=KEY)
        simulator.start()
        opened.append(simulator)
        return Stack(Gemini(base_url=simulator.base_url)).build(), simulator

    yield make
    for simulator in opened:
        simulator.stop()


Simulated = Callable[[Sequence[Reply]], tuple[Any, ProviderSimulator]]


async def test_a_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny and rainy.")])
    async with executor:
        first = await executor.exec_chat_response(MODEL, ASK, THINK)
        assert (first.text, first.reasoning_content, first.stop_reason) == ("Let me see.", "Two cities.", "tool_call")
        paris, rome = first.tool_calls
        answers = [
            ToolResponse(call_id=rome.call_id, content="rainy"),
            ToolResponse(call_id=paris.call_id, content="sunny"),
        ]
        again = ASK.append_message(ChatMessage.assistant(first.content), ChatMessage.tool(answers))
        second = await executor.exec_chat_response(MODEL, again, THINK)
    assert (second.text, second.stop_reason, second.provider) == ("Sunny and rainy.", "completed", "gemini")
    assert second.usage
    assert second.usage.total_tokens
    one, two = simulator.requests
    assert (one.model, one.stream, one.status) == (MODEL, False, 200)
    assert KEY not in one.path
    body: Any = two.json
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024, "includeThoughts": True}
    assert body["contents"][1] == {
        "role": "model",
        "parts": [
            {"text": "Two cities.", "thought": True},
            {"text": "Let me see."},
            {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "sig-1"},
            {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
        ],
    }
    assert [part["functionResponse"]["response"] for part in body["contents"][2]["parts"]] == [
        {"result": "sunny"},
        {"result": "rainy"},
    ]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        async with await executor.exec_chat_stream_events(MODEL, ASK, THINK) as events:
            found = [event async for event in events]
        assert isinstance(found[0], Start)
        assert found[0].provider_model == MODEL
        assert "".join(event.content for event in found if isinstance(event, ReasoningChunk)) == "Two cities."
        assert "".join(event.content for event in found if isinstance(event, Chunk)) == "Let me see."
        assert [event.index for event in found if isinstance(event, ToolCallChunk)] == [0, 1]
        end = found[-1]
        assert isinstance(end, End)
        assert end.stop_reason == "tool_call"
        assert end.usage
        assert end.content
        assert [type(part) for part in end.content] == [ReasoningContent, Text, ToolCall, ToolCall]
        responses = [ToolResponse(call_id=call.call_id, content="sunny") for call in end.tool_calls]
        async with await executor.exec_chat_stream_events(
            MODEL, ASK.append_tool_use_from_end(end, responses)
        ) as events:
            assert "".join([event.content async for event in events if isinstance(event, Chunk)]) == "Sunny."
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    assert simulator.requests[1].path.endswith(":streamGenerateContent?alt=sse")


FAILURES: list[tuple[Status, ErrorKind]] = [
    (rate_limited(2), ErrorKind.RATE_LIMITED),
    (quota_exhausted(), ErrorKind.QUOTA_EXHAUSTED),
    (overloaded(), ErrorKind.OVERLOADED),
    (server_error(), ErrorKind.SERVER_ERROR),
    (context_overflow(), ErrorKind.CONTEXT_OVERFLOW),
    (content_policy(), ErrorKind.CONTENT_FILTERED),
    (bad_request(), ErrorKind.INVALID_REQUEST),
    (unauthorized(), ErrorKind.UNAUTHORIZED),
    (permission_denied(), ErrorKind.PERMISSION_DENIED),
    (model_not_found(), ErrorKind.MODEL_NOT_FOUND),
    (Status(504), ErrorKind.TIMEOUT),
]


@pytest.mark.parametrize(("reply", "kind"), FAILURES, ids=[kind for _, kind in FAILURES])
async def test_failures_are_told_the_same_to_both_paths(simulated: Simulated, reply: Status, kind: ErrorKind):
    executor, _ = simulated([reply, reply])
    async with executor:
        with pytest.raises(ExecutorError) as whole:
            await executor.exec_chat_response(MODEL, ASK)
        with pytest.raises(ExecutorError) as streamed:
            await executor.exec_chat_stream_events(MODEL, ASK)
    for caught in (whole.value, streamed.value):
        assert caught.kind == kind
        assert (caught.provider, caught.model) == ("gemini", MODEL)
        assert caught.retry_after == (2.0 if kind == "rate_limited" else None)
        assert KEY not in repr(caught) + str(caught)


async def test_an_error_that_breaks_into_a_stream(simulated: Simulated):
    executor, _ = simulated([InBandError(Answer("a b c"), after=1), InBandError(Answer("a b c"), after=0)])
    async with executor:
        stream = await executor.exec_chat_stream_events(MODEL, ASK)
        with pytest.raises(StreamInterruptedError) as caught:
            async with stream as events:
                async for _ in events:
                    pass
        assert caught.value.kind == "overloaded"
        with pytest.raises(ExecutorError) as early:
            await executor.exec_chat_stream_events(MODEL, ASK)
        assert early.value.kind == "overloaded"


async def test_a_cut_is_never_an_answer(simulated: Simulated):
    executor, _ = simulated([Cut(Answer("a b c"), after=2)])
    async with executor:
        stream = await executor.exec_chat_stream_events(MODEL, ASK)
        with pytest.raises(StreamInterruptedError) as caught:
            async with stream as events:
                async for _ in events:
                    pass
    assert caught.value.partial == (Text("a b"),)
