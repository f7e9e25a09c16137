"""From recorded Responses requests to ours, and what such a request means."""

from __future__ import annotations

import json
from typing import Any

from lamellar.chat.content import (
    Binary,
    ContentPart,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
)
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.providers.wire import Quirks

THROUGH_EXTRA_BODY = {
    "conversation": "a conversation that the provider keeps",
    "include": "what else the answer shall hold",
    "max_tool_calls": "OpenAI's own tools",
    "metadata": "a note for the dashboard",
    "prompt": "a prompt that the provider keeps",
    "prompt_cache_options": "OpenAI's explicit cache",
    "prompt_cache_retention": "OpenAI's cache, in other lifetimes than a day",
    "reasoning": "a summary, a context, a mode",
    "safety_identifier": "an end user's id",
    "stream_options": "without obfuscation",
    "top_logprobs": "log probabilities",
    "truncation": "what to do with too long an input",
    "user": "an end user's id",
}
"""Keys that have no option of ours, each with what they are. Anything else must be said by our own types."""

DEFAULTS = {"stream": False, "background": False}
"""Values that say what is so anyway."""


def quirks(recording: dict[str, Any]) -> Quirks:
    asked = recording["request"]["json"].get("include") or ()
    return Quirks(encrypted_reasoning="reasoning.encrypted_content" in asked)


def last_answer(body: bytes) -> bytes:
    """The stream of the last answer: one recorder wrote those of a whole conversation into one body."""
    at = body.rfind(b"event: response.created\n")
    return body if at < 0 else body[at:]


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in recording["request"]["json"].items() if value is not None}
    for key, value in DEFAULTS.items():
        if body.get(key) == value:
            del body[key]
    for key in ("model", "stream"):
        body.pop(key, None)
    said = body.pop("input", [])
    items = [{"role": "user", "content": said}] if isinstance(said, str) else said
    tools = body.pop("tools", None)
    request = ChatRequest(
        system=body.pop("instructions", None),
        messages=tuple(_messages(items)),
        tools=tuple(map(_tool, tools)) if tools is not None else None,
        previous_response_id=body.pop("previous_response_id", None),
        store=body.pop("store", None),
    )
    return request, _options(body)


def _options(body: dict[str, Any]) -> ChatOptions:
    said: dict[str, Any] = {}
    for key in ("temperature", "top_p", "parallel_tool_calls", "service_tier", "prompt_cache_key"):
        if key in body:
            said[key] = body.pop(key)
    if "max_output_tokens" in body:
        said["max_tokens"] = body.pop("max_output_tokens")
    if body.get("prompt_cache_retention") == "24h":
        said["cache_control"] = body.pop("prompt_cache_retention")
    if "tool_choice" in body:
        choice = body.pop("tool_choice")
        said["tool_choice"] = choice if isinstance(choice, str) else ToolChoice.tool(choice["name"])
    text = dict(body.pop("text", {}))
    form = text.pop("format", {"type": "text"})
    if form["type"] == "json_object":
        said["response_format"] = "json"
    elif form["type"] == "json_schema":
        said["response_format"] = JsonSchemaFormat(**form)
    if "verbosity" in text:
        said["verbosity"] = text.pop("verbosity")
    assert not text
    _reasoning(body, said)
    assert set(body) <= set(THROUGH_EXTRA_BODY), f"not sayable: {set(body) - set(THROUGH_EXTRA_BODY)}"
    return ChatOptions(**said, extra_body=body or None)


def _reasoning(body: dict[str, Any], said: dict[str, Any]) -> None:
    """The effort is ours; with one, the encrypted form is asked for by itself."""
    if "reasoning" not in body:
        return
    reasoning = {key: value for key, value in body.pop("reasoning").items() if value is not None}
    word = reasoning.pop("effort", None)
    if word is not None:
        said["reasoning_effort"] = "zero" if word == "none" else word
        if word != "none" and body.get("include") == ["reasoning.encrypted_content"]:
            del body["include"]
    if reasoning:
        body["reasoning"] = reasoning


def _messages(items: list[dict[str, Any]]) -> list[ChatMessage]:
    """Each item as a message of its own."""
    return [_message(item) for item in items]


def _message(item: dict[str, Any]) -> ChatMessage:
    kind = item.get("type", "message")
    if kind == "message" and item["role"] in ("user", "system"):
        content = item["content"]
        parts = [Text(content)] if isinstance(content, str) else [_part(part) for part in content]
        return ChatMessage(role=item["role"], content=tuple(parts))
    if kind == "message" and item["role"] == "assistant":
        return ChatMessage.assistant(_said(item))
    if kind == "function_call":
        fields = {key: item[key] for key in ("id", "status", "namespace") if item.get(key) is not None}
        call = ToolCall(call_id=item["call_id"], fn_name=item["name"], fn_arguments=json.loads(item["arguments"]))
        return ChatMessage.assistant([call, *_fields(kind, fields)])
    if kind == "function_call_output":
        return ChatMessage.tool(ToolResponse(call_id=item["call_id"], content=item["output"]))
    if kind == "reasoning" and not item.get("content"):
        thoughts: list[ContentPart] = [ReasoningContent(text=part["text"]) for part in item["summary"]]
        if item.get("encrypted_content"):
            thoughts.append(ThoughtSignature(signature=item["encrypted_content"]))
        fields = {key: item[key] for key in ("id", "status") if item.get(key) is not None}
        return ChatMessage.assistant([*thoughts, *_fields(kind, fields)])
    return ChatMessage.assistant([Custom(data=item)])


def _said(item: dict[str, Any]) -> list[ContentPart]:
    content = item["content"]
    parts: list[ContentPart] = []
    for part in [{"type": "output_text", "text": content}] if isinstance(content, str) else content:
        if part["type"] == "output_text":
            parts.append(Text(part["text"]))
            parts.extend(Custom(data={name: part[name]}) for name in ("annotations", "logprobs") if part.get(name))
        else:
            parts.append(Custom(data=part))
    fields = {key: item[key] for key in ("id", "status", "phase") if item.get(key) is not None}
    return [*parts, *_fields("message", fields)]


def _fields(kind: str, fields: dict[str, Any]) -> list[ContentPart]:
    return [Custom(data={kind: fields})] if fields else []


def _part(part: dict[str, Any]) -> ContentPart:
    kind = part["type"]
    if part.keys() == {"type", "text"} and kind == "input_text":
        return Text(part["text"])
    if kind == "input_image" and part.get("image_url") and part.get("detail", "auto") == "auto":
        return _binary(part["image_url"], "image/png", None)
    if kind == "input_file" and "file_data" in part:
        return _binary(part["file_data"], "application/pdf", part.get("filename"))
    if kind == "input_file" and part.keys() == {"type", "file_url"}:
        return _binary(part["file_url"], "application/pdf", None)
    return Custom(data=part)


def _binary(url: str, content_type: str, name: str | None) -> Binary:
    if not url.startswith("data:"):
        return Binary.from_url(content_type, url, name)
    content_type, _, data = url.removeprefix("data:").partition(";base64,")
    return Binary.from_base64(content_type, data, name)


def _tool(recorded: dict[str, Any]) -> Tool:
    if recorded["type"] != "function":
        return Tool(name=recorded["type"], config={key: value for key, value in recorded.items() if key != "type"})
    known = ("type", "name", "description", "parameters", "strict")
    return Tool(
        name=recorded["name"],
        description=recorded.get("description"),
        schema=recorded.get("parameters"),
        strict=recorded.get("strict"),
        config={key: value for key, value in recorded.items() if key not in known} or None,
    )


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: nulls, defaults, the spelling of a single text."""
    meant = {key: value for key, value in body.items() if value is not None and DEFAULTS.get(key, ...) != value}
    said = meant.get("input", [])
    meant["input"] = [_meant(item) for item in ([{"role": "user", "content": said}] if isinstance(said, str) else said)]
    if meant.get("include") == []:
        del meant["include"]
    if meant.get("instructions") == "":
        del meant["instructions"]
    if "tools" in meant:
        meant["tools"] = [_tool_meant(tool) for tool in meant["tools"]]
    for key in ("reasoning", "text"):
        if key in meant:
            meant[key] = _without_nulls(meant[key])
    if meant.get("text") == {"format": {"type": "text"}}:
        del meant["text"]
    return meant


def _tool_meant(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool; a function that does not say whether it is strict is sent as one that is not.

    That is on purpose: OpenAI takes what is unsaid as strict and makes every parameter a required one, so the same
    `Tool` would mean another thing than it does in Chat Completions.
    """
    plain = _without_nulls(tool)
    return {"strict": False, **plain} if tool["type"] == "function" else plain


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None}


def _meant(item: dict[str, Any]) -> dict[str, Any]:
    meant = {key: value for key, value in item.items() if value not in (None, [])}
    if meant.get("type", "message") == "message":
        meant["type"] = "message"
        kind = "output_text" if meant["role"] == "assistant" else "input_text"
        content = meant["content"]
        if isinstance(content, str):
            content = [{"type": kind, "text": content}]
        meant["content"] = [
            {
                key: value
                for key, value in part.items()
                if value not in (None, []) and (key, value) != ("detail", "auto")
            }
            for part in content
        ]
    if meant["type"] == "function_call":
        meant["arguments"] = json.loads(meant["arguments"])
    return meant
