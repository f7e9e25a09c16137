"""Cohere through a whole stack, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.end_to_end import ASK, LEAVES, THINK, Simulated, calling, simulated_by, talk, talk_streamed

from lamellar import ChatMessage, ToolCall, ToolResponse
from lamellar.chat.content import ReasoningContent, Text
from lamellar.testing.simulator import (
    Answer,
)

LEAF = LEAVES["cohere"]
MODEL = LEAF.model
CALLS = calling("weather_1", "weather_2")


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
    assert body["thinking"] == {"type": "enabled", "token_budget": 1024}
    assert body["max_tokens"] == 500
    turn, *results = body["messages"][1:]
    assert turn["content"] == [
        {"type": "thinking", "thinking": "Two cities."},
        {"type": "text", "text": "Let me see."},
    ]
    assert [call["id"] for call in turn["tool_calls"]] == ["weather_1", "weather_2"]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [
        ("weather_2", "rainy"),
        ("weather_1", '{"sky":"sunny"}'),
    ]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        await talk_streamed(executor, LEAF, (ReasoningContent, Text, ToolCall, ToolCall), THINK)
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    assert [request.stream for request in simulator.requests] == [True, True]


async def test_the_plan_for_calls_is_reasoning_and_goes_back_as_the_plan(simulated: Simulated):
    call = ToolCall(call_id="c1", fn_name="weather", fn_arguments={"city": "Paris"})
    executor, simulator = simulated([Answer("", reasoning="First the weather.", tool_calls=[call])] * 2)
    async with executor:
        whole = await executor.exec_chat_response(MODEL, ASK)
        again = ASK.append_message(
            ChatMessage.assistant(whole.content), ChatMessage.tool(ToolResponse(call_id="c1", content="sunny"))
        )
        streamed = await (await executor.exec_chat_stream_events(MODEL, again)).collect()
    assert whole.reasoning_content == streamed.reasoning_content == "First the weather."
    assert whole.content == streamed.content
    body: Any = simulator.requests[1].json
    assert body["messages"][1]["tool_plan"] == "First the weather."
    assert "content" not in body["messages"][1]
