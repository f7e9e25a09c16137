"""Messages: the package `anthropic` and `Anthropic`."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import OPTIONS, PROMPT, TOOL, Counts, Failure, Said, Sdk

from lamellar.providers import Anthropic
from lamellar.providers.spec import HttpProvider

KINDS = {
    "BadRequestError": {"invalid_request", "context_overflow", "content_filtered", "quota_exhausted"},
    "AuthenticationError": {"unauthorized"},
    "PermissionDeniedError": {"permission_denied"},
    "NotFoundError": {"model_not_found", "invalid_request"},
    "ConflictError": {"server_error"},
    "RateLimitError": {"rate_limited", "quota_exhausted"},
    "InternalServerError": {"server_error", "overloaded", "timeout"},
    "ServiceUnavailableError": {"overloaded"},
    "OverloadedError": {"overloaded"},
    "APIStatusError": {"server_error", "overloaded"},  # within a stream, under the status 200
}


class AnthropicSdk(Sdk):
    package = "anthropic"
    dialect = "anthropic"
    model = "claude-haiku-4-5"
    cannot = frozenset({"no usage"})  # the SDK cannot do without

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        self.client = package.Anthropic(base_url=base_url, api_key="k", max_retries=0)
        self.errors: Any = package.APIError
        self.asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "tools": [{"name": TOOL.name, "description": TOOL.description, "input_schema": TOOL.schema}],
            "max_tokens": OPTIONS.max_tokens,
        }

    def close(self) -> None:
        self.client.close()

    def provider(self, base_url: str) -> HttpProvider:
        return Anthropic(base_url=base_url, api_key="k")

    def whole(self) -> Said:
        return said(self.client.messages.create(**self.asked))

    def streamed(self) -> Said:
        with self.client.messages.stream(**self.asked) as stream:
            return said(stream.get_final_message())

    def failure(self, error: Exception) -> Failure:
        if not isinstance(error, self.errors):
            raise error
        return Failure(getattr(error, "status_code", None), frozenset(KINDS[type(error).__name__]))


def said(message: Any) -> Said:
    blocks = message.content
    return Said(
        "".join(block.text for block in blocks if block.type == "text"),
        "".join(block.thinking for block in blocks if block.type == "thinking"),
        tuple((block.id, block.name, block.input) for block in blocks if block.type == "tool_use"),
        tuple(block.signature for block in blocks if block.type == "thinking" and block.signature),
        message.stop_reason,
        counts(message.usage),
        message.model,
        message.id,
    )


def counts(usage: Any) -> Counts:
    """The prompt is the sum of three counts here, and the total is nobody's."""
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    prompt = usage.input_tokens + (read or 0) + (written or 0)
    thought = usage.output_tokens_details and usage.output_tokens_details.thinking_tokens
    return Counts(prompt, usage.output_tokens, prompt + usage.output_tokens, read, written, thought)


def fixed(blocks: list[dict[str, Any]], stop: str, usage: dict[str, Any], *events: dict[str, Any]) -> Fixed:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    first = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    all_events = [
        {"type": "message_start", "message": first},
        *events,
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in all_events)
    return Fixed(json.dumps(message).encode(), stream.encode())


def block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": opened},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


USAGE: dict[str, Any] = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    "output_tokens": 40,
    "output_tokens_details": {"thinking_tokens": 15},
    "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    "service_tier": "standard",
}
CITATION: dict[str, Any] = {
    "type": "web_search_result_location",
    "cited_text": "Sunny",
    "encrypted_index": "e",
    "title": "t",
    "url": "https://example.com",
}
SEARCH: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "weather"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
]


class TestAnthropic(Agreement):
    sdk_class = AnthropicSdk
    own = {
        "a server's tool, citations and a cache": fixed(
            [*SEARCH, {"type": "text", "text": "Sunny.", "citations": [CITATION]}],
            "end_turn",
            USAGE,
            *block(0, {**SEARCH[0], "input": {}}, {"type": "input_json_delta", "partial_json": '{"query": "weather"}'}),
            *block(1, SEARCH[1]),
            *block(
                2,
                {"type": "text", "text": "", "citations": []},
                {"type": "citations_delta", "citation": CITATION},
                {"type": "text_delta", "text": "Sunny."},
            ),
        ),
        "thinking that is not shown": fixed(
            [{"type": "thinking", "thinking": "", "signature": "c2ln"}, {"type": "text", "text": "Yes."}],
            "end_turn",
            USAGE,
            *block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "signature_delta", "signature": "c2ln"},
            ),
            *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Yes."}),
        ),
        "a turn that pauses": fixed(SEARCH[:1], "pause_turn", USAGE, *block(0, SEARCH[0])),
        "a window that is full": fixed(
            [{"type": "text", "text": "On and"}],
            "model_context_window_exceeded",
            USAGE,
            *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "On and"}),
        ),
    }
