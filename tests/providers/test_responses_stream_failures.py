"""Streams of the Responses dialect that fail, are cut, or are no such streams."""

from __future__ import annotations

import json

import pytest
from tests.providers.responses_events import (
    ANSWER,
    START,
    added,
    call,
    created,
    delta,
    done,
    ends,
    event,
    failed,
    message,
    response,
    run,
    text,
    thought,
)

from lamellar.chat.events import Chunk

OVERLOADED = {"code": "server_is_overloaded", "message": "busy", "type": "server_error", "param": None}


@pytest.mark.parametrize(
    "pieces",
    [
        (event("error", error=OVERLOADED, sequence_number=2),),
        (event("error", **{**OVERLOADED, "type": "error"}),),
        (b"event: error\ndata: " + json.dumps({"error": OVERLOADED}).encode() + b"\n\n",),
        (b"data: " + json.dumps({"error": OVERLOADED}).encode() + b"\n\n",),
        (ends("failed", error=OVERLOADED),),
        (event("response.created", response=response(status="failed", error=OVERLOADED)),),
        (event("error", error=OVERLOADED), ends("failed", error=OVERLOADED)),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_errors_in_band(pieces: tuple[bytes, ...], begun: bool):
    error = failed(*(created(), delta("output_text", "a")) if begun else (), *pieces)
    assert (error.kind, error.code, error.status) == ("overloaded", "server_is_overloaded", 200)
    assert error.message == "busy"


def test_an_error_in_one_piece():
    assert failed(json.dumps({"error": OVERLOADED}).encode()).kind == "overloaded"


def test_what_came_before_an_error_is_told():
    events, parser = run(created(), delta("output_text", "a"), ends("failed", error=OVERLOADED))
    assert events == [START, Chunk("a")]
    assert parser.usage
    assert parser.usage.total_tokens == 12
    assert parser.feed(ends()) == parser.finish() == []


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failure_without_words(status: str):
    error = failed(created(), ends(status))
    assert (error.kind, error.code) == ("server_error", status)


@pytest.mark.parametrize("cut", range(1, len(ANSWER) - 1))
def test_a_stream_without_its_last_event_is_cut(cut: int):
    error = failed(*ANSWER[:cut])
    assert error.kind == "truncated"
    assert failed(*ANSWER[:cut], b"data: [DONE]\n\n").kind == "truncated"
    assert failed(*ANSWER[:cut], ANSWER[-1][:-20]).kind == "truncated"


def test_no_bytes_at_all_are_a_cut():
    assert failed().kind == "truncated"
    assert failed(b": keep-alive\n\n").kind == "truncated"


@pytest.mark.parametrize(
    "piece",
    [
        b"data: {broken\n\n",
        b"data: 7\n\n",
        event("response.completed"),
        event("response.created", response=[]),
        added(None),
        done("x"),
        delta("output_text", 7),
        delta("output_text", {"text": "a"}),
        delta("function_call_arguments", [], 3),
        added(message()) + done(message(7)),
        added(call(name={})),
        ends("completed", 7),
        ends("completed", message(text("a"), {"type": "refusal", "refusal": []})),
    ],
)
def test_what_is_no_event_is_malformed(piece: bytes):
    assert failed(created(), piece, ends()).kind == "malformed"


def test_a_filtered_answer_with_nothing_in_it():
    blocked = ends("incomplete", incomplete_details={"reason": "content_filter"})
    error = failed(created(), added(thought()), done(thought(encrypted_content="enc")), blocked)
    assert (error.kind, error.code) == ("content_filtered", "content_filter")
