"""The conversation in Cohere's form.

The plan that a model tells before it calls tools (`tool_plan`) is reasoning here, with a mark after it. So it goes back
as the plan; all other reasoning as a `thinking` part of the content, before the text it led to.

What is left out on purpose, because the conversation loses nothing by it:

- the tool's name in a tool's answer: the call's id names the call;
- marks of cacheable prefixes: Cohere caches prefixes by itself;
- thought signatures, which Cohere has not, and the reasoning that another provider signed;
- a picture's name, and, of the assistant, parts in another provider's form and log probabilities.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue
from pydantic_core import to_json

from ...chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from ...chat.request import ChatMessage, ChatRequest
from ..own_parts import own_parts
from ..refusal import Refusal
from ..tool_ids import ToolIds
from ..unsayable import MENDS, refuse_foreign
from .answer import PLAN_MARK

__all__ = ["messages_of"]

_REPORTED = frozenset({"logprobs"})
"""What an answer reports about itself, and no request has a place for."""


def messages_of(chat_req: ChatRequest, refuse: Refusal) -> list[dict[str, Any]]:
    """The messages, the system prompt first.

    Raises:
        ExecutorError: There are none, or one of them cannot be said.
    """
    if not chat_req.messages:
        raise refuse("messages", chat_req.messages, "add at least one message", code="empty_messages", failover=False)
    sent: list[dict[str, Any]] = []
    if chat_req.system is not None:
        sent.append({"role": "system", "content": chat_req.system})
    ids = ToolIds()
    for at, message in enumerate(chat_req.messages):
        where = f"messages[{at}]"
        if not message.content:
            raise refuse(f"{where}.content", message.content, "give the message at least one part")
        if message.role == "tool":
            sent.extend(_results(message, where, ids, refuse))
        elif message.role == "assistant":
            sent.append(_assistant(message, where, ids, refuse))
        else:
            sent.append({"role": message.role, "content": _plain(message, where, refuse)})
    return sent


def _plain(message: ChatMessage, where: str, refuse: Refusal) -> object:
    """The content of a user's or a system message: one text as it is, anything else as a list of parts."""
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.content[0].text
    parts: list[object] = []
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, Binary) and message.role == "user":
            parts.append(_image(part, here, refuse))
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse)
            parts.append(part.data)
        else:
            raise refuse(here, part, MENDS.get(type(part), f"a {message.role} message takes text"))
    return parts


def _image(part: Binary, here: str, refuse: Refusal) -> dict[str, Any]:
    if part.content_type.lower().partition("/")[0].strip() != "image":
        mend = (
            "Cohere takes pictures only: put what it says into a Text, or into `documents` of extra_body, to be cited"
        )
        raise refuse(f"{here}.content_type", part.content_type, mend)
    url = part.source.url or f"data:{part.content_type};base64,{part.source.base64}"
    return {"type": "image_url", "image_url": {"url": url}}


def _results(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal) -> list[dict[str, Any]]:
    """One message for each answer."""
    sent: list[dict[str, Any]] = []
    for at, part in enumerate(message.content):
        if not isinstance(part, ToolResponse):
            raise refuse(f"{where}.content[{at}]", part, "a message of the role 'tool' takes ToolResponse parts only")
        sent.append({"role": "tool", "tool_call_id": ids.of_result(part.call_id), "content": _result(part.content)})
    return sent


def _result(content: JsonValue) -> JsonValue:
    """A tool's answer: text, or a list of Cohere's own documents and texts, as it is; anything else as JSON text."""
    if isinstance(content, str) or (isinstance(content, list) and content and all(map(_is_part, content))):
        return content
    return to_json(content, inf_nan_mode="constants").decode()


def _is_part(entry: JsonValue) -> bool:
    if not isinstance(entry, dict):
        return False
    kind = entry.get("type")
    return (kind == "document" and isinstance(entry.get("document"), dict)) or (
        kind == "text" and isinstance(entry.get("text"), str)
    )


def _assistant(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal) -> dict[str, Any]:
    """What the model said. A `Custom` object without a `type` is a set of the message's own fields."""
    parts: list[Any] = []
    calls: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    for at, part in own_parts(message.content, refuse.owns):
        if isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, ReasoningContent):
            if _is_plan(message, at, refuse):
                fields["tool_plan"] = fields.get("tool_plan", "") + part.text
            else:
                parts.append({"type": "thinking", "thinking": part.text})
        elif isinstance(part, ToolCall):
            calls.append(_call(part, ids))
        elif isinstance(part, Custom):
            if not refuse.owns(part.model) or part.data == PLAN_MARK:
                continue
            if isinstance(part.data, dict) and "type" not in part.data:
                fields.update({name: value for name, value in part.data.items() if name not in _REPORTED})
            else:
                parts.append(part.data)
        elif not isinstance(part, ThoughtSignature):
            raise refuse(f"{where}.content[{at}]", part, MENDS.get(type(part), "leave it out"))
    sent: dict[str, Any] = {"role": "assistant"}
    if parts:
        plain = all(isinstance(part, dict) and part.get("type") == "text" and len(part) == 2 for part in parts)
        sent["content"] = "".join([part["text"] for part in parts]) if plain else parts
    if calls:
        sent["tool_calls"] = calls
    sent.update(fields)
    if len(sent) == 1:
        mend = "Cohere does not take it back, and there is nothing else in the message: leave the message out"
        raise refuse(f"{where}.content", message.content[0], mend)
    return sent


def _is_plan(message: ChatMessage, at: int, refuse: Refusal) -> bool:
    """Whether the reasoning at this place is marked as the plan for tool calls."""
    after = message.content[at + 1] if at + 1 < len(message.content) else None
    return isinstance(after, Custom) and after.data == PLAN_MARK and refuse.owns(after.model)


def _call(part: ToolCall, ids: ToolIds) -> dict[str, Any]:
    arguments = part.fn_arguments
    text = (
        arguments
        if isinstance(arguments, str)
        else to_json({} if arguments is None else arguments, inf_nan_mode="constants").decode()
    )
    return {"id": ids.of_call(part.call_id), "type": "function", "function": {"name": part.fn_name, "arguments": text}}
