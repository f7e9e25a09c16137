"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import End
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ..error_bodies import malformed
from ..event_stream import STATUS, Events, EventStreamParser
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..sse import SSEDecoder
from ..wire import Exchange
from .answer import Answer
from .failures import error_in_band, is_error, is_error_list, refused
from .response import parse_response
from .stop import stop_reason
from .usage import usage_of

__all__ = ["MessagesStreamParser"]


class MessagesStreamParser(EventStreamParser):
    """Reads one stream of events; what `StreamParser` says.

    The finish signal is a `message_delta` with a stop reason, which brings the usage too; `End` comes with the
    `message_stop` after it, or with the end of the bytes. Usage is told as snapshots: later counts replace earlier
    ones.
    """

    signal = "stop reason"

    def __init__(self, exchange: Exchange, headers: Mapping[str, str], sse: SSEDecoder | None = None) -> None:
        super().__init__(exchange, headers, sse)
        options = exchange.options
        self._answer = Answer(lift=bool(options and options.normalize_reasoning_content))
        self._keep_raw = bool(options and options.capture_raw_body)
        self._last: Any = None
        self._finish: str | None = None
        self._usage: dict[str, Any] | Usage = {}  # as it was sent; of an answer that came whole, in the normal form

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage if isinstance(self._usage, Usage) else usage_of(self._usage)

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _came_whole(self, end: End) -> None:
        if end.usage is not None:
            self._usage = end.usage

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if type(payload) is dict:
            try:
                self._event(payload.get("type") or name, payload, out)
            except WrongShapeError as wrong:
                self._fail(malformed(self._exchange, STATUS, f"{wrong} in an event", data))
        elif name == "error" or is_error_list(payload):
            self._fail(error_in_band(self._exchange, STATUS, self._headers, payload))
        else:
            self._fail_as_no_object(payload, data)

    def _event(self, kind: object, payload: dict[str, Any], out: Events) -> None:
        """One event, the most frequent kinds first; kinds that nobody knows say nothing."""
        if kind == "content_block_delta":
            delta = payload.get("delta")
            if not isinstance(delta, dict):
                raise WrongShapeError(f"`delta` is a {type(delta).__name__}, not an object")
            self._begin(None, None, out)
            self._answer.delta(payload.get("index"), delta, out)
        elif kind == "content_block_start":
            self._begin(None, None, out)
            self._answer.open(payload.get("index"), payload.get("content_block"), out)
        elif kind == "content_block_stop":
            self._answer.close(payload.get("index"), out)
        elif kind == "message_start":
            self._message(payload.get("message"), out)
        elif kind == "message_delta":
            self._message_delta(payload, out)
        elif kind == "message_stop":
            if self.finishing:
                self._end(out)
            else:
                self._cut("the stream said message_stop")
        elif kind == "error" or is_error(payload):
            self._fail(error_in_band(self._exchange, STATUS, self._headers, payload))

    def _message(self, message: object, out: Events) -> None:
        if not isinstance(message, dict):
            raise WrongShapeError(f"`message` is a {type(message).__name__}, not an object")
        self._begin(message.get("model"), message.get("id"), out)
        self._told(message.get("usage"))
        self._answer.keep(message)
        content = message.get("content")
        for block in content if isinstance(content, list) else ():  # tools that go on bring what came before
            self._answer.open(None, block, out).close(out)

    def _message_delta(self, payload: dict[str, Any], out: Events) -> None:
        self._begin(None, None, out)
        self._told(payload.get("usage"))
        if self._keep_raw:
            self._last = payload
        delta = payload.get("delta")
        if isinstance(delta, dict):
            self._answer.keep(delta)
            reason = name_of(delta.get("stop_reason"))
            if reason is not None:
                self._finish = reason
                self.finishing = True

    def _told(self, usage: object) -> None:
        """Lay a snapshot over the last one; what it leaves out stays."""
        if isinstance(usage, dict) and isinstance(self._usage, dict):
            self._usage.update((name, value) for name, value in usage.items() if value is not None)

    def _end(self, out: Events) -> None:
        content = self._answer.content(self._exchange.maker, out)
        reason = stop_reason(self._finish or "", tool_calls=self._answer.has_calls)
        if reason == "content_filter" and not self._answer.delivered(content):
            self._fail(refused(self._exchange, STATUS, self._answer.details))
            return
        self._finished(reason, signed(content, self._exchange.maker), self._last, out)
