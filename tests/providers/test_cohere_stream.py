"""Streams of Cohere's Chat API."""

from __future__ import annotations

import pytest
from tests.providers.cohere_events import (
    DONE,
    USAGE,
    answer,
    block,
    bytes_of,
    call,
    calling,
    end,
    end_of,
    event,
    failed,
    framed,
    opened,
    parse,
    plan,
    run,
    start,
    text,
    thinking,
    whole,
)

from lamellar.chat.content import Custom, ReasoningContent, Text, ToolCall
from lamellar.chat.events import PROGRESS, Chunk, End, ReasoningChunk, Start, ToolCallChunk
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage

START = Start(model="command-a", provider="cohere", response_id="a1")
CITED = {"start": 0, "end": 2, "text": "Sö", "sources": [{"type": "tool", "id": "c0:0"}], "type": "TEXT_CONTENT"}
ANSWER = (
    start(),
    *block("thinking", "hm, ", "so"),
    *block("text", "Sö ", "ist es", index=1),
    event("citation-start", {"citations": CITED}, 0),
    event("citation-end", index=0),
    end(),
    DONE,
)
CALLS = (
    start(),
    *plan("first ", "f"),
    *calling(0, "c1", "f", '{"a"', ": 1}"),
    *calling(1, "c2", "g"),
    end("TOOL_CALL"),
    DONE,
)
COUNTED = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def test_an_answer():
    events = whole(*ANSWER)
    assert events[:-1] == [
        START,
        PROGRESS,
        ReasoningChunk("hm, "),
        ReasoningChunk("so"),
        PROGRESS,
        Chunk("Sö "),
        Chunk("ist es"),
        PROGRESS,
    ]
    last = events[-1]
    assert isinstance(last, End)
    assert last.content == (
        ReasoningContent(text="hm, so"),
        Text("Sö ist es"),
        Custom(model="cohere", data={"citations": [CITED]}),
    )
    assert (last.stop_reason, last.stop_reason and last.stop_reason.raw) == ("completed", "COMPLETE")
    assert (last.usage, last.response_id, last.provider_model, last.raw) == (COUNTED, "a1", None, None)


def test_calls():
    events = whole(*CALLS)
    assert events[:-1] == [
        START,
        ReasoningChunk("first "),
        ReasoningChunk("f"),
        ToolCallChunk(0, "c1", "f", ""),
        ToolCallChunk(0, None, None, '{"a"'),
        ToolCallChunk(0, None, None, ": 1}"),
        ToolCallChunk(1, "c2", "g", ""),
    ]
    last = events[-1]
    assert isinstance(last, End)
    assert last.content == (
        ReasoningContent(text="first f"),
        Custom(model="cohere", data={"type": "tool_plan"}),
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="c2", fn_name="g", fn_arguments={}),
    )
    assert last.stop_reason == "tool_call"


def test_a_stream_and_a_body_are_the_same_answer():
    body = parse(answer(thinking("hm, so"), text("Sö ist es"), citations=[CITED]))
    assert end_of(*ANSWER).content == body.content
    calls = [call("c1", "f", '{"a": 1}'), call("c2", "g", "")]
    assert end_of(*CALLS).content == parse(answer(tool_plan="first f", tool_calls=calls)).content


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_pieces_make_no_difference(size: int, newline: bytes):
    for events in (ANSWER, CALLS):
        assert whole(bytes_of(*events).replace(b"\n", newline), size=size) == whole(*events)


def test_the_end_comes_with_its_event_and_what_follows_is_nothing():
    parser = opened()
    parser.feed(bytes_of(*ANSWER[:-2]))
    assert not parser.finishing
    assert parser.usage is None
    assert isinstance(parser.feed(framed(end()))[-1], End)
    assert parser.finishing
    assert parser.ended
    assert parser.usage == COUNTED
    assert parser.feed(DONE + framed(start())) == []
    assert parser.finish() == []


def test_heartbeats():
    parser = opened()
    assert parser.feed(b": keep-alive\n\n\n\n") == []
    assert parser.feed(framed(start())) == [START]
    assert parser.feed(framed(start()) + framed(event("debug", prompt="p")) + framed(event("content-end"))) == []
    assert parser.feed(framed({"type": "new", "delta": {"message": {"x": 1}}})) == []
    assert parser.feed(framed({"type": "newer"})) == []


def test_the_name_of_an_event_stands_in_for_its_type():
    delta = {"index": 0, "delta": {"message": {"content": {"text": "a"}}}}
    bare = {key: value for key, value in end().items() if key != "type"}
    assert end_of(framed(delta, "content-delta"), framed(bare, "message-end")).content == (Text("a"),)


def test_a_block_that_begins_with_a_piece_and_one_that_is_new():
    events = (
        event("content-start", {"content": {"type": "text", "text": "a"}}, 0),
        event("content-delta", {"content": {"text": "b"}}, 0, logprobs={"token_ids": [1]}),
        event("content-start", {"content": {"type": "image", "url": "u"}}, 1),
        event("content-delta", {"content": {"text": "c"}}, 2),
        end(),
    )
    assert end_of(*events).content == (
        Text("ab"),
        Custom(model="cohere", data={"type": "image", "url": "u"}),
        Text("c"),
        Custom(model="cohere", data={"logprobs": [{"token_ids": [1]}]}),
    )


def test_tags_are_lifted_where_that_is_asked_for():
    events = (start(), *block("text", "<thi", "nk>hm</think>so <"), *calling(0, "c1", "f"), end("TOOL_CALL"))
    found = whole(*events, options=ChatOptions(normalize_reasoning_content=True))
    assert found[2:-1] == [ReasoningChunk("hm"), Chunk("so "), Chunk("<"), ToolCallChunk(0, "c1", "f", "")]
    assert whole(*events)[2] == Chunk("<thi")


def test_the_last_payload_is_kept_where_that_is_asked_for():
    assert end_of(*ANSWER, options=ChatOptions(capture_raw_body=True)).raw == end()


def test_a_whole_answer_where_a_stream_was_asked_for():
    parser = opened()
    body = (
        b'{"id":"a1","message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE",'
    )
    assert parser.feed(body + b'"usage":{"tokens":{"input_tokens":3,"output_tokens":2}}}') == []
    events = parser.finish()
    assert [type(found) for found in events] == [Start, Chunk, End]
    assert parser.usage == COUNTED


FAILURES = [
    ("ERROR", "internal server error", "server_error"),
    ("ERROR", "service unavailable: the model is overloaded", "overloaded"),
    ("ERROR", "You are past the per minute request limit", "rate_limited"),
    ("ERROR", "limited to 1000 API calls / month", "quota_exhausted"),
    ("ERROR", "too many tokens: total number of tokens in the prompt cannot exceed 4081", "context_overflow"),
    ("ERROR", None, "server_error"),
    ("ERROR", {"odd": 1}, "server_error"),
    ("ERROR_TOXIC", None, "content_filtered"),
    ("TIMEOUT", None, "timeout"),
    ("TIMEOUT", "the model is overloaded", "timeout"),
    (None, "service unavailable", "overloaded"),
    (None, {"message": "odd"}, "server_error"),
    (None, None, "malformed"),
]


@pytest.mark.parametrize(("finish", "said", "kind"), FAILURES)
def test_an_end_that_is_a_failure(finish: str | None, said: object, kind: str):
    events, parser = run(start(), *block("text", "a"), end(finish, USAGE, error=said), DONE)
    assert events == [START, PROGRESS, Chunk("a")]
    assert parser.error is not None
    assert (parser.error.kind, parser.error.status) == (kind, 200)
    assert parser.usage == COUNTED, "what was spent is told all the same"


@pytest.mark.parametrize(
    "data",
    [
        framed({"id": "e1", "message": "service unavailable"}),
        framed({"message": "service unavailable"}, "error"),
        framed({"type": "error", "message": "service unavailable"}),
        framed({"error": "service unavailable"}),
        b'{"id": "e1", "message": "service unavailable"}',
    ],
)
def test_errors_in_other_forms(data: bytes):
    assert failed(data).kind == "overloaded"


@pytest.mark.parametrize("cut", [1, 3, 5, 8, 9])
def test_a_stream_without_its_end_is_truncated(cut: int):
    assert failed(*ANSWER[:cut]).kind == "truncated"
    error = failed(*ANSWER[:cut], DONE)
    assert error.kind == "truncated"
    assert "message-end" in str(error)


def test_a_stream_cut_in_an_event_is_truncated():
    data = bytes_of(*ANSWER)
    assert failed(data[: data.index(b"ist es")]).kind == "truncated"
    assert failed(b"").kind == "truncated"


@pytest.mark.parametrize(
    "data", [b"<html><title>Hello</title></html>", b"data: [1]\n\n", b"data: 7\n\n", b"data: {\n\n", b"data: null\n\n"]
)
def test_what_is_no_event_is_malformed(data: bytes):
    assert failed(data).kind == "malformed"
