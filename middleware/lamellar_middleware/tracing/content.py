"""Opt-in content: messages, tools and answers as the conventions' JSON, through the user's redaction.

The forms are those of the conventions' schemas (`gen-ai-input-messages.json` and its siblings): messages of a role and
parts, parts of the types text, reasoning, tool_call, tool_call_response, blob, uri and file.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from pydantic_core import to_json

from lamellar.chat.content import (
    Binary,
    ContentPart,
    Custom,
    ReasoningContent,
    Text,
    ToolCall,
    ToolResponse,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.request import ChatRequest
    from lamellar.chat.tools import Tool

    from .names import Generation

__all__ = ["CAPTURE_VARIABLE", "Content", "captures"]

CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_ON_SPANS = {
    "": False,
    "false": False,
    "no_content": False,
    "event_only": False,  # of events there are none yet, and a span is not what was asked for
    "span_only": True,
    "span_and_event": True,
    "true": True,
}

_logger = logging.getLogger("lamellar.tracing")


def captures(option: bool | None) -> bool:
    """Whether content is recorded on spans: the option says, and where it is None the environment."""
    if option is not None:
        return option
    said = os.environ.get(CAPTURE_VARIABLE, "")
    found = _ON_SPANS.get(said.strip().lower())
    if found is None:
        _logger.warning(
            "%s: unknown value, so no content is captured; say NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT, "
            "true or false",
            CAPTURE_VARIABLE,
        )
    return bool(found)


class Content:
    """Makes attributes of content.

    Args:
        names: What the attributes are called.
        redact: The user's hook, or None.
    """

    def __init__(self, names: Generation, redact: Callable[[str, JsonValue], JsonValue] | None) -> None:
        self._names = names
        self._redact = redact

    def of_request(self, request: ChatRequest) -> dict[str, str]:
        """System instructions, messages and tools."""
        names, found = self._names, dict[str, str]()
        if request.system is not None:
            self._put(found, names.system_instructions, lambda: [{"type": "text", "content": request.system}])
        self._put(
            found,
            names.input_messages,
            lambda: [{"role": each.role, "parts": _parts(each.content)} for each in request.messages],
        )
        if request.tools:
            self._put(found, names.tool_definitions, lambda: [_tool(each) for each in request.tools or ()])
        return found

    def of_answer(self, parts: Iterable[ContentPart], finish_reason: str) -> dict[str, str]:
        """The answer, whole or as far as it came."""
        found: dict[str, str] = {}
        self._put(
            found,
            self._names.output_messages,
            lambda: [{"role": "assistant", "parts": _parts(parts), "finish_reason": finish_reason}],
        )
        return found

    def _put(self, found: dict[str, str], name: str, make: Callable[[], JsonValue]) -> None:
        """One attribute, unless the hook drops it or fails."""
        try:
            content = make()
            if self._redact is not None:
                content = self._redact(name, content)
            if content is not None:
                found[name] = to_json(content, inf_nan_mode="constants").decode()
        except Exception as error:  # its message may hold what was to be redacted
            _logger.warning("%s is not recorded: %s", name, type(error).__name__)


def _parts(parts: Iterable[ContentPart]) -> list[JsonValue]:
    return [told for part in parts if (told := _part(part)) is not None]


def _part(part: ContentPart) -> JsonValue:
    if isinstance(part, Text):
        return {"type": "text", "content": part.text}
    if isinstance(part, ReasoningContent):
        return {"type": "reasoning", "content": part.text}
    if isinstance(part, ToolCall):
        return {"type": "tool_call", "id": part.call_id, "name": part.fn_name, "arguments": part.fn_arguments}
    if isinstance(part, ToolResponse):
        return {"type": "tool_call_response", "id": part.call_id, "response": part.content}
    if isinstance(part, Binary):
        return _binary(part)
    if isinstance(part, Custom):
        return {"type": "custom", "content": part.data}
    return None  # a signature says nothing to a reader


def _binary(part: Binary) -> JsonValue:
    family = part.content_type.partition("/")[0]
    told: dict[str, JsonValue] = {
        "mime_type": part.content_type,
        "modality": family if family in ("image", "video", "audio") else "document",
    }
    url = part.source.url
    if url is None:
        return {"type": "blob", **told, "content": part.source.base64}
    if url.startswith("data:"):
        return {"type": "blob", **told, "content": _data_of(url)}
    if "://" in url:
        return {"type": "uri", **told, "uri": url}
    return {"type": "file", **told, "file_id": url}


def _data_of(url: str) -> str:
    """The bytes of a data URL in base64."""
    head, _, data = url.partition(",")
    if head.endswith(";base64"):
        return data
    return base64.b64encode(unquote_to_bytes(data)).decode("ascii")


def _tool(tool: Tool) -> JsonValue:
    """A tool; a built-in's configuration is left out, for it may hold credentials."""
    told: dict[str, JsonValue] = {"type": "function" if tool.config is None else "custom", "name": tool.name}
    if tool.description is not None:
        told["description"] = tool.description
    if tool.schema is not None:
        told["parameters"] = tool.schema
    return told
