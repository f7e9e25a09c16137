"""What a stream consists of."""

from __future__ import annotations

import pickle
from typing import get_args

import pytest

from lamellar.chat.content import Text, ToolCall
from lamellar.chat.events import (
    Chunk,
    End,
    Progress,
    ReasoningChunk,
    Restart,
    Start,
    StreamEvent,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.errors import ErrorKind

EVENTS = [
    Start("m", "p"),
    Chunk("a"),
    ReasoningChunk("a"),
    ThoughtSignatureChunk("s"),
    ToolCallChunk(0, "c", "f", "{"),
    Restart("t", "m", ErrorKind.CONNECTION),
    End(content=(Text("a"),)),
]


def test_these_are_all_that_a_consumer_sees() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(StreamEvent))
    assert Progress not in get_args(StreamEvent)


@pytest.mark.parametrize("event", EVENTS, ids=[type(event).__name__ for event in EVENTS])
def test_an_event_is_small_compares_and_travels(event: StreamEvent) -> None:
    assert not hasattr(event, "__dict__")
    assert pickle.loads(pickle.dumps(event)) == event
    with pytest.raises(AttributeError):
        event.other = 1  # type: ignore[union-attr]


def test_events_are_matched_by_name() -> None:
    match Chunk("text"):
        case Chunk(content=text):
            assert text == "text"


def test_the_end_knows_its_tool_calls() -> None:
    call = ToolCall(call_id="c", fn_name="f")
    assert End(content=(Text("a"), call)).tool_calls == (call,)
    assert End().tool_calls == ()


def test_the_providers_payload_is_not_printed() -> None:
    assert "payload" not in repr(End(raw={"payload": 1}))
