"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping

from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ..error_bodies import error_from
from ..event_stream import STATUS, Events, EventStreamParser
from ..sse import SSEDecoder
from ..wire import Exchange
from .reading import Reading
from .response import parse_response

__all__ = ["ContentStreamParser"]


class ContentStreamParser(EventStreamParser):
    """Reads one stream of generateContent payloads; what `StreamParser` says.

    There is no mark of the end: the finish reason says that the answer is whole, and `End` comes with the end of the
    bytes, because usage, grounding and a last signature may follow. An error that breaks into a stream comes bare,
    without `data:` before it, in an object or in a list; so do answers from a server that does not know `alt=sse`.
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers, SSEDecoder(bare_json=True))
        self._reading = Reading(exchange, STATUS, headers)

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._reading.usage

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if name == "error":
            self._fail(error_from(self._exchange, STATUS, self._headers, payload))
        else:
            self._payloads(payload, out)

    def _payloads(self, payload: object, out: Events) -> None:
        reading = self._reading
        for each in payload if isinstance(payload, list) else (payload,):
            reading.payload(each, out)
            if reading.error is not None:
                self._fail(reading.error)
                return
        self.finishing = reading.finish_reason is not None

    def _end(self, out: Events) -> None:
        end = self._reading.end(out)
        self.ended = self._stopped = True
        out.append(end)
