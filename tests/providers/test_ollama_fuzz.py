"""Whatever a body holds, the dialect of Ollama's own API makes an answer or an error of ours of it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.providers.fuzzing import OPTIONS, Fuzz, nested
from tests.providers.ollama_lines import COUNTS, call, exchange, line, opened, payload, sent_back

from lamellar.providers.ollama_chat import OLLAMA_CHAT

PAYLOADS: list[Any] = [
    payload(thinking="hm"),
    {**payload("a"), "logprobs": [{"token": "a", "top_logprobs": [{"token": "b"}]}]},
    payload("b", images=["iVBORw", "/9j/"], new={"a": [1]}),
    payload(tool_calls=[call("f", {"a": [1, {"b": None}]}), call("g", id="c2"), call("h", '{"c": 1}')]),
    payload("c", done="stop", counts=COUNTS),
    {"error": "server busy"},
]
FUZZ = Fuzz(OLLAMA_CHAT, exchange, opened, sent_back)


@pytest.mark.parametrize("seed", range(400))
def test_odd_values_anywhere(seed: int):
    FUZZ.odd_values(PAYLOADS, line, seed, "length", {"error": "busy"})


@pytest.mark.parametrize("seed", range(150))
def test_odd_bytes_anywhere(seed: int):
    FUZZ.odd_bytes(b"".join(map(line, PAYLOADS)), seed)


@pytest.mark.parametrize("cut", range(0, 900, 7))
def test_a_stream_cut_anywhere(cut: int):
    FUZZ.stream(b"".join(map(line, PAYLOADS))[:cut], random.Random(cut), None)


@pytest.mark.parametrize("depth", [100, 190, 260, 5000])
@pytest.mark.parametrize("where", ["arguments", "message", "new", "logprobs", "error"])
def test_deep_nesting(depth: int, where: str):
    said = {
        "arguments": '{"message":{"tool_calls":[{"function":{"name":"f","arguments":%s}}]},"done":true}',
        "message": '{"message":%s,"done":true}',
        "new": '{"message":{"new":%s},"done":true}',
        "logprobs": '{"logprobs":%s,"done":true}',
        "error": '{"error":%s}',
    }[where].replace("%s", nested(depth))
    FUZZ.whole(said.encode(), OPTIONS)
    FUZZ.stream(f"{said}\n".encode(), random.Random(0), OPTIONS)
    FUZZ.error(500, said.encode())
