"""The wire format of Google's generateContent, as the Gemini API writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import JsonValue

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CompletionDetails, Usage

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem, Route
from .wire_gemini_errors import blocked_prompt, error_of, wrong_request
from .writing import finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["GeminiWire"]

_METHOD = re.compile(r"/(?P<kind>models|tunedModels)/(?P<name>[^/:]+):(?:g|streamG)enerateContent\Z")
_FINISH = {
    "completed": "STOP",
    "max_tokens": "MAX_TOKENS",
    "tool_call": "STOP",
    "content_filter": "SAFETY",
    "stop_sequence": "STOP",
}


class GeminiWire:
    """Google's generateContent: the model and whether a stream is asked for stand in the path."""

    name = "gemini"
    base_path = "/v1beta"
    stream_type = "text/event-stream"

    def route(self, path: str) -> Route | None:
        """`…/models/{model}:generateContent`, `…:streamGenerateContent` and `…/models`, under any prefix."""
        if _METHOD.search(path):
            return "chat"
        return "models" if path.endswith("/models") else None

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """The API's key header, or Vertex AI's bearer token."""
        return headers.get("x-goog-api-key") == key or headers.get("authorization") == f"Bearer {key}"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """A JSON object with contents, and only fields that there are."""
        return wrong_request(body)

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The model in the path; a tuned one with its folder."""
        found = _METHOD.search(path)
        if found is None:
            return None
        name = unquote(found["name"])
        return name if found["kind"] == "models" else f"tunedModels/{name}"

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """The path's method."""
        return path.endswith(":streamGenerateContent")

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """One payload with the whole answer, indented as Google does it."""
        parts: list[JsonValue] = []
        if answer.reasoning:
            parts.append({"text": answer.reasoning, "thought": True})
        if answer.text:
            parts.append({"text": answer.text})
        parts += [_call(call) for call in answer.tool_calls]
        payload = _payload(answer, request, parts, _usage(answer, request), finish_of(answer, _FINISH))
        return json.dumps(payload, ensure_ascii=False, indent=2).encode()

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """Payloads with a piece and usage each; the last has the finish reason, and nothing marks the end."""
        usage = _usage(answer, request)
        running = None if usage is None or answer.stream_usage == "finish" else _so_far(usage)
        pieces = [_payload(answer, request, [part], running) for part in self._pieces(answer)]
        last = _payload(answer, request, [{"text": ""}], usage, finish_of(answer, _FINISH))
        return [*(_event(piece, "content") for piece in pieces), _event(last, "finish")]

    def _pieces(self, answer: Answer) -> Iterator[JsonValue]:
        for piece in pieces_of(answer.reasoning or "", answer.chunk_size):
            yield {"text": piece, "thought": True}
        for piece in text_pieces(answer):
            yield {"text": piece}
        for call in answer.tool_calls:
            yield _call(call)

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{error: {code, message, status, details}}`; a blocked prompt is a success that says so."""
        blocked = blocked_prompt(problem, request)
        if blocked is not None:
            return 200, _event(blocked, "error").data if request.stream else json.dumps(blocked, indent=2).encode()
        status, error = error_of(problem, request)
        return status, json.dumps({"error": error}, ensure_ascii=False, indent=2).encode()

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The error's body, bare as Google breaks into a stream with it; named, as the data of an event."""
        blocked = blocked_prompt(problem, request)
        if blocked is not None:
            return _event(blocked, "error")
        error: dict[str, JsonValue] = {"error": error_of(problem, request)[1]}
        if named:
            return _event(error, "error")
        return Part(json.dumps(error, ensure_ascii=False, indent=2).encode() + b"\r\n\r\n", "error")

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A comment, a payload with a role and no text, or an empty line."""
        if kind == "comment":
            return Part(b": keep-alive\r\n\r\n", "heartbeat")
        if kind == "blank":
            return Part(b"\r\n", "heartbeat")
        candidate: JsonValue = {"content": {"parts": [{"text": ""}], "role": "model"}, "index": 0}
        return _event({"candidates": [candidate], **_who(request.model, request)}, "heartbeat")

    def render_done(self, request: RequestLog) -> Part | None:
        """There is no such mark."""
        return None

    def render_models(self, models: Sequence[str]) -> bytes:
        """A list of models, each under its full name."""
        methods: JsonValue = ["generateContent", "countTokens"]
        listed: list[JsonValue] = [
            {"name": f"models/{model}", "displayName": model, "supportedGenerationMethods": methods} for model in models
        ]
        return json.dumps({"models": listed}, indent=2).encode()


def _event(payload: dict[str, JsonValue], kind: PartKind) -> Part:
    return Part(b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\r\n\r\n", kind)


def _who(model: str | None, request: RequestLog) -> dict[str, JsonValue]:
    return {"modelVersion": model, "responseId": f"sim{request.number}"}


def _payload(
    answer: Answer, request: RequestLog, parts: list[JsonValue], usage: JsonValue, finish: str | None = None
) -> dict[str, JsonValue]:
    content: dict[str, JsonValue] = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate: dict[str, JsonValue] = {"content": content, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    payload: dict[str, JsonValue] = {"candidates": [candidate]}
    if usage is not None:
        payload["usageMetadata"] = usage
    return {**payload, **_who(answer.model or request.model, request)}


def _call(call: ToolCall) -> JsonValue:
    """A call comes whole; its arguments are an object, and its id is left out where it is empty."""
    arguments = call.fn_arguments
    if isinstance(arguments, str):
        arguments = json.loads(arguments or "{}")
    function: dict[str, JsonValue] = {"name": call.fn_name, "args": {} if arguments is None else arguments}
    if call.call_id:
        function["id"] = call.call_id
    part: dict[str, JsonValue] = {"functionCall": function}
    if call.thought_signatures:
        part["thoughtSignature"] = call.thought_signatures[0]
    return part


def _usage(answer: Answer, request: RequestLog) -> dict[str, JsonValue] | None:
    usage = answer.usage
    if usage is None:
        return None
    if usage == "auto":
        pieces = text_pieces(answer)
        thought = len(pieces_of(answer.reasoning or "", answer.chunk_size))
        said = len(pieces) + thought + sum(len(json.dumps(_call(call))) // 4 for call in answer.tool_calls)
        prompt = sum(len(re.findall(r"\S+", text)) for text in _texts(request.json))
        details = CompletionDetails(reasoning_tokens=thought or None)
        usage = Usage(
            prompt_tokens=prompt, completion_tokens=said, total_tokens=prompt + said, completion_details=details
        )
    return _counts(usage)


def _counts(usage: Usage) -> dict[str, JsonValue]:
    """Google's counts: thoughts stand beside the candidates, and what is not known is left out."""
    thought = usage.completion_details.reasoning_tokens if usage.completion_details else None
    said = usage.completion_tokens
    heard = usage.prompt_details.audio_tokens if usage.prompt_details else None
    counts: dict[str, JsonValue] = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": said if said is None or thought is None else said - thought,
        "thoughtsTokenCount": thought,
        "totalTokenCount": usage.total_tokens,
        "cachedContentTokenCount": usage.prompt_details.cached_tokens if usage.prompt_details else None,
        "promptTokensDetails": None if heard is None else [{"modality": "AUDIO", "tokenCount": heard}],
    }
    return {name: count for name, count in counts.items() if count is not None}


def _so_far(usage: dict[str, JsonValue]) -> JsonValue:
    """What is known before the answer is."""
    prompt = usage.get("promptTokenCount")
    return None if prompt is None else {"promptTokenCount": prompt, "totalTokenCount": prompt}


def _texts(body: JsonValue) -> Iterator[str]:
    contents = body.get("contents") if isinstance(body, dict) else None
    for content in contents if isinstance(contents, list) else ():
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                yield text
