"""Server-sent events, decoded from bytes in whatever pieces they arrive.

The decoder is made for the common case: one read that holds many whole ``data: {...}`` blocks with LF line ends, each
with or without an ``event:`` line before it. It splits such a read once and slices each block; everything else (CR
line ends, comments, several data lines, other fields) takes the slower way, line by line. It never decodes text, so a
character that is split across reads needs no care: the dialect decodes whole payloads.
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = ["MAX_EVENT_BYTES", "SSEDecoder", "SSEEvent"]

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The bound on one event that is not yet whole; what is longer is no answer but an attack or an accident."""

SSEEvent: TypeAlias = tuple[str | None, bytes]
"""The event's name, or None, and its data."""

_BOM = b"\xef\xbb\xbf"
_NAMED = re.compile(rb"event: ([^ \n][^\n]*)\ndata: ([^\n]*)\Z")
"""An event with a name and one line of data, as Anthropic and others send them."""


class SSEDecoder:
    """Turns bytes into events; one per stream.

    Args:
        max_event_bytes: Bound on the bytes of one event. When it is passed, `overflow` is set and nothing more is
            decoded.
        bare_json: Whether a block that is JSON without a field's name before it is an event too: so some servers tell
            an error that breaks into a stream.
    """

    __slots__ = ("_at_start", "_bare_json", "_held", "_held_bytes", "_max", "_skip_lf", "overflow")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES, *, bare_json: bool = False) -> None:
        self._max = max_event_bytes
        self._bare_json = bare_json
        self._held: list[bytes] = []  # pieces of the block that is not yet whole
        self._held_bytes = 0
        self._at_start = True
        self._skip_lf = False  # the last read ended with CR, so an LF that comes first belongs to it
        self.overflow = False
        """Whether an event was longer than the bound."""

    def feed(self, data: bytes) -> list[SSEEvent]:
        """The events that `data` completes, in order."""
        if not data or self.overflow:
            return []
        if self._skip_lf:
            self._skip_lf = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._skip_lf = data[-1] == 0x0D
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._at_start:
            data = self._without_bom(data)
        if b"\n" not in data:
            # Nothing can be completed; joining later keeps a long event that trickles in linear.
            if data:
                self._hold(data)
            return []
        if self._held:
            data = b"".join((*self._held, data))
            self._held.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        self._held_bytes = 0
        if rest:
            self._hold(rest)
        events: list[SSEEvent] = []
        longest = self._max if len(data) > self._max else 0
        for block in blocks:
            if longest and len(block) > longest:
                self.overflow = True
                break
            if block[:6] == b"data: " and b"\n" not in block:
                events.append((None, block[6:]))
            elif block[:7] == b"event: " and (named := _NAMED.match(block)) is not None:
                events.append((named[1].decode("utf-8", "replace"), named[2]))
            elif block:
                event = _parse(block, bare_json=self._bare_json)
                if event is not None:
                    events.append(event)
        return events

    def finish(self) -> list[SSEEvent]:
        """The event that was left without its final blank line, if there is one: many servers omit it."""
        if self.overflow or not self._held:
            return []
        block = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        event = _parse(block, bare_json=self._bare_json)
        return [] if event is None else [event]

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._max:
            self.overflow = True
            self._held.clear()

    def _without_bom(self, data: bytes) -> bytes:
        if self._held:
            data = b"".join((*self._held, data))
            self._held.clear()
            self._held_bytes = 0
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._hold(data)  # may still turn out to be one
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)


def _parse(block: bytes, *, bare_json: bool) -> SSEEvent | None:
    """One block, line by line: None when it holds no data field (comments, a bare `event:`, blank lines)."""
    if bare_json and block.lstrip()[:1] in (b"{", b"["):
        return (None, block)
    name: str | None = None
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace") or None
    return (name, b"\n".join(lines)) if lines else None
