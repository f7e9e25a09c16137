"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import PROGRESS, End
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ..error_bodies import content_filtered, error_from, malformed
from ..event_stream import STATUS, Events, EventStreamParser
from ..names import name_of
from ..shapes import WrongShapeError
from ..signing import signed
from ..wire import Exchange
from .answer import PIECES, Answer
from .ending import BLOCKED, failure_of, is_error, stop_of
from .response import parse_response
from .usage import usage_of

__all__ = ["ResponsesStreamParser"]

_LAST = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
    "response.done": None,  # says in its response how it ended
}
"""The events that end an answer, and the status that each stands for."""

_FIRST = frozenset({"response.created", "response.queued", "response.in_progress"})


class ResponsesStreamParser(EventStreamParser):
    """Reads one stream of events; what `StreamParser` says.

    The finish signal is the event with the whole response, so `End` comes with it. What belongs to an output item is
    at least a sign of life; what does not, and is not known, says nothing.
    """

    signal = "final response"

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers)
        options = exchange.options
        self._answer = Answer(lift=bool(options and options.normalize_reasoning_content))
        self._keep_raw = bool(options and options.capture_raw_body)
        self._usage: object = None  # as it was sent; of an answer that came whole, in the normal form

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage if isinstance(self._usage, Usage) else usage_of(self._usage)

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _came_whole(self, end: End) -> None:
        self._usage = end.usage

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if type(payload) is dict:
            kind = payload.get("type") or name
            try:
                self._event(kind if isinstance(kind, str) else "", payload, out)
            except WrongShapeError as wrong:
                self._fail(malformed(self._exchange, STATUS, f"{wrong} in an event", data))
        elif name == "error":
            self._fail(error_from(self._exchange, STATUS, self._headers, payload))
        else:
            self._fail_as_no_object(payload, data)

    def _event(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """One event, the most frequent kinds first."""
        if kind.endswith(".delta"):
            if not self._started:
                self._begin(None, None, out)
            self._answer.piece(kind, payload, out)
        elif kind == "response.output_item.added":
            self._begin(None, None, out)
            self._answer.open(payload.get("output_index"), payload.get("item"), out)
        elif kind == "response.output_item.done":
            self._begin(None, None, out)
            self._answer.close(payload.get("output_index"), payload.get("item"), out)
        elif kind in _LAST:
            self._last(kind, payload, out)
        elif kind in _FIRST:
            self._first(payload, out)
        elif kind == "error" or is_error(payload):
            self._fail(error_from(self._exchange, STATUS, self._headers, payload))
        elif kind in PIECES:
            self._begin(None, None, out)
            self._answer.piece(kind, payload, out)
        elif "output_index" in payload:
            self._begin(None, None, out)
            out.append(PROGRESS)

    def _first(self, payload: dict[str, Any], out: Events) -> None:
        response = _response(payload)
        if response.get("error"):
            self._fail(error_from(self._exchange, STATUS, self._headers, response))
        else:
            self._begin(response.get("model"), response.get("id"), out)

    def _last(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        response = _response(payload)
        if _LAST[kind] is not None:
            response = {**response, "status": _LAST[kind]}
        self._begin(response.get("model"), response.get("id"), out)
        self._usage = response.get("usage") or self._usage
        failure = failure_of(self._exchange, STATUS, self._headers, response)
        if failure is not None:
            self._fail(failure)
            return
        self._answer.settle(response.get("output"), out)
        reason = stop_of(response, tool_calls=self._answer.has_calls)
        if reason == "content_filter" and not self._answer.delivered:
            self._fail(content_filtered(self._exchange, STATUS, BLOCKED))
            return
        self.finishing = True
        self._model = name_of(response.get("model")) or self._model
        self._response_id = name_of(response.get("id")) or self._response_id
        content = signed(self._answer.content(self._exchange.maker), self._exchange.maker)
        self._finished(reason, content, payload if self._keep_raw else None, out)

    def _end(self, out: Events) -> None:
        """Never called: the finish signal is the end."""


def _response(payload: dict[str, Any]) -> dict[str, Any]:
    response = payload.get("response")
    if not isinstance(response, dict):
        raise WrongShapeError(f"`response` is a {type(response).__name__}, not an object")
    return response
