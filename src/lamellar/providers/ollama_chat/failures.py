"""Errors of this dialect: `{"error": "text"}`, with a status, or as a line of the stream."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic_core import from_json

from ...errors import ErrorKind, ExecutorError
from ..error_bodies import error_from
from ..error_bodies import parse_error as parse_any
from ..spoken import spoken_error
from ..wire import Exchange

__all__ = ["error_in", "parse_error"]

_USED_UP = re.compile(r"usage limit")
"""Ollama's cloud counts by the hour and by the week: no wait of seconds helps."""

_TOO_LONG = re.compile(r"exceed\w* .{0,40}context|context .{0,40}exceed", re.DOTALL)


def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
    """The classified error of a response with a status of 300 or above."""
    try:
        payload = from_json(body.lstrip(b"\xef\xbb\xbf"))
    except ValueError:
        return parse_any(exchange, status, headers, body)
    return error_in(exchange, status, headers, payload)


def error_in(exchange: Exchange, status: int, headers: Mapping[str, str], payload: object) -> ExecutorError:
    """The classified error of a payload, with a status or in-band."""
    said = payload.get("error") if isinstance(payload, dict) else None
    if not isinstance(said, str) or not said:
        return error_from(exchange, status, headers, payload)
    return spoken_error(exchange, status, headers, said, kind=_kind(said, status), body=payload)


def _kind(said: str, status: int) -> ErrorKind | None:
    """What only Ollama's own words tell."""
    text = said[:2000].lower()
    if _USED_UP.search(text) and status in (200, 402, 403, 429):
        return ErrorKind.QUOTA_EXHAUSTED
    if _TOO_LONG.search(text) and status in (200, 400, 413, 500):
        return ErrorKind.CONTEXT_OVERFLOW
    return None
