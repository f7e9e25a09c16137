"""Events of an Anthropic messages stream, and ways to run them through the parser."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.streams import Streams

from lamellar.chat.options import ChatOptions
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.wire import Exchange, StreamParser

STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
LIFT = ChatOptions(normalize_reasoning_content=True)


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def begin(usage: Any = None, **more: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x-1", "content": []}
    told = {"input_tokens": 7, "output_tokens": 1} if usage is None else usage
    return event("message_start", message={**message, "stop_reason": None, "usage": told, **more})


def opens(block: Any, index: Any = 0) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(kind: str, index: Any = 0, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def closes(index: Any = 0) -> bytes:
    return event("content_block_stop", index=index)


def says(text: str, index: int = 0) -> bytes:
    """A whole block of text."""
    return opens({"type": "text", "text": ""}, index) + delta("text_delta", index, text=text) + closes(index)


def ends(reason: str | None = "end_turn", usage: Any = None, **more: Any) -> bytes:
    told = {"output_tokens": 5} if usage is None else usage
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": None, **more}, usage=told)


def opened(options: ChatOptions | None = None, headers: dict[str, str] | None = None) -> StreamParser:
    return ANTHROPIC_MESSAGES.open_stream(Exchange("anthropic", "m", options), headers or {})


_STREAMS = Streams(opened)
run, whole, end_of = _STREAMS.run, _STREAMS.whole, _STREAMS.end_of
