"""The parts of a message."""

from __future__ import annotations

import base64

import pytest
from pydantic import TypeAdapter

from lamellar.chat.content import (
    Binary,
    BinarySource,
    ContentPart,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
    reasoning_of,
    text_of,
    tool_calls_of,
)
from lamellar.errors import ConfigError

PARTS = [
    Text("hi"),
    Binary.from_url("image/png", "https://example.com/a.png"),
    Binary.from_bytes("application/pdf", b"%PDF", "a.pdf"),
    ToolCall(call_id="c", fn_name="f", fn_arguments={"a": [1]}, thought_signatures=("s",)),
    ToolResponse(call_id="c", content={"ok": True}, fn_name="f"),
    ThoughtSignature(signature="s"),
    ReasoningContent(text="hm"),
    Custom(data={"citations": []}, model="m"),
]


@pytest.mark.parametrize("part", PARTS, ids=[type(part).__name__ for part in PARTS])
def test_a_part_goes_to_json_and_back_by_its_tag(part: object) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(ContentPart)
    assert adapter.validate_json(adapter.dump_json(part)) == part
    assert adapter.dump_python(part)["type"] == part.type


def test_bytes_are_held_in_base64() -> None:
    part = Binary.from_bytes("image/png", b"\x00\xff")
    assert part.source.base64 is not None
    assert base64.b64decode(part.source.base64) == b"\x00\xff"


@pytest.mark.parametrize("data", [{}, {"url": "u", "base64": "b"}])
def test_a_binary_comes_from_exactly_one_place(data: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="exactly one of `url` and `base64`"):
        BinarySource(**data)


def test_texts_reasoning_and_calls_are_found_among_the_parts() -> None:
    parts = (ReasoningContent(text="a"), Text("b"), PARTS[3], ReasoningContent(text="c"), Text("d"))
    assert text_of(parts) == "bd"
    assert reasoning_of(parts) == "ac"
    assert tool_calls_of(parts) == (PARTS[3],)


def test_no_reasoning_is_none_and_no_text_is_empty() -> None:
    assert reasoning_of([]) is None
    assert reasoning_of([ReasoningContent(text="")]) == ""
    assert text_of([]) == ""
