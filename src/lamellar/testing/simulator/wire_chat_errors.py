"""The errors of OpenAI's Chat Completions, in its servers' words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "wrong_request"]

_ERRORS: dict[ErrorKind, tuple[int, str, str | None, str]] = {
    ErrorKind.RATE_LIMITED: (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model}."),
    ErrorKind.QUOTA_EXHAUSTED: (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    ErrorKind.OVERLOADED: (503, "server_error", "server_is_overloaded", "The server is currently overloaded."),
    ErrorKind.SERVER_ERROR: (500, "server_error", None, "The server had an error while processing your request."),
    ErrorKind.TIMEOUT: (504, "server_error", None, "The gateway timed out."),
    ErrorKind.CONTEXT_OVERFLOW: (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
    ),
    ErrorKind.CONTENT_FILTERED: (
        400,
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
    ),
    ErrorKind.INVALID_REQUEST: (400, "invalid_request_error", None, "The request is not valid."),
    ErrorKind.UNAUTHORIZED: (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    ErrorKind.PERMISSION_DENIED: (403, "invalid_request_error", None, "You have insufficient permissions."),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
}

_KIND_OF_STATUS = {
    429: ErrorKind.RATE_LIMITED,
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.PERMISSION_DENIED,
    503: ErrorKind.OVERLOADED,
    529: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
}


def wrong_request(message: str, param: str | None = None, code: str | None = None) -> Problem:
    """What is wrong with a request, in the server's words."""
    return Problem(ErrorKind.INVALID_REQUEST, message=message, param=param, code=code)


def error_of(problem: Problem, request: RequestLog) -> tuple[int, dict[str, JsonValue]]:
    """The status of an error, and its object."""
    kind = kind_of(problem, _KIND_OF_STATUS)
    status, kind_of_error, code, message = _ERRORS.get(kind, _ERRORS[ErrorKind.SERVER_ERROR])
    return problem.status or status, {
        "message": message.format(model=request.model) if problem.message is None else problem.message,
        "type": kind_of_error if problem.type is None else problem.type,
        "param": problem.param,
        "code": code if problem.code is None else problem.code,
    }
