"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import from_json

from ...chat.events import Progress, StreamEvent
from ...chat.usage import Usage
from ...errors import ExecutorError
from ..error_bodies import error_from, malformed, parse_error, truncated
from ..sse import MAX_EVENT_BYTES, SSEDecoder, SSEEvent
from ..unstreamed import Unstreamed
from ..wire import Exchange
from .reading import Reading
from .response import parse_response

__all__ = ["ContentStreamParser"]

_Events = list[StreamEvent | Progress]
_DONE = b"[DONE]"
_STATUS = 200
"""An error in-band keeps the status it came under."""


class ContentStreamParser:
    """Reads one stream of generateContent payloads; what `StreamParser` says.

    There is no mark of the end: the finish reason says that the answer is whole, and `End` comes with the end of the
    bytes, because usage, grounding and a last signature may follow. An error that breaks into a stream comes bare,
    without `data:` before it, in an object or in a list; so do answers from a server that does not know `alt=sse`.
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        self.error: ExecutorError | None = None
        self.ended = False
        self.finishing = False
        self._stopped = False  # nothing more is read: ended, or failed
        self._exchange = exchange
        self._headers = headers
        self._sse = SSEDecoder(bare_json=True)
        self._before: Unstreamed | None = Unstreamed()  # until the first event
        self._reading = Reading(exchange, _STATUS, headers)

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._reading.usage

    def feed(self, data: bytes) -> _Events:
        """The events that `data` completes, in order."""
        out: _Events = []
        if not self._stopped:
            found = self._sse.feed(data)
            if self._before is not None:
                self._before = None if found else self._before.kept(data)
            self._read(found, out, whole=True)
            if self._sse.overflow and not self._over():
                self._fail(malformed(self._exchange, _STATUS, f"an event is longer than {MAX_EVENT_BYTES} bytes"))
        return out

    def finish(self) -> _Events:
        """The rest of the events: with `End` when the finish reason had come, else `error` is set."""
        out: _Events = []
        if self._stopped:
            return out
        found = self._sse.finish()
        self._read(found, out, whole=False)
        if self._over():
            return out
        if self.finishing:
            self._end(out)
        elif self._before is not None and not found:
            self._no_events(self._before)
        else:
            self._fail(truncated(self._exchange, _STATUS, "the stream ended without a finish reason"))
        return out

    def _over(self) -> bool:
        return self._stopped

    def _read(self, found: list[SSEEvent], out: _Events, *, whole: bool) -> None:
        for name, data in found:
            try:
                payload = from_json(data)
            except ValueError:
                self._unreadable(name, data, out, whole=whole)
            else:
                if name == "error":
                    self._fail(error_from(self._exchange, _STATUS, self._headers, payload))
                else:
                    self._payloads(payload, out)
            if self._stopped:
                return

    def _payloads(self, payload: object, out: _Events) -> None:
        reading = self._reading
        for each in payload if isinstance(payload, list) else (payload,):
            reading.payload(each, out)
            if reading.error is not None:
                self._fail(reading.error)
                return
        self.finishing = reading.finish_reason is not None

    def _unreadable(self, name: str | None, data: bytes, out: _Events, *, whole: bool) -> None:
        """An event that is not JSON: malformed, unless the bytes ended in the middle of it."""
        text = data.strip()
        if text == _DONE:  # Google sends none, some gateways do
            if self.finishing:
                self._end(out)
            else:
                self._fail(truncated(self._exchange, _STATUS, "the stream said [DONE] without a finish reason"))
        elif not text:
            return
        elif name == "error":
            self._fail(parse_error(self._exchange, _STATUS, self._headers, data))
        elif whole:
            self._fail(malformed(self._exchange, _STATUS, "an event is not JSON", data))
        elif not self.finishing:
            self._fail(truncated(self._exchange, _STATUS, "the stream ended in the middle of an event"))

    def _end(self, out: _Events) -> None:
        end = self._reading.end(out)
        self.ended = self._stopped = True
        out.append(end)

    def _fail(self, error: ExecutorError) -> None:
        self.error = error
        self._stopped = True

    def _no_events(self, before: Unstreamed) -> None:
        """The server answered with something else than events and JSON, such as a page for people."""
        try:
            before.events(self._exchange, _STATUS, self._headers, parse_response)
        except ExecutorError as error:
            self._fail(error.with_traceback(None))
        else:
            self._fail(truncated(self._exchange, _STATUS, "the stream ended before its first event"))
