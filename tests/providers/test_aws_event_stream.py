"""AWS's binary event stream: frames out of bytes."""

from __future__ import annotations

import random
import zlib
from uuid import UUID

import pytest

from lamellar.providers.bedrock_converse.aws_event_stream import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameDecoder,
)
from lamellar.testing.simulator.wire_bedrock_frames import frame

ONE = frame({":event-type": "one"}, b'{"a":1}')
TWO = frame({":event-type": "two", ":message-type": "event"}, b"")


def sealed(headers: bytes, payload: bytes = b"", *, total: int | None = None, told: int | None = None) -> bytes:
    """A frame with these bytes as its headers, and with lengths that may be wrong."""
    whole = 16 + len(headers) + len(payload) if total is None else total
    prelude = whole.to_bytes(4) + (len(headers) if told is None else told).to_bytes(4)
    message = prelude + zlib.crc32(prelude).to_bytes(4) + headers + payload
    return message + zlib.crc32(message).to_bytes(4)


def header(kind: int, value: bytes, name: bytes = b"h") -> bytes:
    return bytes([len(name)]) + name + bytes([kind]) + value


def decode(data: bytes, size: int | None = None) -> tuple[list[Frame], FrameDecoder]:
    decoder = FrameDecoder()
    found: list[Frame] = []
    for at in range(0, len(data), size or max(1, len(data))):
        found += decoder.feed(data[at : at + (size or len(data))])
    return found, decoder


@pytest.mark.parametrize("size", [None, 1, 2, 5, 11, 12, 13, 40])
def test_frames_arrive_in_any_pieces(size: int | None):
    found, decoder = decode(ONE + TWO + ONE, size)
    assert found == [
        Frame({":event-type": "one"}, b'{"a":1}'),
        Frame({":event-type": "two", ":message-type": "event"}, b""),
        Frame({":event-type": "one"}, b'{"a":1}'),
    ]
    assert decoder.problem is None
    assert not decoder.within


def test_the_smallest_frame_has_neither_headers_nor_payload():
    assert decode(sealed(b""))[0] == [Frame({}, b"")]


@pytest.mark.parametrize(
    ("kind", "value", "means"),
    [
        (0, b"", True),
        (1, b"", False),
        (2, b"\xff", -1),
        (3, b"\x01\x00", 256),
        (4, b"\xff\xff\xff\xfe", -2),
        (5, b"\x00" * 7 + b"\x09", 9),
        (6, b"\x00\x02\x00\xff", b"\x00\xff"),
        (7, "\x00\x03né".encode("latin-1")[:2] + "né".encode(), "né"),
        (8, b"\x00" * 6 + b"\x01\x00", 256),
        (9, bytes(range(16)), UUID(bytes=bytes(range(16)))),
    ],
)
def test_every_type_of_header(kind: int, value: bytes, means: object):
    found, decoder = decode(sealed(header(kind, value) + header(7, b"\x00\x01x", b"after")))
    assert decoder.problem is None
    assert found == [Frame({"h": means, "after": "x"}, b"")]


@pytest.mark.parametrize(
    "headers",
    [
        header(10, b""),
        header(5, b"\x00"),
        header(7, b"\x00\x09short"),
        header(9, b"short"),
        header(7, b"\x00\x01\xff"),
        header(0, b"") + header(0, b""),
        header(0, b"", b""),
        b"\x09abc",
        b"\x01h",
    ],
)
def test_broken_headers(headers: bytes):
    found, decoder = decode(ONE + sealed(headers) + ONE)
    assert found == [Frame({":event-type": "one"}, b'{"a":1}')]
    assert decoder.problem is not None
    assert "header" in decoder.problem
    assert decoder.feed(ONE) == []


@pytest.mark.parametrize("at", range(len(ONE)))
def test_a_bit_that_flipped_anywhere(at: int):
    broken = bytearray(ONE)
    broken[at] ^= 0x10
    found, decoder = decode(TWO + bytes(broken))
    assert len(found) == 1
    assert decoder.problem is not None
    assert "checksum" in decoder.problem


@pytest.mark.parametrize(
    "data",
    [
        sealed(b"", total=15),
        sealed(b"", total=0),
        sealed(b"", told=1),
        sealed(b"", total=2**32 - 1),
        sealed(b"", told=MAX_HEADER_BYTES + 1, total=MAX_HEADER_BYTES + 100),
        sealed(b"", total=17 + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES),
    ],
)
def test_lengths_that_cannot_be(data: bytes):
    found, decoder = decode(data)
    assert found == []
    assert decoder.problem is not None
    assert "impossible" in decoder.problem
    assert not decoder.within


def test_a_frame_that_is_not_whole():
    found, decoder = decode(ONE + TWO[:-1])
    assert len(found) == 1
    assert decoder.problem is None
    assert decoder.within


def test_a_long_frame_that_trickles_in_is_joined_once():
    payload = random.Random(1).randbytes(4_000_000)
    found, decoder = decode(frame({":event-type": "long"}, payload), 100)
    assert found[0].payload == payload
    assert not decoder.within


def test_the_same_as_the_library_of_aws():
    eventstream = pytest.importorskip("botocore.eventstream")
    dice = random.Random(7)
    data = b"".join(
        frame(
            {f":{n}": "x" * dice.randint(0, 40) for n in range(dice.randint(0, 4))}, dice.randbytes(dice.randint(0, 90))
        )
        for _ in range(50)
    )
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(data)
    theirs = [(dict(each.headers), each.payload) for each in buffer]
    assert [(dict(headers), payload) for headers, payload in decode(data, 37)[0]] == theirs
