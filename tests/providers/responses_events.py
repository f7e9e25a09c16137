"""Events and bodies of Responses, and ways to run them through the dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.streams import Streams

from lamellar.chat.content import ContentPart
from lamellar.chat.events import Start
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.responses import RESPONSES
from lamellar.providers.wire import Endpoint, Exchange, Quirks, StreamParser, WireRequest

USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 12,
}
BASE = "https://api.example/v1"
ASK = ChatRequest.from_user("hi")
START = Start(model="gpt-9", provider="openai_resp", provider_model="gpt-9-001", response_id="resp_1")


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def response(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    said = {"id": "resp_1", "object": "response", "status": status, "model": "gpt-9-001", "error": None}
    return {**said, "incomplete_details": None, "output": list(output), "usage": USAGE, **more}


def created() -> bytes:
    begun = response(status="in_progress", usage=None)
    return event("response.created", response=begun) + event("response.in_progress", response=begun)


def added(item: Any, at: int = 0) -> bytes:
    return event("response.output_item.added", output_index=at, item=item)


def done(item: Any, at: int = 0) -> bytes:
    return event("response.output_item.done", output_index=at, item=item)


def delta(kind: str, piece: Any, at: int = 0, **more: Any) -> bytes:
    return event(f"response.{kind}.delta", output_index=at, delta=piece, **more)


def ends(status: str = "completed", *output: Any, **more: Any) -> bytes:
    return event(f"response.{status}", response=response(*output, status=status, **more))


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": [], **more}


def message(*content: Any, **more: Any) -> dict[str, Any]:
    item = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    return {**item, "content": list(content), **more}


def thought(*summary: str, **more: Any) -> dict[str, Any]:
    told = [{"type": "summary_text", "text": each} for each in summary]
    return {"id": "rs_1", "type": "reasoning", "summary": told, **more}


def call(name: str = "f", arguments: Any = "{}", call_id: Any = "call_1", **more: Any) -> dict[str, Any]:
    item = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": call_id}
    return {**item, "name": name, "arguments": arguments, **more}


def exchange(options: ChatOptions | None = None) -> Exchange:
    return Exchange("openai_resp", "gpt-9", options, secrets=("s3cr3t-key",))


def parse(said: Any, options: ChatOptions | None = None, status: int = 200) -> ChatResponse:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return RESPONSES.parse_response(exchange(options), status, {}, body)


def no_answer(said: Any, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        parse(said, **more)
    return caught.value


def opened(options: ChatOptions | None = None) -> StreamParser:
    return RESPONSES.open_stream(exchange(options), {})


_STREAMS = Streams(opened)
run, whole, end_of, failed = _STREAMS.run, _STREAMS.whole, _STREAMS.end_of, _STREAMS.failed


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = "gpt-9",
    stream: bool = False,
    base_url: str = BASE,
    quirks: Quirks | None = None,
    lenient: bool = False,
    namespace: str = "openai_resp",
) -> WireRequest:
    endpoint = Endpoint(namespace, base_url, "k", quirks=quirks or Quirks(), lenient=lenient)
    return RESPONSES.build_request(endpoint, model, request, options, stream=stream)


def body(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(build(request, options, **more).body)
    return said


def refused(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        build(request, options, **more)
    assert caught.value.kind == "invalid_request"
    return caught.value


def items(*messages: ChatMessage, store: bool | None = None, **more: Any) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = body(ChatRequest(messages=messages, store=store), **more)["input"]
    return said


def sent_back(parts: tuple[ContentPart, ...], **more: Any) -> list[dict[str, Any]]:
    """What an answer's content becomes as a turn of the conversation, with a user's turn after it."""
    first, *turn, last = items(ChatMessage.user("hi"), ChatMessage.assistant(parts), ChatMessage.user("on"), **more)
    assert (first, last) == ({"role": "user", "content": "hi"}, {"role": "user", "content": "on"})
    return turn


THOUGHT = thought("hm, so", encrypted_content="enc-2")
SAID = message(text("Hello wörld"), phase="final_answer")
CALLED = call("f", '{"q":"ü"}')

ANSWER = (
    created(),
    added(thought(encrypted_content="enc-1")),
    event("response.reasoning_summary_part.added", output_index=0, summary_index=0, part={}),
    delta("reasoning_summary_text", "hm, ", summary_index=0),
    b": keep-alive\n\n",
    delta("reasoning_summary_text", "so", summary_index=0),
    event("response.reasoning_summary_text.done", output_index=0, summary_index=0, text="hm, so"),
    done(THOUGHT),
    added(message(status="in_progress"), 1),
    event("response.content_part.added", output_index=1, content_index=0, part=text("")),
    delta("output_text", "Hel", 1, content_index=0, item_id="msg_1", logprobs=[], obfuscation="xyz"),
    delta("output_text", "", 1, content_index=0),
    delta("output_text", "lo wörld", 1, content_index=0),
    event("response.output_text.done", output_index=1, content_index=0, text="Hello wörld"),
    done(SAID, 1),
    event("response.in_progress", response=response(status="in_progress")),
    added(call("f", "", status="in_progress"), 2),
    delta("function_call_arguments", '{"q":', 2),
    delta("function_call_arguments", '"ü"}', 2),
    event("response.function_call_arguments.done", output_index=2, arguments='{"q":"ü"}'),
    done(CALLED, 2),
    ends("completed", THOUGHT, SAID, CALLED),
)
"""A streamed answer with everything in it."""
