"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping

from ...chat.events import End
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ..event_stream import STATUS, Events, EventStreamParser
from ..ndjson import NDJSONDecoder
from ..wire import Exchange
from .reading import Reading
from .response import parse_response

__all__ = ["OllamaStreamParser"]


class OllamaStreamParser(EventStreamParser):
    """Reads one stream of lines; what `StreamParser` says.

    The line that says `done` has the reason and the counts, and nothing follows it. An error is a line of its own.
    """

    signal = "line that says it is done"

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers, NDJSONDecoder())
        self._reading = Reading(exchange, STATUS, headers)

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._reading.usage

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        reading = self._reading
        if not self._started and isinstance(payload, dict) and not payload.get("error"):
            self._begin(payload.get("model"), None, out)
        reading.payload(payload, out)
        if reading.error is not None:
            self._fail(reading.error)
        elif reading.done:
            self.finishing = True
            self._end(out)

    def _end(self, out: Events) -> None:
        reading = self._reading
        reading.answer.finish(out)
        self.ended = self._stopped = True
        out.append(
            End(
                stop_reason=reading.stop_reason,
                usage=reading.usage,
                content=reading.answer.content(),
                provider_model=reading.model,
                raw=reading.raw,
            )
        )
