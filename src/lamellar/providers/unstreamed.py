"""A body that is no event stream, where one was asked for: the same answer, as events."""

from __future__ import annotations

from collections.abc import Mapping

from ..chat.events import StreamEvent
from ..replay import events_of
from .error_bodies import malformed
from .sse import MAX_EVENT_BYTES
from .wire import Exchange, ParseResponse

__all__ = ["Unstreamed"]

_FIELDS = (b":", b"data", b"event", b"id", b"retry")


class Unstreamed:
    """The bytes before the first event, kept for servers that answer a request for a stream with one body."""

    __slots__ = ("_bytes", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._bytes = 0

    def kept(self, data: bytes) -> Unstreamed | None:
        """This, with `data` added; None once it is more than any answer."""
        self._bytes += len(data)
        self._pieces.append(data)
        return self if self._bytes <= MAX_EVENT_BYTES else None

    def events(
        self, exchange: Exchange, status: int, headers: Mapping[str, str], parse: ParseResponse
    ) -> list[StreamEvent] | None:
        """The events of a whole JSON answer; None when it is the beginning of an event stream after all.

        Raises:
            ExecutorError: It is an error in-band, or neither JSON nor an event stream.
        """
        text = b"".join(self._pieces).lstrip(b"\xef\xbb\xbf \r\n\t")
        if text.startswith(_FIELDS) or any(field.startswith(text) for field in _FIELDS):  # or the bytes end within one
            return None
        if text[:1] not in (b"{", b"["):
            raise malformed(exchange, status, "the body is neither an event stream nor JSON", text)
        return events_of(parse(exchange, status, headers, text))
