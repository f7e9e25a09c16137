"""What the payloads of one answer say. Every payload has the form of a whole answer: a stream is many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import Progress, StreamEvent
from ...chat.response import StopReason
from ...chat.usage import Usage
from ..error_bodies import malformed
from ..fallible import Fallible
from ..names import name_of
from ..wire import Exchange
from .answer import Answer
from .failures import error_in
from .stop import stop_reason
from .usage import usage_of

__all__ = ["Reading"]


class Reading(Fallible):
    """One answer, read from payloads.

    Args:
        exchange: What is known of the request.
        status: The status of the response.
        headers: Its headers.
    """

    __slots__ = ("_exchange", "_headers", "_last", "_raw_reason", "_status", "_usage", "answer", "done")

    def __init__(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        super().__init__()
        options = exchange.options
        self.answer = Answer(exchange.provider, lift=bool(options and options.normalize_reasoning_content))
        self.done = False
        """Whether a payload said that it is the last."""
        self._exchange = exchange
        self._status = status
        self._headers = headers
        self._last: dict[str, Any] = {}
        self._raw_reason: str | None = None
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return self._usage

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the model stopped."""
        return stop_reason(self._raw_reason, tool_calls=self.answer.has_calls)

    @property
    def model(self) -> str | None:
        """The model that the last payload names."""
        return name_of(self._last.get("model"))

    @property
    def raw(self) -> dict[str, Any] | None:
        """The last payload, where it is to be kept."""
        options = self._exchange.options
        return self._last if options and options.capture_raw_body else None

    def payload(self, payload: object, out: list[StreamEvent | Progress]) -> None:
        """Read one payload and add its events to `out`; an error is in `error` then."""
        if not isinstance(payload, dict):
            self._unreadable(f"an answer is a JSON {type(payload).__name__}, not an object")
            return
        if payload.get("error"):
            self.error = error_in(self._exchange, self._status, self._headers, payload)
            return
        self._last = payload
        message = payload.get("message")
        if isinstance(message, dict):
            self.answer.add(message, payload.get("created_at"), out)
        elif message is not None:
            self._unreadable("`message` is not an object")
        if payload.get("logprobs"):
            self.answer.keep("logprobs", payload["logprobs"], out)
        if self.answer.unread is not None:
            self._unreadable(self.answer.unread)
        if payload.get("done") is True and self.error is None:
            self.done = True
            self._raw_reason = name_of(payload.get("done_reason"))
            self._usage = usage_of(payload)

    def _unreadable(self, what: str) -> None:
        self.error = malformed(self._exchange, self._status, what)
