"""Responses: the package `openai` and `OpenAIResponses`."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from tests.differential.agreement import Agreement
from tests.differential.scenarios import Fixed
from tests.differential.sdk import OPTIONS, PROMPT, TOOL, Counts, Failure, Said
from tests.differential.test_openai_chat import OpenAISdk

from lamellar.providers import OpenAIResponses

FUNCTION = {"type": "function", "name": TOOL.name, "description": TOOL.description, "parameters": TOOL.schema}
ENDS = {"response.completed", "response.incomplete", "response.failed"}


class ResponsesSdk(OpenAISdk):
    dialect = "responses"
    model = "gpt-5-mini"

    def start(self, package: ModuleType, url: str, base_url: str) -> None:
        super().start(package, url, base_url)
        self.asked = {
            "model": self.model,
            "input": PROMPT,
            "tools": [{**FUNCTION, "strict": False}],
            "max_output_tokens": OPTIONS.max_tokens,
            "include": ["reasoning.encrypted_content"],
        }

    def provider(self, base_url: str) -> OpenAIResponses:
        return OpenAIResponses(base_url=base_url, api_key="k")

    def whole(self) -> Said:
        response = self.client.responses.create(**self.asked)
        return said(response, response.output)

    def streamed(self) -> Said:
        """The SDK's own helper raises at a bound or a filter, so the events are put together here."""
        events = list(self.client.responses.create(**self.asked, stream=True))
        items = [event.item for event in events if event.type == "response.output_item.done"]
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = next((event.response for event in reversed(events) if event.type in ENDS), None)
        if final is None:
            return Said(text)
        told = said(final, items)
        assert told.text == text
        return told

    def failure(self, error: Exception) -> Failure:
        told = super().failure(error)
        return Failure(told.status, told.kinds | {"model_not_found"}) if told.status == 400 else told


def said(response: Any, items: list[Any]) -> Said:
    """A refusal is no text, as in the SDK's own `output_text`."""
    parts = [part for item in items if item.type == "message" for part in item.content]
    thoughts = [item for item in items if item.type == "reasoning"]
    calls = [item for item in items if item.type == "function_call"]
    incomplete = response.incomplete_details
    return Said(
        "".join(part.text for part in parts if part.type == "output_text"),
        "".join(part.text for item in thoughts for part in [*item.summary, *(item.content or ())]),
        tuple((call.call_id, call.name, json.loads(call.arguments)) for call in calls),
        tuple(item.encrypted_content for item in thoughts if item.encrypted_content),
        incomplete.reason if incomplete else response.status,
        counts(response.usage),
        response.model,
        response.id,
    )


def counts(usage: Any) -> Counts | None:
    if usage is None:
        return None
    prompt, completion = usage.input_tokens_details, usage.output_tokens_details
    return Counts(
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        prompt.cached_tokens,
        prompt.cache_write_tokens,
        completion.reasoning_tokens,
    )


def fixed(items: list[dict[str, Any]], *events: dict[str, Any]) -> Fixed:
    body: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-mini-2025-08-07",
        "output": items,
        "usage": USAGE,
    }
    begun = {**body, "status": "in_progress", "output": [], "usage": None}
    all_events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *events,
        {"type": "response.completed", "response": body},
    ]
    stream = "".join(
        f"event: {event['type']}\ndata: {json.dumps({'sequence_number': at, **event})}\n\n"
        for at, event in enumerate(all_events)
    )
    return Fixed(json.dumps(body).encode(), stream.encode())


def item(index: int, whole: dict[str, Any], empty: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """An item's events: it opens empty, grows, and is repeated whole."""
    place = {"item_id": whole["id"], "output_index": index}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": {**whole, **empty}},
        *({**place, **delta} for delta in deltas),
        {"type": "response.output_item.done", "output_index": index, "item": whole},
    ]


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": list(content)}


USAGE: dict[str, Any] = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 32, "cache_write_tokens": 8},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 7},
    "total_tokens": 70,
}
CITED = {"type": "url_citation", "start_index": 0, "end_index": 5, "title": "t", "url": "https://example.com"}
SUNNY = message({"type": "output_text", "text": "Sunny.", "annotations": [CITED], "logprobs": []})
REFUSED = message({"type": "refusal", "refusal": "I can't."})
SEARCH = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "weather"},
}
THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
    "encrypted_content": "gAAAAABvcGFxdWU=",
}
EMPTY = {"status": "in_progress", "content": []}
OPENED = {"content_index": 0, "type": "response.content_part.added"}
TEXT = {"content_index": 0, "type": "response.output_text.delta", "logprobs": []}


class TestResponses(Agreement):
    sdk_class = ResponsesSdk
    own = {
        "a server's tool and citations": fixed(
            [SEARCH, SUNNY],
            *item(0, SEARCH, {"status": "in_progress"}, {"type": "response.web_search_call.searching"}),
            *item(
                1,
                SUNNY,
                EMPTY,
                {**OPENED, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}},
                {**TEXT, "delta": "Sun"},
                {**TEXT, "delta": "ny.", "obfuscation": "aXV4"},
                {
                    "type": "response.output_text.annotation.added",
                    "content_index": 0,
                    "annotation_index": 0,
                    "annotation": CITED,
                },
            ),
        ),
        "a refusal": fixed(
            [REFUSED],
            *item(
                0,
                REFUSED,
                EMPTY,
                {**OPENED, "part": {"type": "refusal", "refusal": ""}},
                {"type": "response.refusal.delta", "content_index": 0, "delta": "I "},
                {"type": "response.refusal.delta", "content_index": 0, "delta": "can't."},
            ),
        ),
        "two summaries of the reasoning": fixed(
            [THOUGHT, SUNNY],
            *item(
                0,
                THOUGHT,
                {"summary": []},
                *(
                    {"type": "response.reasoning_summary_text.delta", "summary_index": at, "delta": part["text"]}
                    for at, part in enumerate(THOUGHT["summary"])
                ),
            ),
            *item(1, SUNNY, EMPTY, {**TEXT, "delta": "Sunny."}),
        ),
    }
