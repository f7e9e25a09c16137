"""Streamed answers of the Converse dialect: binary frames into events."""

from __future__ import annotations

import pytest
from tests.providers.bedrock_frames import (
    METADATA,
    MODEL,
    START,
    USAGE,
    delta,
    finish,
    opened,
    read,
    sent_back,
    start,
    stop,
    text,
)

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    Progress,
    ReasoningChunk,
    Start,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage
from lamellar.testing.simulator.wire_bedrock_frames import event, frame

ANSWER = (START, text("Par"), text("is é."), stop(), finish(), METADATA)


@pytest.mark.parametrize("size", [None, 1, 7, 100])
def test_an_answer_in_any_pieces(size: int | None):
    found = read(*ANSWER, size=size)
    assert found.events[:3] == [Start(MODEL, "bedrock", response_id="req-1"), Chunk("Par"), Chunk("is é.")]
    assert isinstance(found.end, End)
    assert found.end.content == (Text("Paris é."),)
    assert (found.end.stop_reason, found.end.stop_reason.raw) == ("completed", "end_turn")
    assert found.end.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert found.end.response_id == "req-1"
    assert found.parser.ended
    assert found.parser.usage == found.end.usage


def test_the_end_comes_with_the_metadata():
    parser = opened()
    parser.feed(b"".join(ANSWER[:4]))
    assert not parser.finishing
    assert parser.feed(ANSWER[4]) == []
    assert parser.finishing
    (end,) = parser.feed(ANSWER[5])
    assert isinstance(end, End)
    assert parser.feed(text("late")) == []
    assert parser.finish() == []


def test_an_end_without_metadata_has_no_usage():
    found = read(*ANSWER[:5])
    assert found.error is None
    assert found.end.usage is None


def test_heartbeats_and_what_nobody_knows_say_nothing():
    parser = opened()
    assert len(parser.feed(START)) == 1
    assert parser.feed(START) == []
    assert parser.feed(event("somethingNew", a=1)) == []
    assert parser.feed(frame({":event-type": "initial-response", ":message-type": "event"}, b"")) == []


def test_reasoning_and_its_signature():
    found = read(
        START,
        delta(0, reasoningContent={"text": ""}),
        delta(0, reasoningContent={"text": "Hm"}),
        delta(0, reasoningContent={"text": "."}),
        delta(0, reasoningContent={"signature": "si"}),
        delta(0, reasoningContent={"signature": "g"}),
        stop(0),
        text("Yes.", 1),
        stop(1),
        finish(),
        METADATA,
    )
    assert found.events[1:-1] == [
        PROGRESS,
        ReasoningChunk("Hm"),
        ReasoningChunk("."),
        PROGRESS,
        PROGRESS,
        ThoughtSignatureChunk("sig"),
        Chunk("Yes."),
    ]
    content = (ReasoningContent(text="Hm."), ThoughtSignature(signature="sig", provider="bedrock"), Text("Yes."))
    assert found.end.content == content
    assert sent_back(content) == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig"}}},
        {"text": "Yes."},
    ]
    assert sent_back(content, "anthropic") == [{"text": "Yes."}]


def test_hidden_reasoning_goes_back_as_it_came():
    found = read(
        START,
        delta(0, reasoningContent={"redactedContent": "YQ=="}),
        delta(0, reasoningContent={"redactedContent": "Yg=="}),
        stop(),
        text("x", 1),
        finish(),
        METADATA,
    )
    assert found.events[1] is PROGRESS
    assert sent_back(found.end.content)[0] == {"reasoningContent": {"redactedContent": "YWI="}}


def test_tool_calls():
    found = read(
        START,
        start(0, toolUse={"toolUseId": "t1", "name": "f"}),
        delta(0, toolUse={"input": '{"a":'}),
        delta(0, toolUse={"input": ""}),
        delta(0, toolUse={"input": "1}"}),
        stop(0),
        start(1, toolUse={"toolUseId": "t2", "name": "g"}),
        stop(1),
        finish("tool_use"),
        METADATA,
        size=9,
    )
    assert found.of(ToolCallChunk) == [
        ToolCallChunk(0, "t1", "f"),
        ToolCallChunk(0, None, None, '{"a":'),
        ToolCallChunk(0, None, None, "1}"),
        ToolCallChunk(1, "t2", "g"),
    ]
    assert found.end.tool_calls == (
        ToolCall(call_id="t1", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="t2", fn_name="g", fn_arguments={}),
    )
    assert found.end.stop_reason == "tool_call"


def test_a_call_and_the_word_for_no_call():
    found = read(START, start(0, toolUse={"toolUseId": "t", "name": "f"}), finish("end_turn"), METADATA)
    assert (found.end.stop_reason, found.end.stop_reason.raw) == ("tool_call", "end_turn")


def test_a_tool_of_the_providers_own():
    found = read(
        START,
        start(0, toolUse={"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}),
        delta(0, toolUse={"input": "{}"}),
        stop(0),
        start(1, toolResult={"toolUseId": "t", "status": "success", "type": "nova_grounding_result"}),
        delta(1, toolResult=[{"text": "a"}]),
        delta(1, toolResult=[{"text": "b"}, {"json": {"c": 1}}]),
        stop(1),
        text("Found.", 2),
        stop(2),
        finish(),
        METADATA,
    )
    assert found.events[3:6] == [PROGRESS, PROGRESS, PROGRESS]
    assert found.end.stop_reason == "completed"  # the caller is asked for nothing
    assert [call.fn_name for call in found.end.tool_calls] == ["nova_grounding"]
    assert sent_back(found.end.content) == [
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
        {
            "toolResult": {
                "toolUseId": "t",
                "status": "success",
                "type": "nova_grounding_result",
                "content": [{"text": "ab"}, {"json": {"c": 1}}],
            }
        },
        {"text": "Found."},
    ]


def test_citations():
    cited = {"title": "D", "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 3}}}
    found = read(START, text("Blue."), delta(0, citation=cited), stop(), text(" Yes.", 1), stop(1), finish(), METADATA)
    assert found.events[2] is PROGRESS
    assert found.end.content == (Text("Blue."), Custom(model="bedrock", data={"citations": [cited]}), Text(" Yes."))
    assert sent_back(found.end.content) == [
        {"citationsContent": {"content": [{"text": "Blue."}], "citations": [cited]}},
        {"text": " Yes."},
    ]
    assert sent_back(found.end.content, "anthropic") == [{"text": "Blue."}, {"text": " Yes."}]


def test_a_picture():
    found = read(
        START,
        start(0, image={"format": "png"}),
        delta(0, image={"source": {"bytes": "YQ=="}}),
        delta(0, image={"source": {"bytes": "Yg=="}}),
        stop(),
        finish(),
        METADATA,
    )
    assert found.end.content == (Binary.from_bytes("image/png", b"ab"),)
    assert found.of(Chunk) == []
    assert len(found.of(Progress)) == 3


def test_what_is_new_is_kept():
    found = read(START, start(0, hologram={"a": 1}), delta(0, hologram={"b": 2}), stop(), finish(), METADATA)
    assert found.end.content == (Custom(model="bedrock", data={"hologram": {"a": 1, "b": 2}}),)


def test_what_was_asked_for_beside_the_content_is_kept_and_stays_here():
    trace = {"guardrail": {"actionReason": "none"}, "promptRouter": {"invokedModelId": "arn:m"}}
    found = read(
        START,
        text("x"),
        finish(additionalModelResponseFields={"stop": "s"}),
        event("metadata", usage=USAGE, trace=trace),
    )
    assert found.end.content[1:] == (
        Custom(model="bedrock", data={"additionalModelResponseFields": {"stop": "s"}}),
        Custom(model="bedrock", data={"trace": trace}),
    )
    assert found.end.provider_model == "arn:m"
    assert sent_back(found.end.content) == [{"text": "x"}]


def test_a_thought_in_the_text_is_lifted_on_demand():
    found = read(
        START,
        text("<thi"),
        text("nk>hm</think>yes"),
        finish(),
        METADATA,
        options=ChatOptions(normalize_reasoning_content=True),
    )
    assert found.end.content == (ReasoningContent(text="hm"), Text("yes"))
    assert [piece.content for piece in found.of(Chunk)] == ["yes"]


def test_the_last_payload_is_kept_on_demand():
    assert read(*ANSWER, options=ChatOptions(capture_raw_body=True)).end.raw["usage"] == USAGE
    assert read(*ANSWER).end.raw is None


@pytest.mark.parametrize(
    ("raw", "means"),
    [
        ("end_turn", "completed"),
        ("tool_use", "tool_call"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "other"),
    ],
)
def test_stop_reasons(raw: str, means: str):
    reason = read(START, text("x"), finish(raw), METADATA).end.stop_reason
    assert (reason, reason.raw) == (means, raw)


@pytest.mark.parametrize("raw", ["guardrail_intervened", "content_filtered"])
def test_a_filter_that_left_nothing_is_an_error(raw: str):
    found = read(START, finish(raw), METADATA)
    assert found.error is not None
    assert (found.error.kind, found.error.code) == ("content_filtered", raw)
    assert found.parser.usage is not None


@pytest.mark.parametrize("raw", ["malformed_model_output", "malformed_tool_use"])
def test_what_the_model_wrote_and_nobody_can_read(raw: str):
    found = read(START, text("x"), finish(raw), METADATA)
    assert found.error is not None
    assert (found.error.kind, found.error.code, found.error.retryable) == ("malformed", raw, True)
