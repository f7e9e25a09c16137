"""OpenAI's Responses through a whole stack, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.end_to_end import ASK, LEAVES, THINK, Simulated, calling, simulated_by, talk, talk_streamed

from lamellar import ChatRequest, Stack, ToolCall
from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature
from lamellar.chat.events import Start
from lamellar.middleware import Retry
from lamellar.providers import Auto, OpenAIResponses
from lamellar.testing.simulator import (
    Answer,
    overloaded,
)

LEAF = LEAVES["responses"]
MODEL = LEAF.model
CALLS = calling("c1", "c2")
PARTS = (ReasoningContent, ThoughtSignature, Custom, Text, Custom, ToolCall, Custom, ToolCall, Custom)


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    with simulated_by(LEAF, monkeypatch) as make:
        yield make


def turn(body: Any) -> list[dict[str, Any]]:
    """What goes back of the first answer, without the fields that stand there unchanged."""
    found: list[dict[str, Any]] = body["input"][1:5]
    assert [item["type"] for item in found] == ["reasoning", "message", "function_call", "function_call"]
    return found


async def test_a_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny and rainy.")])
    async with executor:
        await talk(executor, LEAF, ((1, "rainy"), (0, "sunny")), THINK)
    one, two = simulator.requests
    assert (one.model, one.stream, one.status, one.path) == (MODEL, False, 200, "/v1/responses")
    assert one.headers["idempotency-key"] != two.headers["idempotency-key"]
    body: Any = two.json
    assert body["reasoning"] == {"effort": "low"}
    reasoning, said, *calls = turn(body)
    assert (reasoning["id"], reasoning["summary"][0]["text"]) == ("rs_sim_1", "Two cities.")
    assert reasoning["encrypted_content"]
    assert (said["id"], said["content"][0]["text"]) == ("msg_sim_1", "Let me see.")
    assert [(each["id"], each["arguments"]) for each in calls] == [
        ("fc_sim_1_0", '{"city":"Paris"}'),
        ("fc_sim_1_1", '{"city":"Rome"}'),
    ]
    assert [item["output"] for item in body["input"][5:]] == ["rainy", "sunny"]


async def test_a_streamed_conversation_with_tools(simulated: Simulated):
    executor, simulator = simulated([CALLS, Answer("Sunny.")])
    async with executor:
        found = await talk_streamed(executor, LEAF, PARTS, THINK)
    assert isinstance(found[0], Start)
    assert (found[0].provider_model, found[0].response_id) == (MODEL, "resp_sim_1")
    assert [request.outcome for request in simulator.requests] == ["completed"] * 2
    turn(simulator.requests[1].json)


async def test_a_call_tried_again_is_known_as_the_same(simulated: Simulated):
    _, simulator = simulated([overloaded(), Answer("ok")])
    retry = Retry(attempts=2, initial=0.001, max=0.001, overloaded_initial=0.001)
    async with Stack(retry, OpenAIResponses(base_url=simulator.base_url)).build() as executor:
        assert (await executor.exec_chat_response(MODEL, ASK)).text == "ok"
    one, two = simulator.requests
    assert one.headers["idempotency-key"] == two.headers["idempotency-key"]


async def test_auto_finds_it_by_the_models_name(simulated: Simulated):
    _, simulator = simulated([Answer("ok")])
    async with Stack(Auto(providers={"openai_resp": {"base_url": simulator.base_url}})).build() as executor:
        answer = await executor.exec_chat_response(MODEL, ChatRequest.from_user("hi"))
    assert (answer.text, answer.provider) == ("ok", "openai_resp")
    assert simulator.requests[0].headers["idempotency-key"]


async def test_auto_shares_the_endpoint_of_openai(simulated: Simulated, monkeypatch: pytest.MonkeyPatch):
    _, simulator = simulated([Answer("ok")])
    monkeypatch.delenv("OPENAI_RESP_BASE_URL", raising=False)
    before = Auto().identity()
    monkeypatch.setenv("OPENAI_BASE_URL", simulator.base_url)
    assert Auto().identity() != before
    async with Stack(Auto()).build() as executor:
        assert (await executor.exec_chat_response(MODEL, ChatRequest.from_user("hi"))).text == "ok"


async def test_a_summary_is_asked_for(simulated: Simulated):
    _, simulator = simulated([Answer("ok")])
    provider = OpenAIResponses(base_url=simulator.base_url, reasoning_summary="auto")
    async with Stack(provider).build() as executor:
        await executor.exec_chat_response(MODEL, ASK, THINK)
    body: Any = simulator.requests[0].json
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
