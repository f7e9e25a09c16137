"""Streams of the Responses dialect whose events come in an order, or with names, that the provider itself never sends.

Gateways and local servers do: no text, no call and no argument may be lost on the way, nor told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.providers.responses_events import (
    added,
    call,
    created,
    delta,
    done,
    end_of,
    ends,
    event,
    message,
    text,
    thought,
    whole,
)

from lamellar.chat.content import ContentPart, Custom, ReasoningContent, Text, ToolCall
from lamellar.chat.events import Chunk, ReasoningChunk, ToolCallChunk

ARGUMENTS = "function_call_arguments"
CALLED = ToolCall(call_id="call_1", fn_name="f", fn_arguments={"a": 1})


def content(*pieces: bytes) -> Sequence[ContentPart]:
    """The parts of the answer, without the fields of items, which must be what its events told."""
    events = whole(created(), *pieces)
    parts = [part for part in end_of(created(), *pieces).content or () if not isinstance(part, Custom)]
    told = "".join(each.content for each in events if isinstance(each, Chunk))
    assert told == "".join(part.text for part in parts if isinstance(part, Text))
    reasoned = "".join(each.content for each in events if isinstance(each, ReasoningChunk))
    assert reasoned == "".join(part.text for part in parts if isinstance(part, ReasoningContent))
    calls = [part for part in parts if isinstance(part, ToolCall)]
    begun = [each for each in events if isinstance(each, ToolCallChunk) and each.name is not None]
    assert [(each.call_id, each.name) for each in begun] == [(each.call_id, each.fn_name) for each in calls]
    return parts


def arguments(piece: str, at: int | None = 0, **more: Any) -> bytes:
    place = {} if at is None else {"output_index": at}
    return event(f"response.{ARGUMENTS}.done", arguments=piece, **place, **more)


SAID = message(text("Hello"), id="m")
ASKED = call("f", '{"a":1}', id="c")


@pytest.mark.parametrize("last", [(), (SAID, ASKED)])
@pytest.mark.parametrize("closed", [False, True])
def test_two_items_of_one_index_are_told_apart_by_their_ids(last: tuple[Any, ...], closed: bool):
    pieces = [
        added({**SAID, "content": []}),
        added({**ASKED, "arguments": ""}),
        delta("output_text", "Hel", item_id="m"),
        delta(ARGUMENTS, '{"a"', item_id="c"),
        delta("output_text", "lo", item_id="m"),
        delta(ARGUMENTS, ":1}", item_id="c"),
    ]
    if closed:
        pieces += [done(SAID), done(ASKED)]
    assert content(*pieces, ends("completed", *last)) == [Text("Hello"), CALLED]


def test_two_whole_items_of_one_index():
    assert content(done(SAID), done({**SAID, "id": "n"}), done(ASKED), ends()) == [
        Text("Hello"),
        Text("Hello"),
        CALLED,
    ]


def test_items_of_one_id_are_told_apart_by_their_indexes():
    first, second = message(text("One"), id="x"), message(text("Two"), id="x")
    pieces = [
        added({**first, "content": []}, 0),
        delta("output_text", "O", 0, item_id="x"),
        added({**second, "content": []}, 1),
        delta("output_text", "Two", 1, item_id="x"),
        delta("output_text", "ne", 0, item_id="x"),
        done(first, 0),
        done(second, 1),
    ]
    parts = end_of(created(), *pieces, ends("completed", first, second)).content or ()
    assert [part for part in parts if isinstance(part, Text)] == [Text("One"), Text("Two")]


def test_ids_that_are_new_with_every_event():
    pieces = [
        added({**SAID, "content": [], "id": "a"}),
        delta("output_text", "Hel", item_id="b"),
        delta("output_text", "lo", item_id="c"),
        done({**SAID, "id": "d"}),
        ends("completed", {**SAID, "id": "e"}),
    ]
    assert content(*pieces) == [Text("Hello")]


@pytest.mark.parametrize("named", [True, False])
def test_the_last_event_brings_an_item_from_between(named: bool):
    items = [message(text(said), **({"id": said} if named else {"id": None})) for said in ("One. ", "Two. ", "Three.")]
    pieces = [done(items[0], 0), done(items[2], 2), ends("completed", *items)]
    assert sorted(str(part) for part in content(*pieces)) == sorted(
        str(Text(said)) for said in ("One. ", "Two. ", "Three.")
    )


def test_the_last_event_brings_an_item_whose_place_another_took():
    first, second = message(text("One. "), id="1"), message(text("Two."), id="2")
    assert content(done(second, 0), ends("completed", first, second)) == [Text("Two."), Text("One. ")]


@pytest.mark.parametrize("first", [0, 1])
def test_items_without_ids_are_told_once_wherever_a_server_begins_to_count(first: int):
    said, asked = message(text("Hello"), id=None), call("f", '{"a":1}', id=None)
    other = message(text("there"), id=None)
    pieces = [done(said, first), done(other, first + 1), done(asked, first + 2), ends("completed", said, other, asked)]
    assert content(*pieces) == [Text("Hello"), Text("there"), CALLED]


def test_bare_deltas_are_what_the_last_event_lists():
    pieces = [event("response.output_text.delta", delta="Hel"), event("response.output_text.delta", delta="lo")]
    assert content(*pieces, ends("completed", SAID)) == [Text("Hello")]


def test_bare_deltas_of_two_kinds():
    pieces = [
        event("response.reasoning_text.delta", delta="hm"),
        event("response.output_text.delta", delta="Hel"),
        event("response.output_text.delta", delta="lo"),
    ]
    assert content(*pieces, ends()) == [ReasoningContent(text="hm"), Text("Hello")]


@pytest.mark.parametrize("place", [{"item_id": "c"}, {"output_index": 0}, {"item_id": "c", "output_index": 0}])
@pytest.mark.parametrize("closed", [False, True])
def test_arguments_before_their_call_begins(place: dict[str, Any], closed: bool):
    pieces = [
        event(f"response.{ARGUMENTS}.delta", delta='{"a"', **place),
        added({**ASKED, "arguments": ""}),
        event(f"response.{ARGUMENTS}.delta", delta=":1}", **place),
    ]
    if closed:
        pieces.append(done(ASKED))
    assert content(*pieces, ends("completed", ASKED)) == [CALLED]


def test_text_before_its_message_begins():
    pieces = [delta("output_text", "Hel", item_id="m"), added({**SAID, "content": []}), delta("output_text", "lo")]
    assert content(*pieces, done(SAID), ends("completed", SAID)) == [Text("Hello")]


@pytest.mark.parametrize("place", [{}, {"item_id": "c"}, {"at": None}, {"at": None, "item_id": "c"}])
def test_arguments_that_come_whole_only(place: dict[str, Any]):
    opens = added({**ASKED, "arguments": ""})
    assert content(opens, arguments('{"a":1}', **place), ends()) == [CALLED]


def test_arguments_that_come_whole_are_not_told_twice():
    opens = added({**ASKED, "arguments": ""})
    pieces = [opens, delta(ARGUMENTS, '{"a"', item_id="c"), arguments('{"a":1}'), done(ASKED), ends("completed", ASKED)]
    assert content(*pieces) == [CALLED]


def test_a_call_that_only_its_arguments_tell():
    assert content(arguments('{"a":1}', name="f"), ends()) == [
        ToolCall(call_id="call_0", fn_name="f", fn_arguments={"a": 1})
    ]


def test_texts_that_come_whole_only():
    pieces = [
        added(thought(), 0),
        event("response.reasoning_summary_text.done", output_index=0, summary_index=0, text="hm"),
        added({**SAID, "content": []}, 1),
        event("response.output_text.done", output_index=1, content_index=0, text="Hello"),
        event("response.output_text.done", output_index=1, content_index=0, text="Hello"),
    ]
    assert content(*pieces, ends()) == [ReasoningContent(text="hm"), Text("Hello")]


def test_a_refusal_that_comes_whole_only():
    pieces = [added({**SAID, "content": []}), event("response.refusal.done", output_index=0, refusal="No.")]
    assert Custom(model="openai_resp", data={"refusal": "No."}) in (end_of(created(), *pieces, ends()).content or ())


def test_a_call_that_is_opened_twice_is_one():
    opens = added({**ASKED, "arguments": ""})
    assert content(opens, opens, delta(ARGUMENTS, '{"a":1}'), done(ASKED), ends()) == [CALLED]


def test_a_piece_goes_to_no_item_of_another_kind():
    pieces = [added({**ASKED, "arguments": ""}), delta("output_text", "Hello", 0), done(ASKED), ends()]
    assert content(*pieces) == [CALLED, Text("Hello")]
