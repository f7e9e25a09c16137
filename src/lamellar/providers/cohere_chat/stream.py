"""The streamed answer: events out of bytes, in whatever pieces they arrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import PROGRESS, End
from ...chat.response import ChatResponse
from ...chat.usage import Usage
from ..error_bodies import malformed
from ..event_stream import STATUS, Events, EventStreamParser
from ..names import name_of
from ..wire import Exchange
from .answer import Answer
from .failures import error_in, finish_failure, is_error
from .response import parse_response
from .stop import stop_reason
from .usage import usage_of

__all__ = ["CohereStreamParser"]


class CohereStreamParser(EventStreamParser):
    """Reads one stream of Cohere's events; what `StreamParser` says.

    `message-end` has the finish reason and the usage, and completes the answer; `[DONE]` says no more than that nothing
    follows. An event's own `type` counts before the name that the framing gives it.
    """

    signal = "message-end"

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        super().__init__(exchange, headers)
        options = exchange.options
        self._answer = Answer(exchange.provider, lift=bool(options and options.normalize_reasoning_content))
        self._keep_raw = bool(options and options.capture_raw_body)
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage

    def _whole(self, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return parse_response(self._exchange, STATUS, headers, body)

    def _came_whole(self, end: End) -> None:
        self._usage = end.usage

    def _payload(self, name: str | None, payload: object, data: bytes, out: Events) -> None:
        if not isinstance(payload, dict):
            self._fail_as_no_object(payload, data)
            return
        kind = payload.get("type") or name
        if name == "error" or kind == "error" or (kind is None and is_error(payload)):
            self._fail(error_in(self._exchange, STATUS, self._headers, payload))
            return
        delta = payload.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        if kind == "message-end":
            self._message_end(delta, payload, out)
            return
        if kind == "message-start":
            self._begin(None, payload.get("id"), out)
            return
        message = delta.get("message")
        if isinstance(message, dict):
            self._begin(None, None, out)
            self._message(kind, payload, message, out)
            if payload.get("logprobs"):
                self._answer.keep("logprobs", [payload["logprobs"]], out)

    def _message(self, kind: object, payload: dict[str, Any], message: dict[str, Any], out: Events) -> None:
        answer, before = self._answer, len(out)
        if kind in ("content-delta", "content-start"):
            answer.block(message.get("content"), out)
        elif kind == "tool-plan-delta":
            plan = message.get("tool_plan")
            if isinstance(plan, str):
                answer.say("plan", plan, out)
        elif kind in ("tool-call-start", "tool-call-delta"):
            call = message.get("tool_calls")
            if isinstance(call, dict):
                answer.call({**call, "index": payload.get("index")}, out)
        elif kind == "citation-start":
            cited = message.get("citations")
            if cited:
                answer.keep("citations", cited if isinstance(cited, list) else [cited], out)
        if kind == "content-start" and len(out) == before:
            out.append(PROGRESS)

    def _message_end(self, delta: dict[str, Any], payload: dict[str, Any], out: Events) -> None:
        self._usage = usage_of(delta.get("usage")) or self._usage
        raw = name_of(delta.get("finish_reason"))
        said = delta.get("error")
        if raw is None:
            if said:
                self._fail(error_in(self._exchange, STATUS, self._headers, delta))
            else:
                self._fail(malformed(self._exchange, STATUS, "`message-end` has no finish reason"))
            return
        failure = finish_failure(self._exchange, STATUS, self._headers, raw, said)
        if failure is not None:
            self._fail(failure)
            return
        self._begin(None, None, out)
        self.finishing = True
        self._finish_with(raw, payload, out)

    def _finish_with(self, raw: str, payload: dict[str, Any], out: Events) -> None:
        answer = self._answer
        answer.finish(out)
        reason = stop_reason(raw, tool_calls=bool(answer.calls))
        self._finished(reason, answer.content(), payload if self._keep_raw else None, out)

    def _end(self, out: Events) -> None:
        """Nothing: `message-end` has completed the answer at once."""
