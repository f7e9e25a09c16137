"""Whatever a body or a stream holds: an answer, or an error of ours, and nothing else."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from typing import Any

import pytest
from tests.providers.anthropic_events import PING, STOP, begin, closes, delta, ends, opens, says
from tests.providers.fuzzing import paths

from lamellar.chat.events import Chunk, End, Start
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.wire import Endpoint, Exchange

BODY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x-1",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        {
            "type": "text",
            "text": "Paris <think>hm</think>",
            "citations": [{"type": "char_location", "cited_text": "P"}],
        },
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "p"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}, "caller": {"type": "code_execution"}},
    ],
    "container": {"id": "c"},
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 3,
        "cache_read_input_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 2},
        "output_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 1},
    },
}

STREAM = [
    begin(),
    PING,
    opens({"type": "thinking", "thinking": "", "signature": ""}),
    delta("thinking_delta", thinking="hm"),
    delta("signature_delta", signature="sig"),
    closes(),
    says("Paris", 1),
    delta("citations_delta", 1, citation={"type": "char_location"}),
    opens({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, 2),
    delta("input_json_delta", 2, partial_json='{"query":"p"}'),
    closes(2),
    opens({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, 3),
    delta("input_json_delta", 3, partial_json='{"a":1}'),
    closes(3),
    ends("tool_use"),
    STOP,
]

ODD = [
    None,
    True,
    0,
    -1,
    2.5,
    1e999,
    10**30,
    "",
    "text",
    "\ud800",
    [],
    {},
    [None],
    [[1]],
    {"type": None},
    {"type": "error"},
]
OPTIONS = [None, ChatOptions(normalize_reasoning_content=True, capture_raw_body=True)]


def spoilt(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy with `odd` at one place; without that place, where `odd` is Ellipsis."""
    if not path:
        return None if odd is ... else odd
    copied = copy.deepcopy(value)
    holder = copied
    for key in path[:-1]:
        holder = holder[key]
    if odd is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = odd
    return copied


DEEP = {f"deep {levels}": b"[" * levels + b"]" * levels for levels in (50, 150, 190, 198, 300, 5000)}
"""Nested deeper than a reader can go, and about as deep as it can."""


def answer(body: bytes, options: ChatOptions | None = None) -> Any:
    """The answer, or the error; and what came back can be sent again."""
    try:
        response = ANTHROPIC_MESSAGES.parse_response(Exchange("anthropic", "m", options), 200, {}, body)
    except ExecutorError as error:
        return error
    send_back(response.content)
    return response


def send_back(content: Any) -> None:
    if content:
        request = ChatRequest.from_messages([ChatMessage.user("q"), ChatMessage.assistant(content)])
        endpoint = Endpoint("anthropic", "https://api.example", "k")
        with suppress(ExecutorError):
            ANTHROPIC_MESSAGES.build_request(endpoint, "claude-opus-4-8", request, None, stream=False)


def stream(data: bytes, options: ChatOptions | None = None, size: int = 40) -> Any:
    parser = ANTHROPIC_MESSAGES.open_stream(Exchange("anthropic", "m", options), {})
    events = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]
    events += parser.finish()
    parser.usage  # noqa: B018
    assert sum(isinstance(event, End) for event in events) == (parser.error is None)
    assert sum(isinstance(event, Start) for event in events) <= 1
    assert all(event.content for event in events if isinstance(event, Chunk))
    if parser.error is None:
        assert isinstance(events[-1], End)
        assert isinstance(events[0], Start)
        send_back(events[-1].content)
    return parser.error


def dumped(value: Any) -> bytes:
    data = json.dumps(value).encode()
    for name, nested in DEEP.items():
        data = data.replace(f'"{name}"'.encode(), nested)
    return data


@pytest.mark.parametrize("options", OPTIONS)
def test_every_place_of_a_body_spoilt_in_every_way(options):
    assert not isinstance(answer(dumped(BODY), options), ExecutorError)
    outcomes = {
        isinstance(answer(dumped(spoilt(BODY, path, odd)), options), ExecutorError)
        for path in paths(BODY)
        for odd in [*ODD, ..., *DEEP]
    }
    assert outcomes == {True, False}


@pytest.mark.parametrize("options", OPTIONS)
def test_every_place_of_every_event_spoilt_in_every_way(options):
    assert stream(b"".join(STREAM), options) is None
    outcomes = set()
    for number, block in enumerate(STREAM):
        name, _, data = block.partition(b"\ndata: ")
        if block.count(b"data: ") > 1:
            continue
        payload = json.loads(data)
        for path in paths(payload):
            for odd in [*ODD, ..., *DEEP]:
                changed = name + b"\ndata: " + dumped(spoilt(payload, path, odd)) + b"\n\n"
                outcomes.add(
                    stream(b"".join([*STREAM[:number], changed, *STREAM[number + 1 :]]), options, 4000) is None
                )
    assert outcomes == {True, False}


def test_a_body_cut_anywhere():
    body = dumped(BODY)
    for at in range(len(body)):
        assert isinstance(answer(body[:at]), ExecutorError)


def test_a_stream_cut_anywhere_is_truncated_until_it_has_said_why_it_stops():
    data = b"".join(STREAM)
    finish = data.index(b"\n\n", data.index(b"message_delta"))
    for at in range(len(data)):
        error = stream(data[:at], size=500)
        if at < finish - 1:
            assert error is not None
            assert error.kind == "truncated"
        elif at >= finish:
            assert error is None


def test_events_in_any_order_and_bytes_at_random():
    dice = random.Random(7)
    for _ in range(400):
        events = dice.sample(STREAM, dice.randint(1, len(STREAM)))
        stream(b"".join(events), dice.choice(OPTIONS), dice.choice((3, 50, 5000)))
    data = b"".join(STREAM)
    for _ in range(400):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        stream(bytes(broken), dice.choice(OPTIONS), 700)
        stream(dice.randbytes(200))
        answer(dice.randbytes(50))
        assert isinstance(
            ANTHROPIC_MESSAGES.parse_error(Exchange("anthropic", "m"), 500, {}, dice.randbytes(50)), ExecutorError
        )


def test_errors_spoilt_in_every_way():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}
    for path in paths(error):
        for odd in [*ODD, ..., *DEEP]:
            body = dumped(spoilt(error, path, odd))
            found = ANTHROPIC_MESSAGES.parse_error(Exchange("anthropic", "m"), 529, {}, body)
            assert isinstance(found, ExecutorError)
            assert found.message
