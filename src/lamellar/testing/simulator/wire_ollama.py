"""The wire format of Ollama's own chat API (https://docs.ollama.com/api/chat): JSON in lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.chat.content import ToolCall

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem
from .wire_body import BodyWire
from .wire_ollama_errors import error_of, wrong_request
from .writing import finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["OllamaWire"]

_FINISH = {"completed": "stop", "max_tokens": "length", "tool_call": "stop", "stop_sequence": "stop"}
_NANOSECONDS: dict[str, JsonValue] = {
    "total_duration": 1_735_248_334,
    "load_duration": 139_246_000,
    "prompt_eval_duration": 247_164_000,
    "eval_duration": 1_337_032_000,
}
"""Every answer's times: constants, for what is sent depends on the script alone."""

_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""What Go's JSON encoder escapes (https://pkg.go.dev/encoding/json#Marshal); in JSON they stand in texts only."""


class OllamaWire(BodyWire):
    """Ollama's own chat API. A stream is what it sends unless the request says otherwise."""

    name = "ollama"
    base_path = ""
    stream_type = "application/x-ndjson"
    chat_path = "/api/chat"
    models_path = "/api/tags"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """What Go cannot read into its types, and a model's missing name."""
        return wrong_request(body)

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """The body's `stream`, which is true where nothing is said."""
        return not isinstance(body, dict) or body.get("stream") is not False

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """The answer as one object."""
        message: dict[str, JsonValue] = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["thinking"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = [_call(call, index) for index, call in enumerate(answer.tool_calls)]
        return _dump(_line(answer, request, message, done=True))

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """A line for each piece, calls whole; the last says that it is done, and why."""
        pieces = [_part(_line(answer, request, piece), "content") for piece in _pieces(answer)]
        last: dict[str, JsonValue] = {"role": "assistant", "content": ""}
        return [*pieces, _part(_line(answer, request, last, done=True), "finish")]

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{"error": "text"}`."""
        status, message = error_of(problem, request)
        return status, _dump({"error": message})

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The error as a line of the stream; nothing has a name here."""
        return _part({"error": error_of(problem, request)[1]}, "error")

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A line with a role and no content, or a blank one: there are no comments."""
        if kind != "role":
            return Part(b"\n", "heartbeat")
        message: JsonValue = {"role": "assistant", "content": ""}
        return _part({**_who(request.model, request), "message": message, "done": False}, "heartbeat")

    def render_done(self, request: RequestLog) -> Part | None:
        """There is no such mark."""
        return None

    def render_models(self, models: Sequence[str]) -> bytes:
        """The models on this machine."""
        return _dump({"models": [{"name": model, "model": model, "size": 1} for model in models]})


def _dump(value: JsonValue) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED).encode()


def _part(line: dict[str, JsonValue], kind: PartKind) -> Part:
    return Part(_dump(line) + b"\n", kind)


def _who(model: str | None, request: RequestLog) -> dict[str, JsonValue]:
    return {"model": model, "created_at": f"2026-01-02T03:04:05.{request.number:06d}Z"}


def _line(
    answer: Answer, request: RequestLog, message: dict[str, JsonValue], *, done: bool = False
) -> dict[str, JsonValue]:
    line = {**_who(answer.model or request.model, request), "message": message, "done": done}
    if done:
        line |= {"done_reason": finish_of(answer, _FINISH), **_NANOSECONDS, **_counts(answer, request)}
    return line


def _pieces(answer: Answer) -> Iterator[dict[str, JsonValue]]:
    for piece in pieces_of(answer.reasoning or "", answer.chunk_size):
        yield {"role": "assistant", "content": "", "thinking": piece}
    for piece in text_pieces(answer):
        yield {"role": "assistant", "content": piece}
    for index, call in enumerate(answer.tool_calls):
        yield {"role": "assistant", "content": "", "tool_calls": [_call(call, index)]}


def _call(call: ToolCall, index: int) -> JsonValue:
    """A call comes whole; its arguments are an object, and older servers give it no id."""
    arguments = call.fn_arguments
    if isinstance(arguments, str):
        arguments = json.loads(arguments or "{}")
    function: JsonValue = {
        "index": index,
        "name": call.fn_name,
        "arguments": {} if arguments is None else arguments,
    }
    return {"id": call.call_id, "function": function} if call.call_id else {"function": function}


def _counts(answer: Answer, request: RequestLog) -> dict[str, JsonValue]:
    """Ollama's counts; what is not known is left out."""
    usage = answer.usage
    if usage is None:
        return {}
    if usage != "auto":
        counts = {"prompt_eval_count": usage.prompt_tokens, "eval_count": usage.completion_tokens}
        return {name: count for name, count in counts.items() if count is not None}
    said = sum(1 for _ in _pieces(answer))
    return {"prompt_eval_count": sum(len(text.split()) for text in _texts(request.json)), "eval_count": said}


def _texts(body: JsonValue) -> Iterator[str]:
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            yield content
