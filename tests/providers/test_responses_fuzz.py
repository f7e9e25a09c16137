"""Whatever a body holds, the Responses dialect makes an answer or an error of ours of it, and takes the answer back."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.providers.fuzzing import OPTIONS, Fuzz, damaged, mutated, nested
from tests.providers.responses_events import ANSWER, call, exchange, message, opened, response, sent_back, text, thought

from lamellar.chat.content import reasoning_of, text_of
from lamellar.chat.events import Chunk, End, ReasoningChunk
from lamellar.chat.options import ChatOptions
from lamellar.providers.responses import RESPONSES

ODD = ("completed", "message", "reasoning", "function_call", {"type": "output_text", "text": {}})
BODY = response(
    thought("hm", encrypted_content="enc"),
    thought(id="rs_2", content=[{"type": "reasoning_text", "text": "so"}]),
    {"id": "ws_1", "type": "web_search_call", "action": {"query": "q"}},
    message(text("a", annotations=[{"url": "u"}]), {"type": "refusal", "refusal": "No."}, phase="commentary"),
    call("f", '{"a": [1, {"b": null}]}'),
)
EVENTS: list[dict[str, Any]] = [
    json.loads(line[6:]) for line in b"".join(ANSWER).split(b"\n") if line.startswith(b"data: ")
]
FUZZ = Fuzz(RESPONSES, exchange, opened, sent_back)


def stream(data: bytes, dice: random.Random, options: ChatOptions | None) -> None:
    """What was told piece by piece is what the answer holds in the end."""
    events = FUZZ.stream(data, dice, options)
    end = events[-1] if events else None
    if isinstance(end, End):
        assert end.content is not None
        said = [found.content for found in events if isinstance(found, Chunk)]
        thoughts = [found.content for found in events if isinstance(found, ReasoningChunk)]
        assert sorted(text_of(end.content)) == sorted("".join(said))
        assert sorted(reasoning_of(end.content) or "") == sorted("".join(thoughts))


def framed(said: list[Any]) -> bytes:
    return b"".join([b"data: " + json.dumps(each).encode() + b"\n\n" for each in said])


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    dice = random.Random(seed)
    options = OPTIONS if seed % 2 else None
    events = mutated(EVENTS, dice, *ODD)
    if dice.random() < 0.3:
        dice.shuffle(events)
    stream(framed(events), dice, options)
    stream(framed([{"type": "response.completed", "response": mutated(BODY, dice, *ODD)}]), dice, options)
    body = json.dumps(mutated(BODY, dice, *ODD)).encode()
    FUZZ.whole(body, options)
    FUZZ.error(dice.choice([400, 429, 500]), body)


@pytest.mark.parametrize("seed", range(150))
def test_odd_bytes_anywhere(seed: int):
    dice = random.Random(seed)
    data = damaged(b"".join(ANSWER) if seed % 2 else json.dumps(BODY).encode(), dice)
    stream(data, dice, None)
    FUZZ.whole(data, None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["arguments", "item", "annotations", "output", "error", "usage"])
def test_deep_nesting(depth: int, where: str):
    said = {
        "arguments": '{"status":"completed","output":[{"type":"function_call","name":"f","arguments":%s}]}',
        "item": '{"status":"completed","output":[%s]}',
        "annotations": '{"output":[{"type":"message","content":[{"type":"text","text":"a","annotations":[%s]}]}]}',
        "output": '{"output":%s}',
        "error": '{"error":%s}',
        "usage": '{"output":[],"usage":%s}',
    }[where].replace("%s", nested(depth))
    FUZZ.whole(said.encode(), OPTIONS)
    stream(f'data: {{"type":"response.completed","response":{said}}}\n\n'.encode(), random.Random(0), OPTIONS)
    FUZZ.error(500, said.encode())


def test_long_arguments_in_small_pieces_take_no_more_than_their_time():
    piece = json.dumps(
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "x" * 20}
    ).encode()
    opening = framed([{"type": "response.output_item.added", "output_index": 0, "item": call("f", "")}])
    last = framed([{"type": "response.completed", "response": response(call("f", "x" * 20 * 50_000))}])
    parser = opened()
    parser.feed(opening + (b"data: " + piece + b"\n\n") * 50_000)
    (end,) = parser.feed(last)
    assert isinstance(end, End)
    (made,) = end.tool_calls
    assert made.fn_arguments == "x" * 20 * 50_000
