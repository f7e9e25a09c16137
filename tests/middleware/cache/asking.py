"""What the tests of the cache ask, and whom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    End,
    LlmExecutor,
    ReasoningChunk,
    ReasoningContent,
    StopReason,
    Text,
    ThoughtSignature,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from lamellar.middleware import StoredAnswer
from lamellar.testing import Scripted

REQUEST = ChatRequest.from_user("What is the capital of France?")
USAGE = Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10)
PIECES = ("Paris ", "is ", "it.")
TEXT = "".join(PIECES)
END = End(StopReason("completed", "stop"), USAGE)

RICH = Scripted(
    (
        ReasoningChunk("Let me "),
        ReasoningChunk("think."),
        ThoughtSignatureChunk("signed"),
        Chunk("I will "),
        Chunk("look."),
        ToolCallChunk(0, "call-1", "search", '{"q": '),
        ToolCallChunk(0, arguments='"Paris", "n": null}'),
        ToolCallChunk(1, "call-2", "clock", ""),
        End(StopReason("tool_call", "tool_calls"), USAGE, response_id="r-1", provider_model="m-2026"),
    )
)
RICH_CONTENT = (
    ReasoningContent(text="Let me think."),
    ThoughtSignature(signature="signed"),
    Text("I will look."),
    ToolCall(call_id="call-1", fn_name="search", fn_arguments={"q": "Paris", "n": None}),
    ToolCall(call_id="call-2", fn_name="clock", fn_arguments={}),
)


def after(seconds: float) -> Callable[[], Awaitable[None]]:
    return lambda: asyncio.sleep(seconds)


def slowly(*, connect: float = 1, each: float = 1, pieces: tuple[str, ...] = PIECES, end: End = END) -> Scripted:
    """An answer that takes its time: until it is accepted, and before every event."""
    steps = [step for piece in pieces for step in (after(each), Chunk(piece))]
    return Scripted((*steps, after(each), end), (after(connect),))


def directive(cache: str, **options: object) -> ChatOptions:
    return ChatOptions(call=CallContext(cache=cache), **options)


def within(seconds: float) -> ChatOptions:
    return ChatOptions(call=CallContext(timeout=seconds))


async def ask(executor: LlmExecutor, *, model: str = "m", request: ChatRequest = REQUEST, options=None) -> ChatResponse:
    return await executor.exec_chat_response(model, request, options)


async def stream(
    executor: LlmExecutor, *, model: str = "m", request: ChatRequest = REQUEST, options=None
) -> ChatResponse:
    """The whole answer by way of a stream."""
    return await (await executor.exec_chat_stream_events(model, request, options)).collect()


BOTH_WAYS = (ask, stream)


class Dictionary:
    """A store of a user's own."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def get(self, key: str) -> StoredAnswer | None:
        found = self.kept.get(key)
        return None if found is None else StoredAnswer.from_json(found)

    async def put(self, key: str, stored: StoredAnswer) -> None:
        self.kept[key] = stored.to_json()
