"""A kept answer as a stream: nothing of it is lost, and collecting it gives the same answer again."""

from __future__ import annotations

from lamellar import (
    ChatResponse,
    Chunk,
    Custom,
    End,
    LlmEventStream,
    ReasoningChunk,
    ReasoningContent,
    Start,
    StopReason,
    Text,
    ThoughtSignature,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from lamellar.replay import events_of

ANSWER = ChatResponse(
    content=(
        ReasoningContent(text="hm"),
        ThoughtSignature(signature="sig"),
        Text("Let me see."),
        ToolCall(call_id="a", fn_name="weather", fn_arguments={"city": "Paris"}),
        ToolCall(call_id="b", fn_name="time", fn_arguments="not JSON"),
        Custom(data={"citations": ["x"]}),
    ),
    reasoning_content="hm",
    model="m",
    provider="p",
    provider_model="m-1",
    stop_reason=StopReason("tool_call", "tool_calls"),
    usage=Usage(prompt_tokens=1, completion_tokens=2),
    response_id="r",
)


async def test_collecting_a_replayed_answer_gives_it_again() -> None:
    async def events():
        for event in events_of(ANSWER):
            yield event

    assert await LlmEventStream.of(events()).collect() == ANSWER


def test_a_replayed_answer_keeps_its_reasoning_and_its_tool_calls_apart_from_its_text() -> None:
    assert events_of(ANSWER) == [
        Start("m", "p", "m-1", response_id="r"),
        ReasoningChunk("hm"),
        ThoughtSignatureChunk("sig"),
        Chunk("Let me see."),
        ToolCallChunk(0, "a", "weather", '{"city":"Paris"}'),
        ToolCallChunk(1, "b", "time", "not JSON"),
        End(ANSWER.stop_reason, ANSWER.usage, ANSWER.content, "r", "m-1"),
    ]
