"""What the payloads of one answer say. Every payload has the form of a whole answer: a stream is many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...chat.events import End, Progress, Start, StreamEvent
from ...chat.response import StopReason
from ...chat.usage import Usage
from ...errors import ErrorKind, ExecutorError
from ..classify import provider_error
from ..error_bodies import error_from, malformed
from ..fallible import Fallible
from ..signing import signed
from ..wire import Exchange
from .answer import Answer
from .parts import REPORTED
from .stop import failure_of, is_blocked, stop_reason
from .usage import COUNTS, usage_of

__all__ = ["Reading"]

_REPORTED = frozenset(REPORTED)


class Reading(Fallible):
    """One answer, read from payloads.

    Args:
        exchange: What is known of the request.
        status: The status of the response.
        headers: Its headers.
    """

    __slots__ = (
        "_exchange",
        "_headers",
        "_keep_raw",
        "_raw",
        "_raw_usage",
        "_status",
        "answer",
        "blocked",
        "finish_reason",
        "model",
        "started",
    )

    def __init__(self, exchange: Exchange, status: int, headers: Mapping[str, str]) -> None:
        super().__init__()
        options = exchange.options
        self.answer = Answer(exchange.provider, lift=bool(options and options.normalize_reasoning_content))
        self.finish_reason: str | None = None
        self.blocked = False
        """Whether the prompt was blocked after a part of the answer was there."""
        self.model: str | None = None
        self.started = False
        """Whether a payload spoke of an answer; `Start` was told then."""
        self._exchange = exchange
        self._status = status
        self._headers = headers
        self._keep_raw = bool(options and options.capture_raw_body)
        self._raw: Any = None
        self._raw_usage: object = None

    @property
    def usage(self) -> Usage | None:
        """What was reported so far, in the normal form."""
        return usage_of(self._raw_usage)

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the model stopped."""
        raw = self.finish_reason
        if raw is None:
            return None
        return StopReason("content_filter", raw) if self.blocked else stop_reason(raw, tool_calls=self.answer.has_calls)

    def payload(self, payload: object, out: list[StreamEvent | Progress]) -> None:
        """Read one payload and add its events to `out`; an error is in `error` then."""
        if not isinstance(payload, dict):
            what = f"an answer is a JSON {type(payload).__name__}, not an object"
            self.error = malformed(self._exchange, self._status, what)
            return
        if payload.get("error"):
            self.error = error_from(self._exchange, self._status, self._headers, payload)
            return
        candidates = payload.get("candidates")
        if self.model is None or self.answer.response_id is None:
            self._who(payload, candidates, out)
        if self._keep_raw:
            self._raw = payload
        usage = payload.get("usageMetadata")
        if isinstance(usage, dict) and not COUNTS.isdisjoint(usage):
            self._raw_usage = usage
        if candidates:
            self._candidates(candidates, out)
        elif payload.get("promptFeedback"):
            self._feedback(payload["promptFeedback"])

    def end(self, out: list[StreamEvent | Progress]) -> End:
        """The answer as the last event of a stream; what was held back is told first."""
        self.answer.finish(out)
        return End(
            stop_reason=self.stop_reason,
            usage=self.usage,
            content=signed(self.answer.content(), self._exchange.provider),
            response_id=self.answer.response_id,
            provider_model=self.model,
            raw=self._raw,
        )

    def _who(self, payload: dict[str, Any], candidates: object, out: list[StreamEvent | Progress]) -> None:
        """Take the answer's id and model from the first payload that has them."""
        answer = self.answer
        if answer.response_id is None:
            said = payload.get("responseId")
            answer.response_id = said if isinstance(said, str) and said else None
        if self.model is None:
            said = payload.get("modelVersion")
            self.model = said if isinstance(said, str) and said else None
        if not self.started and (candidates or self.model or answer.response_id):
            self.started = True
            exchange = self._exchange
            out.append(Start(exchange.model, exchange.provider, self.model, response_id=answer.response_id))

    def _candidates(self, candidates: object, out: list[StreamEvent | Progress]) -> None:
        if not isinstance(candidates, list):
            self.error = malformed(self._exchange, self._status, "`candidates` is not a list")
            return
        for candidate in candidates:
            if not isinstance(candidate, dict):
                self.error = malformed(self._exchange, self._status, "a candidate is not an object")
                return
            if candidate.get("index"):
                continue  # only the first candidate is read
            answer = self.answer
            answer.add(candidate.get("content"), out)
            if not _REPORTED.isdisjoint(candidate):
                answer.report(candidate, out)
            if answer.unread is not None:
                self.error = malformed(self._exchange, self._status, answer.unread)
                return
            raw = candidate.get("finishReason")
            if raw and isinstance(raw, str):
                self.finish_reason = raw
                self.error = self._failure(raw, candidate.get("finishMessage"))

    def _failure(self, raw: str, said: object) -> ExecutorError | None:
        """The error that a finish reason stands for, or None."""
        kind = failure_of(raw)
        if kind is not None:
            return self._stopped(kind, raw, "the answer broke off", said)
        if is_blocked(raw) and not self.answer.has_content:
            return self._stopped(ErrorKind.CONTENT_FILTERED, raw, "the answer was blocked", said)
        return None

    def _feedback(self, feedback: object) -> None:
        """A prompt that was blocked has no candidates, only the reason."""
        raw = feedback.get("blockReason") if isinstance(feedback, dict) else None
        if not (raw and isinstance(raw, str)) or not isinstance(feedback, dict):
            return
        if self.answer.has_content:
            self.finish_reason = raw
            self.blocked = True
        else:
            said = feedback.get("blockReasonMessage")
            self.error = self._stopped(ErrorKind.CONTENT_FILTERED, raw, "the prompt was blocked", said)

    def _stopped(self, kind: ErrorKind, raw: str, what: str, said: object) -> ExecutorError:
        message = f"{what} ({raw})"
        return provider_error(
            provider=self._exchange.provider,
            model=self._exchange.model,
            status=self._status,
            headers=self._headers,
            message=f"{message}: {said}" if isinstance(said, str) and said else message,
            code=raw,
            kind=kind,
            secrets=self._exchange.secrets,
        )
