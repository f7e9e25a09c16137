"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from ...chat.events import End, Start
from ...chat.usage import Usage
from ...errors import ExecutorError
from ..error_bodies import malformed, truncated
from ..sse import MAX_EVENT_BYTES, SSEDecoder, SSEEvent
from ..unstreamed import Unstreamed
from ..wire import Exchange
from .answer import Answer
from .failures import error_in_band, is_error, parse_error, refused
from .open_blocks import Events, WrongShapeError
from .response import name_of, parse_response
from .stop import stop_reason
from .usage import usage_of

__all__ = ["MessagesStreamParser"]

_DONE = b"[DONE]"
_STATUS = 200
"""An error in-band keeps the status it came under."""


class MessagesStreamParser:
    """Reads one stream of events; what `StreamParser` says.

    The finish signal is a `message_delta` with a stop reason, which brings the usage too; `End` comes with the
    `message_stop` after it, or with the end of the bytes. Usage is told as snapshots: later counts replace earlier
    ones.
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        self.error: ExecutorError | None = None
        self.ended = False
        self.finishing = False
        self._stopped = False  # nothing more is read: ended, or failed
        self._exchange = exchange
        self._headers = headers
        self._sse = SSEDecoder()
        self._before: Unstreamed | None = Unstreamed()  # until the first event
        self._started = False
        options = exchange.options
        self._answer = Answer(lift=bool(options and options.normalize_reasoning_content))
        self._keep_raw = bool(options and options.capture_raw_body)
        self._last: Any = None
        self._finish: str | None = None
        self._usage: dict[str, Any] | Usage = {}  # as it was sent; of an answer that came whole, in the normal form
        self._response_id: str | None = None
        self._model: str | None = None

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage if isinstance(self._usage, Usage) else usage_of(self._usage)

    def feed(self, data: bytes) -> Events:
        """The events that `data` completes, in order."""
        out: Events = []
        if not self._stopped:
            found = self._sse.feed(data)
            if self._before is not None:
                self._before = None if found else self._before.kept(data)
            self._read(found, out, whole=True)
            if self._sse.overflow and not self._over():
                self._fail(malformed(self._exchange, _STATUS, f"an event is longer than {MAX_EVENT_BYTES} bytes"))
        return out

    def finish(self) -> Events:
        """The rest of the events: with `End` when the stop reason had come, else `error` is set."""
        out: Events = []
        if self._stopped:
            return out
        self._read(self._sse.finish(), out, whole=False)
        if self._over():
            return out
        if self._finish is None and self._before is not None and not self._started:
            self._not_streamed(self._before, out)
        else:
            self._end(out, "the stream ended without a stop reason")
        return out

    def _over(self) -> bool:
        return self._stopped

    def _read(self, found: list[SSEEvent], out: Events, *, whole: bool) -> None:
        for name, data in found:
            try:
                payload = from_json(data)
            except ValueError:
                self._unreadable(name, data, out, whole=whole)
            else:
                if type(payload) is dict:
                    try:
                        self._event(payload.get("type") or name, payload, out)
                    except WrongShapeError as wrong:
                        self._fail(malformed(self._exchange, _STATUS, f"{wrong} in an event", data))
                elif name == "error":
                    self._fail(error_in_band(self._exchange, _STATUS, self._headers, payload))
                else:
                    what = f"an event is a JSON {type(payload).__name__}, not an object"
                    self._fail(malformed(self._exchange, _STATUS, what, data))
            if self._stopped:
                return

    def _event(self, kind: object, payload: dict[str, Any], out: Events) -> None:
        """One event, the most frequent kinds first; kinds that nobody knows say nothing."""
        if kind == "content_block_delta":
            delta = payload.get("delta")
            if not isinstance(delta, dict):
                raise WrongShapeError(f"`delta` is a {type(delta).__name__}, not an object")
            self._start({}, out)
            self._answer.delta(payload.get("index"), delta, out)
        elif kind == "content_block_start":
            self._start({}, out)
            self._answer.open(payload.get("index"), payload.get("content_block"), out)
        elif kind == "content_block_stop":
            self._answer.close(payload.get("index"), out)
        elif kind == "message_start":
            self._message(payload.get("message"), out)
        elif kind == "message_delta":
            self._message_delta(payload, out)
        elif kind == "message_stop":
            self._end(out, "the stream said message_stop without a stop reason")
        elif kind == "error" or is_error(payload):
            self._fail(error_in_band(self._exchange, _STATUS, self._headers, payload))

    def _message(self, message: object, out: Events) -> None:
        if not isinstance(message, dict):
            raise WrongShapeError(f"`message` is a {type(message).__name__}, not an object")
        self._start(message, out)
        self._told(message.get("usage"))
        self._answer.keep(message)
        content = message.get("content")
        for block in content if isinstance(content, list) else ():  # tools that go on bring what came before
            self._answer.open(None, block, out).close(out)

    def _message_delta(self, payload: dict[str, Any], out: Events) -> None:
        self._start({}, out)
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

    def _start(self, message: dict[str, Any], out: Events) -> None:
        if self._started:
            return
        self._started = True
        self._model = name_of(message.get("model"))
        self._response_id = name_of(message.get("id"))
        out.append(
            Start(
                model=self._exchange.model,
                provider=self._exchange.provider,
                provider_model=self._model,
                response_id=self._response_id,
            )
        )

    def _told(self, usage: object) -> None:
        """Lay a snapshot over the last one; what it leaves out stays."""
        if isinstance(usage, dict) and isinstance(self._usage, dict):
            self._usage.update((name, value) for name, value in usage.items() if value is not None)

    def _end(self, out: Events, without: str) -> None:
        if self._finish is None:
            self._fail(truncated(self._exchange, _STATUS, without))
            return
        content = self._answer.content(self._exchange.provider, out)
        reason = stop_reason(self._finish, tool_calls=self._answer.has_calls)
        if reason == "content_filter" and not self._answer.delivered(content):
            self._fail(refused(self._exchange, _STATUS, self._answer.details))
            return
        self.ended = self._stopped = True
        out.append(
            End(
                stop_reason=reason,
                usage=self.usage,
                content=content,
                response_id=self._response_id,
                provider_model=self._model,
                raw=self._last,
            )
        )

    def _unreadable(self, name: str | None, data: bytes, out: Events, *, whole: bool) -> None:
        """An event that is not JSON: malformed, unless the bytes ended in the middle of it."""
        text = data.strip()
        if text == _DONE:
            self._end(out, "the stream said [DONE] without a stop reason")
        elif not text:
            return
        elif name == "error":
            self._fail(parse_error(self._exchange, _STATUS, {}, data))
        elif whole:
            self._fail(malformed(self._exchange, _STATUS, "an event is not JSON", data))
        elif self._finish is None:
            self._fail(truncated(self._exchange, _STATUS, "the stream ended in the middle of an event"))

    def _fail(self, error: ExecutorError) -> None:
        self.error = error
        self._stopped = True

    def _not_streamed(self, before: Unstreamed, out: Events) -> None:
        """The server answered with something else than events: a JSON body is an answer or an error all the same."""
        try:
            events = before.events(self._exchange, _STATUS, self._headers, parse_response)
        except ExecutorError as error:
            self._fail(error)
            return
        if events is None:
            self._fail(truncated(self._exchange, _STATUS, "the stream ended before its first event"))
            return
        self._started = self.ended = self._stopped = True
        out.extend(events)
        end = events[-1]
        if isinstance(end, End) and end.usage is not None:
            self._usage = end.usage
