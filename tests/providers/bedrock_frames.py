"""Frames and bodies of Converse, as short to write as they are to read, and how the dialect reads them."""

from __future__ import annotations

import json
from typing import Any

from lamellar.chat.content import ContentPart
from lamellar.chat.events import Progress, StreamEvent
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.bedrock_converse.stream import ConverseStreamParser
from lamellar.providers.wire import Endpoint, Exchange
from lamellar.testing.simulator.wire_bedrock_frames import event, frame

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
HEADERS = {"x-amzn-requestid": "req-1"}
START = event("messageStart", role="assistant")
METADATA = event("metadata", usage=USAGE, metrics={"latencyMs": 5})


def delta(index: int, **said: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=said)


def text(said: str, index: int = 0) -> bytes:
    return delta(index, text=said)


def start(index: int, **said: Any) -> bytes:
    return event("contentBlockStart", contentBlockIndex=index, start=said)


def stop(index: int = 0) -> bytes:
    return event("contentBlockStop", contentBlockIndex=index)


def finish(reason: str = "end_turn", **more: Any) -> bytes:
    return event("messageStop", stopReason=reason, **more)


def exception(name: str, message: str = "m", **more: Any) -> bytes:
    """An exception as AWS frames it."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message, **more}).encode())


def exchange(options: ChatOptions | None = None) -> Exchange:
    return Exchange("bedrock", MODEL, options)


def opened(options: ChatOptions | None = None) -> ConverseStreamParser:
    return ConverseStreamParser(exchange(options), HEADERS)


def read(*frames: bytes, size: int | None = None, options: ChatOptions | None = None) -> Read:
    """What a stream of these frames becomes."""
    return Read(opened(options), b"".join(frames), size)


class Read:
    """A stream, read to its end in pieces of one size."""

    def __init__(self, parser: ConverseStreamParser, data: bytes, size: int | None) -> None:
        self.parser = parser
        self.events: list[StreamEvent | Progress] = []
        for at in range(0, len(data), size or max(1, len(data))):
            self.events += parser.feed(data[at : at + (size or len(data))])
        self.events += parser.finish()
        self.error = parser.error

    def of(self, kind: type[Any]) -> list[Any]:
        return [found for found in self.events if isinstance(found, kind)]

    @property
    def end(self) -> Any:
        return self.events[-1]


def body(*blocks: Any, reason: str | None = "end_turn", **more: Any) -> bytes:
    """A whole answer."""
    said: dict[str, Any] = {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "usage": USAGE}
    if reason is not None:
        said["stopReason"] = reason
    return json.dumps({**said, **more}).encode()


def sent_back(content: tuple[ContentPart, ...], namespace: str = "bedrock") -> list[dict[str, Any]]:
    """The blocks of an assistant's turn, as an answer's content goes back."""
    request = ChatRequest.from_messages([ChatMessage.user("hi"), ChatMessage.assistant(content)])
    endpoint = Endpoint(namespace, "https://bedrock.example")
    sent = json.loads(BEDROCK_CONVERSE.build_request(endpoint, MODEL, request, None, stream=False).body)
    return sent["messages"][1]["content"]
