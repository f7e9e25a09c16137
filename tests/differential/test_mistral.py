"""Chat Completions as Mistral speaks them: the package `mistralai` and `Provider("mistral")`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import BY_STATUS, OPTIONS, PROMPT, TOOL, Counts, Failure, Said, Sdk

from lamellar.providers import Provider

FUNCTION = {"name": TOOL.name, "description": TOOL.description, "parameters": TOOL.schema}


class MistralSdk(Sdk):
    package = "mistralai.client"
    dialect = "chat"
    model = "mistral-small-latest"
    usage_in = "finish"
    cannot = frozenset(
        {
            "reasoning",  # has a form of its own here, as in "thinking in parts"
            "reasoning and a call",
            "no usage",  # the SDK takes what is not told for zero
            *("a call", "a call in small pieces", "a call without arguments", "text and parallel calls"),  # come whole
        }
    )
    silent_in_band = True

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        self.client = package.Mistral(api_key="k", server_url=url)
        self.errors: Any = package.errors.MistralError
        self.asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": [{"type": "function", "function": FUNCTION}],
            "max_tokens": OPTIONS.max_tokens,
        }

    def close(self) -> None:
        self.client.__exit__(None, None, None)

    def provider(self, base_url: str) -> Provider:
        return Provider("mistral", base_url=base_url, api_key="k")

    def whole(self) -> Said:
        answer = self.client.chat.complete(**self.asked)
        choice = answer.choices[0]
        return said([(choice.message, choice.finish_reason, answer.usage, answer)])

    def streamed(self) -> Said:
        with self.client.chat.stream(**self.asked) as stream:
            chunks = [event.data for event in stream]
        return said(
            [
                (choice.delta, choice.finish_reason, chunk.usage, chunk)
                for chunk in chunks
                for choice in chunk.choices[:1]
            ]
        )

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        status: int = error.status_code  # type: ignore[attr-defined]
        return Failure(status, BY_STATUS[status])


def said(pieces: Iterable[tuple[Any, Any, Any, Any]]) -> Said:
    """The pieces of one answer; the SDK leaves it to its user to put them together."""
    text, reasoning, stop, usage, model, answer_id = "", "", None, None, None, None
    calls: dict[int, list[str]] = {}
    for message, finish, counted, told in pieces:
        stop, usage = finish or stop, counted or usage
        model, answer_id = told.model or model, told.id or answer_id
        content = message.content or ""
        for part in [content] if isinstance(content, str) else content:
            if isinstance(part, str):
                text += part
            elif part.type == "thinking":
                reasoning += "".join(piece.text for piece in part.thinking)
            else:
                text += part.text
        for at, call in enumerate(message.tool_calls or ()):
            open_call = calls.setdefault(call.index or at, [call.id, call.function.name, ""])
            arguments = call.function.arguments
            open_call[2] += arguments if isinstance(arguments, str) else json.dumps(arguments)
    parsed = tuple((call_id, name, json.loads(text or "{}")) for call_id, name, text in calls.values())
    return Said(text, reasoning, parsed, (), stop and str(stop), counts(usage), model, answer_id)


def counts(usage: Any) -> Counts | None:
    if usage is None:
        return None
    more = usage.additional_properties or {}
    cached = more.get("prompt_tokens_details", {}).get("cached_tokens")
    thought = more.get("completion_tokens_details", {}).get("reasoning_tokens")
    return Counts(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, cached, None, thought)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": choices, **more}


def thinking(*texts: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text} for text in texts]}


def fixed(message: dict[str, Any], finish: str, *chunks: dict[str, Any]) -> Fixed:
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "usage": USAGE,
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
    }
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks)
    return Fixed(json.dumps(body).encode(), f"{events}data: [DONE]\n\n".encode())


def call(index: int, arguments: str) -> dict[str, Any]:
    return {"id": f"abcdef{index:03}", "index": index, "function": {"name": "weather", "arguments": arguments}}


USAGE: dict[str, Any] = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
CALLS = [call(0, '{"city": "Orléans", "days": [1, 2]}'), call(1, '{"city": "Rome"}'), call(2, "{}")]
START = chunk({"role": "assistant", "content": ""})


class TestMistral(Agreement):
    sdk_class = MistralSdk
    own = {
        "thinking in parts": fixed(
            {"content": [thinking("Six times nine", " …"), {"type": "text", "text": "42."}], "tool_calls": None},
            "stop",
            START,
            chunk({"content": [thinking("Six times nine")]}),
            chunk({"content": [thinking(" …")]}),
            chunk({"content": "42"}),
            chunk({"content": "."}),
            chunk({"content": ""}, "stop", usage=USAGE),
        ),
        "calls that come whole": fixed(
            {"content": "", "tool_calls": CALLS},
            "tool_calls",
            START,
            chunk({"content": "", "tool_calls": CALLS}, "tool_calls", usage=USAGE),
        ),
        "a window that is full": fixed(
            {"content": "On and"},
            "model_length",
            START,
            chunk({"content": "On and"}),
            chunk({"content": ""}, "model_length", usage=USAGE),
        ),
    }
