"""Chat Completions: the package `openai` and `OpenAI`."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import OPTIONS, PROMPT, TOOL, Counts, Failure, Said, Sdk

from lamellar.providers import OpenAI
from lamellar.providers.spec import HttpProvider

KINDS = {
    "BadRequestError": {"invalid_request", "context_overflow", "content_filtered"},
    "AuthenticationError": {"unauthorized"},
    "PermissionDeniedError": {"permission_denied"},
    "NotFoundError": {"model_not_found", "invalid_request"},
    "ConflictError": {"server_error"},
    "RateLimitError": {"rate_limited", "quota_exhausted"},
    "InternalServerError": {"server_error", "overloaded", "timeout"},
    "APIError": {"server_error", "overloaded"},  # within a stream
}
WITH_USAGE = {"include_usage": True}
TOOLS: Any = [
    {"type": "function", "function": {"name": TOOL.name, "description": TOOL.description, "parameters": TOOL.schema}}
]


class OpenAISdk(Sdk):
    package = "openai"
    dialect = "chat"
    model = "gpt-4o-mini"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        self.client = package.OpenAI(base_url=base_url, api_key="k", max_retries=0)
        self.errors: Any = package.APIError
        self.asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": TOOLS,
            "max_tokens": OPTIONS.max_tokens,
        }

    def close(self) -> None:
        self.client.close()

    def provider(self, base_url: str) -> HttpProvider:
        return OpenAI(base_url=base_url, api_key="k")

    def whole(self) -> Said:
        return said(self.client.chat.completions.create(**self.asked))

    def streamed(self) -> Said:
        """The SDK's own helper raises at a bound or a filter, so the chunks are put together here."""
        chunks = list(self.client.chat.completions.create(**self.asked, stream=True, stream_options=WITH_USAGE))
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        deltas = [choice.delta for choice in choices]
        calls: dict[int, list[Any]] = {}
        for part in [part for delta in deltas for part in delta.tool_calls or ()]:
            call = calls.setdefault(part.index, [part.id, part.function.name, ""])
            call[2] += part.function.arguments or ""
        return Said(
            "".join(delta.content or "" for delta in deltas),
            "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas),
            tuple((call_id, name, json.loads(text or "{}")) for call_id, name, text in calls.values()),
            (),
            next((choice.finish_reason for choice in reversed(choices) if choice.finish_reason), None),
            counts(next((chunk.usage for chunk in reversed(chunks) if chunk.usage), None)),
            next(chunk.model for chunk in chunks if chunk.model),
            next(chunk.id for chunk in chunks if chunk.id),
        )

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        status = getattr(error, "status_code", None)
        return Failure(status, frozenset(KINDS[type(error).__name__]))


def said(completion: Any) -> Said:
    choice = completion.choices[0]
    message = choice.message
    return Said(
        message.content or "",
        getattr(message, "reasoning_content", None) or "",
        tuple(
            (call.id, call.function.name, json.loads(call.function.arguments or "{}"))
            for call in message.tool_calls or ()
        ),
        (),
        choice.finish_reason,
        counts(completion.usage),
        completion.model,
        completion.id,
    )


def counts(usage: Any) -> Counts | None:
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Counts(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        prompt and prompt.cached_tokens,
        prompt and prompt.cache_write_tokens,
        completion and completion.reasoning_tokens,
    )


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-5.1-2025-11-13",
        "choices": choices,
        **more,
    }


def fixed(message: dict[str, Any], finish: str, usage: dict[str, Any], *chunks: dict[str, Any]) -> Fixed:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5.1-2025-11-13",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage,
    }
    last = (chunk({}, finish), chunk(None, usage=usage))
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in (*chunks, *last))
    return Fixed(json.dumps(body).encode(), f"{events}data: [DONE]\n\n".encode())


USAGE: dict[str, Any] = {
    "prompt_tokens": 50,
    "completion_tokens": 20,
    "total_tokens": 70,
    "prompt_tokens_details": {"cached_tokens": 32, "cache_write_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 7,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 3,
        "rejected_prediction_tokens": 1,
    },
}


class TestOpenAI(Agreement):
    sdk_class = OpenAISdk
    own = {
        "a refusal": fixed(
            {"role": "assistant", "content": None, "refusal": "I can't."},
            "stop",
            USAGE,
            chunk({"role": "assistant", "content": None, "refusal": ""}),
            chunk({"refusal": "I "}),
            chunk({"refusal": "can't."}),
        ),
        "annotations beside a text": fixed(
            {"role": "assistant", "content": "Sunny.", "annotations": [{"type": "url_citation", "url_citation": {}}]},
            "stop",
            USAGE,
            chunk({"role": "assistant", "content": "Sun"}),
            chunk({"content": "ny.", "annotations": [{"type": "url_citation", "url_citation": {}}]}),
        ),
        "padding that is no content": fixed(
            {"role": "assistant", "content": "Yes."},
            "stop",
            USAGE,
            chunk({"role": "assistant", "content": "Yes."}, obfuscation="aXV4"),
            chunk({}, obfuscation="x"),
        ),
    }
