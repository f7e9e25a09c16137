"""Events, put together into parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar.accumulate import Accumulator, parse_arguments
from lamellar.chat.content import ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    ReasoningChunk,
    Restart,
    Start,
    StreamEvent,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.errors import ErrorKind


def gathered(*events: StreamEvent) -> Accumulator:
    found = Accumulator()
    for event in events:
        found.add(event)
    return found


def test_contiguous_pieces_of_one_channel_are_one_part() -> None:
    found = gathered(
        ReasoningChunk("let me "),
        ReasoningChunk("think"),
        Chunk("so "),
        Chunk("it is"),
        ReasoningChunk("hm"),
        Chunk("!"),
    )
    assert found.parts() == (
        ReasoningContent(text="let me think"),
        Text("so it is"),
        ReasoningContent(text="hm"),
        Text("!"),
    )


def test_a_signature_is_whole() -> None:
    found = gathered(ThoughtSignatureChunk("a"), ThoughtSignatureChunk("b"), Chunk("text"))
    assert found.parts() == (ThoughtSignature(signature="a"), ThoughtSignature(signature="b"), Text("text"))


def test_of_calls_side_by_side_only_the_whole_ones_are_parts() -> None:
    found = gathered(
        ToolCallChunk(0, "a", "f", '{"x": '), ToolCallChunk(1, "b", "g", "{}"), ToolCallChunk(2, "c", "h", '{"y')
    )
    assert [part.call_id for part in found.parts(whole=False)] == ["b"]
    assert found.open_tool_call is not None
    assert found.open_tool_call.call_id == "c"


def test_events_without_content_change_nothing() -> None:
    found = gathered(Start("m", "p"), End())
    found.add(PROGRESS)  # type: ignore[arg-type]
    assert not found
    assert found.parts() == ()


def test_the_deltas_of_a_call_make_the_call() -> None:
    found = gathered(
        ToolCallChunk(0, "c0", "look"),
        ToolCallChunk(0, arguments='{"a"'),
        ToolCallChunk(0, arguments=": 1}"),
    )
    assert found.parts() == (ToolCall(call_id="c0", fn_name="look", fn_arguments={"a": 1}),)


def test_calls_that_come_interleaved_are_told_apart_by_their_index() -> None:
    found = gathered(
        ToolCallChunk(1, "b", "g", "["),
        ToolCallChunk(0, "a", "f", "{"),
        ToolCallChunk(1, arguments="1]"),
        ToolCallChunk(0, arguments="}"),
    )
    assert [(call.call_id, call.fn_arguments) for call in found.parts() if isinstance(call, ToolCall)] == [
        ("b", [1]),
        ("a", {}),
    ]


def test_text_after_a_call_is_a_part_of_its_own() -> None:
    found = gathered(Chunk("a"), ToolCallChunk(0, "c", "f", "{}"), Chunk("b"))
    assert [type(part) for part in found.parts()] == [Text, ToolCall, Text]


def test_a_call_is_open_until_its_arguments_are_whole() -> None:
    found = gathered(Chunk("a"), ToolCallChunk(0, "c", "f", '{"x": '))
    assert found.open_tool_call == ToolCall(call_id="c", fn_name="f", fn_arguments='{"x": ')
    assert found.parts(whole=False) == (Text("a"),)
    found.add(ToolCallChunk(0, arguments="1}"))
    assert found.open_tool_call is None
    assert len(found.parts(whole=False)) == 2


def test_a_call_without_any_arguments_yet_is_open() -> None:
    found = gathered(ToolCallChunk(0, "c", "f"))
    assert found.open_tool_call == ToolCall(call_id="c", fn_name="f", fn_arguments="")
    assert found.parts(whole=False) == ()


def test_text_is_never_an_open_call() -> None:
    assert gathered(Chunk("{")).open_tool_call is None
    assert gathered().open_tool_call is None


def test_a_restart_drops_everything() -> None:
    found = gathered(
        Chunk("old"), ToolCallChunk(0, "c", "f", "{}"), Restart("t", "m", ErrorKind.CONNECTION), Chunk("new")
    )
    assert found.parts() == (Text("new"),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("not json", "not json"),
        ('{"a"', '{"a"'),
    ],
)
def test_arguments_are_parsed_where_they_are_json(text: str, value: object) -> None:
    assert parse_arguments(text) == value


@given(st.lists(st.tuples(st.sampled_from([Chunk, ReasoningChunk]), st.text(min_size=1, max_size=5)), max_size=30))
def test_no_character_is_lost_and_neighbours_differ(pieces) -> None:
    parts = gathered(*[kind(text) for kind, text in pieces]).parts()
    for kind, part_type in ((Chunk, Text), (ReasoningChunk, ReasoningContent)):
        said = "".join(text for each, text in pieces if each is kind)
        assert "".join(part.text for part in parts if isinstance(part, part_type)) == said
    assert all(type(left) is not type(right) for left, right in pairwise(parts))
