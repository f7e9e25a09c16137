"""Errors of this dialect: what a body says, with a status or in-band, and where the request's id stands."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from pydantic_core import from_json

from ...errors import ExecutorError
from ..classify import clean
from ..error_bodies import content_filtered, error_from
from ..error_bodies import parse_error as parse_any
from ..wire import Exchange

__all__ = ["error_in_band", "is_error", "is_error_list", "parse_error", "refused"]

_OF_THE_ANSWER = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})
"""Headers that stand on answers too, where they are no hint about an error that comes later in the body."""


def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
    """The classified error of a response with a status of 300 or above."""
    error = parse_any(exchange, status, headers, body)
    if error.request_id is None:
        with suppress(ValueError):  # not JSON: it names no request
            error.request_id = _request_id(from_json(body))
    return error


def error_in_band(exchange: Exchange, status: int, headers: Mapping[str, str], payload: object) -> ExecutorError:
    """The classified error of a payload under a status below 300."""
    kept = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_ANSWER}
    error = error_from(exchange, status, kept, payload)
    if error.request_id is None:
        error.request_id = _request_id(payload)
    return error


def is_error(payload: Mapping[str, object]) -> bool:
    """Whether a payload is an error in-band; gateways leave out the outer type."""
    return payload.get("type") == "error" or bool(payload.get("error"))


def is_error_list(payload: object) -> bool:
    """Whether a payload is an error in a list, as Google's servers wrap theirs."""
    first = payload[0] if isinstance(payload, list) and payload else None
    return isinstance(first, dict) and is_error(first)


def refused(exchange: Exchange, status: int, details: object) -> ExecutorError:
    """The error for an answer that was refused with nothing delivered, with the provider's reason where it gave one."""
    told = details if isinstance(details, dict) else {}
    reasons = (told.get("explanation"), told.get("category"))
    reason = next((text for text in reasons if isinstance(text, str) and text), None)
    what = "the model refused to answer"
    error = content_filtered(
        exchange, status, what if reason is None else f"{what}: {clean(reason, *exchange.secrets)}"
    )
    error.code = "refusal"
    return error


def _request_id(payload: object) -> str | None:
    found = payload.get("request_id") if isinstance(payload, dict) else None
    return found[:200] if isinstance(found, str) and found else None
