"""Ollama through a whole stack, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.end_to_end import LEAVES, THINK, Simulated, calling, simulated_by, talk, talk_streamed

from lamellar import ChatRequest, Stack, ToolCall
from lamellar.chat.content import ReasoningContent, Text
from lamellar.providers import Ollama
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import (
    Answer,
)

LEAF = LEAVES["ollama"]
MODEL = LEAF.model
CALLS = calling("", "")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    with simulated_by(LEAF, monkeypatch) as make:
        yield make


async def test_a_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny and rainy.")])
    async with executor:
        await talk(executor, LEAF, ((1, "rainy"), (0, {"sky": "sunny"})), THINK)
    one, two = simulator.requests
    assert (one.model, one.stream, one.status) == (MODEL, False, 200)
    body: Any = two.json
    assert body["think"] is True
    assert body["options"] == {"num_predict": 500}
    turn, *results = body["messages"][1:]
    assert turn == {
        "role": "assistant",
        "content": "Let me see.",
        "thinking": "Two cities.",
        "tool_calls": [
            {"function": {"name": "weather", "arguments": {"city": "Paris"}}},
            {"function": {"name": "weather", "arguments": {"city": "Rome"}}},
        ],
    }
    assert [(result["tool_name"], result["content"]) for result in results] == [
        ("weather", '{"sky":"sunny"}'),
        ("weather", "rainy"),
    ]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        await talk_streamed(executor, LEAF, (ReasoningContent, Text, ToolCall, ToolCall), THINK)
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    assert [request.stream for request in simulator.requests] == [True, True]


async def test_a_server_of_ones_own_needs_no_key():
    with ProviderSimulator([Answer("Hi.")], dialect="ollama") as simulator:
        async with Stack(Ollama(base_url=f"{simulator.base_url}/api")).build() as executor:
            response = await executor.exec_chat_response(MODEL, ChatRequest.from_user("Hi"))
        assert response.text == "Hi."
        assert "authorization" not in simulator.requests[0].headers
