"""Chunks of a chat completion stream, and ways to run them through the parser."""

from __future__ import annotations

import json
from typing import Any

from lamellar.chat.events import End, Progress, StreamEvent
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


def run(
    *pieces: bytes, size: int | None = None, options: ChatOptions | None = None, provider: str = "openai"
) -> tuple[list[StreamEvent | Progress], StreamParser]:
    parser = opened(options, provider)
    data = b"".join(pieces)
    step = size or max(1, len(data))
    events = [e for at in range(0, len(data), step) for e in parser.feed(data[at : at + step])]
    return events + parser.finish(), parser


def whole(*pieces: bytes, **more: Any) -> list[StreamEvent | Progress]:
    events, parser = run(*pieces, **more)
    assert parser.error is None
    assert parser.ended
    return events


def end_of(*pieces: bytes, **more: Any) -> End:
    end = whole(*pieces, **more)[-1]
    assert isinstance(end, End)
    return end


def calls(*entries: dict[str, Any], **more: Any) -> bytes:
    return chunk({"tool_calls": list(entries)}, **more)


def fn(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"type": "function", "function": function, **more}
