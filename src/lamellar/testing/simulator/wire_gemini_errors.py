"""The errors of Google's generateContent, in its servers' words, and what its servers refuse at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .wire import Problem, kind_of

if TYPE_CHECKING:
    from .log import RequestLog

__all__ = ["blocked_prompt", "error_of", "wrong_request"]

_FIELDS = frozenset(
    {
        "cachedContent",
        "contents",
        "generationConfig",
        "model",
        "safetySettings",
        "serviceTier",
        "store",
        "systemInstruction",
        "toolConfig",
        "tools",
    }
)

_ERRORS: dict[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.RATE_LIMITED: (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan."),
    ErrorKind.QUOTA_EXHAUSTED: (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan."),
    ErrorKind.OVERLOADED: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    ErrorKind.SERVER_ERROR: (500, "INTERNAL", "An internal error has occurred."),
    ErrorKind.TIMEOUT: (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    ErrorKind.CONTEXT_OVERFLOW: (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    ErrorKind.INVALID_REQUEST: (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    ErrorKind.UNAUTHORIZED: (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    ErrorKind.PERMISSION_DENIED: (403, "PERMISSION_DENIED", "The caller does not have permission."),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "NOT_FOUND",
        "models/{model} is not found for API version v1beta, or is not supported for generateContent.",
    ),
}

_KIND_OF_STATUS = {
    429: ErrorKind.RATE_LIMITED,
    403: ErrorKind.PERMISSION_DENIED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
}

_QUOTAS = {
    ErrorKind.RATE_LIMITED: "GenerateRequestsPerMinutePerProjectPerModel",
    ErrorKind.QUOTA_EXHAUSTED: "GenerateRequestsPerDayPerProjectPerModel",
}


def error_of(problem: Problem, request: RequestLog) -> tuple[int, dict[str, JsonValue]]:
    """The HTTP status of an error, and its object; what Google has no field for stands among the details."""
    kind = kind_of(problem, _KIND_OF_STATUS)
    status, word, message = _ERRORS.get(kind, _ERRORS[ErrorKind.SERVER_ERROR])
    status = problem.status or status
    error: dict[str, JsonValue] = {
        "code": status,
        "message": message.format(model=request.model) if problem.message is None else problem.message,
        "status": word if problem.type is None else problem.type,
    }
    details: list[JsonValue] = []
    quota = _QUOTAS.get(kind)
    if quota is not None:
        violation: JsonValue = {"quotaMetric": "generate_content_requests", "quotaId": quota}
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    reason = problem.code or ("API_KEY_INVALID" if kind is ErrorKind.UNAUTHORIZED else None)
    if reason is not None:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})
    if problem.param is not None:
        wrong: JsonValue = [{"field": problem.param, "description": error["message"]}]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": wrong})
    if details:
        error["details"] = details
    return status, error


def blocked_prompt(problem: Problem, request: RequestLog) -> dict[str, JsonValue] | None:
    """A blocked prompt is no error: an answer without candidates. None where a status was asked for, or it is none."""
    if problem.kind is not ErrorKind.CONTENT_FILTERED or problem.status is not None:
        return None
    feedback: dict[str, JsonValue] = {"blockReason": problem.code or "PROHIBITED_CONTENT"}
    if problem.message is not None:
        feedback["blockReasonMessage"] = problem.message
    usage: JsonValue = {"promptTokenCount": 3, "totalTokenCount": 3}
    who: dict[str, JsonValue] = {"modelVersion": request.model, "responseId": f"sim{request.number}"}
    return {"promptFeedback": feedback, "usageMetadata": usage, **who}


def wrong_request(body: JsonValue) -> Problem | None:
    """What Google's servers say of a body at once, or None."""
    if not isinstance(body, dict):
        return _wrong("Invalid JSON payload received. Expected an object.")
    unknown = next((name for name in body if name not in _FIELDS), None)
    if unknown is not None:
        return _wrong(f'Invalid JSON payload received. Unknown name "{unknown}": Cannot find field.')
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        return _wrong("* GenerateContentRequest.contents: contents is not specified\n", "contents")
    asked = 0
    for at, content in enumerate(contents):
        if not isinstance(content, dict) or content.get("role", "user") not in ("user", "model"):
            return _wrong("Please use a valid role: user, model.", f"contents[{at}].role")
        parts = content.get("parts")
        if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) and part for part in parts):
            return _wrong(f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty.")
        answers = _count(parts, "functionResponse")
        if answers and answers != asked:
            return _wrong(
                "Please ensure that the number of function response parts is equal to the number of function call"
                " parts of the function call turn."
            )
        asked = _count(parts, "functionCall")
    return None


def _count(parts: list[JsonValue], name: str) -> int:
    return sum(isinstance(part, dict) and name in part for part in parts)


def _wrong(message: str, param: str | None = None) -> Problem:
    return Problem(ErrorKind.INVALID_REQUEST, message=message, param=param)
