"""The wire format of OpenAI's Chat Completions, as its servers write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage

from .steps import Part
from .wire import HeartbeatKind, Problem
from .wire_body import BodyWire
from .wire_chat_errors import error_of, wrong_request
from .writing import arguments_of, counted, dumped, finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["ChatWire"]

CREATED = 1_760_000_000
"""Every answer's time of making: a constant, for what is sent depends on the script alone."""

_FINISH = {
    "completed": "stop",
    "max_tokens": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
    "stop_sequence": "stop",
}


class ChatWire(BodyWire):
    """OpenAI's Chat Completions.

    Args:
        reasoning_field: Where the reasoning stands: ``reasoning_content``, as most of those who show it do, or
            ``reasoning``.
    """

    name = "chat"
    base_path = "/v1"
    stream_type = "text/event-stream; charset=utf-8"
    chat_path = "/chat/completions"

    def __init__(self, *, reasoning_field: str = "reasoning_content") -> None:
        self._reasoning_field = reasoning_field

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token, or Azure's `api-key`."""
        return headers.get("authorization") == f"Bearer {key}" or headers.get("api-key") == key

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """A JSON object with a model and messages."""
        if not isinstance(body, dict):
            return wrong_request("We could not parse the JSON body of your request. The API expects a JSON payload.")
        if self.model_of(path, body) is None:
            return wrong_request("you must provide a model parameter", "model")
        messages = body.get("messages")
        if messages is None:
            return wrong_request("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
        if not isinstance(messages, list) or not all(isinstance(item, dict) and "role" in item for item in messages):
            return wrong_request(
                "Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type"
            )
        if not messages:
            return wrong_request("Invalid 'messages': empty array.", "messages", "empty_array")
        if not isinstance(body.get("stream"), bool | None):
            return wrong_request("Invalid type for 'stream': expected a boolean.", "stream", "invalid_type")
        return None

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The body's `model`; on Azure the deployment in the path."""
        deployment = re.search(r"/deployments/([^/]+)/", path)
        return super().model_of(path, body) or (deployment[1] if deployment else None)

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """A `chat.completion`."""
        message: dict[str, JsonValue] = {"role": "assistant", "content": answer.text or None}
        if answer.reasoning is not None:
            message[self._reasoning_field] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [_call(call) for call in answer.tool_calls]
        elif not answer.text:
            message["content"] = ""
        message |= {"refusal": None, "annotations": []}
        choice: JsonValue = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": finish_of(answer, _FINISH),
        }
        usage = _usage(answer, request)
        return dumped(
            {
                **_envelope(answer, request, "chat.completion"),
                "choices": [choice],
                **({} if usage is None else {"usage": usage}),
            }
        )

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """Chunks: the role, reasoning, text, tool calls, the finish, the usage where it is asked for, `[DONE]`."""
        envelope = _envelope(answer, request, "chat.completion.chunk")
        asked = _usage_asked(request)
        usage = _usage(answer, request)
        always: dict[str, JsonValue] = {"usage": None} if asked and usage is not None else {}

        def chunk(delta: JsonValue, finish: str | None = None) -> dict[str, JsonValue]:
            choice: JsonValue = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return {**envelope, "choices": [choice], **always}

        content: JsonValue = "" if answer.text or not answer.tool_calls else None
        parts = [_event(chunk({"role": "assistant", "content": content, "refusal": None}), "opening")]
        parts += [_event(chunk(delta), "content") for delta in self._deltas(answer)]
        last = chunk({}, finish_of(answer, _FINISH))
        if answer.stream_usage == "finish" and usage is not None:
            last["usage"] = usage
        parts.append(_event(last, "finish"))
        if usage is not None and (answer.stream_usage == "always" or (answer.stream_usage == "asked" and asked)):
            parts.append(_event({**envelope, "choices": [], "usage": usage}, "usage"))
        if answer.done:
            parts.append(self.render_done(request))
        return parts

    def _deltas(self, answer: Answer) -> Iterator[dict[str, JsonValue]]:
        for piece in pieces_of(answer.reasoning or "", answer.chunk_size):
            yield {self._reasoning_field: piece}
        for piece in text_pieces(answer):
            yield {"content": piece}
        for index, call in enumerate(answer.tool_calls):
            opened: JsonValue = {"name": call.fn_name, "arguments": ""}
            yield {"tool_calls": [{"index": index, "id": call.call_id, "type": "function", "function": opened}]}
            for piece in pieces_of(arguments_of(call), answer.chunk_size or 12):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{error: {message, type, param, code}}`."""
        status, error = error_of(problem, request)
        return status, dumped({"error": error})

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """A chunk that is an error; named, as Groq does it, or not, as OpenAI does."""
        part = _event({"error": error_of(problem, request)[1]}, "error")
        return Part(b"event: error\n" + part.data, "error") if named else part

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A comment, an empty delta with a role, or an empty line."""
        if kind == "comment":
            return Part(b": keep-alive\n\n", "heartbeat")
        if kind == "blank":
            return Part(b"\n", "heartbeat")
        delta: JsonValue = {"role": "assistant", "content": ""}
        choice: JsonValue = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        envelope: dict[str, JsonValue] = {"id": _id(request), "object": "chat.completion.chunk", "created": CREATED}
        return _event({**envelope, "model": request.model, "choices": [choice]}, "heartbeat")

    def render_done(self, request: RequestLog) -> Part:
        """`[DONE]`."""
        return Part(b"data: [DONE]\n\n", "done")

    def render_models(self, models: Sequence[str]) -> bytes:
        """A list of `model` objects."""
        data: list[JsonValue] = [
            {"id": model, "object": "model", "created": CREATED, "owned_by": "simulator"} for model in models
        ]
        return dumped({"object": "list", "data": data})


def _event(payload: dict[str, JsonValue], kind: str) -> Part:
    return Part(b"data: " + dumped(payload) + b"\n\n", kind)  # type: ignore[arg-type]


def _id(request: RequestLog) -> str:
    return f"chatcmpl-sim-{request.number}"


def _envelope(answer: Answer, request: RequestLog, kind: str) -> dict[str, JsonValue]:
    return {
        "id": _id(request),
        "object": kind,
        "created": CREATED,
        "model": answer.model or request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def _call(call: ToolCall) -> JsonValue:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.fn_name, "arguments": arguments_of(call)},
    }


def _usage_asked(request: RequestLog) -> bool:
    options = request.json.get("stream_options") if isinstance(request.json, dict) else None
    return isinstance(options, dict) and options.get("include_usage") is True


def _usage(answer: Answer, request: RequestLog) -> JsonValue:
    usage = answer.usage
    if usage is None:
        return None
    if usage == "auto":
        prompt, said, thought = counted(answer, request)
        usage = _counted(prompt, said, thought)
    found = usage.model_dump(exclude_none=True)
    details = {"prompt_details": "prompt_tokens_details", "completion_details": "completion_tokens_details"}
    return {details.get(name, name): value for name, value in found.items()}


def _counted(prompt: int, said: int, thought: int) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=said,
        total_tokens=prompt + said,
        prompt_details=PromptDetails(cached_tokens=0, audio_tokens=0),
        completion_details=CompletionDetails(
            reasoning_tokens=thought, audio_tokens=0, accepted_prediction_tokens=0, rejected_prediction_tokens=0
        ),
    )
