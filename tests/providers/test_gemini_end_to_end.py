"""Gemini through a whole stack, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.end_to_end import LEAVES, THINK, Simulated, calling, simulated_by, talk, talk_streamed

from lamellar import ToolCall
from lamellar.chat.content import ReasoningContent, Text
from lamellar.chat.events import Start, ToolCallChunk
from lamellar.testing.simulator import (
    Answer,
)

LEAF = LEAVES["gemini"]
MODEL = LEAF.model
CALLS = calling("", "", signature="sig-1")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    with simulated_by(LEAF, monkeypatch) as make:
        yield make


async def test_a_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny and rainy.")])
    async with executor:
        await talk(executor, LEAF, ((1, "rainy"), (0, "sunny")), THINK)
    one, two = simulator.requests
    assert (one.model, one.stream, one.status) == (MODEL, False, 200)
    assert LEAF.key not in one.path
    body: Any = two.json
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024, "includeThoughts": True}
    assert body["contents"][1] == {
        "role": "model",
        "parts": [
            {"text": "Two cities.", "thought": True},
            {"text": "Let me see."},
            {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": "sig-1"},
            {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
        ],
    }
    assert [part["functionResponse"]["response"] for part in body["contents"][2]["parts"]] == [
        {"result": "sunny"},
        {"result": "rainy"},
    ]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        found = await talk_streamed(executor, LEAF, (ReasoningContent, Text, ToolCall, ToolCall), THINK)
    assert isinstance(found[0], Start)
    assert found[0].provider_model == MODEL
    assert [event.index for event in found if isinstance(event, ToolCallChunk)] == [0, 1]
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    assert simulator.requests[1].path.endswith(":streamGenerateContent?alt=sse")
