"""Errors of this dialect: `{"message": "text", "id": "..."}`, and finish reasons that are failures in disguise."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic_core import from_json

from ...errors import ErrorKind, ExecutorError
from ..error_bodies import content_filtered, error_from
from ..error_bodies import parse_error as parse_any
from ..spoken import spoken_error
from ..wire import Exchange

__all__ = ["error_in", "finish_failure", "is_error", "parse_error"]

_BY_STATUS = {
    498: ErrorKind.UNAUTHORIZED,  # the token is invalid
    499: ErrorKind.SERVER_ERROR,  # the request was canceled, and not by us: we would not read this
}
_A_MONTH = re.compile(r"(?:/|per) ?month")
_TOO_MANY_ASKED = re.compile(r"max[ _]?tokens? must be less than")
"""A wrong option, though it is told as "too many tokens", like a prompt that is too long."""

_TOXIC = "ERROR_TOXIC"
_FAILURES = {"ERROR": ErrorKind.SERVER_ERROR, "TIMEOUT": ErrorKind.TIMEOUT}


def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
    """The classified error of a response with a status of 300 or above."""
    try:
        payload = from_json(body.lstrip(b"\xef\xbb\xbf"))
    except ValueError:
        return parse_any(exchange, status, headers, body)
    return error_in(exchange, status, headers, payload)


def error_in(exchange: Exchange, status: int, headers: Mapping[str, str], payload: object) -> ExecutorError:
    """The classified error of a payload, with a status or in-band."""
    told = payload if isinstance(payload, dict) else {}
    said = told.get("message") or told.get("error")
    if isinstance(said, str) and said:
        error = spoken_error(exchange, status, headers, said, kind=_kind(said, status), body=payload)
    else:
        error = error_from(exchange, status, headers, payload)
    request_id = told.get("id")
    if error.request_id is None and isinstance(request_id, str) and request_id:
        error.request_id = request_id[:200]
    return error


def is_error(payload: Mapping[str, object]) -> bool:
    """Whether a payload of no type is an error in-band: an answer's message is an object."""
    message = payload.get("message")
    return bool(payload.get("error")) or (isinstance(message, str) and message != "")


def finish_failure(
    exchange: Exchange, status: int, headers: Mapping[str, str], raw: str, said: object
) -> ExecutorError | None:
    """The error that a finish reason stands for, or None when it is a reason to stop.

    Args:
        exchange: What is known of the request.
        status: The response's status.
        headers: Its headers.
        raw: Cohere's word.
        said: The message beside it, if there is one.
    """
    text = said if isinstance(said, str) and said else ""
    if raw == _TOXIC:
        return content_filtered(exchange, status, text or "the answer was blocked as toxic")
    kind = _FAILURES.get(raw) or (ErrorKind.SERVER_ERROR if raw.startswith("ERROR_") else None)
    if kind is None:
        return None
    told = text and kind is ErrorKind.SERVER_ERROR  # the message says more than that it is one
    what = text or f"the answer broke off with the finish reason {raw!r}"
    return spoken_error(exchange, status, headers, what, code=raw, kind=_kind(text, status) if told else kind)


def _kind(said: str, status: int) -> ErrorKind | None:
    """What only Cohere's own words and statuses tell."""
    text = said[:2000].lower()
    if status in (200, 429) and _A_MONTH.search(text):
        return ErrorKind.QUOTA_EXHAUSTED  # a trial key's calls of a month
    if status in (200, 400, 422) and _TOO_MANY_ASKED.search(text):
        return ErrorKind.INVALID_REQUEST
    return _BY_STATUS.get(status)
