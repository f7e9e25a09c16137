"""Where reads are cut, what the bytes are, and where a tag is split makes no difference to a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.chat_chunks import (
    DONE,
    LIFT,
    calls,
    chunk,
    end_of,
    event,
    fn,
    opened,
    run,
    tail,
    text,
)

from lamellar.chat.content import ReasoningContent, Text, reasoning_of, text_of
from lamellar.chat.events import Chunk, End, ReasoningChunk
from lamellar.chat.options import ChatOptions
from lamellar.thinking import ThinkSplitter

PIECES = [
    chunk({"role": "assistant", "content": ""}),
    text("Grüße 🦊"),
    text(" <thi"),
    text("nk> a </think> b"),
    chunk({"reasoning": "weil"}),
    chunk({"content": [{"type": "text", "text": "ß"}]}),
    calls(fn("f", '{"a"', index=0, id="c1")),
    calls(fn(None, ":1}", index=0)),
    calls(fn("g", "{}", id="c2")),
    chunk({"reasoning_details": [{"type": "reasoning.encrypted", "data": "e"}]}),
    b": comment\n\n",
    chunk(finish="stop"),
    tail(),
    DONE,
    event({"error": {"message": "x", "code": 502}}),
    b"data: {broken\n\n",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=12), st.integers(1, 300), st.sampled_from([None, LIFT]), st.booleans()
)
def test_where_reads_are_cut_makes_no_difference(
    pieces: list[bytes], size: int, options: ChatOptions | None, crlf: bool
):
    data = b"".join(pieces)
    events, parser = run(data, options=options)
    again, other = run(data.replace(b"\n", b"\r\n") if crlf else data, size=size, options=options)
    assert again == events
    assert str(other.error) == str(parser.error)
    assert (other.ended, other.finishing) == (parser.ended, parser.finishing)
    ends = [e for e in events if isinstance(e, End)]
    assert len(ends) == (0 if parser.error else 1)
    if ends:
        content = ends[0].content or ()
        assert text_of(content) == "".join(e.content for e in events if isinstance(e, Chunk))
        assert (reasoning_of(content) or "") == "".join(e.content for e in events if isinstance(e, ReasoningChunk))


@given(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=4), st.integers(0, 400))
def test_no_bytes_raise(junk: bytes, pieces: list[bytes], at: int):
    data = b"".join(pieces)
    parser = opened(LIFT)
    parser.feed(data[:at] + junk + data[at:])
    parser.finish()
    assert parser.ended or parser.error


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
def test_inline_thinking_is_lifted_on_demand_across_chunks(size: int):
    said = "<think>\nfirst\n\nsecond \n</think>\n\nThe <b>answer</b>: 1 < 2"
    pieces = [text(said[at : at + size]) for at in range(0, len(said), size)]
    end = end_of(*pieces, chunk(finish="stop"), tail(), options=LIFT)
    assert end.content == (ReasoningContent(text="first\n\nsecond"), Text("The <b>answer</b>: 1 < 2"))
    assert end_of(*pieces, chunk(finish="stop")).content == (Text(said),)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "<th", "ink>", " ", "\n", "a", "</", "b c"]), max_size=15))
def test_the_splitter_does_not_mind_the_cuts(pieces: list[str]):
    def split(texts: list[str]) -> list[tuple[bool, str]]:
        splitter = ThinkSplitter()
        found = [piece for said in texts for piece in splitter.feed(said)] + splitter.finish()
        assert all(piece for _, piece in found)
        joined: list[tuple[bool, str]] = []
        for kind, piece in found:
            if joined and joined[-1][0] is kind:
                joined[-1] = (kind, joined[-1][1] + piece)
            else:
                joined.append((kind, piece))
        return joined

    said = "".join(pieces)
    assert split(pieces) == split([said]) == split(list(said))
