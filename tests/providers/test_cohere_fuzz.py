"""Whatever a body holds, the dialect of Cohere's Chat API makes an answer or an error of ours of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.providers.cohere_events import (
    answer,
    block,
    call,
    calling,
    end,
    event,
    exchange,
    framed,
    opened,
    plan,
    sent_back,
    start,
    text,
    thinking,
)
from tests.providers.fuzzing import OPTIONS, Fuzz, nested

from lamellar.providers.cohere_chat import COHERE_CHAT

PAYLOADS: list[Any] = [
    start(),
    *block("thinking", "hm"),
    *block("text", "a", "b", index=1),
    event("citation-start", {"citations": {"start": 0, "sources": [{"id": "x"}]}}, 0),
    *plan("first f"),
    *calling(0, "c1", "f", '{"a": ', "[1]}"),
    *calling(1, "c2", "g"),
    end("TOOL_CALL"),
    answer(thinking("hm"), text("a"), tool_plan="p", tool_calls=[call("c1", "f")], citations=[{"start": 0}]),
    {"id": "e1", "message": "busy"},
]
FUZZ = Fuzz(COHERE_CHAT, exchange, opened, sent_back)


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    FUZZ.odd_values(PAYLOADS, framed, seed, "ERROR", {"error": "busy"})


@pytest.mark.parametrize("seed", range(150))
def test_odd_bytes_anywhere(seed: int):
    FUZZ.odd_bytes(b"".join(map(framed, PAYLOADS)), seed)


@pytest.mark.parametrize("cut", range(0, 900, 7))
def test_a_stream_cut_anywhere(cut: int):
    FUZZ.stream(b"".join(map(framed, PAYLOADS))[:cut], random.Random(cut), None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["arguments", "block", "cited", "usage", "error"])
def test_deep_nesting(depth: int, where: str):
    said = {
        "arguments": '{"type":"tool-call-start","delta":{"message":{"tool_calls":{"function":{"arguments":%s}}}}}',
        "block": '{"type":"content-start","delta":{"message":{"content":{"type":"new","data":%s}}}}',
        "cited": '{"type":"citation-start","delta":{"message":{"citations":%s}},"message":{"citations":%s}}',
        "usage": '{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":%s}}',
        "error": '{"type":"message-end","delta":{"finish_reason":"ERROR","error":%s},"message":%s}',
    }[where].replace("%s", nested(depth))
    FUZZ.whole(said.encode(), OPTIONS)
    FUZZ.stream(f"data: {said}\n\n".encode(), random.Random(0), OPTIONS)
    FUZZ.error(500, said.encode())
