"""One Vertex leaf for both kinds of models, through a whole stack, over HTTP."""

from __future__ import annotations

import pytest

from lamellar import ChatMessage, ChatOptions, ChatRequest, Stack, Tool, ToolCall, ToolResponse
from lamellar.chat.events import Chunk, ReasoningChunk, ToolCallChunk
from lamellar.errors import ErrorKind, StreamInterruptedError
from lamellar.providers import Vertex
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Heartbeats,
    InBandError,
)

KEY = "ya29.s3cr3t-0123456789"
GEMINI, CLAUDE = "gemini-2.5-flash", "claude-sonnet-4-5@20250929"
ASK = ChatRequest.from_user("What is the weather in Paris and Rome?").with_tools(
    Tool(name="weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
)
THINK = ChatOptions(reasoning_effort=2048, max_tokens=5000)
CALLS = Answer(
    "Let me see.",
    reasoning="Two cities.",
    tool_calls=[
        ToolCall(call_id="toolu_1", fn_name="weather", fn_arguments={"city": "Paris"}),
        ToolCall(call_id="toolu_2", fn_name="weather", fn_arguments={"city": "Rome"}),
    ],
)
both = pytest.mark.parametrize("model", [GEMINI, CLAUDE])


def leaf(simulator: ProviderSimulator) -> Vertex:
    return Vertex(base_url=simulator.base_url, project="p", location="us-east5", api_key=KEY)


@both
async def test_a_conversation_with_tools_whole_and_streamed(model: str):
    replies = [
        CALLS,
        Answer("Sunny and rainy."),
        Heartbeats(CALLS, seconds=0.04, every=0.02, kind="blank"),
        Answer("Sunny."),
    ]
    with ProviderSimulator(replies, dialect="vertex", require_key=KEY) as simulator:
        async with Stack(leaf(simulator)).build() as executor:
            first = await executor.exec_chat_response(model, ASK, THINK)
            assert (first.text, first.reasoning_content, first.stop_reason) == (
                "Let me see.",
                "Two cities.",
                "tool_call",
            )
            answers = [ToolResponse(call_id=call.call_id, content="sunny") for call in first.tool_calls]
            again = ASK.append_message(ChatMessage.assistant(first.content), ChatMessage.tool(answers))
            second = await executor.exec_chat_response(model, again, THINK)
            assert (second.text, second.provider, second.model) == ("Sunny and rainy.", "vertex", model)
            assert second.usage
            async with await executor.exec_chat_stream_events(model, ASK, THINK) as events:
                found = [event async for event in events]
            end = found[-1]
            responses = [ToolResponse(call_id=call.call_id, content="sunny") for call in end.tool_calls]
            stream = await executor.exec_chat_stream_events(model, ASK.append_tool_use_from_end(end, responses), THINK)
            assert (await stream.collect()).text == "Sunny."
    assert "".join(event.content for event in found if isinstance(event, ReasoningChunk)) == "Two cities."
    assert "".join(event.content for event in found if isinstance(event, Chunk)) == "Let me see."
    assert {event.index for event in found if isinstance(event, ToolCallChunk)} == {0, 1}
    assert (end.stop_reason, end.usage is not None) == ("tool_call", True)
    assert [request.status for request in simulator.requests] == [200] * 4
    assert {request.model for request in simulator.requests} == {model}
    assert all(
        request.path.startswith("/v1/projects/p/locations/us-east5/publishers/") for request in simulator.requests
    )
    assert [request.stream for request in simulator.requests] == [False, False, True, True]


@both
async def test_what_breaks_into_a_stream_is_never_an_answer(model: str):
    replies = [
        InBandError(Answer("a b c"), after=1),
        InBandError(Answer("a b c"), after=1, kind=ErrorKind.RATE_LIMITED),
        Cut(Answer("a b c"), after=2, how="clean"),
    ]
    with ProviderSimulator(replies, dialect="vertex") as simulator:
        async with Stack(leaf(simulator)).build() as executor:
            for kind in ("overloaded", "rate_limited", "truncated"):
                stream = await executor.exec_chat_stream_events(model, ASK)
                with pytest.raises(StreamInterruptedError) as caught:
                    async with stream as events:
                        async for _ in events:
                            pass
                assert caught.value.kind == kind
