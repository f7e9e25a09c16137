"""Ollama's own chat API: the package `ollama` and `Provider("ollama")`."""

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


class OllamaSdk(Sdk):
    package = "ollama"
    dialect = "ollama"
    model = "qwen3:8b"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        self.client = package.Client(host=url)
        self.errors: Any = package.ResponseError
        self.asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": [{"type": "function", "function": FUNCTION}],
            "options": {"num_predict": OPTIONS.max_tokens},
        }

    def close(self) -> None:
        self.client.close()

    def provider(self, base_url: str) -> Provider:
        return Provider("ollama", base_url=base_url)

    def whole(self) -> Said:
        return said([self.client.chat(**self.asked)])

    def streamed(self) -> Said:
        return said(self.client.chat(**self.asked, stream=True))

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        status: int = error.status_code  # type: ignore[attr-defined]
        if status < 0:  # within a stream
            return Failure(None, BY_STATUS[500] | BY_STATUS[503])
        return Failure(status, BY_STATUS[status])


def said(lines: Iterable[Any]) -> Said:
    """The lines of one answer; the SDK leaves it to its user to put them together, and overlooks the ids of calls."""
    text, reasoning, stop, usage, model = "", "", None, None, None
    calls: list[tuple[None, str, Any]] = []
    for line in lines:
        model, stop = line.model or model, line.done_reason or stop
        text += line.message.content or ""
        reasoning += line.message.thinking or ""
        calls.extend((None, call.function.name, call.function.arguments) for call in line.message.tool_calls or ())
        usage = counts(line) or usage
    return Said(text, reasoning, tuple(calls), (), stop, usage, model)


def counts(line: Any) -> Counts | None:
    """The total is nobody's."""
    read, written = line.prompt_eval_count, line.eval_count
    if read is None and written is None:
        return None
    return Counts(read, written, None if read is None or written is None else read + written)


def line(message: dict[str, Any], *, model: str = "qwen3:8b", **more: Any) -> dict[str, Any]:
    said = {"model": model, "created_at": "2026-01-02T03:04:05.678901Z", "done": False, **more}
    return {**said, "message": {"role": "assistant", "content": "", **message}}


def fixed(message: dict[str, Any], counted: dict[str, int], *pieces: dict[str, Any], reason: str = "stop") -> Fixed:
    last = {"done": True, "done_reason": reason, "total_duration": 9, **counted}
    lines = [*map(line, pieces), line({}, **last)]
    events = "".join(f"{json.dumps(each)}\n" for each in lines)
    return Fixed(json.dumps(line(message, **last)).encode(), events.encode(), "application/x-ndjson")


COUNTED = {"prompt_eval_count": 120, "eval_count": 30}
CALLS = [
    {"function": {"name": "weather", "arguments": {"city": "Orléans", "deep": {"a": None}}}},
    {"function": {"name": "now", "arguments": {}}},
]


class TestOllama(Agreement):
    sdk_class = OllamaSdk
    own = {
        "calls without ids": fixed(
            {"tool_calls": CALLS}, COUNTED, {"tool_calls": CALLS[:1]}, {"tool_calls": CALLS[1:]}
        ),
        "text beside a call": fixed(
            {"content": "Let me see.", "tool_calls": CALLS[:1]},
            COUNTED,
            {"content": "Let me"},
            {"content": " see.", "tool_calls": CALLS[:1]},
        ),
        "thinking and text in one line": fixed(
            {"thinking": "Hm.", "content": "42."}, COUNTED, {"thinking": "Hm."}, {"thinking": "", "content": "42."}
        ),
        "a prompt that was cached whole": fixed({"content": "42."}, {"eval_count": 2}, {"content": "42."}),
        "a model that is loaded": fixed({}, {}, reason="load"),
    }
