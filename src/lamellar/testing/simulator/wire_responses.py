"""The wire format of OpenAI's Responses, as its documentation tells it.

See https://platform.openai.com/docs/api-reference/responses and …/responses-streaming. Every event is named and
numbered, and the last one holds the whole response with its usage. `stream_usage` is another format's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from lamellar.chat.usage import CompletionDetails, PromptDetails, Usage

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem
from .wire_body import BodyWire
from .wire_responses_request import error_of, problem_of
from .writing import arguments_of, counted, dumped, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["ENCRYPTED", "ResponsesWire"]

CREATED = 1_760_000_000
"""Every answer's time of making: a constant, for what is sent depends on the script alone."""

ENCRYPTED = "gAAAAABzaW11bGF0b3ItcmVhc29uaW5n"
"""The encrypted form of all reasoning, for those who ask to include it."""

_INCOMPLETE = {"max_tokens": "max_output_tokens"}
_COMPLETED = frozenset({"completed", "tool_call", "stop_sequence"})

_Object = dict[str, JsonValue]
_Event = tuple[str, PartKind, _Object]
"""An event before it is numbered: its name, what it is, and its fields."""


class ResponsesWire(BodyWire):
    """OpenAI's Responses.

    Args:
        mark: Whether a stream ends with `[DONE]`, as OpenRouter's does. Default: it does not, as OpenAI's.
    """

    name = "responses"
    base_path = "/v1"
    stream_type = "text/event-stream; charset=utf-8"
    chat_path = "/responses"

    def __init__(self, *, mark: bool = False) -> None:
        self._mark = mark

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """A bearer token, or Azure's `api-key`."""
        return headers.get("authorization") == f"Bearer {key}" or headers.get("api-key") == key

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """A JSON object with a model and an input whose items belong together."""
        return problem_of(body)

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """A `response`."""
        return dumped(_final(answer, request))

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """`response.created`, the items one after another, and the event with the whole response."""
        begun = _response(answer.model or request.model, request, "in_progress", [])
        final = _final(answer, request)
        events: list[_Event] = [
            ("response.created", "opening", {"response": begun}),
            ("response.in_progress", "heartbeat", {"response": begun}),
        ]
        for index, item in enumerate(_items(answer, request)):
            events.extend(_item_events(index, item, answer))
        events.append((f"response.{final['status']}", "finish", {"response": final}))
        parts = [_part(name, kind, number, fields) for number, (name, kind, fields) in enumerate(events)]
        mark = self.render_done(request) if answer.done else None
        return parts if mark is None else [*parts, mark]

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """`{error: {message, type, param, code}}`."""
        status, error = error_of(problem, request)
        return status, dumped({"error": error})

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """An event `error`, and the response that failed; both are always named."""
        error = error_of(problem, request)[1]
        failed: _Object = {
            **_response(request.model, request, "failed", []),
            "error": {"code": error["code"] or "server_error", "message": error["message"]},
        }
        told = _part("error", "error", 2, {"error": error})
        return Part(told.data + _part("response.failed", "error", 3, {"response": failed}).data, "error")

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """A comment, an empty line, or a `response.in_progress`, which says nothing new."""
        if kind == "comment":
            return Part(b": keep-alive\n\n", "heartbeat")
        if kind == "blank":
            return Part(b"\n", "heartbeat")
        response = _response(request.model, request, "in_progress", [])
        return _part("response.in_progress", "heartbeat", 1, {"response": response})

    def render_done(self, request: RequestLog) -> Part | None:
        """`[DONE]` where it is sent at all."""
        return Part(b"data: [DONE]\n\n", "done") if self._mark else None

    def render_models(self, models: Sequence[str]) -> bytes:
        """A list of `model` objects."""
        data: list[JsonValue] = [
            {"id": model, "object": "model", "created": CREATED, "owned_by": "simulator"} for model in models
        ]
        return dumped({"object": "list", "data": data})


def _part(name: str, kind: PartKind, number: int, fields: _Object) -> Part:
    payload = {"type": name, "sequence_number": number, **fields}
    return Part(b"event: " + name.encode() + b"\ndata: " + dumped(payload) + b"\n\n", kind)


def _response(model: str | None, request: RequestLog, status: str, output: list[JsonValue]) -> _Object:
    return {
        "id": f"resp_sim_{request.number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": output,
        "usage": None,
    }


def _final(answer: Answer, request: RequestLog) -> _Object:
    """The response in the end."""
    word = str(answer.stop_reason or "completed")
    status = "completed" if word in _COMPLETED else "incomplete"
    output: list[JsonValue] = list(_items(answer, request))
    response = _response(answer.model or request.model, request, status, output)
    response["usage"] = _usage(answer, request)
    if status == "incomplete":
        response["incomplete_details"] = {"reason": _INCOMPLETE.get(word, word)}
    return response


def _items(answer: Answer, request: RequestLog) -> list[_Object]:
    """The output items, whole."""
    number = request.number
    items: list[_Object] = []
    if answer.reasoning is not None:
        summary: JsonValue = [{"type": "summary_text", "text": answer.reasoning}]
        reasoning: _Object = {"id": f"rs_sim_{number}", "type": "reasoning", "summary": summary}
        if _includes_encrypted(request):
            reasoning["encrypted_content"] = ENCRYPTED
        items.append(reasoning)
    if answer.text:
        content: JsonValue = [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]
        message: _Object = {"id": f"msg_sim_{number}", "type": "message", "status": "completed", "role": "assistant"}
        items.append({**message, "content": content})
    items.extend(
        {
            "id": f"fc_sim_{number}_{at}",
            "type": "function_call",
            "status": "completed",
            "call_id": call.call_id,
            "name": call.fn_name,
            "arguments": arguments_of(call),
        }
        for at, call in enumerate(answer.tool_calls)
    )
    return items


def _item_events(index: int, item: _Object, answer: Answer) -> Iterator[_Event]:
    """One item: it opens empty, grows by deltas, and is repeated whole."""
    place: _Object = {"item_id": item["id"], "output_index": index}
    empty: dict[str, _Object] = {
        "reasoning": {"summary": []},
        "message": {"content": [], "status": "in_progress"},
        "function_call": {"arguments": "", "status": "in_progress"},
    }
    kind = str(item["type"])
    # A tool call's opening says which tool it is, so it is content already.
    opening: PartKind = "content" if kind == "function_call" else "opening"
    yield "response.output_item.added", opening, {"output_index": index, "item": {**item, **empty[kind]}}
    if kind == "function_call":
        arguments = str(item["arguments"])
        for piece in pieces_of(arguments, answer.chunk_size or 12):
            yield "response.function_call_arguments.delta", "content", {**place, "delta": piece}
        yield "response.function_call_arguments.done", "opening", {**place, "arguments": arguments}
    elif kind == "message":
        yield from _text_events({**place, "content_index": 0}, answer)
    else:
        yield from _summary_events({**place, "summary_index": 0}, answer)
    yield "response.output_item.done", "opening", {"output_index": index, "item": item}


def _text_events(place: _Object, answer: Answer) -> Iterator[_Event]:
    part: _Object = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield "response.content_part.added", "opening", {**place, "part": part}
    for piece in text_pieces(answer):
        yield "response.output_text.delta", "content", {**place, "delta": piece, "logprobs": []}
    yield "response.output_text.done", "opening", {**place, "text": answer.text, "logprobs": []}
    yield "response.content_part.done", "opening", {**place, "part": {**part, "text": answer.text}}


def _summary_events(place: _Object, answer: Answer) -> Iterator[_Event]:
    text = answer.reasoning or ""
    part: _Object = {"type": "summary_text", "text": ""}
    yield "response.reasoning_summary_part.added", "opening", {**place, "part": part}
    for piece in pieces_of(text, answer.chunk_size):
        yield "response.reasoning_summary_text.delta", "content", {**place, "delta": piece}
    yield "response.reasoning_summary_text.done", "opening", {**place, "text": text}
    yield "response.reasoning_summary_part.done", "opening", {**place, "part": {**part, "text": text}}


def _includes_encrypted(request: RequestLog) -> bool:
    include = request.json.get("include") if isinstance(request.json, dict) else None
    return isinstance(include, list) and "reasoning.encrypted_content" in include


def _usage(answer: Answer, request: RequestLog) -> JsonValue:
    usage = answer.usage
    if usage is None:
        return None
    if usage == "auto":
        usage = _counted(answer, request)
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    read = (usage.prompt_details or PromptDetails()).cached_tokens
    thought = (usage.completion_details or CompletionDetails()).reasoning_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": read or 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": thought or 0},
        "total_tokens": prompt + completion if usage.total_tokens is None else usage.total_tokens,
    }


def _counted(answer: Answer, request: RequestLog) -> Usage:
    prompt, said, thought = counted(answer, request)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=said,
        completion_details=CompletionDetails(reasoning_tokens=thought),
    )
