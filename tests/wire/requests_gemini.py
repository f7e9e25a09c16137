"""From recorded generateContent requests to ours, and what such a request means."""

from __future__ import annotations

import re
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
    "cachedContent": "a cache of one's own",
    "labels": "Vertex's bookkeeping",
    "modelArmorConfig": "Vertex's filter",
    "safetySettings": "Google's filter",
}
"""Keys that have no option of ours. What stands in `generationConfig` and `toolConfig` may go there too."""

OPAQUE = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}
"""Keys whose value is the user's: nothing in it is a name of Google's."""

DEFAULTS: dict[str, Any] = {"responseModalities": ["TEXT"], "candidateCount": 1}
"""Values that say what is so anyway."""

_METHOD = re.compile(r"(?P<base>.+?)/(?P<model>(?:models|tunedModels)/[^/:]+):(?P<method>\w+)(?:\?(?P<query>.*))?")


def address(url: str) -> tuple[str, str, bool]:
    """The endpoint, the model, and whether a stream is asked for."""
    found = _METHOD.fullmatch(url)
    assert found is not None
    stream = found["method"] == "streamGenerateContent"
    query = [word for word in (found["query"] or "").split("&") if word and not (stream and word == "alt=sse")]
    return "?".join([found["base"], *query]), found["model"].removeprefix("models/"), stream


def quirks(recording: dict[str, Any]) -> Quirks:
    return Quirks()


def camel(value: Any) -> Any:
    """Names in the spelling of the reference: proto JSON takes both."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): each for key, each in value.items()}
    return {key: each if key in OPAQUE else camel(each) for key, each in named.items() if each is not None}


def plain_schema(value: Any) -> Any:
    """A schema of OpenAPI's kind as JSON Schema: its types are in capitals."""
    if isinstance(value, list):
        return [plain_schema(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: each.lower() if key == "type" and isinstance(each, str) else plain_schema(each)
        for key, each in value.items()
    }


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = camel(recording["request"]["json"])
    extra = {key: body.pop(key) for key in THROUGH_EXTRA_BODY if key in body}
    contents = body.pop("contents")
    if any(content.get("role", "user") not in ("user", "model", "function") for content in contents):
        extra["contents"] = contents  # a role that nobody has: Google's own answer to it was recorded
        contents = [{"parts": [{"text": "replaced"}]}]
    messages = _messages(contents)
    told = [part["text"] for part in body.pop("systemInstruction", {"parts": []})["parts"]]
    messages = [*map(ChatMessage.system, told[1:]), *messages]
    said: dict[str, Any] = {}
    strict = _tool_config(body.pop("toolConfig", {}), said, extra)
    tools = [tool for entry in body.pop("tools", []) for tool in _tools(entry, strict=strict)]
    _generation(dict(body.pop("generationConfig", {})), said, extra)
    if "serviceTier" in body:
        tier = body.pop("serviceTier").lower()
        said["service_tier"] = "default" if tier == "standard" else tier
    request = ChatRequest(
        system=told[0] if told else None,
        messages=tuple(messages),
        tools=tuple(tools) or None,
        store=body.pop("store", None),
    )
    assert not body, f"not sayable: {set(body)}"
    return request, ChatOptions(**said, extra_body=extra or None)


def _tool_config(config: dict[str, Any], said: dict[str, Any], extra: dict[str, Any]) -> bool:
    calling = config.pop("functionCallingConfig", {})
    if config:
        extra["toolConfig"] = config
    mode, names = calling.get("mode"), calling.get("allowedFunctionNames")
    if mode == "ANY" and names and len(names) == 1:
        said["tool_choice"] = ToolChoice.tool(names[0])
    elif names:
        extra.setdefault("toolConfig", {})["functionCallingConfig"] = calling
    elif mode in ("AUTO", "NONE", "ANY"):
        said["tool_choice"] = {"AUTO": "auto", "NONE": "none", "ANY": "required"}[mode]
    return mode == "VALIDATED" and not names


def _generation(config: dict[str, Any], said: dict[str, Any], extra: dict[str, Any]) -> None:
    for key, value in DEFAULTS.items():
        if config.get(key) == value:
            del config[key]
    for theirs, ours in (
        ("temperature", "temperature"),
        ("topP", "top_p"),
        ("maxOutputTokens", "max_tokens"),
        ("seed", "seed"),
        ("presencePenalty", "presence_penalty"),
        ("frequencyPenalty", "frequency_penalty"),
        ("stopSequences", "stop_sequences"),
    ):
        if theirs in config:
            said[ours] = config.pop(theirs)
    if config.get("responseMimeType") == "application/json":
        del config["responseMimeType"]
        schema = config.pop("responseJsonSchema", None) or plain_schema(config.pop("responseSchema", None))
        said["response_format"] = "json" if schema is None else JsonSchemaFormat(name="answer", schema=schema)
    thinking = config.pop("thinkingConfig", {})
    shown = thinking.get("includeThoughts", False)
    if thinking.get("thinkingBudget", -1) >= 0:
        said["reasoning_effort"] = thinking.pop("thinkingBudget")
    elif "thinkingLevel" in thinking:
        said["reasoning_effort"] = thinking.pop("thinkingLevel").lower()
    if "reasoning_effort" in said and said["reasoning_effort"] != 0 and shown:
        thinking.pop("includeThoughts")  # goes along
    elif "reasoning_effort" in said and said["reasoning_effort"] != 0:
        thinking["includeThoughts"] = False
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        extra["generationConfig"] = config


def _tools(entry: dict[str, Any], *, strict: bool) -> list[Tool]:
    found: list[Tool] = []
    for name, config in entry.items():
        if name != "functionDeclarations":
            found.append(Tool(name=name, config=config))
            continue
        for function in config:
            schema = function.get("parametersJsonSchema") or plain_schema(function.get("parameters"))
            description = function.get("description")
            found.append(Tool(name=function["name"], description=description, schema=schema, strict=strict or None))
    return found


class _Calls:
    """Ids for calls that have none: the n-th of the conversation. An answer belongs to the first open call."""

    def __init__(self) -> None:
        self.made = 0
        self.open: list[tuple[str, str]] = []

    def id_of(self, call: dict[str, Any]) -> str:
        if "id" in call:
            return call["id"]
        made = f"gemini_call_{self.made}"
        self.made += 1
        self.open.append((call["name"], made))
        return made

    def answered(self, answer: dict[str, Any]) -> str:
        if "id" in answer:
            return answer["id"]
        found = next(((name, made) for name, made in self.open if name == answer["name"]), ("", "gemini_call_x"))
        if found in self.open:
            self.open.remove(found)
        return found[1]


def _messages(contents: list[dict[str, Any]]) -> list[ChatMessage]:
    calls = _Calls()
    messages: list[ChatMessage] = []
    for content in contents:
        said = content.get("role", "user")
        runs: list[tuple[str, list[ContentPart]]] = []
        for part in content["parts"]:
            role = "assistant" if said == "model" else "tool" if "functionResponse" in part else "user"
            if not runs or runs[-1][0] != role:
                runs.append((role, []))
            runs[-1][1].extend(_part(part, calls))
        messages.extend(ChatMessage(role=role, content=tuple(parts)) for role, parts in runs)  # type: ignore[arg-type]
    return messages


def _part(part: dict[str, Any], calls: _Calls) -> list[ContentPart]:
    rest = {key: value for key, value in part.items() if key not in ("thoughtSignature", "thought")}
    signature, thought = part.get("thoughtSignature"), bool(part.get("thought"))
    after: list[ContentPart] = [ThoughtSignature(signature=signature)] if signature else []
    (kind, value), *more = rest.items()
    keys = set(value) if isinstance(value, dict) else set()
    if more:
        return [Custom(data=part)]
    if kind == "text":
        return [ReasoningContent(text=value) if thought else Text(value), *after]
    if thought:
        return [Custom(data=part)]
    if kind == "functionCall" and keys <= {"name", "args", "id"}:
        call = ToolCall(
            call_id=calls.id_of(value),
            fn_name=value["name"],
            fn_arguments=value.get("args"),
            thought_signatures=(signature,) if signature else None,
        )
        return [call]
    if kind == "functionResponse" and keys <= {"name", "response", "id"}:
        return [ToolResponse(call_id=calls.answered(value), fn_name=value["name"], content=value["response"])]
    if kind == "inlineData" and keys == {"mimeType", "data"}:
        return [Binary.from_base64(value["mimeType"], value["data"]), *after]
    if kind == "fileData" and keys == {"mimeType", "fileUri"}:
        return [Binary.from_url(value["mimeType"], value["fileUri"]), *after]
    return [Custom(data=part)]


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: defaults, other spellings of a name, how turns and tools are bundled."""
    meant = camel(body)
    contents: list[dict[str, Any]] = []
    for content in meant["contents"]:
        role = {"function": "user"}.get(content.get("role", "user"), content.get("role", "user"))
        if not contents or contents[-1]["role"] != role:
            contents.append({"role": role, "parts": []})
        contents[-1]["parts"].extend(_meant(part) for part in content["parts"])
    meant["contents"] = contents
    if "systemInstruction" in meant:
        meant["systemInstruction"] = meant["systemInstruction"]["parts"]
    functions = [each for entry in meant.get("tools", []) for each in entry.get("functionDeclarations", [])]
    own = [{key: value} for entry in meant.pop("tools", []) for key, value in entry.items()]
    meant["tools"] = [entry for entry in own if "functionDeclarations" not in entry]
    meant["functions"] = [_function(each) for each in functions]
    config = {key: value for key, value in meant.pop("generationConfig", {}).items() if DEFAULTS.get(key, ...) != value}
    if "responseSchema" in config:
        config["responseJsonSchema"] = plain_schema(config.pop("responseSchema"))
    thinking = {key: value for key, value in config.pop("thinkingConfig", {}).items() if value is not False}
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].upper()
    meant |= {"generation": config, "thinking": thinking}
    if "serviceTier" in meant:
        meant["serviceTier"] = meant["serviceTier"].lower()
    return meant


def _meant(part: dict[str, Any]) -> dict[str, Any]:
    meant = {key: value for key, value in part.items() if value is not False}
    if "functionCall" in meant:
        meant["functionCall"] = {"args": {}, **meant["functionCall"]}
    return meant


def _function(function: dict[str, Any]) -> dict[str, Any]:
    meant = dict(function)
    if "parameters" in meant:
        meant["parametersJsonSchema"] = plain_schema(meant.pop("parameters"))
    return meant
