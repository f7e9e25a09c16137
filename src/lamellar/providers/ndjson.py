"""JSON in lines (https://github.com/ndjson/ndjson-spec), decoded from bytes in whatever pieces they arrive.

The counterpart of `SSEDecoder`, with the same bounds: an event is a line, and has no name. No text is decoded here, so
a character that is split across reads needs no care.
"""

from __future__ import annotations

from .sse import MAX_EVENT_BYTES, SSEEvent

__all__ = ["NDJSONDecoder"]

_BOM = b"\xef\xbb\xbf"


class NDJSONDecoder:
    """Turns bytes into lines; one per stream.

    Args:
        max_event_bytes: Bound on the bytes of one line. When it is passed, `overflow` is set and nothing more is
            decoded.
    """

    __slots__ = ("_at_start", "_held", "_held_bytes", "_max", "overflow")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._held: list[bytes] = []  # pieces of the line that is not yet whole
        self._held_bytes = 0
        self._at_start = True
        self.overflow = False
        """Whether a line was longer than the bound."""

    def feed(self, data: bytes) -> list[SSEEvent]:
        """The lines that `data` completes, in order; blank ones, which keep a connection alive, are none."""
        if not data or self.overflow:
            return []
        if b"\n" not in data:
            # Nothing can be completed; joining later keeps a long line that trickles in linear.
            self._hold(data)
            return []
        if self._held:
            data = b"".join((*self._held, data))
            self._held.clear()
            self._held_bytes = 0
        if self._at_start:
            self._at_start = False
            data = data.removeprefix(_BOM)
        lines = data.split(b"\n")
        rest = lines.pop()
        if rest:
            self._hold(rest)
        events: list[SSEEvent] = []
        for line in lines:
            if len(line) > self._max:
                self.overflow = True
                break
            if line and not line.isspace():
                events.append((None, line))
        return events

    def finish(self) -> list[SSEEvent]:
        """The line that was left without its end, if it is JSON or the beginning of it."""
        rest = b"" if self.overflow else b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        if self._at_start:
            rest = rest.removeprefix(_BOM)
        return [(None, rest)] if rest.lstrip()[:1] in (b"{", b"[") else []

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._max:
            self.overflow = True
            self._held.clear()
