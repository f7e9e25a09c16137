"""Chunks of a chat completion stream, and ways to run them through the parser."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.streams import Streams

from lamellar.chat.options import ChatOptions
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
from lamellar.providers.wire import Exchange, StreamParser

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DONE = b"data: [DONE]\n\n"
LIFT = ChatOptions(normalize_reasoning_content=True)


def event(payload: Any, name: str | None = None) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(payload).encode() + b"\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "r1", "model": "m-1", "choices": [choice], **more})


def text(content: str, **more: Any) -> bytes:
    return chunk({"content": content}, **more)


def tail(**usage: Any) -> bytes:
    return event({"id": "r1", "model": "m-1", "choices": [], "usage": usage or USAGE})


def opened(options: ChatOptions | None = None, provider: str = "openai") -> StreamParser:
    return CHAT_COMPLETIONS.open_stream(Exchange(provider, "m", options), {})


_STREAMS = Streams(opened)
run, whole, end_of = _STREAMS.run, _STREAMS.whole, _STREAMS.end_of


def calls(*entries: dict[str, Any], **more: Any) -> bytes:
    return chunk({"tool_calls": list(entries)}, **more)


def fn(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"type": "function", "function": function, **more}
