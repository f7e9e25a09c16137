"""Payloads of Ollama's own API, and ways to run them through the dialect."""

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
from lamellar.providers.ollama_chat import OLLAMA_CHAT
from lamellar.providers.wire import Endpoint, Exchange, StreamParser, WireRequest

COUNTS = {"prompt_eval_count": 3, "eval_count": 2}
BASE = "http://localhost:11434"
MADE = "2026-01-02T03:04:05.6Z"
ASK = ChatRequest.from_user("hi")


def payload(content: str = "", *, done: str | None = None, counts: Any = None, **message: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "model": "qwen3:8b",
        "created_at": MADE,
        "message": {"role": "assistant", "content": content, **message},
        "done": done is not None,
    }
    if done:
        said["done_reason"] = done
    return {**said, **(counts or {})}


def call(name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {} if arguments is None else arguments}, **more}


def line(said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def chunk(content: str = "", **more: Any) -> bytes:
    return line(payload(content, **more))


def exchange(options: ChatOptions | None = None) -> Exchange:
    return Exchange("ollama", "qwen3", options, secrets=("s3cr3t-key",))


def parse(said: Any, options: ChatOptions | None = None, status: int = 200) -> ChatResponse:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return OLLAMA_CHAT.parse_response(exchange(options), status, {}, body)


def unread(said: Any, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(said, **more)
    return caught.value


def error(status: int, said: Any, headers: dict[str, str] | None = None) -> ExecutorError:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return OLLAMA_CHAT.parse_error(exchange(), status, headers or {}, body)


def opened(options: ChatOptions | None = None) -> StreamParser:
    return OLLAMA_CHAT.open_stream(exchange(options), {})


_STREAMS = Streams(opened)
run, whole, end_of, failed = _STREAMS.run, _STREAMS.whole, _STREAMS.end_of, _STREAMS.failed


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = "qwen3",
    stream: bool = False,
    base_url: str = BASE,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    namespace: str = "ollama",
    lenient: bool = False,
) -> WireRequest:
    endpoint = Endpoint(namespace, base_url, key, headers or {}, lenient=lenient)
    return OLLAMA_CHAT.build_request(endpoint, model, request, options, stream=stream)


_ASKING = Asking(build)
body, refused, messages, sent_back = _ASKING.body, _ASKING.refused, _ASKING.messages, _ASKING.sent_back
