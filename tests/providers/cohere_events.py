"""Events and bodies of Cohere's Chat API, and ways to run them through the dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.asking import Asking
from tests.providers.streams import Streams

from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.cohere_chat import COHERE_CHAT
from lamellar.providers.wire import Endpoint, Exchange, StreamParser, WireRequest

USAGE = {"billed_units": {"input_tokens": 2, "output_tokens": 1}, "tokens": {"input_tokens": 3, "output_tokens": 2}}
BASE = "https://api.example/v2"
ASK = ChatRequest.from_user("hi")


def answer(*content: Any, finish: str | None = "COMPLETE", usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"id": "a1", "message": {"role": "assistant", "content": list(content), **message}}
    if finish is not None:
        said["finish_reason"] = finish
    return said if usage is None else {**said, "usage": usage}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def thinking(said: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": said}


def call(call_id: str, name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def framed(payload: Any, name: str | None = None) -> bytes:
    named = name or (payload.get("type") if isinstance(payload, dict) else None)
    head = f"event: {named}\n".encode() if isinstance(named, str) else b""
    return head + b"data: " + json.dumps(payload).encode() + b"\n\n"


def event(kind: str, message: Any = None, index: int | None = None, **more: Any) -> dict[str, Any]:
    payload: dict[str, Any] = {"type": kind}
    if index is not None:
        payload["index"] = index
    return {**payload, **({} if message is None else {"delta": {"message": message}}), **more}


def start(response_id: str = "a1") -> dict[str, Any]:
    return event("message-start", {"role": "assistant", "content": [], "tool_plan": ""}, id=response_id)


def block(kind: str, *pieces: str, index: int = 0) -> list[dict[str, Any]]:
    return [
        event("content-start", {"content": {"type": kind, kind: ""}}, index),
        *[event("content-delta", {"content": {kind: piece}}, index) for piece in pieces],
        event("content-end", index=index),
    ]


def calling(index: int, call_id: str, name: str, *pieces: str) -> list[dict[str, Any]]:
    return [
        event("tool-call-start", {"tool_calls": call(call_id, name, "")}, index),
        *[event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index) for piece in pieces],
        event("tool-call-end", index=index),
    ]


def plan(*pieces: str) -> list[dict[str, Any]]:
    return [event("tool-plan-delta", {"tool_plan": piece}) for piece in pieces]


def end(finish: str | None = "COMPLETE", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    delta = {**({} if finish is None else {"finish_reason": finish}), "usage": usage, **more}
    return {"type": "message-end", "delta": delta}


DONE = b"data: [DONE]\n\n"


def exchange(options: ChatOptions | None = None) -> Exchange:
    return Exchange("cohere", "command-a", options, secrets=("s3cr3t-key",))


def parse(said: Any, options: ChatOptions | None = None, status: int = 200) -> ChatResponse:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return COHERE_CHAT.parse_response(exchange(options), status, {}, body)


def unread(said: Any, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(said, **more)
    return caught.value


def error(status: int, said: Any, headers: dict[str, str] | None = None) -> ExecutorError:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return COHERE_CHAT.parse_error(exchange(), status, headers or {}, body)


def opened(options: ChatOptions | None = None) -> StreamParser:
    return COHERE_CHAT.open_stream(exchange(options), {})


_STREAMS = Streams(opened, framed)
bytes_of, run, whole, end_of, failed = _STREAMS.bytes_of, _STREAMS.run, _STREAMS.whole, _STREAMS.end_of, _STREAMS.failed


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = "command-a",
    stream: bool = False,
    base_url: str = BASE,
    key: str | None = "k",
    headers: dict[str, str] | None = None,
    lenient: bool = False,
) -> WireRequest:
    endpoint = Endpoint("cohere", base_url, key, headers or {}, lenient=lenient)
    return COHERE_CHAT.build_request(endpoint, model, request, options, stream=stream)


_ASKING = Asking(build)
body, refused, messages, sent_back = _ASKING.body, _ASKING.refused, _ASKING.messages, _ASKING.sent_back
