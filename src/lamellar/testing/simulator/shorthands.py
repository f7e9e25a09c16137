"""The usual errors by name. Each takes the options of `Status` that vary: message, headers, delay, gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack

from lamellar.errors import ErrorKind

from .gate import Gate
from .replies import Status

__all__ = [
    "bad_request",
    "content_policy",
    "context_overflow",
    "model_not_found",
    "overloaded",
    "permission_denied",
    "quota_exhausted",
    "rate_limited",
    "server_error",
    "unauthorized",
]


class StatusOptions(TypedDict, total=False):
    """What every shorthand takes."""

    message: str
    headers: Mapping[str, str]
    delay: float
    gate: Gate


def rate_limited(
    retry_after: float | str | None = None, *, retry_after_ms: int | None = None, **options: Unpack[StatusOptions]
) -> Status:
    """Too many requests (429).

    Args:
        retry_after: The `retry-after` header: seconds, or a text such as an HTTP date. Default None: no hint.
        retry_after_ms: The `retry-after-ms` header, in milliseconds. Default None: no hint.
        **options: `message`, `headers`, `delay` and `gate`, as `Status` takes them.
    """
    return _status(ErrorKind.RATE_LIMITED, options, retry_after, retry_after_ms)


def quota_exhausted(**options: Unpack[StatusOptions]) -> Status:
    """The account has no credit left (429 too, but asking again is of no use)."""
    return _status(ErrorKind.QUOTA_EXHAUSTED, options)


def overloaded(retry_after: float | str | None = None, **options: Unpack[StatusOptions]) -> Status:
    """The provider has no capacity (503).

    Args:
        retry_after: The `retry-after` header: seconds, or a text such as an HTTP date. Default None: no hint.
        **options: `message`, `headers`, `delay` and `gate`, as `Status` takes them.
    """
    return _status(ErrorKind.OVERLOADED, options, retry_after)


def server_error(**options: Unpack[StatusOptions]) -> Status:
    """The provider failed (500)."""
    return _status(ErrorKind.SERVER_ERROR, options)


def context_overflow(**options: Unpack[StatusOptions]) -> Status:
    """The prompt is longer than the model's window (400)."""
    return _status(ErrorKind.CONTEXT_OVERFLOW, options)


def content_policy(**options: Unpack[StatusOptions]) -> Status:
    """The provider's content policy refuses the prompt (400)."""
    return _status(ErrorKind.CONTENT_FILTERED, options)


def bad_request(**options: Unpack[StatusOptions]) -> Status:
    """The request is wrong (400)."""
    return _status(ErrorKind.INVALID_REQUEST, options)


def unauthorized(**options: Unpack[StatusOptions]) -> Status:
    """The key is wrong (401)."""
    return _status(ErrorKind.UNAUTHORIZED, options)


def permission_denied(**options: Unpack[StatusOptions]) -> Status:
    """The key may not do this (403)."""
    return _status(ErrorKind.PERMISSION_DENIED, options)


def model_not_found(**options: Unpack[StatusOptions]) -> Status:
    """There is no such model (404)."""
    return _status(ErrorKind.MODEL_NOT_FOUND, options)


def _status(
    kind: ErrorKind, options: StatusOptions, retry_after: float | str | None = None, retry_after_ms: int | None = None
) -> Status:
    hints: dict[str, str] = {}
    if retry_after is not None:
        hints["retry-after"] = retry_after if isinstance(retry_after, str) else f"{retry_after:g}"
    if retry_after_ms is not None:
        hints["retry-after-ms"] = str(retry_after_ms)
    return Status(
        kind=kind,
        message=options.get("message"),
        headers={**hints, **options.get("headers", {})},
        delay=options.get("delay", 0.0),
        gate=options.get("gate"),
    )
