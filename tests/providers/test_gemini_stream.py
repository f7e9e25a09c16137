"""Streams of the generateContent dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.gemini_chunks import (
    USAGE,
    call,
    chunk,
    end_of,
    event,
    failed,
    opened,
    parse,
    payload,
    run,
    sent_back,
    text,
    whole,
)

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    ReasoningChunk,
    Start,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage

START = Start(model="gemini-9", provider="gemini", provider_model="gemini-9-001", response_id="r1")
OVERLOADED = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
FINISH = chunk(text(""), finish="STOP", usage=USAGE)

ANSWER = (
    chunk(text("hm, ", thought=True), usage={"promptTokenCount": 3, "totalTokenCount": 3}),
    chunk(text("so", thought=True)),
    chunk(text("Hel", thoughtSignature="s1")),
    chunk(text("lo ")),
    chunk(text("wörld")),
    chunk(call("f", {"q": "ü"}, id="c1"), groundingMetadata={"webSearchQueries": ["a"]}),
    FINISH,
)


def test_an_answer():
    events = whole(*ANSWER)
    assert events[:-1] == [
        START,
        ReasoningChunk("hm, "),
        ReasoningChunk("so"),
        Chunk("Hel"),
        ThoughtSignatureChunk("s1"),
        Chunk("lo "),
        Chunk("wörld"),
        ToolCallChunk(0, "c1", "f", '{"q":"ü"}'),
        PROGRESS,
    ]
    end = events[-1]
    assert isinstance(end, End)
    assert end.content == (
        ReasoningContent(text="hm, so"),
        Text("Hel"),
        ThoughtSignature(signature="s1", provider="gemini"),
        Text("lo wörld"),
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"q": "ü"}),
        Custom(model="gemini", data={"groundingMetadata": {"webSearchQueries": ["a"]}}),
    )
    assert (end.stop_reason, end.response_id, end.provider_model) == ("tool_call", "r1", "gemini-9-001")
    assert end.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert end.raw is None


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_in_whatever_pieces(size: int):
    assert whole(*ANSWER, size=size) == whole(*ANSWER)


@pytest.mark.parametrize("newline", [b"\n", b"\r"])
def test_other_line_ends(newline: bytes):
    data = b"".join(ANSWER).replace(b"\r\n", newline)
    for size in (1, 5, None):
        assert whole(data, size=size) == whole(*ANSWER)


def test_the_end_waits_for_the_end_of_the_bytes():
    parser = opened()
    assert parser.feed(chunk(text("x"), finish="STOP", usage=USAGE)) == [START, Chunk("x")]
    assert parser.finishing
    assert not parser.ended
    late = {"promptTokenCount": 9, "totalTokenCount": 9}
    assert parser.feed(chunk(usage=late, groundingMetadata={"a": 1})) == [PROGRESS]
    (end,) = parser.finish()
    assert isinstance(end, End)
    assert end.usage == parser.usage == Usage(prompt_tokens=9, total_tokens=9)
    assert end.content == (Text("x"), Custom(model="gemini", data={"groundingMetadata": {"a": 1}}))
    assert parser.ended
    assert parser.feed(chunk(text("late"))) == []
    assert parser.finish() == []


def test_the_last_usage_that_counts_wins():
    parser = opened()
    assert parser.usage is None
    parser.feed(chunk(text("x"), usage={"promptTokenCount": 8, "totalTokenCount": 8}))
    parser.feed(chunk(text("y"), usage={"promptTokenCount": 7, "candidatesTokenCount": 1, "totalTokenCount": 8}))
    parser.feed(chunk(finish="STOP", usage={"trafficType": "ON_DEMAND"}))
    assert parser.usage == Usage(prompt_tokens=7, completion_tokens=1, total_tokens=8)


def test_heartbeats_make_no_events():
    parser = opened()
    assert parser.feed(b": keep-alive\r\n\r\n\r\n") == []
    assert parser.feed(event({"usageMetadata": USAGE})) == []
    assert parser.feed(chunk(text(""))) == [START]
    assert parser.feed(chunk(text("", thought=True))) == []
    assert parser.feed(event({"modelVersion": "other", "responseId": "other"})) == []
    assert parser.feed(event({"somethingNew": [1]})) == []
    assert parser.feed(b"data: \r\n\r\n") == []


def test_progress_is_life_without_content():
    parser = opened()
    parser.feed(chunk())
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    assert parser.feed(chunk(code)) == [PROGRESS]
    assert parser.feed(chunk({"inlineData": {"mimeType": "image/png", "data": "aGk="}})) == [PROGRESS]
    assert parser.feed(chunk(text("", thoughtSignature="s"))) == [ThoughtSignatureChunk("s")]


def test_a_signature_at_the_end_stays_on_its_empty_part():
    end = end_of(chunk(text("The result")), chunk(text(" is 3")), chunk(text("", thoughtSignature="s"), finish="STOP"))
    assert end.content == (Text("The result is 3"), Text(""), ThoughtSignature(signature="s", provider="gemini"))
    assert sent_back(end.content) == [{"text": "The result is 3"}, {"text": "", "thoughtSignature": "s"}]


def test_signed_parts_are_not_joined_with_their_neighbors():
    end = end_of(
        chunk(text("a")),
        chunk(text("b")),
        chunk(text("c", thoughtSignature="s")),
        chunk(text("d")),
        chunk(text("e"), finish="STOP"),
    )
    assert end.content is not None
    assert sent_back(end.content) == [{"text": "ab"}, {"text": "c", "thoughtSignature": "s"}, {"text": "de"}]


def test_calls_over_several_payloads_are_counted_on():
    events = whole(chunk(call("f", {"a": 1}), call("g")), chunk(call("f", {"a": 2})), FINISH)
    assert [found for found in events if isinstance(found, ToolCallChunk)] == [
        ToolCallChunk(0, "gemini_call_0_r1", "f", '{"a":1}'),
        ToolCallChunk(1, "gemini_call_1_r1", "g", "{}"),
        ToolCallChunk(2, "gemini_call_2_r1", "f", '{"a":2}'),
    ]
    assert isinstance(events[-1], End)
    assert events[-1].stop_reason == "tool_call"


def test_a_stream_is_the_same_answer_as_a_body():
    end = end_of(*ANSWER)
    response = parse([json.loads(piece[6:]) for piece in ANSWER])
    assert (end.content, end.usage, end.stop_reason) == (response.content, response.usage, response.stop_reason)


def test_reports_of_several_payloads():
    end = end_of(
        chunk(text("a"), citationMetadata={"citationSources": [{"uri": "1"}]}, groundingMetadata={"q": [1]}),
        chunk(text("b"), citationMetadata={"citationSources": [{"uri": "1"}, {"uri": "2"}]}),
        chunk(finish="STOP", groundingMetadata={"chunks": [2], "q": [1, 3]}, citationMetadata={"license": "x"}),
    )
    assert end.content is not None
    reports = {name: value for part in end.content if isinstance(part, Custom) for name, value in part.data.items()}  # type: ignore[union-attr]
    assert reports == {
        "citationMetadata": {"citationSources": [{"uri": "1"}, {"uri": "2"}], "license": "x"},
        "groundingMetadata": {"q": [1, 3], "chunks": [2]},
    }


def test_inline_thinking_is_lifted_when_asked_for():
    pieces = (chunk(text("<thi")), chunk(text("nk>hm</think>ok <t")), chunk(finish="STOP"))
    events = whole(*pieces, options=ChatOptions(normalize_reasoning_content=True))
    assert events[1:-1] == [ReasoningChunk("hm"), Chunk("ok "), Chunk("<t")]
    assert isinstance(events[-1], End)
    assert events[-1].content == (ReasoningContent(text="hm"), Text("ok <t"))


def test_the_last_payload_is_kept_when_asked_for():
    last = payload(text("b"), finish="STOP")
    assert end_of(chunk(text("a")), event(last), options=ChatOptions(capture_raw_body=True)).raw == last


def test_the_last_finish_reason_counts():
    assert end_of(chunk(text("a"), finish="STOP"), chunk(text("b"), finish="MAX_TOKENS")).stop_reason == "max_tokens"


# -- broken off ---------------------------------------------------------------------------------------------------


@pytest.mark.failure(2)
def test_a_stream_without_a_finish_reason_is_truncated():
    for pieces in ((), (chunk(text("x")),), (event({"usageMetadata": USAGE}),), (b": ping\r\n\r\n",)):
        assert failed(*pieces).kind == "truncated"
    error = failed(chunk(text("x"))[:-20])
    assert (error.kind, error.provider, error.model) == ("truncated", "gemini", "gemini-9")


def test_a_cut_after_the_finish_reason_takes_nothing_back():
    assert end_of(chunk(text("x"), finish="STOP"), chunk(groundingMetadata={"a": 1})[:-9]).content == (Text("x"),)


def test_the_last_event_may_lack_its_blank_line():
    assert end_of(chunk(text("x"), finish="STOP").rstrip()).content == (Text("x"),)


@pytest.mark.parametrize(
    "odd",
    [
        b"data: {not json}\r\n\r\n",
        event("text"),
        event(3),
        event([[]]),
        event({"candidates": 1}),
        event({"candidates": [1]}),
    ],
)
def test_a_malformed_event_is_an_error(odd: bytes):
    events, parser = run(chunk(text("x")), odd, chunk(text("y")), FINISH)
    assert parser.error is not None
    assert parser.error.kind == "malformed"
    assert events == [START, Chunk("x")]


def test_a_mark_of_the_end_that_google_does_not_send():
    parser = opened()
    parser.feed(chunk(text("x"), finish="STOP"))
    assert isinstance(parser.feed(b"data: [DONE]\n\n")[-1], End)
    assert failed(chunk(text("x")), b"data: [DONE]\n\n").kind == "truncated"


def test_an_event_longer_than_any_answer():
    parser = opened()
    for _ in range(17):
        parser.feed(b"data: " + b"x" * (1 << 20))
    assert parser.error is not None
    assert parser.error.kind == "malformed"


# -- errors in-band -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (chunk(text("x")),)])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("framing", ["data: {}\r\n\r\n", "event: error\ndata: {}\n\n", "{}", "{}\r\n\r\n", "\r\n{}\n"])
@pytest.mark.failure(4)
def test_errors_in_band(before: tuple[bytes, ...], indent: int | None, wrapped: bool, framing: str):
    said = json.dumps([OVERLOADED] if wrapped else OVERLOADED, indent=None if "data" in framing else indent)
    for size in (1, 11, None):
        error = failed(*before, framing.format(said).encode(), size=size)
        assert (error.kind, error.status, error.code) == ("overloaded", 200, "503")
        assert "overloaded" in error.message


def test_what_came_before_an_error_is_told_first():
    parser = opened()
    assert parser.feed(chunk(text("x"), usage=USAGE) + event(OVERLOADED) + chunk(text("y"))) == [START, Chunk("x")]
    assert parser.error is not None
    assert parser.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert parser.feed(chunk(text("z"))) == parser.finish() == []


@pytest.mark.failure(16)
def test_a_blocked_prompt():
    said = event({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE, "modelVersion": "m"})
    error = failed(said)
    assert (error.kind, error.code) == ("content_filtered", "SAFETY")


def test_an_answer_that_is_blocked_at_once_and_one_that_is_blocked_later():
    assert failed(chunk(finish="SAFETY")).kind == "content_filtered"
    assert end_of(chunk(text("x")), chunk(finish="SAFETY")).stop_reason == "content_filter"
    end = end_of(chunk(text("x")), event({"promptFeedback": {"blockReason": "OTHER"}}))
    assert end.stop_reason == "content_filter"
    assert end.stop_reason.raw == "OTHER"


def test_a_call_that_google_could_not_read():
    events, parser = run(chunk(text("I call")), chunk(finish="MALFORMED_FUNCTION_CALL", finishMessage="f(,"))
    assert events == [START, Chunk("I call")]
    assert parser.error is not None
    assert (parser.error.kind, parser.error.code) == ("malformed", "MALFORMED_FUNCTION_CALL")


# -- answers that are no stream -----------------------------------------------------------------------------------


@pytest.mark.parametrize("indent", [None, 2])
def test_an_answer_that_comes_whole(indent: int | None):
    said: Any = payload(text("x"), call("f"), finish="STOP", usage=USAGE)
    pieces = [payload(text("x")), payload(call("f"), finish="STOP", usage=USAGE)]
    for form in (said, [said], pieces):
        for size in (1, None):
            end = end_of(json.dumps(form, indent=indent).encode(), size=size)
            assert end.content is not None
            assert [type(part) for part in end.content] == [Text, ToolCall]
            assert end.usage


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><title>One moment</title>", b"nope\n\nnope", b'"text"', b"\x00\xff"])
def test_a_page_for_people_is_malformed(page: bytes):
    assert failed(page).kind == "malformed"
