"""The errors of Ollama's own API, in its servers' words (https://docs.ollama.com/api/errors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "wrong_request"]

_ERRORS: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.RATE_LIMITED: (429, "too many requests, please wait and try again"),
    ErrorKind.QUOTA_EXHAUSTED: (429, "you've reached your weekly usage limit, upgrade for higher limits"),
    ErrorKind.OVERLOADED: (503, "server busy, please try again.  maximum pending requests exceeded"),
    ErrorKind.SERVER_ERROR: (500, "an error was encountered while running the model"),
    ErrorKind.TIMEOUT: (504, "timed out waiting for the model to respond"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "the input length exceeds the context length"),
    ErrorKind.CONTENT_FILTERED: (400, "the prompt was rejected by the provider's content policy"),
    ErrorKind.INVALID_REQUEST: (400, '"{model}" does not support tools'),
    ErrorKind.UNAUTHORIZED: (401, "unauthorized"),
    ErrorKind.PERMISSION_DENIED: (403, "forbidden: cloud models are disabled for this account"),
    ErrorKind.MODEL_NOT_FOUND: (404, "model '{model}' not found"),
}
_BY_STATUS = {
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.PERMISSION_DENIED,
    404: ErrorKind.MODEL_NOT_FOUND,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
}
_ROLES = ("system", "user", "assistant", "tool")


def error_of(problem: Problem, request: RequestLog) -> tuple[int, str]:
    """The HTTP status of an error, and its text; there is no field for anything else."""
    status, message = _ERRORS.get(kind_of(problem, _BY_STATUS), _ERRORS[ErrorKind.SERVER_ERROR])
    told = message.format(model=request.model) if problem.message is None else problem.message
    return problem.status or status, told


def wrong_request(body: JsonValue) -> Problem | None:
    """What Ollama's servers say of a body at once, or None."""
    if not isinstance(body, dict):
        return _wrong("missing request body" if body is None else "json: cannot unmarshal into Go value")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return _wrong("model is required")
    if not isinstance(body.get("stream"), bool | None):
        return _wrong(_unread("stream", "bool"))
    if body.get("format") not in (None, "", "json") and not isinstance(body["format"], dict):
        return _wrong(f'invalid format: {body["format"]!r}; expected "json" or a valid JSON Schema object')
    if not isinstance(body.get("think"), bool | None) and body["think"] not in ("high", "medium", "low"):
        return _wrong(f'invalid think value: {body["think"]!r} (must be "high", "medium", "low", true, or false)')
    messages = body.get("messages")
    if not isinstance(messages, list):
        return _wrong(_unread("messages", "[]api.Message"))
    return next((wrong for message in messages if (wrong := _wrong_message(message)) is not None), None)


def _wrong_message(message: JsonValue) -> Problem | None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        return _wrong('invalid role: must be one of "system", "user", "assistant", or "tool"')
    if not isinstance(message.get("content"), str | None):
        return _wrong(_unread("messages.content", "string"))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), dict):
            return _wrong(_unread("messages.tool_calls.function.arguments", "api.ToolCallFunctionArguments"))
    images = message.get("images")
    for image in images if isinstance(images, list) else ():
        if not isinstance(image, str) or image.startswith(("http:", "https:", "data:")):
            return _wrong("illegal base64 data at input byte 4")
    return None


def _unread(field: str, kind: str) -> str:
    return f"json: cannot unmarshal into Go struct field ChatRequest.{field} of type {kind}"


def _wrong(message: str) -> Problem:
    return Problem(ErrorKind.INVALID_REQUEST, message=message)
