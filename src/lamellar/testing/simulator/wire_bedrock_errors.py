"""Errors as Amazon Bedrock words them: the exceptions of Converse, and those of AWS's front door.

See https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors
and …/CommonErrors.html. In a stream an exception is a frame; those that the stream has no event for are told as
errors of AWS's own (`:message-type: error`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of
from .wire_bedrock_frames import frame

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "frame_of", "wrong_request"]

_ERRORS: dict[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.RATE_LIMITED: (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    ErrorKind.QUOTA_EXHAUSTED: (
        429,
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
    ),
    ErrorKind.OVERLOADED: (
        503,
        "ServiceUnavailableException",
        "Bedrock is unable to process your request.",
    ),
    ErrorKind.SERVER_ERROR: (
        500,
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    ErrorKind.TIMEOUT: (408, "ModelTimeoutException", "Model has timed out in processing the request."),
    ErrorKind.CONTEXT_OVERFLOW: (400, "ValidationException", "Input is too long for requested model."),
    ErrorKind.CONTENT_FILTERED: (
        400,
        "ValidationException",
        "The generated text has been blocked by our content filters.",
    ),
    ErrorKind.INVALID_REQUEST: (400, "ValidationException", "Malformed input request, please reformat your input."),
    ErrorKind.UNAUTHORIZED: (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    ErrorKind.PERMISSION_DENIED: (
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    ErrorKind.MODEL_NOT_FOUND: (400, "ValidationException", "The provided model identifier is invalid."),
}

_BY_STATUS = {
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.PERMISSION_DENIED,
    408: ErrorKind.TIMEOUT,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
}

_FRAMED = (
    "InternalServerException",
    "ModelStreamErrorException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "ValidationException",
)
"""Exceptions that the stream has an event for."""


def wrong_request(message: str) -> Problem:
    """What is wrong with a request, in the server's words."""
    return Problem(ErrorKind.INVALID_REQUEST, message=message)


def error_of(problem: Problem, request: RequestLog) -> tuple[int, str, dict[str, JsonValue]]:
    """The status of an error, the exception's name, and what it says."""
    status, name, message = _ERRORS.get(kind_of(problem, _BY_STATUS), _ERRORS[ErrorKind.SERVER_ERROR])
    name = problem.type or problem.code or name
    return problem.status or status, name, {"message": message if problem.message is None else problem.message}


def frame_of(problem: Problem, request: RequestLog) -> bytes:
    """The same within a stream."""
    _, name, fields = error_of(problem, request)
    if name in _FRAMED:
        told = {":exception-type": name[0].lower() + name[1:], ":content-type": "application/json"}
        return frame({**told, ":message-type": "exception"}, json.dumps(fields).encode())
    said = {":error-code": name, ":error-message": str(fields["message"]), ":message-type": "error"}
    return frame(said, b"")
