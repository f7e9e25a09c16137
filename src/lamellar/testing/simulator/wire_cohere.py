"""The wire format of Cohere's Chat API, version 2 (https://docs.cohere.com/reference/chat-stream)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.chat.content import ToolCall

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem
from .wire_body import BodyWire
from .wire_cohere_errors import error_of, wrong_request
from .writing import arguments_of, dumped, finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["CohereWire"]

_FINISH = {
    "completed": "COMPLETE",
    "max_tokens": "MAX_TOKENS",
    "tool_call": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
    "stop_sequence": "STOP_SEQUENCE",
}


class CohereWire(BodyWire):
    """Cohere's Chat API. Reasoning is a block of thinking, or, where calls and no text follow it, the plan for them."""

    name = "cohere"
    base_path = "/v2"
    stream_type = "text/event-stream"
    chat_path = "/chat"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """A JSON object with a model and messages, and only fields that there are."""
        return wrong_request(body)

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """The answer as one object."""
        message: dict[str, JsonValue] = {"role": "assistant"}
        content: list[JsonValue] = []
        if answer.reasoning and not _is_plan(answer):
            content.append({"type": "thinking", "thinking": answer.reasoning})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        if content:
            message["content"] = content
        if answer.reasoning and _is_plan(answer):
            message["tool_plan"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [_call(call, arguments_of(call)) for call in answer.tool_calls]
        body: dict[str, JsonValue] = {
            "id": _id(request),
            "message": message,
            "finish_reason": finish_of(answer, _FINISH),
        }
        usage = _usage(answer, request)
        return dumped(body if usage is None else {**body, "usage": usage})

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """The beginning, blocks of the content with their pieces, the plan, the calls, the end, and `[DONE]`."""
        parts = [_start(request), *self._content(answer)]
        for index, call in enumerate(answer.tool_calls):
            parts.append(_event("tool-call-start", {"tool_calls": _call(call, "")}, "content", index))
            for piece in pieces_of(arguments_of(call), answer.chunk_size or 12):
                delta: JsonValue = {"tool_calls": {"function": {"arguments": piece}}}
                parts.append(_event("tool-call-delta", delta, "content", index))
            parts.append(_event("tool-call-end", None, "opening", index))
        end: dict[str, JsonValue] = {"finish_reason": finish_of(answer, _FINISH)}
        usage = _usage(answer, request)
        parts.append(_end(end if usage is None else {**end, "usage": usage}, "finish"))
        if answer.done:
            parts.append(self.render_done(request))
        return parts

    def _content(self, answer: Answer) -> Iterator[Part]:
        reasoning = pieces_of(answer.reasoning or "", answer.chunk_size)
        texts = text_pieces(answer)
        index = 0
        if _is_plan(answer):
            for piece in reasoning:
                yield _event("tool-plan-delta", {"tool_plan": piece}, "content")
        elif reasoning:
            yield from _block("thinking", reasoning, index)
            index += 1
        if texts:
            yield from _block("text", texts, index)

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{id, message}`."""
        status, message = error_of(problem, request)
        return status, dumped({"id": _id(request), "message": message})

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """An end with the finish reason `ERROR` and what went wrong; every event has a name anyway."""
        reason = problem.code or "ERROR"
        return _end({"finish_reason": reason, "error": error_of(problem, request)[1]}, "error")

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A comment, the beginning again, or an empty line."""
        if kind == "comment":
            return Part(b": keep-alive\n\n", "heartbeat")
        return Part(b"\n", "heartbeat") if kind == "blank" else Part(_start(request).data, "heartbeat")

    def render_done(self, request: RequestLog) -> Part:
        """`[DONE]`."""
        return Part(b"data: [DONE]\n\n", "done")

    def render_models(self, models: Sequence[str]) -> bytes:
        """A list of models."""
        return dumped({"models": [{"name": model, "endpoints": ["chat"]} for model in models]})


def _framed(payload: dict[str, JsonValue], kind: PartKind) -> Part:
    return Part(b"event: " + str(payload["type"]).encode() + b"\ndata: " + dumped(payload) + b"\n\n", kind)


def _event(name: str, message: JsonValue, kind: PartKind, index: int | None = None) -> Part:
    payload: dict[str, JsonValue] = {"type": name}
    if index is not None:
        payload["index"] = index
    return _framed(payload if message is None else {**payload, "delta": {"message": message}}, kind)


def _start(request: RequestLog) -> Part:
    message: JsonValue = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return _framed({"id": _id(request), "type": "message-start", "delta": {"message": message}}, "opening")


def _end(delta: dict[str, JsonValue], kind: PartKind) -> Part:
    return _framed({"type": "message-end", "delta": delta}, kind)


def _block(kind: str, pieces: Sequence[str], index: int) -> Iterator[Part]:
    yield _event("content-start", {"content": {"type": kind, kind: ""}}, "opening", index)
    for piece in pieces:
        yield _event("content-delta", {"content": {kind: piece}}, "content", index)
    yield _event("content-end", None, "opening", index)


def _id(request: RequestLog) -> str:
    return f"sim-{request.number}"


def _is_plan(answer: Answer) -> bool:
    return bool(answer.tool_calls) and not answer.text


def _call(call: ToolCall, arguments: str) -> JsonValue:
    return {"id": call.call_id, "type": "function", "function": {"name": call.fn_name, "arguments": arguments}}


def _usage(answer: Answer, request: RequestLog) -> JsonValue:
    """What the model read and wrote, and what is paid for; the template of the prompt is not."""
    usage = answer.usage
    if usage is None:
        return None
    if usage == "auto":
        texts = text_pieces(answer)
        said = len(texts) + len(pieces_of(answer.reasoning or "", answer.chunk_size))
        written: int | None = said + sum(len(arguments_of(call)) // 4 for call in answer.tool_calls)
        read: int | None = sum(len(text.split()) for text in _texts(request.json))
        cached = None
    else:
        read, written = usage.prompt_tokens, usage.completion_tokens
        cached = usage.prompt_details.cached_tokens if usage.prompt_details else None
    tokens: dict[str, JsonValue] = {"input_tokens": read, "output_tokens": written}
    tokens = {name: count for name, count in tokens.items() if count is not None}
    billed: JsonValue = {name: max(int(str(count)) - 1, 0) for name, count in tokens.items()}
    counts: dict[str, JsonValue] = {"billed_units": billed, "tokens": tokens}
    return counts if cached is None else {**counts, "cached_tokens": cached}


def _texts(body: JsonValue) -> Iterator[str]:
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text
