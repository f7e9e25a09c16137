"""Whatever a body holds, the generateContent dialect makes an answer or an error of ours of it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.gemini_chunks import call, event, exchange, opened, payload, sent_back, text

from lamellar.chat.content import ContentPart
from lamellar.chat.events import End, Start
from lamellar.chat.options import ChatOptions
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.generate_content import GENERATE_CONTENT

ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e400,
    10**30,
    "",
    "x",
    "STOP",
    "SAFETY",
    [],
    [[]],
    [None],
    {},
    {"": None},
    {"text": {}},
]
USAGE = {
    "promptTokenCount": 3,
    "candidatesTokenCount": 2,
    "totalTokenCount": 5,
    "thoughtsTokenCount": 1,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}],
}
PAYLOADS: list[Any] = [
    payload(text("hm", thought=True), usage=USAGE),
    payload(text("a", thoughtSignature="s"), text("b"), groundingMetadata={"a": [1]}),
    payload(call("f", {"a": [1, {"b": None}]}, id="c1"), call("g"), citationMetadata={"citationSources": [{}]}),
    payload({"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "s"}, {"new": 1}),
    payload({"executableCode": {"code": "1"}}, text("", thoughtSignature="s"), finish="STOP", usage=USAGE),
    {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "m"}, "modelVersion": "m"},
    {"error": {"code": 503, "message": "m", "status": "UNAVAILABLE", "details": [{"retryDelay": "1s"}]}},
]
OPTIONS = ChatOptions(normalize_reasoning_content=True, capture_raw_body=True)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(dice: random.Random) -> list[Any]:
    """Payloads of an answer with some of their values replaced, dropped or moved."""
    said = copy.deepcopy(PAYLOADS)
    if dice.random() < 0.3:
        dice.shuffle(said)
    for _ in range(dice.randint(1, 4)):
        found = list(places(said))
        container, key = dice.choice(found)
        fate = dice.random()
        if fate < 0.2 and isinstance(container, dict):
            del container[key]
        elif fate < 0.4:
            other, from_ = dice.choice(found)
            container[key] = copy.deepcopy(other[from_]) if from_ in (other if isinstance(other, dict) else ()) else []
        else:
            container[key] = copy.deepcopy(dice.choice(ODD))
    return said


def sane(content: tuple[ContentPart, ...]) -> None:
    """What was read can go back, or is refused by name."""
    if content:
        try:
            sent_back(content)
        except ExecutorError as error:
            if error.kind != "invalid_request":
                raise


def stream(data: bytes, dice: random.Random, options: ChatOptions | None) -> None:
    parser = opened(options)
    events, at = [], 0
    while at < len(data):
        step = dice.randint(1, 200)
        events += parser.feed(data[at : at + step])
        at += step
    events += parser.finish()
    assert parser.ended is (parser.error is None)
    assert [isinstance(found, End) for found in events].count(True) == parser.ended
    assert [isinstance(found, Start) for found in events].count(True) <= 1
    _ = parser.usage
    if parser.ended:
        assert isinstance(events[0], Start)
        assert isinstance(events[-1], End)
        assert events[-1].content is not None
        sane(events[-1].content)
    elif events:
        assert isinstance(events[0], Start)


def whole(data: bytes, options: ChatOptions | None) -> ChatResponse | None:
    try:
        response = GENERATE_CONTENT.parse_response(exchange(options), 200, {}, data)
    except ExecutorError:
        return None
    sane(response.content)
    assert ChatResponse.model_validate_json(response.model_dump_json(exclude={"raw"})).text == response.text
    return response


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    dice = random.Random(seed)
    options = OPTIONS if seed % 2 else None
    said = mutated(dice)
    stream(b"".join(map(event, said)), dice, options)
    for each in said:
        whole(json.dumps(each).encode(), options)
    whole(json.dumps(said).encode(), options)
    assert isinstance(
        GENERATE_CONTENT.parse_error(exchange(), dice.choice([400, 429, 500]), {}, json.dumps(said[-1]).encode()),
        ExecutorError,
    )


@pytest.mark.parametrize("seed", range(150))
def test_odd_bytes_anywhere(seed: int):
    dice = random.Random(seed)
    data = bytearray(b"".join(map(event, PAYLOADS[:5])))
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data))
        if dice.random() < 0.3:
            del data[at : at + dice.randint(1, 40)]
        else:
            data[at : at + 1] = dice.choice(
                [b"", b"\r", b"\n\n", b"\xff", b"\x00", b'"', b"{", b"]", b"\\ud800", b"NaN"]
            )
    stream(bytes(data), dice, None)
    whole(bytes(data).removeprefix(b"data: "), None)


@pytest.mark.parametrize("cut", range(0, 900, 7))
def test_a_stream_cut_anywhere(cut: int):
    data = b"".join(map(event, PAYLOADS[:5]))
    stream(data[:cut], random.Random(cut), None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["args", "part", "grounding", "candidates", "error"])
def test_deep_nesting(depth: int, where: str):
    deep = '{"a":' * depth + "1" + "}" * depth
    said = {
        "args": '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%s}}]}}]}',
        "part": '{"candidates":[{"content":{"parts":[{"new":%s}]},"finishReason":"STOP"}]}',
        "grounding": '{"candidates":[{"groundingMetadata":%s,"finishReason":"STOP"}]}',
        "candidates": '{"candidates":[%s]}',
        "error": '{"error":%s}',
    }[where].replace("%s", deep)
    whole(said.encode(), OPTIONS)
    stream(f"data: {said}\r\n\r\n".encode(), random.Random(0), OPTIONS)
    assert GENERATE_CONTENT.parse_error(exchange(), 500, {}, said.encode()).kind
