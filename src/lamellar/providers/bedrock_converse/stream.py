"""The streamed answer: events out of binary frames, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from ...chat.events import End
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ...errors import ExecutorError
from ..classify import request_id
from ..error_bodies import malformed, truncated
from ..event_stream import STATUS, Events, EventStreamParser
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .aws_event_stream import Frame, FrameDecoder
from .failures import blocked, broken, error_in_band
from .response import model_in, parse_response
from .stop import is_broken, stop_reason
from .usage import usage_of

__all__ = ["ConverseStreamParser"]

_FIRST_BYTES = (0, 1)
"""How a frame begins: with the high byte of a length below 32 MiB. No text begins so."""


class ConverseStreamParser(EventStreamParser):
    """Reads one stream of frames; what `StreamParser` says.

    The finish signal is a `messageStop` with a stop reason; `End` comes with the `metadata` after it, which brings the
    usage, or with the end of the bytes. An answer has no id of its own, so the request's stands for it.
    """

    signal = "stop reason"

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers)
        options = exchange.options
        self._frames = FrameDecoder()
        self._framed: bool | None = None  # known with the first byte
        self._answer = Answer(lift=bool(options and options.normalize_reasoning_content))
        self._keep_raw = bool(options and options.capture_raw_body)
        self._id = request_id(headers, exchange.secrets)
        self._last: Any = None
        self._finish: str | None = None
        self._usage: Any = None  # as it was sent; of an answer that came whole, in the normal form

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage if isinstance(self._usage, Usage) else usage_of(self._usage)

    def feed(self, data: bytes) -> Events:
        """The events that `data` completes, in order."""
        out: Events = []
        if self._stopped or not data:
            return out
        if self._framed is None:
            self._framed = data[0] in _FIRST_BYTES
        if not self._framed:
            before = self._before
            self._before = None if before is None else before.kept(data)
            if self._before is None:
                self._fail(malformed(self._exchange, STATUS, "the body is no event stream, and longer than any answer"))
            return out
        for frame in self._frames.feed(data):
            self._frame(frame, out)
            if self._over():
                return out
        if self._frames.problem is not None:
            self._fail(malformed(self._exchange, STATUS, self._frames.problem))
        return out

    def finish(self) -> Events:
        """The rest of the events: with `End` when the finish signal had come, else `error` is set."""
        out: Events = []
        if self._stopped:
            return out
        if self.finishing:
            self._end(out)
        elif not self._framed and self._before is not None:
            self._not_streamed(self._before, out)
        elif self._frames.within:
            self._fail(truncated(self._exchange, STATUS, "the stream ended in the middle of a frame"))
        else:
            self._cut("the stream ended")
        return out

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _came_whole(self, end: End) -> None:
        if end.usage is not None:
            self._usage = end.usage

    def _frame(self, frame: Frame, out: Events) -> None:
        headers, data = frame
        kind = headers.get(":message-type", "event")
        if kind == "error":
            said = {"message": _text(headers.get(":error-message"))}
            self._fail(self._error(_text(headers.get(":error-code")), said))
            return
        try:
            payload = from_json(data) if data else {}
        except ValueError:
            self._fail(malformed(self._exchange, STATUS, "a frame's payload is not JSON", data))
            return
        if kind == "exception":
            self._fail(self._error(_text(headers.get(":exception-type")), payload))
        elif kind == "event":
            self._payload(_text(headers.get(":event-type")), payload, data, out)
        else:
            self._fail(malformed(self._exchange, STATUS, "a frame is neither an event nor an exception", data))

    def _error(self, name: str | None, payload: object) -> ExecutorError:
        return error_in_band(self._exchange, STATUS, self._headers, name or "UnknownError", payload)

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if type(payload) is not dict:
            self._fail_as_no_object(payload, data)
            return
        try:
            self._event(name, payload, out)
        except WrongShapeError as wrong:
            self._fail(malformed(self._exchange, STATUS, f"{wrong} in an event", data))

    def _event(self, name: str | None, payload: dict[str, Any], out: Events) -> None:
        """One event, the most frequent kinds first; kinds that nobody knows say nothing."""
        if name == "contentBlockDelta":
            self._begin(None, self._id, out)
            self._answer.delta(payload.get("contentBlockIndex"), payload.get("delta"), out)
        elif name == "contentBlockStart":
            self._begin(None, self._id, out)
            self._answer.start(payload.get("contentBlockIndex"), payload.get("start"), out)
        elif name == "contentBlockStop":
            self._answer.close(payload.get("contentBlockIndex"), out)
        elif name == "messageStart":
            self._begin(None, self._id, out)
        elif name == "messageStop":
            self._begin(None, self._id, out)
            self._stop(payload)
        elif name == "metadata":
            self._begin(None, self._id, out)
            self._metadata(payload, out)

    def _stop(self, payload: dict[str, Any]) -> None:
        self._answer.keep(payload)
        self._finish = name_of(payload.get("stopReason"))
        if self._finish is not None:
            if is_broken(self._finish):
                self._fail(broken(self._exchange, STATUS, self._finish))
                return
            self.finishing = True

    def _metadata(self, payload: dict[str, Any], out: Events) -> None:
        if isinstance(payload.get("usage"), dict):
            self._usage = payload["usage"]
        self._answer.keep(payload)
        self._model = model_in(payload) or self._model
        if self._keep_raw:
            self._last = payload
        if self.finishing:
            self._end(out)

    def _end(self, out: Events) -> None:
        content = self._answer.content(self._exchange.maker, out)
        reason = stop_reason(self._finish or "", tool_calls=self._answer.asks_for_tools)
        if reason == "content_filter" and not self._answer.delivered(content):
            self._fail(blocked(self._exchange, STATUS, str(self._finish)))
            return
        self._finished(reason, signed(content, self._exchange.maker), self._last, out)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
