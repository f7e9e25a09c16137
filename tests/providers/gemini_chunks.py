"""Payloads of generateContent, and ways to run them through the dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.streams import Streams

from lamellar.chat.content import ContentPart
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.generate_content import GENERATE_CONTENT
from lamellar.providers.wire import Endpoint, Exchange, StreamParser, WireRequest

USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
BASE = "https://api.example/v1beta"
ASK = ChatRequest.from_user("hi")


def payload(*parts: Any, finish: str | None = None, usage: Any = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    if finish is not None:
        candidate["finishReason"] = finish
    said: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-9-001", "responseId": "r1"}
    return said if usage is None else {**said, "usageMetadata": usage}


def event(said: Any) -> bytes:
    return b"data: " + json.dumps(said).encode() + b"\r\n\r\n"


def chunk(*parts: Any, **more: Any) -> bytes:
    return event(payload(*parts, **more))


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"text": said, **more}


def call(name: str, args: Any = None, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **({} if args is None else {"args": args}), **more}}


def exchange(options: ChatOptions | None = None) -> Exchange:
    return Exchange("gemini", "gemini-9", options, secrets=("s3cr3t-key",))


def parse(said: Any, options: ChatOptions | None = None, status: int = 200) -> ChatResponse:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return GENERATE_CONTENT.parse_response(exchange(options), status, {}, body)


def opened(options: ChatOptions | None = None) -> StreamParser:
    return GENERATE_CONTENT.open_stream(exchange(options), {})


_STREAMS = Streams(opened)
run, whole, end_of, failed = _STREAMS.run, _STREAMS.whole, _STREAMS.end_of, _STREAMS.failed


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = "gemini-2.5-flash",
    stream: bool = False,
    base_url: str = BASE,
    key: str | None = "k",
    headers: dict[str, str] | None = None,
    namespace: str = "gemini",
) -> WireRequest:
    endpoint = Endpoint(namespace, base_url, key, headers or {})
    return GENERATE_CONTENT.build_request(endpoint, model, request, options, stream=stream)


def body(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> dict[str, Any]:
    return json.loads(build(request, options, **more).body)


def refused(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        build(request, options, **more)
    assert caught.value.kind == "invalid_request"
    return caught.value


def contents(*messages: ChatMessage, **more: Any) -> list[dict[str, Any]]:
    return body(ChatRequest.from_messages(messages), **more)["contents"]


def sent_back(parts: tuple[ContentPart, ...], **more: Any) -> list[dict[str, Any]]:
    """What an answer's content becomes as a turn of the conversation."""
    _, turn = contents(ChatMessage.user("hi"), ChatMessage.assistant(parts), **more)
    assert turn["role"] == "model"
    return turn["parts"]
