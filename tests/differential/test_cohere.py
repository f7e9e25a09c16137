"""Cohere's Chat API, version 2: the package `cohere` and `Provider("cohere")`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest
from tests.differential.agreement import Agreement
from tests.differential.scenarios import ANSWERS, Fixed, Same
from tests.differential.sdk import BY_STATUS, OPTIONS, PROMPT, REQUEST, TOOL, Counts, Failure, Said, Sdk

from lamellar import Stack
from lamellar.errors import ErrorKind, ExecutorError
from lamellar.providers import Provider
from lamellar.testing.simulator import ProviderSimulator

FUNCTION = {"name": TOOL.name, "description": TOOL.description, "parameters": TOOL.schema}


class CohereSdk(Sdk):
    package = "cohere"
    dialect = "cohere"
    model = "command-a-03-2025"
    cannot = frozenset(
        {
            "another model",  # an answer names none
            "filtered after a part",  # see the test of it below
        }
    )
    silent_in_band = True

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        self.client = package.ClientV2(api_key="k", base_url=url, max_retries=0)
        self.errors: Any = package.core.ApiError
        self.asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": [{"type": "function", "function": FUNCTION}],
            "max_tokens": OPTIONS.max_tokens,
        }

    def close(self) -> None:
        self.client.__exit__(None, None, None)

    def provider(self, base_url: str) -> Provider:
        return Provider("cohere", base_url=base_url, api_key="k")

    def whole(self) -> Said:
        answer = self.client.chat(**self.asked)
        message = answer.message
        content = message.content or []
        return Said(
            "".join(block.text for block in content if block.type == "text"),
            "".join(block.thinking for block in content if block.type == "thinking") + (message.tool_plan or ""),
            parsed([call.id, call.function.name, call.function.arguments] for call in message.tool_calls or ()),
            stop=answer.finish_reason,
            usage=counts(answer.usage),
            answer_id=answer.id,
        )

    def streamed(self) -> Said:
        """The SDK leaves it to its user to put the events together."""
        text, reasoning, stop, usage, answer_id = "", "", None, None, None
        calls: dict[int, list[str]] = {}
        for event in self.client.chat_stream(**self.asked):
            message: Any = getattr(getattr(event, "delta", None), "message", None)
            match event.type:
                case "message-start":
                    answer_id = event.id
                case "content-start" | "content-delta":
                    text += message.content.text or ""
                    reasoning += message.content.thinking or ""
                case "tool-plan-delta":
                    reasoning += message.tool_plan
                case "tool-call-start":
                    call = message.tool_calls
                    calls[event.index] = [call.id, call.function.name, call.function.arguments]
                case "tool-call-delta":
                    calls[event.index][2] += message.tool_calls.function.arguments
                case "message-end":
                    stop, usage = event.delta.finish_reason, event.delta.usage
        return Said(
            text, reasoning, parsed(calls.values()), stop=stop, usage=counts(usage), model=None, answer_id=answer_id
        )

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        status: int = error.status_code  # type: ignore[attr-defined]
        return Failure(status, BY_STATUS[status])


def parsed(calls: Iterable[list[str]]) -> tuple[tuple[str | None, str, Any], ...]:
    return tuple((call_id, name, json.loads(text or "{}")) for call_id, name, text in calls)


def counts(usage: Any) -> Counts | None:
    """The total is nobody's."""
    if usage is None:
        return None
    read, written = usage.tokens.input_tokens, usage.tokens.output_tokens
    return Counts(read, written, read + written, usage.cached_tokens)


def fixed(message: dict[str, Any], finish: str, *events: dict[str, Any]) -> Fixed:
    body = {"id": "c1", "message": {"role": "assistant", **message}, "finish_reason": finish, "usage": USAGE}
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    all_events: list[dict[str, Any]] = [
        {"id": "c1", "type": "message-start", "delta": {"message": empty}},
        *events,
        {"type": "message-end", "delta": {"finish_reason": finish, "usage": USAGE}},
    ]
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in all_events)
    return Fixed(json.dumps(body).encode(), f"{stream}data: [DONE]\n\n".encode())


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": kind} if index is None else {"type": kind, "index": index}
    return {**said, "delta": {"message": message}} if message else said


def block(index: int, kind: str, *pieces: str) -> list[dict[str, Any]]:
    return [
        event("content-start", index, content={"type": kind, kind: ""}),
        *(event("content-delta", index, content={kind: piece}) for piece in pieces),
        event("content-end", index),
    ]


USAGE: dict[str, Any] = {
    "billed_units": {"input_tokens": 20.0, "output_tokens": 9.0},
    "tokens": {"input_tokens": 512.0, "output_tokens": 40.0},
    "cached_tokens": 480.0,
}
CITATION: dict[str, Any] = {
    "start": 0,
    "end": 5,
    "text": "Sunny",
    "sources": [{"type": "tool", "id": "weather_0:0", "tool_output": {"sky": "sunny"}}],
    "type": "TEXT_CONTENT",
}
CALL: dict[str, Any] = {
    "id": "weather_0",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
}
OPENED: dict[str, Any] = {**CALL, "function": {"name": "weather", "arguments": ""}}
PIECES = ('{"ci', 'ty": "', 'Rome"}')


class TestCohere(Agreement):
    sdk_class = CohereSdk
    own = {
        "a text with citations": fixed(
            {"content": [{"type": "text", "text": "Sunny."}], "citations": [CITATION]},
            "COMPLETE",
            *block(0, "text", "Sunny", "."),
            event("citation-start", 0, citations=CITATION),
            event("citation-end", 0),
        ),
        "thinking, a plan and a call": fixed(
            {
                "content": [{"type": "thinking", "thinking": "Hm, hm."}],
                "tool_plan": "I will look it up.",
                "tool_calls": [CALL],
            },
            "TOOL_CALL",
            *block(0, "thinking", "Hm,", " hm."),
            event("tool-plan-delta", tool_plan="I will"),
            event("tool-plan-delta", tool_plan=" look it up."),
            event("tool-call-start", 0, tool_calls=OPENED),
            *(event("tool-call-delta", 0, tool_calls={"function": {"arguments": piece}}) for piece in PIECES),
            event("tool-call-end", 0),
        ),
        "a sequence that stops": fixed(
            {"content": [{"type": "text", "text": "On and"}]}, "STOP_SEQUENCE", *block(0, "text", "On and")
        ),
    }

    async def test_an_answer_that_was_filtered_is_no_success(self, sdk: Sdk, simulator: ProviderSimulator) -> None:
        """To the SDK it is one like any other."""
        simulator.reset(Same(ANSWERS["filtered after a part"]))
        assert sdk.whole().stop == "ERROR_TOXIC"
        async with Stack(sdk.provider(simulator.base_url)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response(sdk.model, REQUEST, OPTIONS)
        assert caught.value.kind == ErrorKind.CONTENT_FILTERED
