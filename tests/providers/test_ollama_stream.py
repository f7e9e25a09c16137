"""Streams of Ollama's own API."""

from __future__ import annotations

import pytest
from tests.providers.ollama_lines import (
    COUNTS,
    call,
    chunk,
    end_of,
    failed,
    line,
    opened,
    parse,
    payload,
    run,
    whole,
)

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ToolCall
from lamellar.chat.events import PROGRESS, Chunk, End, ReasoningChunk, Start, ToolCallChunk
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage
from lamellar.providers.sse import MAX_EVENT_BYTES

START = Start(model="qwen3", provider="ollama", provider_model="qwen3:8b")
DONE = chunk(done="stop", counts=COUNTS)
ANSWER = (
    chunk(thinking="hm, "),
    chunk(thinking="sö"),
    chunk("Hel"),
    chunk("lo wörld"),
    chunk(),
    chunk(tool_calls=[call("f", {"q": "ü"}), call("g", id="c2")]),
    DONE,
)
MADE_ID = "ollama_call_0_20260102T0304056Z"
USAGE = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def test_an_answer():
    assert whole(*ANSWER) == [
        START,
        ReasoningChunk("hm, "),
        ReasoningChunk("sö"),
        Chunk("Hel"),
        Chunk("lo wörld"),
        ToolCallChunk(0, MADE_ID, "f", '{"q":"ü"}'),
        ToolCallChunk(1, "c2", "g", "{}"),
        End(
            stop_reason=parse(payload(tool_calls=[call("f")], done="stop")).stop_reason,
            usage=USAGE,
            content=(
                ReasoningContent(text="hm, sö"),
                Text("Hello wörld"),
                ToolCall(call_id=MADE_ID, fn_name="f", fn_arguments={"q": "ü"}),
                ToolCall(call_id="c2", fn_name="g", fn_arguments={}),
            ),
            provider_model="qwen3:8b",
        ),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b" \n"])
def test_pieces_make_no_difference(size: int, end: bytes):
    data = b"\xef\xbb\xbf" + b"".join(ANSWER).replace(b"\n", end)
    assert whole(data, size=size) == whole(*ANSWER)


def test_the_end_comes_with_the_last_line_and_what_follows_is_nothing():
    parser = opened()
    parser.feed(b"".join(ANSWER[:-1]))
    assert not parser.finishing
    assert parser.usage is None
    assert isinstance(parser.feed(DONE)[-1], End)
    assert parser.finishing
    assert parser.ended
    assert parser.usage == USAGE
    assert parser.feed(chunk("more")) == []
    assert parser.finish() == []


def test_the_last_line_may_lack_its_end():
    assert end_of(chunk("a"), DONE.rstrip()).usage == USAGE
    assert end_of(DONE.rstrip()).content == ()


def test_the_last_line_may_say_something():
    end = end_of(chunk("a"), chunk("b", done="length", counts=COUNTS))
    assert (end.content, end.stop_reason) == ((Text("ab"),), "max_tokens")


def test_blank_lines_and_lines_without_content_are_heartbeats():
    parser = opened()
    assert parser.feed(b"\n \r\n") == []
    assert parser.feed(chunk()) == [START]
    assert parser.feed(chunk() * 3) == []


def test_a_whole_answer_where_a_stream_was_asked_for():
    assert whole(*ANSWER[:1], DONE)[-1] == whole(line(payload(thinking="hm, ", done="stop", counts=COUNTS)))[-1]


def test_pictures_and_what_is_new():
    first = {**payload("a"), "logprobs": [{"token": "a"}]}
    second = {**payload(images=["iVBOR"], note="n1"), "logprobs": [{"token": "b"}]}
    events = whole(line(first), line(second), chunk(note="n2", deep={"a": 1}), DONE)
    assert events[:2] == [START, Chunk("a")]
    assert {type(event) for event in events[2:-1]} == {type(PROGRESS)}
    end = events[-1]
    assert isinstance(end, End)
    assert end.content == (
        Text("a"),
        Binary.from_base64("image/png", "iVBOR"),
        Custom(model="ollama", data={"deep": {"a": 1}}),
        Custom(model="ollama", data={"logprobs": [{"token": "a"}, {"token": "b"}]}),
        Custom(model="ollama", data={"note": "n1n2"}),
    )


def test_tags_are_lifted_where_that_is_asked_for():
    pieces = (chunk("<thi"), chunk("nk>hm</think>so"), chunk(" <"), chunk(tool_calls=[call("f")]), DONE)
    events = whole(*pieces, options=ChatOptions(normalize_reasoning_content=True))
    assert events[1:4] == [ReasoningChunk("hm"), Chunk("so"), Chunk(" ")]
    assert events[4:6] == [Chunk("<"), ToolCallChunk(0, MADE_ID, "f", "{}")]
    assert whole(*pieces)[1] == Chunk("<thi")


def test_the_last_payload_is_kept_where_that_is_asked_for():
    options = ChatOptions(capture_raw_body=True)
    assert end_of(*ANSWER, options=options).raw == payload(done="stop", counts=COUNTS)
    assert end_of(*ANSWER).raw is None


def test_an_error_in_the_middle():
    events, parser = run(chunk("a"), line({"error": "server busy, please try again"}), chunk("b"))
    assert events == [START, Chunk("a")]
    assert parser.error is not None
    assert (parser.error.kind, parser.error.status) == ("overloaded", 200)
    assert failed(line({"error": "model 'x' not found"})).kind == "model_not_found"
    assert failed(b'{"error": "server busy"}').kind == "overloaded"


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6])
def test_a_stream_without_its_last_line_is_truncated(cut: int):
    error = failed(*ANSWER[:cut])
    assert error.kind == "truncated"
    assert error.retryable


def test_a_stream_cut_in_a_line_is_truncated():
    assert failed(*ANSWER[:2], ANSWER[2][:20]).kind == "truncated"
    assert failed(ANSWER[0][:20]).kind == "truncated"
    assert failed(b"").kind == "truncated"
    assert failed(b"\n\n").kind == "truncated"


@pytest.mark.parametrize(
    "data",
    [
        b"<html><title>Hello</title></html>",
        b"<html>\n<title>Hello</title>\n</html>\n",
        b"data: {}\n\n",
        b"[1]\n",
        b"7\n",
        b"null\n",
        b'{"message": [1]}\n',
        b'{"message": {"tool_calls": [{}]}}\n',
        b'{"a": }\n',
    ],
)
def test_what_is_no_line_is_malformed(data: bytes):
    assert failed(data).kind == "malformed"
    assert failed(chunk("a") + data).kind in ("malformed", "truncated")


def test_a_line_is_bounded():
    parser = opened()
    huge = b'{"message": {"content": "' + b"x" * 1_000_000
    for _ in range(MAX_EVENT_BYTES // 1_000_000 + 2):
        parser.feed(huge)
    assert parser.error is not None
    assert parser.error.kind == "malformed"


def test_a_long_line_takes_no_longer_than_its_length():
    text = "x" * 200_000
    assert end_of(chunk(text), DONE, size=16).content == (Text(text),)
