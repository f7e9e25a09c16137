"""The errors of Cohere's Chat API, in its servers' words (https://docs.cohere.com/reference/errors)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["error_of", "wrong_request"]

_FIELDS = frozenset(
    {
        "citation_options",
        "documents",
        "frequency_penalty",
        "k",
        "logprobs",
        "max_tokens",
        "messages",
        "model",
        "p",
        "presence_penalty",
        "priority",
        "raw_prompting",
        "response_format",
        "safety_mode",
        "seed",
        "stop_sequences",
        "stream",
        "strict_tools",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
    }
)

_ERRORS: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.RATE_LIMITED: (429, "You are past the per minute request limit, please wait and try again later."),
    ErrorKind.QUOTA_EXHAUSTED: (
        429,
        "You are using a Trial key, which is limited to 1000 API calls / month. Upgrade to a Production key.",
    ),
    ErrorKind.OVERLOADED: (503, "service unavailable: the model is overloaded, please try again later"),
    ErrorKind.SERVER_ERROR: (500, "internal server error, this has been reported to our developers."),
    ErrorKind.TIMEOUT: (504, "request timed out, please try again"),
    ErrorKind.CONTEXT_OVERFLOW: (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 130000.",
    ),
    ErrorKind.CONTENT_FILTERED: (400, "your request was blocked by our content policy"),
    ErrorKind.INVALID_REQUEST: (400, "invalid request: message must be at least 1 token long"),
    ErrorKind.UNAUTHORIZED: (401, "invalid api token"),
    ErrorKind.PERMISSION_DENIED: (403, "forbidden: your organization may not use this endpoint"),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "model '{model}' not found, make sure the correct model ID was used and that you have access to the model.",
    ),
}
_BY_STATUS = {
    401: ErrorKind.UNAUTHORIZED,
    403: ErrorKind.PERMISSION_DENIED,
    404: ErrorKind.MODEL_NOT_FOUND,
    429: ErrorKind.RATE_LIMITED,
    498: ErrorKind.UNAUTHORIZED,
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
    """What Cohere's servers say of a body at once, or None."""
    if not isinstance(body, dict):
        return _wrong("invalid request: the body is not a JSON object")
    unknown = next((name for name in body if name not in _FIELDS), None)
    if unknown is not None:
        return _wrong(f"unknown field: parameter '{unknown}' is not a valid field", 422)
    if not isinstance(body.get("model"), str) or not body["model"]:
        return _wrong("invalid request: model is required")
    if not isinstance(body.get("stream"), bool | None):
        return _wrong("invalid type: parameter stream must be a boolean")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return _wrong("invalid request: messages must not be empty")
    choice, tools = body.get("tool_choice"), body.get("tools")
    if choice not in (None, "REQUIRED", "NONE"):
        return _wrong("invalid request: tool_choice must be one of REQUIRED, NONE")
    if choice == "REQUIRED" and not tools:
        return _wrong("invalid request: tool_choice REQUIRED needs tools")
    return next((wrong for at, each in enumerate(messages) if (wrong := _wrong_message(at, each)) is not None), None)


def _wrong_message(at: int, message: JsonValue) -> Problem | None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        return _wrong(f"invalid request: messages[{at}].role must be one of {', '.join(_ROLES)}")
    calls = message.get("tool_calls")
    if not message.get("content") and not calls:
        return _wrong(f"invalid request: messages[{at}] must have non-empty content or tool calls")
    if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
        return _wrong(f"invalid request: messages[{at}] is missing tool_call_id")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
            return _wrong(f"invalid type: messages[{at}].tool_calls: arguments must be a string")
    return None


def _wrong(message: str, status: int = 400) -> Problem:
    return Problem(ErrorKind.INVALID_REQUEST, status, message=message)
