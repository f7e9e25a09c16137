"""From recorded chat completion requests to ours, and what such a request means."""

from __future__ import annotations

import json
from typing import Any

from lamellar.chat.content import Binary, ContentPart, Custom, ReasoningContent, Text, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.providers.wire import Quirks

THROUGH_EXTRA_BODY = {
    "audio": "audio output",
    "clear_thinking": "Z.ai on Cerebras",
    "modalities": "audio output",
    "models": "OpenRouter's own fallbacks",
    "prompt_cache_options": "OpenAI's explicit cache",
    "provider": "OpenRouter's routing",
    "reasoning": "OpenRouter: on, without an effort",
    "reasoning_format": "Groq and Cerebras",
    "thinking": "Z.ai: with an option beside the switch",
    "transforms": "OpenRouter",
    "user": "an end user's id",
    "web_search_options": "OpenAI's search models",
}
"""Keys that have no option of ours, each with whose they are. Anything else must be said by our own types."""

DEFAULTS = {"n": 1, "stream": False, "logprobs": False, "safe_prompt": False}
"""Values that say what is so anyway."""


def quirks(recording: dict[str, Any]) -> Quirks:
    body = recording["request"]["json"]
    provider = recording["provider"]
    limits = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    return Quirks(
        include_usage="stream_options" in body,
        max_tokens_field=limits[0] if limits else None,  # both names are in use for one model
        seed_field="random_seed" if provider == "mistral" else "seed",
        reasoning={
            "openrouter": "object",
            "deepseek": "thinking",
            "zai": "thinking",
            "groq": "groq",
        }.get(provider, "effort"),
        reasoning_back={"deepseek": "reasoning_content", "mistral": "thinking", "ollama": "reasoning"}.get(provider),
        signatures=provider == "gemini",
        cache={"openai": "retention", "openrouter": "parts"}.get(provider, "none"),
        documents={"mistral": "document_url", "openrouter": "file_url"}.get(provider, "file"),
    )


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in recording["request"]["json"].items() if value is not None}
    for key, value in DEFAULTS.items():
        if body.get(key) == value:
            del body[key]
    for key in ("model", "stream", "stream_options"):
        body.pop(key, None)
    messages = [message for recorded in body.pop("messages") for message in [_message(recorded)]]
    system = None
    if messages[0].role == "system" and messages[0].cache_control is None and len(messages[0].content) == 1:
        system, messages = messages[0].content[0].text, messages[1:]  # type: ignore[union-attr]
    tools = body.pop("tools", None)
    request = ChatRequest(
        system=system, messages=tuple(messages), tools=tuple(map(_tool, tools)) if tools is not None else None
    )
    return request, _options(body, recording)


def _options(body: dict[str, Any], recording: dict[str, Any]) -> ChatOptions:
    said: dict[str, Any] = {}
    for key in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "prompt_cache_key", "service_tier"):
        if key in body:
            said[key] = body.pop(key)
    for ours, names in (
        ("max_tokens", ("max_tokens", "max_completion_tokens")),
        ("seed", ("seed", "random_seed")),
        ("stop_sequences", ("stop",)),
        ("parallel_tool_calls", ("parallel_tool_calls",)),
    ):
        for name in names:
            if name in body:
                said[ours] = body.pop(name)
    if "tool_choice" in body:
        choice = body.pop("tool_choice")
        said["tool_choice"] = choice if isinstance(choice, str) else ToolChoice.tool(choice["function"]["name"])
    if "response_format" in body:
        form = body.pop("response_format")
        said["response_format"] = "json" if form["type"] == "json_object" else JsonSchemaFormat(**form["json_schema"])
    if "reasoning_effort" in body:
        word = body.pop("reasoning_effort")
        said["reasoning_effort"] = "zero" if word == "none" else word
        if recording["provider"] == "deepseek":
            assert body.pop("thinking") == {"type": "enabled"}
        if body.get("reasoning_format") == "parsed":
            del body["reasoning_format"]
    if set(body.get("reasoning", ())) == {"effort"}:
        word = body.pop("reasoning")["effort"]
        said["reasoning_effort"] = "zero" if word == "none" else word
    assert set(body) <= set(THROUGH_EXTRA_BODY), f"not sayable: {set(body) - set(THROUGH_EXTRA_BODY)}"
    return ChatOptions(**said, extra_body=body or None)


def _message(recorded: dict[str, Any]) -> ChatMessage:
    role = recorded["role"]
    if role == "tool":
        answer = ToolResponse(
            call_id=recorded["tool_call_id"], fn_name=recorded.get("name"), content=recorded["content"]
        )
        return ChatMessage.tool(answer)
    parts: list[ContentPart] = []
    mark = None
    said = (recorded.get(key) for key in ("reasoning_content", "reasoning"))
    parts.extend(ReasoningContent(text=text) for text in said if text is not None)
    content = recorded.get("content")
    if isinstance(content, str):
        parts.append(Text(content))
    for part in content if isinstance(content, list) else ():
        if "cache_control" in part:
            assert part is content[-1]
            mark = part["cache_control"].get("ttl", "ephemeral")
        parts.append(_part(part))
    for call in recorded.get("tool_calls") or ():
        function = call["function"]
        parts.append(
            ToolCall(call_id=call["id"], fn_name=function["name"], fn_arguments=json.loads(function["arguments"]))
        )
    return ChatMessage(role=role, content=tuple(parts), cache_control=mark)


def _part(part: dict[str, Any]) -> ContentPart:
    kind = part["type"]
    if kind == "text" and set(part) <= {"type", "text", "cache_control"}:
        return Text(part["text"])
    if kind == "thinking":
        return ReasoningContent(text="".join(piece["text"] for piece in part["thinking"]))
    if kind == "image_url":
        return _binary(part["image_url"]["url"], "image/png", None)
    if kind == "document_url":
        return _binary(part["document_url"], "application/pdf", None)
    if kind == "file" and "file_data" in part["file"]:
        return _binary(part["file"]["file_data"], "application/pdf", part["file"]["filename"])
    return Custom(data=part)


def _binary(url: str, content_type: str, name: str | None) -> Binary:
    if not url.startswith("data:"):
        return Binary.from_url(content_type, url, name)
    content_type, _, data = url.removeprefix("data:").partition(";base64,")
    return Binary.from_base64(content_type, data, name)


def _tool(recorded: dict[str, Any]) -> Tool:
    if "function" not in recorded:
        return Tool(name=recorded["type"], config={key: value for key, value in recorded.items() if key != "type"})
    function = recorded["function"]
    return Tool(
        name=function["name"],
        description=function.get("description"),
        schema=function.get("parameters"),
        strict=function.get("strict"),
    )


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: nulls, defaults, the spelling of a single text."""
    meant = {key: value for key, value in body.items() if value is not None and DEFAULTS.get(key, ...) != value}
    meant["messages"] = [_meant(message) for message in body["messages"]]
    if meant.get("tools"):
        meant["tools"] = [{"type": "function", **tool} for tool in meant["tools"]]
    if isinstance(meant.get("tool_choice"), dict):
        meant["tool_choice"] = {"type": "function", **meant["tool_choice"]}
    return meant


def _meant(message: dict[str, Any]) -> dict[str, Any]:
    meant = {key: value for key, value in message.items() if value not in (None, []) and key != "prefix"}
    if meant["role"] == "tool":
        meant.pop("name", None)  # the call's id names the call
    content = meant.get("content")
    if isinstance(content, str):
        meant["content"] = [{"type": "text", "text": content}]
    elif isinstance(content, list):
        meant["content"] = [
            {"type": "thinking", "thinking": "".join(piece["text"] for piece in part["thinking"])}
            if part.get("type") == "thinking"
            else part
            for part in content
        ]
    if "tool_calls" in meant:
        meant["tool_calls"] = [
            {
                "id": call["id"],
                "name": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
            }
            for call in meant["tool_calls"]
        ]
    return meant
