"""The SSE decoder, whatever the line ends and wherever the reads are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar.providers.sse import SSEDecoder


def decode(data: bytes, size: int | None = None) -> list[tuple[str | None, bytes]]:
    decoder = SSEDecoder()
    step = size or max(1, len(data))
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return events + decoder.finish()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [None, 1, 2, 3])
def test_line_ends(end: bytes, size: int | None):
    data = end.join([b"event: error", b"data: one", b"", b": comment", b"", b"data: two", b"data:three", b"", b""])
    assert decode(data, size) == [("error", b"one"), (None, b"two\nthree")]


def test_mixed_line_ends_and_blocks():
    assert decode(b"data: 1\r\n\ndata: 2\r\r\ndata: 3\n\r\ndata: 4\r\n\r\n") == [
        (None, b"1"),
        (None, b"2"),
        (None, b"3"),
        (None, b"4"),
    ]


def test_a_bare_cr_ends_an_event_at_once():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: 1\r\r") == [(None, b"1")]
    assert decoder.feed(b"\ndata: 2\r\r") == [(None, b"2")]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: x\n\n", [(None, b"x")]),
        (b"data:x\n\n", [(None, b"x")]),
        (b"data:  x\n\n", [(None, b" x")]),
        (b"data\n\n", [(None, b"")]),
        (b"data: a\ndata\ndata: b\n\n", [(None, b"a\n\nb")]),
        (b"event: ping\n\n", []),
        (b": only a comment\n\n", []),
        (b"id: 7\nretry: 10\nother: x\ndata: y\n\n", [(None, b"y")]),
        (b" data: not a field\n\ndata: y\n\n", [(None, b"y")]),
        (b"\n\n\n\ndata: y\n\n\n\n", [(None, b"y")]),
        (b"event: a\ndata: 1\n\ndata: 2\n\n", [("a", b"1"), (None, b"2")]),
        (b"data: a:b: c\n\n", [(None, b"a:b: c")]),
        (b"", []),
    ],
)
def test_fields(data: bytes, events: list[tuple[str | None, bytes]]):
    assert decode(data) == events
    assert decode(data, 1) == events


@pytest.mark.parametrize("size", [None, 1, 2])
def test_a_byte_order_mark_is_dropped_once(size: int | None):
    assert decode(b"\xef\xbb\xbfdata: x\n\n", size) == [(None, b"x")]
    assert decode(b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\ndata: y\n\n", size) == [(None, b"y")]


def test_data_at_the_end_without_a_blank_line():
    assert decode(b"data: 1\n\ndata: 2") == [(None, b"1"), (None, b"2")]
    assert decode(b"data: 1\n\ndata: 2\n") == [(None, b"1"), (None, b"2")]
    assert decode(b"data: 1\n\nevent: x\n") == [(None, b"1")]


def test_multi_byte_characters_split_across_reads():
    text = "data: Grüße 🦊\n\n".encode()
    assert decode(text, 1) == [(None, "Grüße 🦊".encode())]


def test_an_endless_event_overflows():
    decoder = SSEDecoder(max_event_bytes=100)
    assert decoder.feed(b"data: 1\n\ndata: ") == [(None, b"1")]
    for _ in range(20):
        assert decoder.feed(b"x" * 10) == []
    assert decoder.overflow
    assert decoder.feed(b"\n\ndata: 2\n\n") == []
    assert decoder.finish() == []


def test_a_long_event_in_one_read_overflows_after_those_before_it():
    decoder = SSEDecoder(max_event_bytes=100)
    assert decoder.feed(b"data: 1\n\ndata: " + b"x" * 200 + b"\n\ndata: 2\n\n") == [(None, b"1")]
    assert decoder.overflow


LINES = st.lists(
    st.sampled_from([b"data: x", b"data:y", b"data: {}", b"", b"", b": c", b"event: e", b"data", "data: é🦊".encode()]),
    max_size=12,
)
ENDS = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=12, max_size=12)


@given(LINES, ENDS, st.integers(1, 9))
def test_where_reads_are_cut_makes_no_difference(lines: list[bytes], ends: list[bytes], size: int):
    data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    assert decode(data, size) == decode(data)


@given(LINES, st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=12, max_size=12))
def test_line_ends_make_no_difference(lines: list[bytes], ends: list[bytes]):
    mixed = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    assert decode(mixed) == decode(b"".join(line + b"\n" for line in lines))
