"""Tool calls in streams of the Chat Completions dialect, by the rule and not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.chat_chunks import (
    DONE,
    calls,
    chunk,
    end_of,
    fn,
    text,
    whole,
)

from lamellar.chat.content import ThoughtSignature
from lamellar.chat.events import End, ThoughtSignatureChunk, ToolCallChunk


def told(*pieces: bytes) -> tuple[list[ToolCallChunk], list[tuple[str, str, Any]]]:
    events = whole(*pieces, chunk(finish="tool_calls"), DONE)
    end = events[-1]
    assert isinstance(end, End)
    assert end.stop_reason == "tool_call"
    deltas = [e for e in events if isinstance(e, ToolCallChunk)]
    return deltas, [(call.call_id, call.fn_name, call.fn_arguments) for call in end.tool_calls]


TWO = [("c1", "f", {"a": 1}), ("c2", "g", {})]


def test_tool_calls_by_the_rule():
    deltas, made = told(
        calls(fn("f", "", index=0, id="c1")),
        calls(fn(None, '{"a"', index=0)),
        calls(fn(None, "", index=0)),
        calls(fn(None, ":1}", index=0)),
        calls(fn("g", "", index=1, id="c2")),
        calls(fn(None, "{}", index=1)),
    )
    assert deltas == [
        ToolCallChunk(0, "c1", "f", ""),
        ToolCallChunk(0, None, None, '{"a"'),
        ToolCallChunk(0, None, None, ":1}"),
        ToolCallChunk(1, "c2", "g", ""),
        ToolCallChunk(1, None, None, "{}"),
    ]
    assert made == TWO


@pytest.mark.parametrize(
    "pieces",
    [
        [calls(fn("f", '{"a":1}', index=0, id="c1"), fn("g", "{}", index=1, id="c2"))],
        [calls(fn("f", '{"a":1}', id="c1"), fn("g", "{}", id="c2"))],
        [calls(fn("f", '{"a":1}', id="c1")), calls(fn("g", "{}", id="c2"))],
        [calls(fn("f", '{"a":1}', index=0, id="c1")), calls(fn("g", "{}", index=0, id="c2"))],
        [calls(fn("f", '{"a"', id="c1")), calls(fn(None, ":1}")), calls(fn("g", id="c2"))],
        [calls(fn("f", '{"a"', id="c1")), calls(fn(None, ":1}", id="c1")), calls(fn("g", "", id="c2"))],
        [
            calls(fn("f", '{"a"', index=0, id="c1")),
            calls(fn("", ":1}", index=0, id="")),
            calls(fn("g", id="c2", index=1)),
        ],
        [calls(fn("f", {"a": 1}, index=0, id="c1"), fn("g", {}, index=1, id="c2"))],
        [calls(fn("f", '{"a":1}', index=3, id="c1"), fn("g", "{}", index=7, id="c2"))],
        [
            calls(fn("f", '{"a"', index=0, id="c1")),
            calls(fn("f", ":1}", index=0, id="c1")),
            calls(fn("g", index=1, id="c2")),
        ],
        [
            calls(fn("f", '{"a"', index=0, id="c1")),
            calls(fn(None, ":1}", index=0, id="zz")),
            calls(fn("g", index=1, id="c2")),
        ],
        [calls(fn(None, None, index=0, id="c1")), calls(fn("f", '{"a":1}', index=0)), calls(fn("g", index=1, id="c2"))],
    ],
)
def test_tool_calls_that_differ_from_the_rule(pieces: list[bytes]):
    deltas, made = told(*pieces)
    assert made == TWO
    for index, (call_id, name, arguments) in enumerate(TWO):
        mine = [delta for delta in deltas if delta.index == index]
        assert (mine[0].call_id, mine[0].name) == (call_id, name)
        assert all(delta.call_id is None and delta.name is None and delta.arguments for delta in mine[1:])
        assert json.loads("".join(delta.arguments for delta in mine) or "{}") == arguments


def test_calls_without_ids_get_stable_ones():
    _, made = told(calls(fn("f", "{}", index=0), fn("g", "{}", index=1)))
    assert [call_id for call_id, _, _ in made] == ["call_0", "call_1"]
    _, made = told(calls(fn("f", "{}")), calls(fn("g", "{}")))
    assert [call_id for call_id, _, _ in made] == ["call_0", "call_1"]
    _, made = told(
        chunk({"function_call": {"name": "f", "arguments": "{"}}), chunk({"function_call": {"arguments": "}"}})
    )
    assert made == [("call_0", "f", {})]


def test_arguments_that_are_not_json_stay_text():
    _, made = told(calls(fn("f", '{"a": ', index=0, id="c")))
    assert made == [("c", "f", '{"a": ')]


def test_text_round_a_call_keeps_its_place():
    end = end_of(text("a"), calls(fn("f", "{}", index=0, id="c")), text("b"), chunk(finish="tool_calls"))
    assert end.content
    assert [part.type for part in end.content] == ["text", "tool_call", "text"]


def test_signatures():
    signed = {"extra_content": {"google": {"thought_signature": "s"}}}
    events = whole(text("a"), chunk(signed), calls({**fn("f", "{}", index=0, id="c"), **signed}), chunk(finish="stop"))
    assert ThoughtSignatureChunk("s") in events
    end = events[-1]
    assert isinstance(end, End)
    assert end.content
    assert end.content[1] == ThoughtSignature(signature="s", provider="openai")
    assert end.tool_calls[0].thought_signatures == ("s",)
    assert end.stop_reason == "tool_call"
