"""From recorded Converse requests to ours, and what such a request means."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any
from urllib.parse import unquote

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
    "additionalModelResponseFieldPaths": "what more the answer shall tell",
    "additionalModelRequestFields": "what is the model's own",
    "guardrailConfig": "a guardrail of the account's",
    "performanceConfig": "a latency that is optimized",
    "promptVariables": "a prompt that is kept at the provider",
    "requestMetadata": "marks for the account's logs",
}
"""Keys that have no option of ours, each with whose they are. Anything else must be said by our own types."""

MEDIA = {
    ("document", "pdf"): "application/pdf",
    ("document", "txt"): "text/plain",
    ("document", "csv"): "text/csv",
    ("document", "html"): "text/html",
    ("document", "md"): "text/markdown",
    ("document", "doc"): "application/msword",
    ("document", "docx"): "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ("document", "xls"): "application/vnd.ms-excel",
    ("document", "xlsx"): "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ("video", "three_gp"): "video/3gpp",
    ("video", "mkv"): "video/x-matroska",
    ("video", "mov"): "video/quicktime",
    ("video", "flv"): "video/x-flv",
    ("video", "wmv"): "video/x-ms-wmv",
}
KEPT = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop_sequences"}

_METHOD = re.compile(r"(?P<base>.+)/model/(?P<model>[^/]+)/(?P<method>converse|converse-stream)")


def address(url: str) -> tuple[str, str, bool]:
    """The endpoint, the model, and whether a stream is asked for."""
    found = _METHOD.fullmatch(url)
    assert found is not None
    return found["base"], unquote(found["model"]), found["method"] == "converse-stream"


def quirks(recording: dict[str, Any]) -> Quirks:
    return Quirks()


def translate(recording: dict[str, Any]) -> tuple[ChatRequest, ChatOptions]:
    body = {key: value for key, value in deepcopy(recording["request"]["json"]).items() if value is not None}
    system, leading = _system(body.pop("system", []))
    messages = [ours for message in body.pop("messages") for ours in _messages(message)]
    said: dict[str, Any] = {KEPT[key]: value for key, value in body.pop("inferenceConfig", {}).items()}
    config = body.pop("toolConfig", {})
    if "toolChoice" in config:
        ((kind, choice),) = config["toolChoice"].items()
        said["tool_choice"] = ToolChoice.tool(choice["name"]) if kind == "tool" else {"any": "required"}.get(kind, kind)
    output = body.pop("outputConfig", {})
    if "textFormat" in output:
        said["response_format"] = _format(output.pop("textFormat"))
    if output:
        body["outputConfig"] = output
    if "serviceTier" in body:
        said["service_tier"] = body.pop("serviceTier")["type"]
    _effort(body, said)
    assert set(body) <= {*THROUGH_EXTRA_BODY, "outputConfig"}, f"not sayable: {set(body)}"
    request = ChatRequest(system=system, messages=(*leading, *messages), tools=_tools(config.get("tools")))
    return request, ChatOptions(**said, extra_body=body or None)


def _effort(body: dict[str, Any], said: dict[str, Any]) -> None:
    """Thinking by a budget, and a word for gpt-oss, as an effort."""
    fields = body.get("additionalModelRequestFields", {})
    thinking = fields.get("thinking")
    if thinking == {"type": "disabled"}:
        said["reasoning_effort"] = "zero"
    elif thinking and set(thinking) == {"type", "budget_tokens"}:
        said["reasoning_effort"] = thinking["budget_tokens"]
    elif set(fields) == {"reasoning_effort"}:
        said["reasoning_effort"] = fields["reasoning_effort"]
    else:
        return
    rest = {key: value for key, value in fields.items() if key not in ("thinking", "reasoning_effort")}
    if rest:
        body["additionalModelRequestFields"] = rest
    else:
        del body["additionalModelRequestFields"]


def _format(text_format: dict[str, Any]) -> JsonSchemaFormat:
    schema = text_format["structure"]["jsonSchema"]
    assert set(schema) <= {"name", "description", "schema"}
    return JsonSchemaFormat(
        name=schema.get("name", "answer"), description=schema.get("description"), schema=json.loads(schema["schema"])
    )


def _system(blocks: list[dict[str, Any]]) -> tuple[str | None, list[ChatMessage]]:
    if len(blocks) == 1 and set(blocks[0]) == {"text"}:
        return blocks[0]["text"], []
    messages: list[ChatMessage] = []
    for block in blocks:
        mark = _mark(block)
        if mark is not None and messages and messages[-1].cache_control is None:
            messages[-1] = messages[-1].model_copy(update={"cache_control": mark})
        else:
            part = Text(block["text"]) if set(block) == {"text"} else Custom(data=block)
            messages.append(ChatMessage.system(part))
    return None, messages


def _mark(block: dict[str, Any]) -> str | None:
    point = block.get("cachePoint")
    if point is None or point["type"] != "default":
        return None
    return point.get("ttl", "ephemeral")


def _messages(recorded: dict[str, Any]) -> list[ChatMessage]:
    """One message, or, where a user's turn begins with tools' results, one for each of them and one for the rest."""
    role, rest = recorded["role"], list(recorded["content"])
    found: list[ChatMessage] = []
    while role == "user" and rest and "toolResult" in rest[0]:
        found.append(_message("tool", [rest.pop(0)]))
    return [*found, _message(role, rest)] if rest else found


def _message(role: Any, blocks: list[dict[str, Any]]) -> ChatMessage:
    mark = _mark(blocks[-1]) if len(blocks) > 1 else None
    kept = blocks if mark is None else blocks[:-1]
    return ChatMessage(role=role, content=tuple(part for block in kept for part in _parts(block)), cache_control=mark)


def _parts(block: dict[str, Any]) -> list[ContentPart]:
    ((kind, value),) = block.items()
    if kind == "text":
        return [Text(value)]
    if kind == "reasoningContent" and set(value.get("reasoningText", ())) == {"text", "signature"}:
        told = value["reasoningText"]
        return [ReasoningContent(text=told["text"]), ThoughtSignature(signature=told["signature"])]
    if kind == "toolUse":
        call = ToolCall(call_id=value["toolUseId"], fn_name=value["name"], fn_arguments=value["input"])
        marked = "type" in value and value["type"] != "tool_use"
        return [call, Custom(data={"type": value["type"]})] if marked else [call]
    if kind == "toolResult" and value.get("status", "success") == "success" and "type" not in value:
        content = value["content"]
        plain = content[0] if len(content) == 1 else {}
        if set(plain) == {"text"}:
            return [ToolResponse(call_id=value["toolUseId"], content=plain["text"])]
        if isinstance(plain.get("json"), dict):
            return [ToolResponse(call_id=value["toolUseId"], content=plain["json"])]
        if content:
            return [ToolResponse(call_id=value["toolUseId"], content=content)]
    if kind == "citationsContent" and set(value) == {"content", "citations"} and len(value["content"]) == 1:
        return [Text(value["content"][0]["text"]), Custom(data={"citations": value["citations"]})]
    if kind in ("image", "document", "video", "audio") and set(value) <= {"format", "source", "name"}:
        binary = _binary(kind, value)
        if binary is not None:
            return [binary]
    return [Custom(data=block)]


def _binary(kind: str, value: dict[str, Any]) -> Binary | None:
    media = MEDIA.get((kind, value["format"]), f"{kind}/{value['format']}")
    source = value["source"]
    # A number is what a document without a name is called.
    name = None if re.fullmatch(r"Document \d+", value.get("name", "")) else value.get("name")
    if "bytes" in source:
        return Binary.from_base64(media, source["bytes"], name)
    if set(source.get("s3Location", ())) == {"uri"}:
        return Binary.from_url(media, source["s3Location"]["uri"], name)
    return None


def _tools(recorded: list[dict[str, Any]] | None) -> tuple[Tool, ...] | None:
    if recorded is None:
        return None
    tools: list[Tool] = []
    for entry in recorded:
        ((kind, value),) = entry.items()
        if kind == "cachePoint":
            tools[-1] = tools[-1].model_copy(update={"cache_control": _mark(entry)})
        elif kind == "systemTool":
            config = {key: each for key, each in value.items() if key != "name"}
            tools.append(Tool(name=value["name"], config=config))
        else:
            tools.append(
                Tool(
                    name=value["name"],
                    description=value.get("description"),
                    schema=value["inputSchema"]["json"],
                    strict=value.get("strict"),
                )
            )
    return tuple(tools)


def meaning(body: dict[str, Any]) -> Any:
    """The body without what says nothing: nulls, empty lists and objects, defaults, a schema's spelling."""
    meant = {key: value for key, value in body.items() if value is not None and value not in ([], {})}
    if "inferenceConfig" in meant:
        meant["inferenceConfig"] = {key: value for key, value in meant["inferenceConfig"].items() if value != []}
    if "outputConfig" in meant:
        meant["outputConfig"] = json.loads(json.dumps(meant["outputConfig"]))
        schema = meant["outputConfig"].get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
        if "schema" in schema:
            schema["schema"] = json.loads(schema["schema"])
    if "toolConfig" in meant and meant["toolConfig"].get("toolChoice") == {"auto": {}}:
        meant["toolConfig"] = {key: value for key, value in meant["toolConfig"].items() if key != "toolChoice"}
    meant["messages"] = [
        {**message, "content": [_block(each) for each in message["content"]]} for message in body["messages"]
    ]
    return meant


def _block(block: dict[str, Any]) -> dict[str, Any]:
    for kind, silent in (("toolResult", ("status", "success")), ("toolUse", ("type", "tool_use"))):
        if kind in block:
            return {kind: {key: value for key, value in block[kind].items() if (key, value) != silent}}
    return block
