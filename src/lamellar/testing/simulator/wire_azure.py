"""The wire format of Chat Completions on Azure, as its documentation tells it.

See https://learn.microsoft.com/azure/foundry/openai/reference and …/concepts/content-filter-annotations. The verdicts
of the content filter stand on the prompt and on every choice; a stream begins with an event that has the prompt's
alone, with empty names. Errors are OpenAI's where the model tells them, and the platform's own where it refuses itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .steps import Part
from .wire import Problem, Route
from .wire_chat import ChatWire
from .writing import dumped

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["AzureWire"]

_HARMS = ("hate", "self_harm", "sexual", "violence")
_SAFE: JsonValue = {harm: {"filtered": False, "severity": "safe"} for harm in _HARMS}
_BLOCKED: JsonValue = {harm: {"filtered": harm == "violence", "severity": "medium"} for harm in _HARMS}
_PROMPT: JsonValue = [{"prompt_index": 0, "content_filter_results": _SAFE}]

_ERRORS: dict[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.RATE_LIMITED: (
        429,
        "429",
        "Requests to the ChatCompletions_Create Operation have exceeded call rate limit. Please retry after 6 seconds.",
    ),
    ErrorKind.UNAUTHORIZED: (
        401,
        "401",
        "Access denied due to invalid subscription key or wrong API endpoint.",
    ),
    ErrorKind.PERMISSION_DENIED: (
        403,
        "AuthorizationFailed",
        "Access denied due to Virtual Network/Firewall rules.",
    ),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "DeploymentNotFound",
        "The API deployment for this resource does not exist.",
    ),
}

_FILTERED = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."


class AzureWire(ChatWire):
    """Chat Completions on Azure, by the v1 form or by the classic one."""

    name = "azure"
    base_path = ""

    def route(self, path: str) -> Route | None:
        """`…/openai/v1/chat/completions`, and the same below `…/openai/deployments/{deployment}`."""
        whose, _, method = path.partition("/openai/")[2].partition("/")
        if whose == "deployments":
            method = method.partition("/")[2]
        elif whose != "v1":
            return None
        return {"chat/completions": "chat", "models": "models"}.get(method)  # type: ignore[return-value]

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """The key in `api-key`, or a bearer token of Entra ID."""
        return headers.get("api-key") == key or headers.get("authorization") == f"Bearer {key}"

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """A `chat.completion` with the filter's verdicts."""
        body = json.loads(super().render_json(answer, request))
        body["choices"][0]["content_filter_results"] = _SAFE
        return dumped({**body, "prompt_filter_results": _PROMPT})

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """The prompt's verdicts first, with empty names; then chunks with a verdict on every choice."""
        first: JsonValue = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        opening = _event({**first, "prompt_filter_results": _PROMPT}, "opening")  # type: ignore[dict-item]
        return [opening, *map(_judged, super().render_stream(answer, request))]

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """OpenAI's object, the filter's with its verdicts, or the platform's, which has a code and a message alone."""
        if problem.kind is ErrorKind.CONTENT_FILTERED:
            inner: JsonValue = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _BLOCKED}
            error: dict[str, JsonValue] = {
                "message": _FILTERED if problem.message is None else problem.message,
                "type": problem.type,
                "param": problem.param or "prompt",
                "code": problem.code or "content_filter",
                "status": 400,
                "innererror": inner,
            }
            return problem.status or 400, dumped({"error": error})
        own = None if problem.kind is None or problem.type is not None else _ERRORS.get(problem.kind)
        if own is not None:
            status, code, message = own
            said = message if problem.message is None else problem.message
            return problem.status or status, dumped({"error": {"code": problem.code or code, "message": said}})
        return super().render_error(problem, request)


def _judged(part: Part) -> Part:
    """A chunk with the filter's verdict on its choices."""
    data = part.data.removeprefix(b"data: ")
    if not data.startswith(b"{"):
        return part
    chunk = json.loads(data)
    if not chunk.get("choices"):
        return part
    for choice in chunk["choices"]:
        choice["content_filter_results"] = _SAFE if choice["delta"].get("content") else {}
    return _event(chunk, part.kind)


def _event(payload: dict[str, JsonValue], kind: str) -> Part:
    return Part(b"data: " + dumped(payload) + b"\n\n", kind)  # type: ignore[arg-type]
