"""The wire format of Google's Vertex AI: Gemini's, and Claude's at an address of its own, told apart by the path.

See https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and
https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai. Whoever asks is known by a bearer token. A
Claude model is named in the path, the version of its API in the body, and what the platform refuses itself (who asks,
how often, and a model that is not there) is told in Google's words, in a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import JsonValue

from lamellar.errors import ErrorKind

from .steps import Part
from .wire import HeartbeatKind, Problem, Route, WireFormat
from .wire_anthropic import MessagesWire
from .wire_anthropic_errors import wrong_request
from .wire_gemini import GeminiWire

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["ClaudeOnVertexWire", "VertexWire"]

_PREDICT = re.compile(r"/publishers/anthropic/models/(?P<name>[^/:]+):(?P<stream>streamR|r)awPredict\Z")
_VERSION = "vertex-2023-10-16"

_OF_THE_PLATFORM: dict[ErrorKind, tuple[int, str, str]] = {
    ErrorKind.RATE_LIMITED: (
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for online_prediction_requests_per_base_model with base model: {model}.",
    ),
    ErrorKind.UNAUTHORIZED: (
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token or other valid credential.",
    ),
    ErrorKind.PERMISSION_DENIED: (
        403,
        "PERMISSION_DENIED",
        "Permission 'aiplatform.endpoints.predict' denied on resource '{path}' (or it may not exist).",
    ),
    ErrorKind.MODEL_NOT_FOUND: (
        404,
        "NOT_FOUND",
        "Publisher Model `{path}` was not found or your project does not have access to it.",
    ),
}


class ClaudeOnVertexWire(MessagesWire):
    """Claude on Vertex AI."""

    name = "anthropic_vertex"
    base_path = "/v1/publishers/anthropic"

    def route(self, path: str) -> Route | None:
        """`…/publishers/anthropic/models/{model}:rawPredict` and `…:streamRawPredict`, under any prefix."""
        return "chat" if _PREDICT.search(path) else None

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token."""
        return headers.get("authorization") == f"Bearer {key}"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """What Anthropic's own API wants, with the version of the API in place of the model."""
        if not isinstance(body, dict):
            return wrong_request("The request body is not valid JSON.")
        if body.get("anthropic_version") != _VERSION:
            return wrong_request("anthropic_version: Field required")
        for name in ("model", "service_tier"):
            if name in body:
                return wrong_request(f"{name}: Extra inputs are not permitted")
        if self.wants_stream(path, body) != (body.get("stream") is True):
            return wrong_request("stream: does not match the method that was called")
        return super().check(path, {**body, "model": self.model_of(path, body)})

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The model in the path."""
        found = _PREDICT.search(path)
        return None if found is None else unquote(found["name"])

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """The path's method."""
        found = _PREDICT.search(path)
        return found is not None and found["stream"] == "streamR"

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """The model's errors in Anthropic's words, the platform's in Google's, in a list."""
        told = _of_the_platform(problem, request)
        if told is None:
            return super().render_error(problem, request)
        status, error = told
        return status, json.dumps([{"error": error}], indent=2).encode()

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """Anthropic's `error` event; the platform's own errors break in bare, in a list."""
        told = _of_the_platform(problem, request)
        if told is None or named:
            return super().render_error_event(problem, request, named=named)
        return Part(json.dumps([{"error": told[1]}]).encode() + b"\n\n", "error")


def _of_the_platform(problem: Problem, request: RequestLog) -> tuple[int, dict[str, JsonValue]] | None:
    """The status and the object of an error that Google's platform tells itself; None for one of the model's."""
    found = None if problem.kind is None else _OF_THE_PLATFORM.get(problem.kind)
    if found is None:
        return None
    status, word, message = found
    path = request.path.partition(":")[0].lstrip("/")
    status = problem.status or status
    return status, {
        "code": status,
        "message": message.format(model=request.model, path=path) if problem.message is None else problem.message,
        "status": problem.type or word,
    }


class _GeminiOnVertexWire(GeminiWire):
    """Gemini on Vertex AI: an access token that is wrong is a 401 here."""

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token."""
        return headers.get("authorization") == f"Bearer {key}"

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """In Vertex AI's words where they are not the Gemini API's."""
        told = None if problem.kind is ErrorKind.RATE_LIMITED else _of_the_platform(problem, request)
        if told is None:
            return super().render_error(problem, request)
        return told[0], json.dumps({"error": told[1]}, indent=2).encode()


class VertexWire:
    """Both kinds of models at one address, each in its own format."""

    name = "vertex"
    base_path = "/v1"
    stream_type = "text/event-stream"

    def __init__(self) -> None:
        self._claude = ClaudeOnVertexWire()
        self._gemini = _GeminiOnVertexWire()

    def _of(self, path: str) -> WireFormat:
        return self._claude if "/publishers/anthropic/" in path else self._gemini

    def route(self, path: str) -> Route | None:
        """The methods of both."""
        return self._of(path).route(path)

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token."""
        return self._claude.authorized(headers, key)

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """What the model's own format wants."""
        if isinstance(body, dict) and "store" in body:
            return Problem(ErrorKind.INVALID_REQUEST, message='Invalid JSON payload received. Unknown name "store".')
        return self._of(path).check(path, body)

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The model in the path."""
        return self._of(path).model_of(path, body)

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """The path's method."""
        return self._of(path).wants_stream(path, body)

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """The answer in the model's own format."""
        return self._of(request.path).render_json(answer, request)

    def render_stream(self, answer: Answer, request: RequestLog) -> Sequence[Part]:
        """The stream in the model's own format."""
        return self._of(request.path).render_stream(answer, request)

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """The error, as the model or the platform tells it."""
        return self._of(request.path).render_error(problem, request)

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The error as the model's own format has it in a stream."""
        return self._of(request.path).render_error_event(problem, request, named=named)

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A sign of life in the model's own format."""
        return self._of(request.path).render_heartbeat(kind, request)

    def render_done(self, request: RequestLog) -> Part | None:
        """The mark of the end, where the model's own format has one."""
        return self._of(request.path).render_done(request)

    def render_models(self, models: Sequence[str]) -> bytes:
        """The list of models, as Google tells it."""
        return self._gemini.render_models(models)
