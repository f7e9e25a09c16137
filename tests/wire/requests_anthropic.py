"""From recorded Anthropic messages requests to ours, and what such a request means."""

from __future__ import annotations

import base64
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
    "betas": "a gateway's way to name betas",
    "container": "code execution that goes on",
    "context_management": "a beta: editing the context",
    "diagnostics": "a beta",
    "fallbacks": "a beta: other models of the provider's",
    "inference_geo": "where it runs",
    "mcp_servers": "a beta: remote tools",
    "messages": "what is no conversation, to see the error",
    "metadata": "an end user's id",
    "output_config": "an effort without thinking, or a task budget",
    "output_format": "a beta that became output_config.format",
    "speed": "a beta",
    "thinking": "a form of it that no effort asks for",
    "top_k": "sampling that is this provider's only",
    "user_profile_id": "a beta",
}
"""Keys that have no option of ours, each with whose they are. Anything else must be said by our own types."""

KEPT = ("temperature", "top_p", "max_tokens", "stop_sequences")


def quirks(recording: dict[str, Any]) -> Quirks:
    return Quirks(cache="none")


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in recording["request"]["json"].items() if value is not None}
    for key in ("model", "stream"):
        body.pop(key, None)
    tools = body.pop("tools", None)
    system, leading = _system(body.pop("system", None))
    if all(isinstance(message, dict) and message["role"] != "system" for message in body["messages"]):
        messages = [ours for message in body.pop("messages") for ours in _messages(message)]
    else:
        messages = [ChatMessage.user("replaced")]
    request = ChatRequest(
        system=system,
        messages=(*leading, *messages),
        tools=tuple(map(_tool, tools)) if tools is not None else None,
    )
    return request, _options(body, recording)


def _options(body: dict[str, Any], recording: dict[str, Any]) -> ChatOptions:
    said: dict[str, Any] = {key: body.pop(key) for key in KEPT if key in body}
    if "service_tier" in body:
        tier = body.pop("service_tier")
        said["service_tier"] = "default" if tier == "standard_only" else tier
    if "cache_control" in body:
        said["cache_control"] = body.pop("cache_control").get("ttl", "ephemeral")
    if "tool_choice" in body:
        choice = body.pop("tool_choice")
        kind = {"any": "required"}.get(choice["type"], choice["type"])
        said["tool_choice"] = ToolChoice.tool(choice["name"]) if kind == "tool" else kind
        if choice.get("disable_parallel_tool_use"):
            said["parallel_tool_calls"] = False
    if set(body.get("output_config", ())) == {"format"}:
        said["response_format"] = _format(body.pop("output_config"))
    if recording["response"]["status"] < 400:
        _effort(body, said, recording["request"]["json"]["model"])
    assert set(body) <= set(THROUGH_EXTRA_BODY), f"not sayable: {set(body) - set(THROUGH_EXTRA_BODY)}"
    return ChatOptions(**said, extra_body=body or None)


def _effort(body: dict[str, Any], said: dict[str, Any], model: str) -> None:
    """Thinking as an effort, where the recorded form is what an effort asks for."""
    thinking, output = body.get("thinking"), body.get("output_config") or {}
    if thinking == {"type": "disabled"} and not output:
        said["reasoning_effort"] = "zero"
    elif thinking and set(thinking) == {"type", "budget_tokens"} and not output:
        said["reasoning_effort"] = thinking["budget_tokens"]
    elif thinking and thinking["type"] == "adaptive" and set(output) <= {"effort", "format"} and "effort" in output:
        shown = {} if "4-6" in model else {"display": "summarized"}
        if thinking != {"type": "adaptive", **shown}:
            return
        said["reasoning_effort"] = output["effort"]
        if "format" in output:
            said["response_format"] = _format(output)
        del body["output_config"]
    else:
        return
    del body["thinking"]


def _format(output: dict[str, Any]) -> JsonSchemaFormat:
    assert set(output["format"]) == {"type", "schema"}
    return JsonSchemaFormat(name="answer", schema=output["format"]["schema"])


def _system(system: str | list[dict[str, Any]] | None) -> tuple[str | None, list[ChatMessage]]:
    if not system:
        return None, []
    if isinstance(system, str):
        return system, []
    if len(system) == 1 and set(system[0]) == {"type", "text"}:
        return system[0]["text"], []
    messages = []
    for block in system:
        plain = set(block) <= {"type", "text", "cache_control"}
        part = Text(block["text"]) if plain else Custom(data=block)
        messages.append(ChatMessage(role="system", content=(part,), cache_control=_mark(block) if plain else None))
    return None, messages


def _mark(block: dict[str, Any]) -> Any:
    mark = block.get("cache_control")
    return None if mark is None else mark.get("ttl", "ephemeral")


def _messages(recorded: dict[str, Any]) -> list[ChatMessage]:
    """One message, or, where a user's turn begins with tools' results, one for each of them and one for the rest."""
    role, content = recorded["role"], recorded["content"]
    if isinstance(content, str):
        return [ChatMessage(role=role, content=(Text(content),))]
    found: list[ChatMessage] = []
    rest = list(content)
    while role == "user" and rest and rest[0].get("type") == "tool_result":
        found.append(_message("tool", [rest.pop(0)]))
    return [*found, _message(role, rest)] if rest else found


def _message(role: Any, blocks: list[dict[str, Any]]) -> ChatMessage:
    parts: list[ContentPart] = []
    for block in blocks:
        marked = block.get("cache_control") is not None
        if marked and block is not blocks[-1]:
            parts.append(Custom(data=block))
        else:
            bare = {key: value for key, value in block.items() if key != "cache_control" and value is not None}
            parts.extend(_parts(bare))
    return ChatMessage(role=role, content=tuple(parts), cache_control=_mark(blocks[-1]))


def _parts(block: dict[str, Any]) -> list[ContentPart]:
    kind, keys = block["type"], set(block)
    if kind == "text" and keys <= {"type", "text", "citations"}:
        cited = [Custom(data={"citations": block["citations"]})] if block.get("citations") else []
        return [Text(block["text"]), *cited]
    if kind == "thinking" and keys == {"type", "thinking", "signature"}:
        thought = [ReasoningContent(text=block["thinking"])] if block["thinking"] else []
        return [*thought, ThoughtSignature(signature=block["signature"])]
    if kind == "tool_use" and keys <= {"type", "id", "name", "input", "caller"}:
        call = ToolCall(call_id=block["id"], fn_name=block["name"], fn_arguments=block["input"])
        caller = block.get("caller", {"type": "direct"})
        return [call] if caller["type"] == "direct" else [call, Custom(data={"caller": caller})]
    if kind == "tool_result" and keys <= {"type", "tool_use_id", "content", "is_error"} and not block.get("is_error"):
        return [ToolResponse(call_id=block["tool_use_id"], content=block.get("content", ""))]
    if kind in ("image", "document") and keys <= {"type", "source", "title"}:
        binary = _binary(kind, block["source"], block.get("title"))
        if binary is not None:
            return [binary]
    return [Custom(data=block)]


def _binary(kind: str, source: dict[str, Any], name: str | None) -> Binary | None:
    if source["type"] == "base64":
        return Binary.from_base64(source["media_type"], source["data"], name)
    if source["type"] == "url":
        return Binary.from_url("image/png" if kind == "image" else "application/pdf", source["url"], name)
    if source["type"] == "text":
        data = base64.b64encode(source["data"].encode()).decode()
        return Binary.from_base64(source["media_type"], data, name)
    return None


def _tool(recorded: dict[str, Any]) -> Tool:
    if recorded.get("type", "custom") != "custom":
        config = {key: value for key, value in recorded.items() if key not in ("name", "cache_control")}
        return Tool(name=recorded.get("name", ""), config=config, cache_control=_mark(recorded))
    known = ("type", "name", "description", "input_schema", "strict", "cache_control")
    return Tool(
        name=recorded["name"],
        description=recorded.get("description"),
        schema=recorded["input_schema"],
        strict=recorded.get("strict"),
        config={key: value for key, value in recorded.items() if key not in known} or None,
        cache_control=_mark(recorded),
    )


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: nulls, defaults, the spelling of a single text, turns the provider joins."""
    meant = {key: value for key, value in body.items() if value is not None and value != [] and value is not False}
    system = meant.get("system")
    if system:
        meant["system"] = _blocks(system)
    turns: list[dict[str, Any]] = []
    for message in body["messages"]:
        if not isinstance(message, dict):
            turns.append(message)
        elif turns and isinstance(turns[-1], dict) and turns[-1]["role"] == message["role"]:
            turns[-1]["content"] += _blocks(message["content"])
        else:
            turns.append({"role": message["role"], "content": _blocks(message["content"])})
    meant["messages"] = turns
    if "tools" in meant:
        meant["tools"] = [{"type": "custom", **tool} for tool in meant["tools"]]
    if not (meant.get("tool_choice") or {}).get("disable_parallel_tool_use", True):
        meant["tool_choice"] = {key: value for key, value in meant["tool_choice"].items() if value is not False}
    return meant


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    meant = []
    for block in content:
        kept = {key: value for key, value in block.items() if value is not None and (key, value) not in SILENT}
        if kept["type"] == "tool_result":
            kept["content"] = _blocks(kept.get("content", ""))
        meant.append(kept)
    return meant


SILENT = [("is_error", False), ("citations", []), ("caller", {"type": "direct"})]
"""Fields of a block that say what is so anyway."""
