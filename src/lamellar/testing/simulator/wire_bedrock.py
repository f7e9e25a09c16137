"""The wire format of Amazon Bedrock's Converse, as its documentation tells it.

See https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and …_ConverseStream.html. A
stream is binary frames (`wire_bedrock_frames`); usage stands in the last of them, `metadata`. The format has no sign of
life of its own, so a heartbeat of any kind is the opening event again. `named`, `stream_usage` and `param` are other
formats' choices: there is none here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import JsonValue

from lamellar.chat.content import ToolCall
from lamellar.chat.usage import PromptDetails, Usage

from .steps import Part, PartKind
from .wire import HeartbeatKind, Problem, Route
from .wire_bedrock_errors import error_of, frame_of, wrong_request
from .wire_bedrock_frames import event
from .writing import finish_of, pieces_of, text_pieces

if TYPE_CHECKING:
    from .log import RequestLog
    from .replies import Answer

__all__ = ["SIGNATURE", "ConverseWire"]

SIGNATURE = "c2ltdWxhdG9yLXNpZ25hdHVyZQ=="
"""The signature of every reasoning block."""

_PATH = re.compile(r".*/model/(?P<model>[^/]+)/(?P<method>converse|converse-stream)\Z")
_STOP = {
    "completed": "end_turn",
    "max_tokens": "max_tokens",
    "tool_call": "tool_use",
    "content_filter": "content_filtered",
    "stop_sequence": "stop_sequence",
}


class ConverseWire:
    """Amazon Bedrock's Converse."""

    name = "converse"
    base_path = ""
    stream_type = "application/vnd.amazon.eventstream"

    def route(self, path: str) -> Route | None:
        """`…/model/{id}/converse` and `…/converse-stream`; another service has `…/foundation-models`."""
        if _PATH.match(path):
            return "chat"
        return "models" if path.endswith("/foundation-models") else None

    def authorized(self, headers: Mapping[str, str], key: str) -> bool:
        """The key as a bearer token; a signature is the test's own business."""
        return headers.get("authorization") == f"Bearer {key}"

    def check(self, path: str, body: JsonValue) -> Problem | None:
        """Users and assistants in turns, each with content that is not blank; tools where any was called."""
        if not isinstance(body, dict):
            return wrong_request("Unexpected token in JSON")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return wrong_request("A conversation must start with a user message.")
        for at, message in enumerate(messages):
            found = self._check_message(at, message, messages[at - 1] if at else None)
            if found is not None:
                return wrong_request(found)
        blocks = [block for message in messages for block in _content(message)]
        if "toolConfig" not in body and any(block.keys() & {"toolUse", "toolResult"} for block in blocks):
            return wrong_request(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        return None

    def _check_message(self, at: int, message: JsonValue, before: JsonValue) -> str | None:
        if not isinstance(message, dict):
            return f"messages.{at}: expected an object"
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant"):
            return f"Value '{role}' at 'messages.{at}.member.role' failed to satisfy constraint"
        if at == 0 and role != "user":
            return "A conversation must start with a user message. Try again with a conversation that does so."
        if isinstance(before, dict) and before.get("role") == role:
            return "A conversation must alternate between user and assistant roles."
        if not isinstance(content, list) or not content:
            return f"The content field in the Message object at messages.{at} is empty."
        for n, block in enumerate(content):
            if not isinstance(block, dict) or len(block) != 1:
                return f"The content block at messages.{at}.content.{n} must have exactly one member set."
            text = block.get("text")
            if isinstance(text, str) and not text.strip():
                return f"The text field in the ContentBlock object at messages.{at}.content.{n} is blank."
        return None

    def model_of(self, path: str, body: JsonValue) -> str | None:
        """The segment of the path."""
        found = _PATH.match(path)
        return unquote(found["model"]) if found is not None else None

    def wants_stream(self, path: str, body: JsonValue) -> bool:
        """Whether the path says so."""
        return path.endswith("/converse-stream")

    def render_json(self, answer: Answer, request: RequestLog) -> bytes:
        """A message, why it ended, and the usage."""
        content: list[JsonValue] = []
        if answer.reasoning is not None:
            told: JsonValue = {"text": answer.reasoning, "signature": SIGNATURE}
            content.append({"reasoningContent": {"reasoningText": told}})
        if answer.text:
            content.append({"text": answer.text})
        content.extend({"toolUse": {**_tool_use(call), "input": _input(call)}} for call in answer.tool_calls)
        body: dict[str, JsonValue] = {
            "metrics": {"latencyMs": 1},
            "output": {"message": {"content": content, "role": "assistant"}},
            "stopReason": finish_of(answer, _STOP),
        }
        usage = _usage(answer, request)
        return json.dumps(body if usage is None else {**body, "usage": usage}, ensure_ascii=False).encode()

    def render_stream(self, answer: Answer, request: RequestLog) -> list[Part]:
        """`messageStart`, the blocks one after another, `messageStop`, `metadata`."""
        parts = [Part(event("messageStart", role="assistant"), "opening")]
        for index, (start, deltas) in enumerate(self._blocks(answer)):
            if start is not None:  # a call's opening says which tool it is, so it is content already
                parts.append(Part(event("contentBlockStart", contentBlockIndex=index, start=start), "content"))
            for delta in deltas:
                silent = "signature" in _object(delta, "reasoningContent")
                kind: PartKind = "opening" if silent else "content"
                parts.append(Part(event("contentBlockDelta", contentBlockIndex=index, delta=delta), kind))
            parts.append(Part(event("contentBlockStop", contentBlockIndex=index), "opening"))
        parts.append(Part(event("messageStop", stopReason=finish_of(answer, _STOP)), "finish"))
        usage = _usage(answer, request)
        told: dict[str, JsonValue] = {} if usage is None else {"usage": usage}
        return [*parts, Part(event("metadata", metrics={"latencyMs": 1}, **told), "usage")]

    def _blocks(self, answer: Answer) -> Iterator[tuple[JsonValue, list[dict[str, JsonValue]]]]:
        """Each block: how it opens, where it says so, and its deltas."""
        if answer.reasoning is not None:
            told: list[dict[str, JsonValue]] = [
                {"text": piece} for piece in pieces_of(answer.reasoning, answer.chunk_size)
            ]
            told.append({"signature": SIGNATURE})
            yield None, [{"reasoningContent": each} for each in told]
        pieces = text_pieces(answer)
        if pieces:
            yield None, [{"text": piece} for piece in pieces]
        for call in answer.tool_calls:
            text = (
                call.fn_arguments
                if isinstance(call.fn_arguments, str)
                else json.dumps(_input(call), ensure_ascii=False)
            )
            fragments = [] if text == "{}" else pieces_of(text, answer.chunk_size or 12)
            yield {"toolUse": _tool_use(call)}, [{"toolUse": {"input": piece}} for piece in fragments]

    def render_error(self, problem: Problem, request: RequestLog) -> tuple[int, bytes]:
        """The exception's name in `__type`, and its message."""
        status, name, fields = error_of(problem, request)
        return status, json.dumps({"__type": name, **fields}, ensure_ascii=False).encode()

    def render_error_event(self, problem: Problem, request: RequestLog, *, named: bool = False) -> Part:
        """The exception as a frame."""
        return Part(frame_of(problem, request), "error")

    def render_heartbeat(self, kind: HeartbeatKind, request: RequestLog) -> Part:
        """The opening event again."""
        return Part(event("messageStart", role="assistant"), "heartbeat")

    def render_done(self, request: RequestLog) -> None:
        """There is none: the bytes end."""

    def render_models(self, models: Sequence[str]) -> bytes:
        """Summaries of models."""
        found: list[JsonValue] = [
            {"modelId": model, "modelName": model, "providerName": "Simulator"} for model in models
        ]
        return json.dumps({"modelSummaries": found}).encode()


def _input(call: ToolCall) -> JsonValue:
    return {} if call.fn_arguments is None else call.fn_arguments


def _tool_use(call: ToolCall) -> dict[str, JsonValue]:
    return {"toolUseId": call.call_id, "name": call.fn_name}


def _usage(answer: Answer, request: RequestLog) -> dict[str, JsonValue] | None:
    """Cached and written tokens stand beside the input, which does not include them; the total includes all."""
    usage = answer.usage
    if usage is None:
        return None
    if isinstance(usage, str):
        said = " ".join(str(block.get("text", "")) for message in request.messages for block in _content(message))
        pieces = text_pieces(answer)
        usage = Usage(prompt_tokens=max(1, len(said.split())), completion_tokens=len(pieces))
    details = usage.prompt_details or PromptDetails()
    read, written = details.cached_tokens, details.cache_creation_tokens
    sent, answered = usage.prompt_tokens or 0, usage.completion_tokens or 0
    found: dict[str, JsonValue] = {
        "inputTokens": sent - (read or 0) - (written or 0),
        "outputTokens": answered,
        "totalTokens": usage.total_tokens or sent + answered,
    }
    if read is not None:
        found["cacheReadInputTokens"] = read
    if written is not None:
        found["cacheWriteInputTokens"] = written
    return found


def _content(message: JsonValue) -> list[dict[str, JsonValue]]:
    content = message.get("content") if isinstance(message, dict) else None
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _object(holder: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}
