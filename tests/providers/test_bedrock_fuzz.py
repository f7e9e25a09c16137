"""Whatever a body or a frame holds, the Converse dialect makes an answer or an error of ours of it."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from tests.providers.bedrock_frames import HEADERS, USAGE, exchange, opened, sent_back
from tests.providers.fuzzing import OPTIONS, Fuzz, damaged, mutated, nested

from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.testing.simulator.wire_bedrock_frames import frame

ODD = ("end_turn", "content_filtered", "malformed_tool_use", {"bytes": 1})
ANSWER: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                {"reasoningContent": {"redactedContent": "YQ=="}},
                {"text": "<think>a</think>b"},
                {"citationsContent": {"content": [{"text": "c"}], "citations": [{"title": "t"}]}},
                {
                    "toolUse": {
                        "toolUseId": "t",
                        "name": "f",
                        "input": {"a": [1, {"b": None}]},
                        "type": "server_tool_use",
                    }
                },
                {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}, {"json": {}}]}},
                {"image": {"format": "png", "source": {"bytes": "YQ=="}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {**USAGE, "cacheReadInputTokens": 1, "cacheDetails": [{"ttl": "5m", "inputTokens": 1}]},
    "trace": {"promptRouter": {"invokedModelId": "m"}},
    "additionalModelResponseFields": {"a": 1},
}
ERROR: dict[str, Any] = {"message": "m", "__type": "a#ModelErrorException:b", "originalStatusCode": 500}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "hm"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "<think>a"}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"citation": {"title": "t"}}}),
    ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"a":1}'}}}),
    ("contentBlockStart", {"contentBlockIndex": 3, "start": {"toolResult": {"toolUseId": "t", "status": "success"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 3, "delta": {"toolResult": [{"text": "x"}, {"json": [1]}]}}),
    ("contentBlockStart", {"contentBlockIndex": 4, "start": {"image": {"format": "png"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 4, "delta": {"image": {"source": {"bytes": "YQ=="}}}}),
    ("messageStop", {"stopReason": "tool_use", "additionalModelResponseFields": {"a": 1}}),
    ("metadata", {"usage": USAGE, "trace": {"promptRouter": {"invokedModelId": "m"}}}),
]
FUZZ = Fuzz(BEDROCK_CONVERSE, exchange, opened, sent_back, HEADERS)


def framed(name: str, payload: Any, told: str = "event") -> bytes:
    return frame({f":{told}-type": name, ":message-type": told}, json.dumps(payload).encode())


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    dice = random.Random(seed)
    options = OPTIONS if seed % 2 else None
    events = copy.deepcopy(EVENTS)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(events))
        events[at] = (events[at][0], mutated(events[at][1], dice, *ODD))
    if dice.random() < 0.3:
        dice.shuffle(events)
    data = b"".join(framed(name, payload) for name, payload in events)
    FUZZ.stream(data, dice, options)
    FUZZ.stream(data + framed("modelStreamErrorException", mutated(ERROR, dice, *ODD), "exception"), dice, options)
    FUZZ.stream(framed("validationException", mutated(ERROR, dice, *ODD), "exception"), dice, options)
    said = json.dumps(mutated(ANSWER, dice, *ODD)).encode()
    FUZZ.whole(said, options)
    FUZZ.stream(said, dice, options)
    FUZZ.whole(json.dumps(mutated(ERROR, dice, *ODD)).encode(), options)
    status = dice.choice([400, 403, 424, 429, 500])
    FUZZ.error(status, json.dumps(mutated(ERROR, dice, *ODD)).encode())


@pytest.mark.parametrize("seed", range(200))
def test_odd_bytes_anywhere(seed: int):
    dice = random.Random(seed)
    data = damaged(b"".join(framed(name, payload) for name, payload in EVENTS), dice, b"\x00\x00\x01\x00", b"[DONE]")
    FUZZ.stream(data, dice, None)
    FUZZ.whole(data, None)


@pytest.mark.parametrize("cut", range(0, 2000, 17))
def test_a_stream_cut_anywhere(cut: int):
    data = b"".join(framed(name, payload) for name, payload in EVENTS)
    FUZZ.stream(data[:cut], random.Random(cut), None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["input", "block", "trace", "content", "error"])
def test_deep_nesting(depth: int, where: str):
    deep = nested(depth)
    said = {
        "input": '{"output":{"message":{"content":[{"toolUse":{"name":"f","input":%s}}]}},"stopReason":"x"}',
        "block": '{"output":{"message":{"content":[{"new":%s}]}},"stopReason":"end_turn"}',
        "trace": '{"output":{"message":{"content":[{"text":"x"}]}},"trace":%s,"stopReason":"end_turn"}',
        "content": '{"output":{"message":{"content":%s}}}',
        "error": '{"message":%s,"__type":"x"}',
    }[where].replace("%s", deep)
    FUZZ.whole(said.encode(), OPTIONS)
    FUZZ.stream(said.encode(), random.Random(0), OPTIONS)
    FUZZ.error(500, said.encode())
    dice = random.Random(0)
    for name, payload in (
        ("contentBlockStart", '{"contentBlockIndex":0,"start":{"new":%s}}'),
        ("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"toolResult":[{"json":%s}]}}'),
        ("contentBlockDelta", '{"contentBlockIndex":0,"delta":{"citation":%s}}'),
        ("metadata", '{"trace":%s}'),
    ):
        told = frame({":event-type": name, ":message-type": "event"}, payload.replace("%s", deep).encode())
        FUZZ.stream(told + framed("messageStop", {"stopReason": "end_turn"}), dice, OPTIONS)
    FUZZ.stream(frame({":exception-type": "x", ":message-type": "exception"}, deep.encode()), dice, OPTIONS)


def test_a_long_line():
    piece = "x" * 10_000_000
    FUZZ.stream(framed("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}), random.Random(1), None)
    FUZZ.whole(json.dumps({"output": {"message": {"content": [{"text": piece}]}}}).encode(), None)
