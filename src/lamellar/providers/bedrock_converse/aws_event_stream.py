"""AWS's binary event stream (application/vnd.amazon.eventstream), decoded from bytes in whatever pieces they arrive.

A frame is a prelude (the length of the whole, the length of the headers, the CRC-32 of both), the headers, the payload,
and the CRC-32 of everything before it; all numbers are big-endian. See
https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html and the smithy specification
(https://smithy.io/2.0/aws/amazon-eventstream.html), where the types of headers are.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias
from uuid import UUID
from zlib import crc32

__all__ = ["MAX_HEADER_BYTES", "MAX_PAYLOAD_BYTES", "Frame", "FrameDecoder", "HeaderValue"]

MAX_HEADER_BYTES = 128 * 1024
"""The format's own bound on a frame's headers."""

MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
"""The format's own bound on a frame's payload."""

HeaderValue: TypeAlias = bool | int | bytes | str | UUID
"""What a header holds; a time is the milliseconds since the epoch."""

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_NUMBERS = {kind: struct.Struct(f">{code}") for kind, code in {2: "b", 3: "h", 4: "i", 5: "q", 8: "q"}.items()}
_LEAST = _PRELUDE.size + _CRC.size
_MOST = _LEAST + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES
_REMEMBERED = 32


class Frame(NamedTuple):
    """One message of the stream."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


class _BrokenError(ValueError):
    """A frame is not one; what is wrong with it."""


class FrameDecoder:
    """Turns bytes into frames; one per stream.

    The length of a frame decides where the next one begins, so nothing can be read after a frame that is broken:
    `problem` then says what is wrong, and no more is decoded.
    """

    __slots__ = ("_headers", "_held", "_size", "_wanted", "problem")

    def __init__(self) -> None:
        self._held: list[bytes] = []  # pieces of the frame that is not yet whole
        self._size = 0
        self._wanted = _PRELUDE.size  # bytes without which nothing more can be said
        self._headers: dict[bytes, Mapping[str, HeaderValue]] = {}  # a stream has few kinds of frames, many of each
        self.problem: str | None = None
        """What is wrong with the frame after the last one, or None."""

    @property
    def within(self) -> bool:
        """Whether a frame has begun and is not whole."""
        return self._size > 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order."""
        if not data or self.problem is not None:
            return []
        self._held.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return []  # joining later keeps a long frame that trickles in linear
        buffer = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        frames: list[Frame] = []
        at = 0
        try:
            at = self._decode(buffer, frames)
        except _BrokenError as broken:
            self.problem = str(broken)
            self._held, self._size = [], 0
            return frames
        rest = buffer[at:]
        self._held, self._size = ([rest] if rest else []), len(rest)
        return frames

    def _decode(self, buffer: bytes, frames: list[Frame]) -> int:
        """Decode every whole frame; where the first begins that is not."""
        at, end = 0, len(buffer)
        while True:
            self._wanted = _PRELUDE.size
            if end - at < _PRELUDE.size:
                return at
            total, header_bytes, told = _PRELUDE.unpack_from(buffer, at)
            if crc32(buffer[at : at + 8]) != told:
                raise _BrokenError("the checksum of a frame's prelude is wrong")
            if header_bytes > MAX_HEADER_BYTES or not _LEAST + header_bytes <= total <= _MOST:
                raise _BrokenError(f"a frame of {total} bytes with {header_bytes} bytes of headers is impossible")
            if end - at < total:
                self._wanted = total
                return at
            body_end = at + total - _CRC.size
            if crc32(buffer[at:body_end]) != _CRC.unpack_from(buffer, body_end)[0]:
                raise _BrokenError("the checksum of a frame is wrong")
            payload_at = at + _PRELUDE.size + header_bytes
            headers = self._read(buffer[at + _PRELUDE.size : payload_at])
            frames.append(Frame(headers, buffer[payload_at:body_end]))
            at += total

    def _read(self, block: bytes) -> Mapping[str, HeaderValue]:
        found = self._headers.get(block)
        if found is None:
            found = _headers(block)
            if len(self._headers) < _REMEMBERED and len(block) <= 1024:
                self._headers[block] = found
        return found


def _headers(block: bytes) -> Mapping[str, HeaderValue]:
    found: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(block):
            length = block[at]
            name_end = at + 1 + length
            name = block[at + 1 : name_end].decode()
            if not length or name in found:
                raise _BrokenError("a header of a frame has no name, or stands twice")
            found[name], at = _value(block, name_end)
    except (IndexError, struct.error, UnicodeDecodeError):
        raise _BrokenError("the headers of a frame are broken") from None
    return found


def _value(block: bytes, at: int) -> tuple[HeaderValue, int]:
    """A header's value, and where it ends."""
    kind = block[at]
    at += 1
    if kind in (0, 1):
        return kind == 0, at
    if kind in _NUMBERS:
        number = _NUMBERS[kind]
        return number.unpack_from(block, at)[0], at + number.size
    if kind in (6, 7):
        length = _SHORT.unpack_from(block, at)[0]
        at += _SHORT.size
        value, end = block[at : at + length], at + length
        if len(value) < length:
            raise _BrokenError("a header of a frame is longer than all of them")
        return (value if kind == 6 else value.decode()), end
    if kind == 9 and len(block) >= at + 16:
        return UUID(bytes=block[at : at + 16]), at + 16
    raise _BrokenError(f"a header of a frame has the type {kind}, which nobody knows")
