"""The wire format of Anthropic's Messages, as its documentation tells it.

See https://platform.claude.com/docs/en/api/messages and …/docs/en/build-with-claude/streaming. Every event is named;
the usage stands in the first event and, as it is in the end, in the one that tells why the model stopped. `named`,
`stream_usage`, `code` and `param` are other formats' choices: there is none here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem
from .wire_anthropic_errors import error_of, wrong_request
from .wire_body import BodyWire
from .writing import arguments_of, counted, dumped, finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["SIGNATURE", "MessagesWire"]

SIGNATURE = "c2ltdWxhdG9yLXNpZ25hdHVyZQ=="
"""The signature of every thinking block."""

_STOP = {
    "completed": "end_turn",
    "max_tokens": "max_tokens",
    "tool_call": "tool_use",
    "content_filter": "refusal",
    "stop_sequence": "stop_sequence",
}


class MessagesWire(BodyWire):
    """Anthropic's Messages."""

    name = "anthropic"
    base_path = ""
    stream_type = "text/event-stream; charset=utf-8"
    chat_path = "/v1/messages"
    models_path = "/v1/models"

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """The key in `x-api-key`, or a bearer token."""
        return headers.get("x-api-key") == key or headers.get("authorization") == f"Bearer {key}"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """A JSON object with a model, a bound on the tokens, and messages of users and assistants."""
        if not isinstance(body, dict):
            return wrong_request("The request body is not valid JSON.")
        for name in ("model", "max_tokens", "messages"):
            if body.get(name) is None:
                return wrong_request(f"{name}: Field required")
        bound, messages, thinking = body["max_tokens"], body["messages"], body.get("thinking")
        if not isinstance(bound, int) or isinstance(bound, bool) or bound < 1:
            return wrong_request("max_tokens: Input should be greater than or equal to 1")
        if not isinstance(messages, list) or not messages:
            return wrong_request("messages: at least one message is required")
        for at, message in enumerate(messages):
            if not isinstance(message, dict):
                return wrong_request(f"messages.{at}: Input does not match the expected shape.")
            if message.get("role") not in ("user", "assistant"):
                return wrong_request(f"messages.{at}.role: Input should be 'user' or 'assistant'")
            if not message.get("content"):
                return wrong_request(f"messages.{at}: all messages must have non-empty content")
        if isinstance(thinking, dict):
            budget = thinking.get("budget_tokens")
            if isinstance(budget, int) and budget >= bound:
                return wrong_request("`max_tokens` must be greater than `thinking.budget_tokens`.")
        return None

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """A `message`."""
        content: list[JsonValue] = []
        if answer.reasoning is not None:
            content.append({"type": "thinking", "thinking": answer.reasoning, "signature": SIGNATURE})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        content.extend(_tool_use(call, _input(call)) for call in answer.tool_calls)
        message = _message(answer, request, content, finish_of(answer, _STOP))
        usage = _usage(answer, request)
        return dumped(message if usage is None else {**message, "usage": usage})

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """`message_start`, the blocks one after another, `message_delta`, `message_stop`."""
        usage = _usage(answer, request)
        message = _message(answer, request, [], None)
        if usage is not None:
            counted: dict[str, JsonValue] = {**usage, "output_tokens": 1}
            counted.pop("output_tokens_details", None)
            message["usage"] = counted
        parts = [_event("message_start", "opening", message=message), self.render_heartbeat("role", request)]
        for index, (opening, deltas) in enumerate(self._blocks(answer)):
            # A tool call's opening says which tool it is, so it is content already.
            kind: PartKind = "content" if opening["type"] == "tool_use" else "opening"
            parts.append(_event("content_block_start", kind, index=index, content_block=opening))
            for said in deltas:
                said_kind: PartKind = "opening" if said["type"] == "signature_delta" else "content"
                parts.append(_event("content_block_delta", said_kind, index=index, delta=said))
            parts.append(_event("content_block_stop", "opening", index=index))
        delta: JsonValue = {"stop_reason": finish_of(answer, _STOP), "stop_sequence": None}
        parts.append(_event("message_delta", "finish", delta=delta, **({} if usage is None else {"usage": usage})))
        return [*parts, self.render_done(request)] if answer.done else parts

    def _blocks(self, answer: Answer) -> Iterator[tuple[dict[str, JsonValue], list[dict[str, JsonValue]]]]:
        """Each block as it opens, and its deltas."""
        if answer.reasoning is not None:
            deltas: list[dict[str, JsonValue]] = [
                {"type": "thinking_delta", "thinking": piece}
                for piece in pieces_of(answer.reasoning, answer.chunk_size)
            ]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
            yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
        pieces = text_pieces(answer)
        if pieces:
            yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
        for call in answer.tool_calls:
            text = arguments_of(call)
            fragments = [] if text == "{}" else pieces_of(text, answer.chunk_size or 12)
            yield (
                _tool_use(call, {}),
                [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *fragments)],
            )

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{type: error, error: {type, message}, request_id}`."""
        status, error = error_of(problem, request)
        return status, dumped({"type": "error", "error": error, "request_id": f"req_sim_{request.number}"})

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The same as an event, which is always named."""
        return _event("error", "error", error=error_of(problem, request)[1])

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A comment, an empty line, or a `ping`: the provider's own sign of life."""
        if kind == "comment":
            return Part(b": keep-alive\n\n", "heartbeat")
        return Part(b"\n", "heartbeat") if kind == "blank" else _event("ping", "heartbeat")

    def render_done(self, request: RequestLog) -> Part:
        """`message_stop`."""
        return _event("message_stop", "done")

    def render_models(self, models: Sequence[str]) -> bytes:
        """A page of `model` objects."""
        data: list[JsonValue] = [
            {"type": "model", "id": model, "display_name": model, "created_at": "2026-01-01T00:00:00Z"}
            for model in models
        ]
        ends: dict[str, JsonValue] = {"first_id": models[0], "last_id": models[-1]} if models else {}
        return dumped({"data": data, "has_more": False, **ends})


def _event(name: str, kind: PartKind, **fields: JsonValue) -> Part:
    payload = {"type": name, **fields}
    return Part(b"event: " + name.encode() + b"\ndata: " + dumped(payload) + b"\n\n", kind)


def _message(
    answer: Answer, request: RequestLog, content: list[JsonValue], stop_reason: str | None
) -> dict[str, JsonValue]:
    return {
        "id": f"msg_sim_{request.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.model or request.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
    }


def _input(call: ToolCall) -> JsonValue:
    return {} if call.fn_arguments is None else call.fn_arguments


def _tool_use(call: ToolCall, given: JsonValue) -> dict[str, JsonValue]:
    return {"type": "tool_use", "id": call.call_id, "name": call.fn_name, "input": given}


def _usage(answer: Answer, request: RequestLog) -> dict[str, JsonValue] | None:
    """Cached and written tokens stand beside the input here, which does not include them."""
    usage = answer.usage
    if usage is None:
        return None
    if usage == "auto":
        usage = _counted(answer, request)
    prompt = usage.prompt_details or PromptDetails()
    read, written = prompt.cached_tokens, prompt.cache_creation_tokens
    told: dict[str, JsonValue] = {
        "input_tokens": (usage.prompt_tokens or 0) - (read or 0) - (written or 0),
        "cache_creation_input_tokens": written or 0,
        "cache_read_input_tokens": read or 0,
        "output_tokens": usage.completion_tokens or 0,
    }
    thought = usage.completion_details.reasoning_tokens if usage.completion_details else None
    if thought is not None:
        told["output_tokens_details"] = {"thinking_tokens": thought}
    creation = prompt.cache_creation
    if creation is not None:
        told["cache_creation"] = {
            "ephemeral_5m_input_tokens": creation.ephemeral_5m or 0,
            "ephemeral_1h_input_tokens": creation.ephemeral_1h or 0,
        }
    return told


def _counted(answer: Answer, request: RequestLog) -> Usage:
    prompt, said, thought = counted(answer, request)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=said,
        completion_details=CompletionDetails(reasoning_tokens=thought) if thought else None,
    )
