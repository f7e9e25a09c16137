"""Streams of the Chat Completions dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.chat_chunks import (
    DONE,
    USAGE,
    chunk,
    end_of,
    event,
    fn,
    opened,
    run,
    tail,
    text,
    whole,
)

from lamellar.chat.content import Custom, ReasoningContent, Text
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    ReasoningChunk,
    Start,
    ToolCallChunk,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage

START = Start(model="m", provider="openai", provider_model="m-1", response_id="r1")


def test_an_answer():
    events = whole(chunk({"role": "assistant", "content": ""}), text("Hel"), text("lo"), chunk(finish="stop"), tail())
    assert events[:3] == [START, Chunk("Hel"), Chunk("lo")]
    end = events[3]
    assert isinstance(end, End)
    assert len(events) == 4
    assert end.content == (Text("Hello"),)
    assert end.stop_reason == "completed"
    assert end.usage
    assert end.usage.total_tokens == 5
    assert (end.response_id, end.provider_model, end.raw) == ("r1", "m-1", None)


def test_heartbeats_make_no_events():
    parser = opened()
    assert parser.feed(b": OPENROUTER PROCESSING\n\n") == []
    assert parser.feed(chunk({"role": "assistant", "content": "", "refusal": None, "tool_calls": None})) == [START]
    assert parser.feed(chunk({})) == []
    assert parser.feed(event({"type": "ping"})) == []
    assert parser.feed(b"data: \n\n") == []
    assert parser.feed(tail(prompt_tokens=1)) == []
    assert not parser.finishing


def test_the_end_comes_with_finish_and_usage():
    parser = opened()
    parser.feed(text("x"))
    assert parser.feed(chunk(finish="stop")) == []
    assert parser.finishing
    assert not parser.ended
    (end,) = parser.feed(tail())
    assert isinstance(end, End)
    assert parser.ended
    assert parser.feed(DONE + text("late")) == []
    assert parser.finish() == []
    assert parser.error is None


def test_the_usage_so_far():
    parser = opened()
    assert parser.usage is None
    parser.feed(text("x", usage={}))
    assert parser.usage is None
    parser.feed(text("y", usage={"prompt_tokens": 3, "completion_tokens": 1}))
    assert parser.usage == Usage(prompt_tokens=3, completion_tokens=1, total_tokens=4)
    parser.feed(chunk(finish="stop"))
    assert parser.usage
    assert parser.usage.total_tokens == 4
    (end,) = parser.feed(tail())
    assert isinstance(end, End)
    assert parser.usage == end.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def test_the_usage_so_far_outlives_a_failure():
    parser = opened()
    parser.feed(text("x", usage=USAGE) + event({"error": {"message": "boom"}}))
    assert parser.error
    assert parser.usage
    assert parser.usage.total_tokens == 5


def test_the_usage_of_an_answer_that_was_not_streamed():
    body = {"id": "r1", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": USAGE}
    events, parser = run(json.dumps(body).encode())
    assert isinstance(events[-1], End)
    assert parser.usage == events[-1].usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def test_finish_and_usage_in_one_chunk():
    parser = opened()
    events = parser.feed(text("x", finish="stop", usage=USAGE))
    assert [type(e) for e in events] == [Start, Chunk, End]


def test_a_running_count_before_the_finish_ends_nothing():
    parser = opened()
    parser.feed(text("x", usage={"prompt_tokens": 3, "completion_tokens": 1}))
    assert parser.feed(chunk(finish="stop")) == []
    assert parser.finishing
    (end,) = parser.feed(tail())
    assert isinstance(end, End)
    assert end.usage
    assert end.usage.completion_tokens == 2


def test_without_usage_done_or_the_end_of_the_bytes_ends_it():
    assert end_of(text("x"), chunk(finish="stop"), DONE).usage is None
    assert end_of(text("x"), chunk(finish="stop")).usage is None
    assert end_of(text("x"), chunk(finish="stop"), b"data: [DONE]").usage is None


def test_the_last_event_without_its_blank_line():
    last = tail()[:-2]
    usage = end_of(text("x"), chunk(finish="stop"), last).usage
    assert usage
    assert usage.total_tokens == 5


def test_content_with_and_after_the_finish():
    end = end_of(text("a", finish="stop"), text("b"), tail())
    assert end.content == (Text("ab"),)


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        text("x"),
        text("x") + DONE,
        text("x") + b"data: [DO",
        text("x") + b'data: {"id": "r1", "choi',
        text("x") + text("y")[:-40],
        chunk({"role": "assistant"}),
        b": comment\n\n",
        b"data: ",
        DONE,
    ],
)
@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.failure(2)
def test_no_finish_reason_is_truncated(cut: bytes, size: int | None):
    events, parser = run(cut, size=size)
    assert parser.error
    assert parser.error.kind == "truncated"
    assert parser.error.provider == "openai"
    assert not parser.ended
    assert not any(isinstance(e, End) for e in events)


def test_a_cut_after_the_finish_is_an_end():
    assert end_of(text("x"), chunk(finish="stop"), tail()[:30]).content == (Text("x"),)


def test_done_without_a_finish_reason_is_told_at_once():
    parser = opened()
    assert parser.feed(text("x") + DONE) == [START, Chunk("x")]
    assert parser.error
    assert parser.error.kind == "truncated"


@pytest.mark.parametrize("bad", [b"{oops}", b"[1]", b'"x"', b"nul", b'{"choices": 7}', b'{"choices": [7]}', b"\xff"])
def test_a_malformed_event_is_never_skipped(bad: bytes):
    parser = opened()
    events = parser.feed(text("a") + b"data: " + bad + b"\n\n" + text("b"))
    assert events == [START, Chunk("a")]
    assert parser.error
    assert parser.error.kind == "malformed"
    assert parser.feed(text("c")) == []
    assert parser.finish() == []


def test_an_endless_event_is_malformed(monkeypatch: pytest.MonkeyPatch):
    parser = opened()
    piece = b"x" * (1 << 20)
    for _ in range(17):
        parser.feed(piece)
    assert parser.error
    assert parser.error.kind == "malformed"


@pytest.mark.parametrize(
    ("bad", "kind", "code"),
    [
        (event({"error": {"code": 502, "message": "Provider disconnected"}, "choices": []}), "server_error", "502"),
        (event({"error": {"message": "m", "code": "tool_use_failed", "status_code": 400}}, "error"),
         "invalid_request", "tool_use_failed"),
        (event({"error": {"type": "overloaded_error", "message": "Overloaded"}}), "overloaded", None),
        (event({"message": "too fast", "code": 429}, "error"), "rate_limited", "429"),
        (b"event: error\ndata: it broke\n\n", "server_error", None),
        (event({"choices": [{"index": 0, "error": {"code": 429, "message": "x"}, "finish_reason": "error"}]}),
         "rate_limited", "429"),
        (chunk(finish="error"), "server_error", "error"),
        (chunk(finish="insufficient_system_resource"), "overloaded", "insufficient_system_resource"),
        (event({"object": "error", "message": "bad", "code": 400}), "invalid_request", "400"),
        (event({"error": {"message": "long", "code": "context_length_exceeded"}}), "context_overflow",
         "context_length_exceeded"),
        (event({"choices": [], "x_groq": {"error": "over capacity"}}), "server_error", None),
    ],
)  # fmt: skip
@pytest.mark.failure(4)
def test_errors_in_band(bad: bytes, kind: str, code: str | None):
    for before in ([], [text("a")]):
        parser = opened(provider="openrouter")
        events = parser.feed(b"".join([*before, bad, text("b")]))
        assert [e.content for e in events if isinstance(e, Chunk)] == ["a"] * len(before)
        assert parser.error
        assert (parser.error.kind, parser.error.code, parser.error.status) == (kind, code, 200)
        assert not parser.ended


@pytest.mark.failure(16)
def test_the_content_filter():
    events, parser = run(chunk({"role": "assistant"}), chunk(finish="content_filter"), tail())
    assert parser.error
    assert parser.error.kind == "content_filtered"
    assert not any(isinstance(e, End) for e in events)
    assert end_of(text("a"), chunk(finish="content_filter"), tail()).stop_reason == "content_filter"
    prompt = {"choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {"filtered": True}}}]}
    _, parser = run(event(prompt))
    assert parser.error
    assert parser.error.kind == "content_filtered"


def test_azures_first_event_names_nobody():
    first = event({"choices": [], "id": "", "model": "", "prompt_filter_results": [{"content_filter_results": {}}]})
    offsets = event({"id": "r1", "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]})
    events = whole(first, text("x"), offsets, chunk(finish="stop"), tail())
    assert events[:2] == [START, Chunk("x")]
    assert len(events) == 3


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning(name: str):
    both = chunk({name: "b", "content": "x"})
    events = whole(chunk({name: "a", "content": None}), both, text("y"), chunk(finish="stop"), tail())
    assert events[1:5] == [ReasoningChunk("a"), ReasoningChunk("b"), Chunk("x"), Chunk("y")]
    end = events[-1]
    assert isinstance(end, End)
    assert end.content == (ReasoningContent(text="ab"), Text("xy"))


def test_reasoning_and_text_in_turns_keep_their_order():
    end = end_of(chunk({"reasoning": "a"}), text("x"), chunk({"reasoning": "b"}), text("y"), chunk(finish="stop"))
    assert end.content == (ReasoningContent(text="a"), Text("x"), ReasoningContent(text="b"), Text("y"))


def test_mistrals_parts():
    thinking = chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]}]})
    events = whole(thinking, chunk({"content": [{"type": "text", "text": "4"}]}), chunk(finish="stop", usage=USAGE))
    assert events[1:3] == [ReasoningChunk("2+2"), Chunk("4")]


def test_openrouters_details():
    def details(**entry: Any) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "index": 0, "format": "f", **entry}]}

    events = whole(
        chunk({"reasoning": "a", **details(text="a")}),
        chunk(details(text="b")),
        chunk({"content": "", **details(signature="sig")}),
        text("x"),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "e1", "index": 1}]}),
        chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "e2", "index": 1}]}),
        chunk(finish="stop"),
    )
    assert events[1:-1] == [ReasoningChunk("a"), ReasoningChunk("b"), PROGRESS, Chunk("x"), PROGRESS, PROGRESS]
    end = events[-1]
    assert isinstance(end, End)
    assert end.content
    assert end.content[:2] == (ReasoningContent(text="ab"), Text("x"))
    merged = [
        {"type": "reasoning.text", "index": 0, "format": "f", "text": "ab", "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "e1", "index": 1},
        {"type": "reasoning.encrypted", "data": "e2", "index": 1},
    ]
    assert end.content[2] == Custom(model="openai", data={"reasoning_details": merged})


def test_extras():
    started = {"index": 0, "type": "search", "arguments": "{}"}
    events = whole(
        chunk({"executed_tools": [started]}, citations=["a"]),
        chunk({"executed_tools": [{**started, "output": "found"}]}, citations=["a", "b"]),
        chunk({"refusal": "I "}),
        chunk({"refusal": "can't."}),
        chunk({"audio": {"id": "s", "data": "QU", "transcript": "Hel"}}),
        chunk({"audio": {"data": "JD", "transcript": "lo", "expires_at": 9}}),
        chunk({"annotations": [{"n": 1}]}),
        chunk({"annotations": [{"n": 2}]}),
        chunk(finish="stop"),
    )
    assert events[1:-1] == [PROGRESS] * 8
    end = events[-1]
    assert isinstance(end, End)
    assert end.content
    assert [part.data for part in end.content if isinstance(part, Custom)] == [
        {"executed_tools": [{**started, "output": "found"}]},
        {"citations": ["a", "b"]},
        {"refusal": "I can't."},
        {"audio": {"id": "s", "data": "QUJD", "transcript": "Hello", "expires_at": 9}},
        {"annotations": [{"n": 1}, {"n": 2}]},
    ]


def test_log_probabilities_of_all_deltas_are_kept_together():
    def told(token: str) -> bytes:
        logprobs = {"content": [{"token": token, "logprob": -0.5}], "refusal": None}
        choice = {"index": 0, "delta": {"content": token}, "logprobs": logprobs, "finish_reason": None}
        return event({"id": "r1", "model": "m-1", "choices": [choice]})

    end = end_of(told("Hel"), told("lo"), text("!"), chunk(finish="stop"))
    tokens = [{"token": token, "logprob": -0.5} for token in ("Hel", "lo")]
    logprobs: dict[str, Any] = {"content": tokens, "refusal": None}
    assert end.content == (Text("Hello!"), Custom(model="openai", data={"logprobs": logprobs}))


def test_only_the_first_choice_is_read():
    other = event({"id": "r1", "choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]})
    parser = opened()
    assert parser.feed(other) == [Start("m", "openai", None, None, "r1")]
    assert not parser.finishing
    assert parser.feed(text("yes"))[-1] == Chunk("yes")


def test_usage_at_groqs_own_place():
    usage = end_of(text("x"), chunk(finish="stop", x_groq={"id": "q", "usage": USAGE})).usage
    assert usage
    assert usage.total_tokens == 5


def test_the_raw_payload_on_demand():
    raw = end_of(text("x"), chunk(finish="stop"), tail(), options=ChatOptions(capture_raw_body=True)).raw
    assert isinstance(raw, dict)
    assert raw["usage"] == USAGE


def test_a_server_that_does_not_stream():
    message = {"content": "hi", "reasoning": "hm", "tool_calls": [fn("f", "{}", id="c")]}
    body = {"id": "r1", "model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    events = whole(json.dumps({**body, "usage": USAGE}, indent=1).encode(), size=7)
    assert events[:4] == [START, ReasoningChunk("hm"), Chunk("hi"), ToolCallChunk(0, "c", "f", "{}")]
    assert isinstance(events[4], End)
    _, parser = run(json.dumps({"error": {"message": "slow", "code": 429}}).encode())
    assert parser.error
    assert parser.error.kind == "rate_limited"
    for page in (b"<html><title>Oops</title></html>", b"upstream connect error"):
        _, parser = run(page)
        assert parser.error
        assert parser.error.kind == "malformed"
