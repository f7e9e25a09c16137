"""A line of OpenAI's batch format, in our own words: `{custom_id, method, url, body}` with a chat completion inside.

What has an equal among our options is taken over. What has none is refused by name rather than dropped.
https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ConfigError
from ...masking import show

__all__ = ["translated"]

_URL = "/v1/chat/completions"

_OPTIONS = {
    name: name
    for name in (
        "temperature",
        "max_tokens",
        "top_p",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "parallel_tool_calls",
        "reasoning_effort",
        "verbosity",
        "service_tier",
        "prompt_cache_key",
    )
} | {"max_completion_tokens": "max_tokens", "stop": "stop_sequences"}

_EFFORTS = {"none": "zero"}
_HARMLESS = {"stream": False, "n": 1, "logprobs": False}
"""What may be said as long as it says what holds anyway."""


def translated(said: Mapping[str, Any]) -> dict[str, Any]:
    """The line as `prompt` lines are written.

    Raises:
        ConfigError: It asks for what has no equal here.
    """
    unknown = said.keys() - {"custom_id", "method", "url", "body"}
    if unknown:
        raise ConfigError(f"a line with a `body` has `custom_id`, `method` and `url` beside it, not `{min(unknown)}`")
    if said.get("url", _URL) != _URL or said.get("method", "POST") != "POST":
        raise ConfigError(f"a line with a `body` is a POST to {_URL}, got {show(said.get('url'))}")
    body = _mapping(said["body"], "body")
    options: dict[str, object] = {}
    line: dict[str, Any] = {"id": said.get("custom_id"), "messages": [], "options": options}
    for name, value in body.items():
        if value is None or (name in _HARMLESS and value == _HARMLESS[name]):
            continue
        if name in ("model", "store"):
            line[name] = value
        elif name == "messages":
            line["messages"] = [_message(_mapping(each, "body.messages")) for each in _sequence(value, name)]
        elif name == "tools":
            line["tools"] = [_tool(_mapping(each, "body.tools")) for each in _sequence(value, name)]
        elif name == "tool_choice":
            options[name] = _choice(value)
        elif name == "response_format":
            options[name] = _format(_mapping(value, "body.response_format"))
        elif name == "reasoning_effort":
            options[name] = _EFFORTS.get(str(value), value)
        elif name in _OPTIONS:
            options[_OPTIONS[name]] = value
        else:
            raise ConfigError(f"body.{name}: has no equal here; write the line with `messages` and `options`")
    return {name: value for name, value in line.items() if value not in (None, {})}


def _message(said: Mapping[str, Any]) -> dict[str, object]:
    role = "system" if said.get("role") == "developer" else said.get("role")
    if role == "tool":
        answer = {"type": "tool_response", "call_id": said.get("tool_call_id"), "content": _text(said.get("content"))}
        return {"role": role, "content": [answer]}
    content = said.get("content")
    parts = [] if content is None else [{"type": "text", "text": content}] if isinstance(content, str) else content
    found = [_part(_mapping(part, "content")) for part in _sequence(parts, "content")]
    return {"role": role, "content": [*found, *map(_call, said.get("tool_calls") or ())]}


def _part(said: Mapping[str, Any]) -> dict[str, object]:
    if said.get("type") == "text":
        return {"type": "text", "text": said.get("text")}
    if said.get("type") == "image_url":
        url = str(_mapping(said.get("image_url"), "image_url").get("url"))
        if not url.startswith("data:"):
            return {"type": "binary", "content_type": "image/*", "source": {"url": url}}
        kind, _, data = url.removeprefix("data:").partition(";base64,")
        return {"type": "binary", "content_type": kind, "source": {"base64": data}}
    raise ConfigError(f"body.messages: a part of the type {show(said.get('type'))} has no equal here")


def _call(said: Mapping[str, Any]) -> dict[str, object]:
    function = _mapping(said.get("function"), "tool_calls.function")
    arguments = function.get("arguments") or "{}"
    try:
        parsed = json.loads(arguments)
    except (ValueError, TypeError):
        parsed = arguments
    return {"type": "tool_call", "call_id": said.get("id"), "fn_name": function.get("name"), "fn_arguments": parsed}


def _tool(said: Mapping[str, Any]) -> dict[str, object]:
    if said.get("type") != "function":
        raise ConfigError(f"body.tools: a tool of the type {show(said.get('type'))} has no equal here")
    function = _mapping(said.get("function"), "body.tools.function")
    found = {ours: function.get(theirs) for theirs, ours in _TOOL.items()}
    return {name: value for name, value in found.items() if value is not None}


_TOOL = {"name": "name", "description": "description", "parameters": "schema", "strict": "strict"}


def _choice(said: object) -> object:
    if isinstance(said, str):
        return said
    return {"kind": "tool", "name": _mapping(_mapping(said, "tool_choice").get("function"), "tool_choice").get("name")}


def _format(said: Mapping[str, Any]) -> object:
    kind = said.get("type")
    if kind == "json_schema":
        return {"type": kind, **_mapping(said.get("json_schema"), "json_schema")}
    if kind == "json_object":
        return "json"
    if kind == "text":
        return None
    raise ConfigError(f"body.response_format: expected json_schema, json_object or text, got {show(kind)}")


def _text(content: object) -> object:
    """Text, also where it was given as parts of text."""
    if isinstance(content, list):
        return "".join(str(_mapping(part, "content").get("text", "")) for part in content)
    return content


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}: expected an object, got {show(value)}")
    return value


def _sequence(value: object, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{name}: expected a list, got {show(value)}")
    return value
