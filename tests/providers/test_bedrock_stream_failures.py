"""Streams of the Converse dialect that fail: exceptions in frames, cuts, broken frames, and what is no stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.bedrock_frames import (
    METADATA,
    MODEL,
    START,
    body,
    exception,
    finish,
    opened,
    read,
    stop,
    text,
)

from lamellar.chat.content import Text
from lamellar.chat.events import (
    Chunk,
    End,
    Start,
)
from lamellar.errors import ErrorKind
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.testing.simulator.wire_bedrock_frames import event, frame

ANSWER = (START, text("Par"), text("is é."), stop(), finish(), METADATA)


EXCEPTIONS: list[tuple[str, dict[str, Any], ErrorKind]] = [
    ("throttlingException", {"message": "Too many tokens, please wait before trying again."}, ErrorKind.RATE_LIMITED),
    ("throttlingException", {"message": "Too many tokens per day, please wait"}, ErrorKind.QUOTA_EXHAUSTED),
    ("modelStreamErrorException", {"originalStatusCode": 500}, ErrorKind.SERVER_ERROR),
    ("modelStreamErrorException", {"originalStatusCode": 429}, ErrorKind.RATE_LIMITED),
    ("modelStreamErrorException", {}, ErrorKind.SERVER_ERROR),
    ("validationException", {"message": "Malformed input request"}, ErrorKind.INVALID_REQUEST),
    ("validationException", {"message": "Input is too long for requested model."}, ErrorKind.CONTEXT_OVERFLOW),
    ("validationException", {"message": "The provided model identifier is invalid."}, ErrorKind.MODEL_NOT_FOUND),
    ("internalServerException", {}, ErrorKind.SERVER_ERROR),
    ("serviceUnavailableException", {}, ErrorKind.OVERLOADED),
    ("modelTimeoutException", {}, ErrorKind.TIMEOUT),
    ("accessDeniedException", {}, ErrorKind.PERMISSION_DENIED),
    ("brandNewException", {}, ErrorKind.SERVER_ERROR),
]


@pytest.mark.parametrize("after", [0, 1], ids=["at once", "after content"])
@pytest.mark.parametrize(("name", "said", "kind"), EXCEPTIONS)
def test_synthetic_exceptions_are_the_errors_that_they_are_with_a_status(
    name: str, said: dict[str, Any], kind: ErrorKind, after: int
):
    """No recording has an exception frame."""
    found = read(START, *[text("x")] * after, exception(name, **{"message": "m", **said}), text("never"), size=11)
    error = found.error
    assert error is not None
    assert error.kind == kind
    assert (error.status, error.code) == (200, name[0].upper() + name[1:])
    assert error.request_id == "req-1"
    assert said.get("message", "m") in error.message
    assert (error.provider, error.model) == ("bedrock", MODEL)
    assert len(found.of(Chunk)) == after
    assert not found.of(End)


def test_synthetic_error_of_the_front_door():
    """The other way in which the format tells an error, without a payload."""
    told = {":message-type": "error", ":error-code": "ThrottlingException", ":error-message": "Slow down."}
    error = read(START, frame(told, b"")).error
    assert error is not None
    assert (error.kind, error.code, error.message) == ("rate_limited", "ThrottlingException", "Slow down.")
    nameless = read(START, frame({":message-type": "error"}, b"")).error
    assert nameless is not None
    assert nameless.kind == "server_error"


@pytest.mark.parametrize(
    "cut", [1, 30, len(START), len(START) + 5, len(START + text("Par")), len(b"".join(ANSWER[:4]))]
)
def test_a_cut_is_truncation(cut: int):
    error = read(b"".join(ANSWER)[:cut]).error
    assert error is not None
    assert error.kind == "truncated"
    ends = [len(b"".join(ANSWER[:count])) for count in range(len(ANSWER))]
    assert ("without a stop reason" if cut in ends else "in the middle of a frame") in error.message


def test_nothing_at_all_is_truncation():
    error = read().error
    assert error is not None
    assert error.kind == "truncated"


def test_a_cut_after_the_finish_takes_nothing_back():
    whole = b"".join(ANSWER)
    found = read(whole[: len(whole) - 10])
    assert found.error is None
    assert found.end.content == (Text("Paris é."),)


BROKEN = [
    bytes([START[0], START[1], START[2], START[3] ^ 1]) + START[4:],
    START[:-1] + bytes([START[-1] ^ 1]),
    b"\x00\x00\x00\x05" + START[4:],
]


@pytest.mark.parametrize("broken", BROKEN, ids=["length", "checksum", "impossible"])
def test_a_broken_frame_is_malformed(broken: bytes):
    found = read(START, text("x"), broken, text("never"))
    assert found.error is not None
    assert (found.error.kind, found.error.status) == ("malformed", 200)
    assert found.of(Chunk) == [Chunk("x")]


WRONG = [
    frame({":event-type": "contentBlockDelta", ":message-type": "event"}, b"{not json"),
    frame({":event-type": "contentBlockDelta", ":message-type": "event"}, b"[1]"),
    frame({":event-type": "contentBlockDelta", ":message-type": "surprise"}, b"{}"),
    event("contentBlockDelta", contentBlockIndex=0, delta=None),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": 1}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": 1}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": "{}"}}),
    event("contentBlockStart", contentBlockIndex=0, start="x"),
    event("contentBlockStart", contentBlockIndex=0, start={"toolUse": 1}),
    event("contentBlockStart", contentBlockIndex=0, start={"toolUse": {"name": 1}}),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_event_of_the_wrong_shape_is_malformed(wrong: bytes):
    error = read(START, wrong, *ANSWER[1:]).error
    assert error is not None
    assert error.kind == "malformed"


def test_deltas_without_an_index_belong_to_the_last_block():
    found = read(
        START,
        event("contentBlockDelta", delta={"text": "a"}),
        event("contentBlockDelta", delta={"text": "b"}),
        finish(),
    )
    assert found.end.content == (Text("ab"),)


def test_a_json_answer_where_a_stream_was_asked_for():
    found = read(body({"text": "whole"}), size=5)
    assert [type(each) for each in found.events] == [Start, Chunk, End]
    assert found.end.content == (Text("whole"),)
    assert found.parser.usage == found.end.usage


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b'{"message":"Too many requests","__type":"ThrottlingException"}', "rate_limited"),
        (b"<html><title>Sign in</title></html>", "malformed"),
        (b"hello", "malformed"),
        (json.dumps({"error": {"message": "no", "code": 503}}).encode(), "overloaded"),
    ],
)
def test_what_is_no_stream(said: bytes, kind: str):
    error = read(said, size=3).error
    assert error is not None
    assert error.kind == kind


def test_the_dialect_opens_this_parser():
    parser = BEDROCK_CONVERSE.open_stream(opened()._exchange, {})
    assert parser.feed(START) == [Start(MODEL, "bedrock")]
