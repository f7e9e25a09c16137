"""Whatever a body holds, the generateContent dialect makes an answer or an error of ours of it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.providers.fuzzing import OPTIONS, Fuzz, damaged, mutated, nested
from tests.providers.gemini_chunks import call, event, exchange, opened, payload, sent_back, text

from lamellar.providers.generate_content import GENERATE_CONTENT

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
FUZZ = Fuzz(GENERATE_CONTENT, exchange, opened, sent_back)


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    dice = random.Random(seed)
    options = OPTIONS if seed % 2 else None
    said = mutated(PAYLOADS, dice, "STOP", "SAFETY")
    if dice.random() < 0.3:
        dice.shuffle(said)
    FUZZ.stream(b"".join(map(event, said)), dice, options)
    for each in said:
        FUZZ.whole(json.dumps(each).encode(), options)
    FUZZ.whole(json.dumps(said).encode(), options)
    FUZZ.error(dice.choice([400, 429, 500]), json.dumps(said[-1]).encode())


@pytest.mark.parametrize("seed", range(150))
def test_odd_bytes_anywhere(seed: int):
    dice = random.Random(seed)
    data = damaged(b"".join(map(event, PAYLOADS[:5])), dice)
    FUZZ.stream(data, dice, None)
    FUZZ.whole(data.removeprefix(b"data: "), None)


@pytest.mark.parametrize("cut", range(0, 900, 7))
def test_a_stream_cut_anywhere(cut: int):
    data = b"".join(map(event, PAYLOADS[:5]))
    FUZZ.stream(data[:cut], random.Random(cut), None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["args", "part", "grounding", "candidates", "error"])
def test_deep_nesting(depth: int, where: str):
    said = {
        "args": '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%s}}]}}]}',
        "part": '{"candidates":[{"content":{"parts":[{"new":%s}]},"finishReason":"STOP"}]}',
        "grounding": '{"candidates":[{"groundingMetadata":%s,"finishReason":"STOP"}]}',
        "candidates": '{"candidates":[%s]}',
        "error": '{"error":%s}',
    }[where].replace("%s", nested(depth))
    FUZZ.whole(said.encode(), OPTIONS)
    FUZZ.stream(f"data: {said}\r\n\r\n".encode(), random.Random(0), OPTIONS)
    FUZZ.error(500, said.encode())
