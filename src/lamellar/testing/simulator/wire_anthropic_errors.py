"""The errors of Anthropic's Messages, in its servers' words (https://platform.claude.com/docs/en/api/errors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "wrong_request"]

_ERRORS: dict[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    ErrorKind.QUOTA_EXHAUSTED: (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
    ),
    ErrorKind.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    ErrorKind.SERVER_ERROR: (500, "api_error", "Internal server error"),
    ErrorKind.TIMEOUT: (504, "timeout_error", "The request timed out."),
    ErrorKind.CONTEXT_OVERFLOW: (
        400,
        "invalid_request_error",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ),
    ErrorKind.CONTENT_FILTERED: (400, "invalid_request_error", "Output blocked by content filtering policy"),
    ErrorKind.INVALID_REQUEST: (400, "invalid_request_error", "The request is not valid."),
    ErrorKind.UNAUTHORIZED: (401, "authentication_error", "invalid x-api-key"),
    ErrorKind.PERMISSION_DENIED: (
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    ErrorKind.MODEL_NOT_FOUND: (404, "not_found_error", "model: {model}"),
}

_BY_STATUS = {
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.PERMISSION_DENIED,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}

_TYPES = {404: "not_found_error", 402: "billing_error", 413: "request_too_large"}
"""Types that hang on the status alone."""


def wrong_request(message: str) -> Problem:
    """What is wrong with a request, in the server's words."""
    return Problem(ErrorKind.INVALID_REQUEST, message=message)


def error_of(problem: Problem, request: RequestLog) -> tuple[int, dict[str, JsonValue]]:
    """The status of an error, and its object."""
    kind = kind_of(problem, _BY_STATUS)
    status, type_, message = _ERRORS.get(kind, _ERRORS[ErrorKind.SERVER_ERROR])
    status = problem.status or status
    return status, {
        "type": _TYPES.get(status, type_) if problem.type is None else problem.type,
        "message": message.format(model=request.model) if problem.message is None else problem.message,
    }
