"""From recorded requests of Ollama's own API to ours, and what such a request means."""

from __future__ import annotations

from typing import Any

from lamellar.chat.content import Binary, ContentPart, ReasoningContent, Text, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool
from lamellar.providers.wire import Quirks

THROUGH_EXTRA_BODY = {
    "keep_alive": "how long the model stays in memory",
    "logprobs": "log probabilities",
    "top_logprobs": "how many of them",
    "truncate": "whether a long prompt is cut",
    "shift": "whether the window moves",
}
"""Keys that have no option of ours. So have most of the runner's `options`."""

NOTHING: tuple[Any, ...] = (None, "", [], {})
"""Values that say nothing, as Ollama's own clients send them."""

OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "num_predict": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stop": "stop_sequences",
}


def quirks(recording: dict[str, Any]) -> Quirks:
    return Quirks()


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in recording["request"]["json"].items() if value not in NOTHING}
    for read_by_the_test in ("model", "stream"):
        body.pop(read_by_the_test, None)
    said: dict[str, Any] = {}
    extra = {key: body.pop(key) for key in THROUGH_EXTRA_BODY if key in body}
    runner = dict(body.pop("options", {}))
    for theirs, ours in OPTIONS.items():
        if theirs in runner and not (theirs == "num_predict" and runner[theirs] < 1):  # less is no bound at all
            said[ours] = runner.pop(theirs)
    if runner:
        extra["options"] = runner
    if "format" in body:
        form = body.pop("format")
        said["response_format"] = "json" if form == "json" else JsonSchemaFormat(name="answer", schema=form)
    think = body.pop("think", None)
    if isinstance(think, str) == ("gpt-oss" in recording["request"]["json"]["model"]) and think is not None:
        said["reasoning_effort"] = think if isinstance(think, str) else "medium" if think else "zero"
    elif think is not None:
        extra["think"] = think  # what the model is not known to take
    tools = [Tool(**_function(each["function"])) for each in body.pop("tools", [])]
    messages = _messages(body.pop("messages"))
    assert not body, f"not sayable: {set(body)}"
    request = ChatRequest(messages=tuple(messages), tools=tuple(tools) or None)
    return request, ChatOptions(**said, extra_body=extra or None)


def _function(function: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "name", "description": "description", "parameters": "schema"}
    return {named[key]: value for key, value in function.items() if value not in NOTHING}


def _messages(recorded: list[dict[str, Any]]) -> list[ChatMessage]:
    open_calls: list[str] = []
    made = 0
    messages: list[ChatMessage] = []
    for message in recorded:
        parts: list[ContentPart] = []
        if message.get("thinking"):
            parts.append(ReasoningContent(text=message["thinking"]))
        if message["role"] == "tool":
            call_id = message.get("tool_call_id") or (open_calls.pop(0) if open_calls else "ollama_call_x")
            name = message.get("tool_name") or message.get("name")
            parts.append(ToolResponse(call_id=call_id, fn_name=name, content=message["content"]))
        elif message.get("content") or not (message.get("tool_calls") or message.get("images")):
            parts.append(Text(message.get("content") or ""))
        parts += [Binary.from_base64("image/png", image) for image in message.get("images") or ()]
        for call in message.get("tool_calls") or ():
            call_id = call.get("id") or f"ollama_call_{made}"
            made += 1
            open_calls.append(call_id)
            function = call["function"]
            parts.append(ToolCall(call_id=call_id, fn_name=function["name"], fn_arguments=function["arguments"]))
        messages.append(ChatMessage(role=message["role"], content=tuple(parts)))
    return messages


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: empty values, and names that the order tells."""
    meant = {key: value for key, value in body.items() if value not in NOTHING}
    waiting: list[str] = []
    messages = []
    for message in meant["messages"]:
        said = {key: value for key, value in message.items() if value not in NOTHING}
        if "tool_calls" in said:
            said["tool_calls"] = [_call(call) for call in said["tool_calls"]]
            waiting += [call["function"]["name"] for call in said["tool_calls"]]
        if said["role"] == "tool":
            first = waiting.pop(0) if waiting else None
            said["tool_name"] = said.pop("tool_name", None) or said.pop("name", None) or first
        messages.append(said)
    return {**meant, "messages": messages}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = {key: value for key, value in call["function"].items() if key != "index"}
    return {key: value for key, value in {**call, "function": function}.items() if key != "type"}
