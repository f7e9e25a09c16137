"""From recorded requests of Cohere's Chat API to ours, and what such a request means."""

from __future__ import annotations

import json
from typing import Any

from lamellar.chat.content import Binary, ContentPart, Custom, ReasoningContent, Text, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool
from lamellar.providers.wire import Quirks

THROUGH_EXTRA_BODY = {
    "citation_options": "how citations are made",
    "documents": "what may be cited",
    "k": "sampling among the k likeliest",
    "logprobs": "log probabilities",
    "priority": "a number instead of a class of service",
    "raw_prompting": "no template",
    "safety_mode": "Cohere's filter",
}
"""Keys that have no option of ours."""

OPTIONS = {
    "temperature": "temperature",
    "p": "top_p",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stop_sequences": "stop_sequences",
}


def quirks(recording: dict[str, Any]) -> Quirks:
    return Quirks()


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in recording["request"]["json"].items() if value is not None}
    for read_by_the_test in ("model", "stream"):
        body.pop(read_by_the_test, None)
    extra = {key: body.pop(key) for key in THROUGH_EXTRA_BODY if key in body}
    said: dict[str, Any] = {ours: body.pop(theirs) for theirs, ours in OPTIONS.items() if theirs in body}
    if "tool_choice" in body:
        said["tool_choice"] = {"REQUIRED": "required", "NONE": "none"}[body.pop("tool_choice")]
    thinking = body.pop("thinking", None)
    if thinking is not None:
        spent = "max" if thinking["type"] == "enabled" else "zero"
        said["reasoning_effort"] = thinking.get("token_budget", spent)
    form = body.pop("response_format", {"type": "text"})
    if form["type"] == "json_object":
        schema = form.get("json_schema") or form.get("schema")
        said["response_format"] = JsonSchemaFormat(name="answer", schema=schema) if schema else "json"
    strict = body.pop("strict_tools", None)
    tools = [Tool(strict=strict, **_function(each["function"])) for each in body.pop("tools", [])]
    messages = [_message(each) for each in body.pop("messages")]
    assert not body, f"not sayable: {set(body)}"
    request = ChatRequest(messages=tuple(messages), tools=tuple(tools) or None)
    return request, ChatOptions(**said, extra_body=extra or None)


def _function(function: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "name", "description": "description", "parameters": "schema"}
    return {named[key]: value for key, value in function.items() if value is not None}


def _message(message: dict[str, Any]) -> ChatMessage:
    content = message.get("content")
    if message["role"] == "tool":
        return ChatMessage.tool(ToolResponse(call_id=message["tool_call_id"], content=content))
    parts: list[ContentPart] = []
    for part in content if isinstance(content, list) else [content] if content else []:
        parts.append(Text(part) if isinstance(part, str) else _part(part))
    if message.get("tool_plan"):
        parts += [ReasoningContent(text=message["tool_plan"]), Custom(data={"type": "tool_plan"})]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        arguments = json.loads(function["arguments"] or "{}")
        parts.append(ToolCall(call_id=call["id"], fn_name=function["name"], fn_arguments=arguments))
    if message.get("citations"):
        parts.append(Custom(data={"citations": message["citations"]}))
    return ChatMessage(role=message["role"], content=tuple(parts))


def _part(part: dict[str, Any]) -> ContentPart:
    if part["type"] == "text":
        return Text(part["text"])
    if part["type"] == "thinking":
        return ReasoningContent(text=part["thinking"])
    if part["type"] == "image_url" and part["image_url"].keys() == {"url"}:
        return Binary.from_url("image/png", part["image_url"]["url"])
    return Custom(data=part)


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: defaults, one text as a list, how arguments are spaced."""
    meant = {key: value for key, value in body.items() if value is not None}
    meant["messages"] = [_meant(message) for message in meant["messages"]]
    form = meant.pop("response_format", {"type": "text"})
    if form["type"] != "text":
        meant["response_format"] = {"type": form["type"], "schema": form.get("json_schema") or form.get("schema")}
    if not meant.get("strict_tools"):
        meant.pop("strict_tools", None)
    if not meant.get("tools"):
        meant.pop("tools", None)
    return meant


def _meant(message: dict[str, Any]) -> dict[str, Any]:
    meant = {key: value for key, value in message.items() if value not in (None, "", [])}
    content = meant.get("content")
    if isinstance(content, list) and message["role"] != "tool" and all(part.get("type") == "text" for part in content):
        meant["content"] = "".join(part["text"] for part in content)
    meant["tool_calls"] = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"] or "{}")}}
        for call in meant.pop("tool_calls", [])
    ]
    return meant
