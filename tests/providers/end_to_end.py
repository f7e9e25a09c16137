"""Conversations through a whole stack, over HTTP: what is the same with every provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from lamellar import ChatMessage, ChatOptions, ChatRequest, ChatResponse, Stack, Tool, ToolCall, ToolResponse
from lamellar.chat.events import Chunk, End, ReasoningChunk, Start, StreamEvent, ToolCallChunk
from lamellar.executor import LlmExecutor
from lamellar.providers import AzureOpenAI, Bedrock, Cohere, Gemini, Ollama, OpenAIResponses, Vertex
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer, Reply

__all__ = ["ASK", "LEAVES", "THINK", "Leaf", "Simulated", "calling", "simulated_by", "talk", "talk_streamed"]

ASK = ChatRequest.from_user("What is the weather in Paris and Rome?").with_tools(
    Tool(name="weather", schema={"type": "object", "properties": {"city": {"type": "string"}}})
)
THINK = ChatOptions(reasoning_effort="low", max_tokens=500)

Simulated: TypeAlias = Callable[[Sequence[Reply]], tuple[Any, ProviderSimulator]]
"""Makes a stack on a simulator that plays these replies, and the simulator."""


@dataclass(frozen=True)
class Leaf:
    """A provider, and how the simulator plays it.

    Args:
        provider: The provider's namespace.
        dialect: The simulator's format.
        model: A model of it.
        key: The key that the simulator demands.
        spec: Makes the provider's declaration from a base URL and the key.
        variable: The environment's variable with the key, where the declaration leaves it out.
    """

    provider: str
    dialect: str
    model: str
    key: str
    spec: Callable[[str, str], Any]
    variable: str | None = None


LEAVES = {
    "azure": Leaf(
        "azure", "azure", "gpt-5-mini", "k-s3cr3t-0123456789", lambda url, key: AzureOpenAI(base_url=url, api_key=key)
    ),
    "bedrock": Leaf(
        "bedrock",
        "converse",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock-s3cr3t-0123456789",
        lambda url, _: Bedrock(base_url=url),
        "BEDROCK_API_KEY",
    ),
    "cohere": Leaf(
        "cohere",
        "cohere",
        "command-a-reasoning-08-2025",
        "k-s3cr3t-0123456789",
        lambda url, key: Cohere(base_url=url, api_key=key),
    ),
    "gemini": Leaf(
        "gemini",
        "gemini",
        "gemini-2.5-flash",
        "k-s3cr3t-0123456789",
        lambda url, _: Gemini(base_url=url),
        "GEMINI_API_KEY",
    ),
    "ollama": Leaf(
        "ollama", "ollama", "qwen3:8b", "k-s3cr3t-0123456789", lambda url, key: Ollama(base_url=url, api_key=key)
    ),
    "responses": Leaf(
        "openai_resp",
        "responses",
        "gpt-5-mini",
        "sk-s3cr3t-0123456789",
        lambda url, _: OpenAIResponses(base_url=url),
        "OPENAI_API_KEY",
    ),
    **{
        f"vertex-{kind}": Leaf(
            "vertex",
            "vertex",
            model,
            "ya29.s3cr3t-0123456789",
            lambda url, key: Vertex(base_url=url, project="p", location="us-east5", api_key=key),
        )
        for kind, model in (("gemini", "gemini-2.5-flash"), ("claude", "claude-sonnet-4-5@20250929"))
    },
}


@contextmanager
def simulated_by(leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulated]:
    """Simulators of the provider, as many as are asked for."""
    if leaf.variable is not None:
        monkeypatch.setenv(leaf.variable, leaf.key)
    opened: list[ProviderSimulator] = []

    def make(replies: Sequence[Reply]) -> tuple[LlmExecutor, ProviderSimulator]:
        simulator = ProviderSimulator(replies, dialect=leaf.dialect, require_key=leaf.key)
        simulator.start()
        opened.append(simulator)
        return Stack(leaf.spec(simulator.base_url, leaf.key)).build(), simulator

    try:
        yield make
    finally:
        for simulator in opened:
            simulator.stop()


def calling(paris: str, rome: str, *, signature: str | None = None) -> Answer:
    """An answer that thinks, speaks, and asks for the weather in two cities.

    Args:
        paris: The id of the call for Paris.
        rome: That of the call for Rome.
        signature: That of the first call, where calls have some.
    """
    signatures = None if signature is None else (signature,)
    return Answer(
        "Let me see.",
        reasoning="Two cities.",
        tool_calls=[
            ToolCall(call_id=paris, fn_name="weather", fn_arguments={"city": "Paris"}, thought_signatures=signatures),
            ToolCall(call_id=rome, fn_name="weather", fn_arguments={"city": "Rome"}),
        ],
    )


async def talk(executor: LlmExecutor, leaf: Leaf, weather: Sequence[tuple[int, Any]], think: ChatOptions) -> Any:
    """A conversation with tools, whole answers only: `calling` was played, and "Sunny and rainy." after it.

    Args:
        executor: The stack.
        leaf: The provider.
        weather: What the tools answer, in the order in which they finish: which call, and the content.
        think: The options of both calls.
    """
    first: ChatResponse = await executor.exec_chat_response(leaf.model, ASK, think)
    assert (first.text, first.reasoning_content, first.stop_reason) == ("Let me see.", "Two cities.", "tool_call")
    assert len(first.tool_calls) == 2
    answers = [ToolResponse(call_id=first.tool_calls[at].call_id, content=content) for at, content in weather]
    again = ASK.append_message(ChatMessage.assistant(first.content), ChatMessage.tool(answers))
    second: ChatResponse = await executor.exec_chat_response(leaf.model, again, think)
    assert (second.text, second.stop_reason, second.provider) == ("Sunny and rainy.", "completed", leaf.provider)
    assert second.usage
    assert second.usage.total_tokens


async def talk_streamed(
    executor: LlmExecutor, leaf: Leaf, parts: Sequence[type[Any]], think: ChatOptions
) -> list[StreamEvent]:
    """The same as streams, with "Sunny." as the second answer; the events of the first.

    Args:
        executor: The stack.
        leaf: The provider.
        parts: The types of the answer's parts.
        think: The options of the first call.
    """
    async with await executor.exec_chat_stream_events(leaf.model, ASK, think) as events:
        found = [event async for event in events]
    assert isinstance(found[0], Start)
    assert "".join(event.content for event in found if isinstance(event, ReasoningChunk)) == "Two cities."
    assert "".join(event.content for event in found if isinstance(event, Chunk)) == "Let me see."
    assert {event.index for event in found if isinstance(event, ToolCallChunk)} == {0, 1}
    end = found[-1]
    assert isinstance(end, End)
    assert end.stop_reason == "tool_call"
    assert end.usage
    assert end.content
    assert [type(part) for part in end.content] == list(parts)
    responses = [ToolResponse(call_id=call.call_id, content="sunny") for call in end.tool_calls]
    again = ASK.append_tool_use_from_end(end, responses)
    async with await executor.exec_chat_stream_events(leaf.model, again) as events:
        assert "".join([event.content async for event in events if isinstance(event, Chunk)]) == "Sunny."
    return found
