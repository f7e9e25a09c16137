"""The conversation in Ollama's form: each message has one text, and pictures, thinking and calls beside it.

The texts of a user's or a system message become one, with a line break between them; those of the assistant are joined
as they are, because they were cut by what stood between them.

What is left out on purpose, because the conversation loses nothing by it:

- marks of cacheable prefixes: Ollama keeps prefixes by itself;
- thought signatures, which Ollama has not, and the reasoning that another provider signed; a picture's name;
- ids of calls that were made here, and, of the assistant, parts in another provider's form and log probabilities.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic_core import from_json, to_json

from ...chat.content import (
    Binary,
    Custom,
    ReasoningContent,
    Text,
    ToolCall,
    ToolResponse,
)
from ...chat.request import ChatMessage, ChatRequest
from ..call_ledger import CallLedger
from ..own_parts import own_parts
from ..refusal import Refusal
from ..unsayable import MENDS, refuse_foreign
from .calls import sent_id

__all__ = ["REPORTED", "messages_of"]

REPORTED = frozenset({"logprobs"})
"""What an answer reports about itself: kept, each as one `Custom`, and no part of a request."""

_FAMILY = ("ollama", "ollama_cloud")
"""Namespaces whose parts have this dialect's form."""

_OWN = frozenset({"role", "content", "tool_calls"})
"""Fields that our own parts make; a `Custom` does not take their place."""


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
    ledger = CallLedger()
    results: list[tuple[int, dict[str, Any]]] = []
    for at, message in enumerate(chat_req.messages):
        where = f"messages[{at}]"
        if not message.content:
            raise refuse(f"{where}.content", message.content, "give the message at least one part")
        if message.role == "tool":
            results.extend(_results(message, where, ledger, refuse))
            continue
        sent.extend(_in_order(results))
        if message.role == "assistant":
            ledger.new_turn()
            sent.append(_assistant(message, where, ledger, refuse))
        else:
            sent.append(_plain(message, where, refuse))
    sent.extend(_in_order(results))
    return sent


def _in_order(results: list[tuple[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The answers of one turn in the order of its calls; the list is emptied."""
    ordered = [message for _, message in sorted(results, key=lambda result: result[0])]
    results.clear()
    return ordered


def _plain(message: ChatMessage, where: str, refuse: Refusal) -> dict[str, Any]:
    """What a user or the system says."""
    texts: list[str] = []
    images: list[Any] = []
    fields: dict[str, Any] = {}
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Binary) and message.role == "user":
            images.append(_image(part, here, refuse))
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse, family=_FAMILY)
            _add_fields(part, here, fields, images, refuse)
        else:
            raise refuse(here, part, MENDS.get(type(part), f"a {message.role} message takes text"))
    return _message(message.role, "\n".join(texts), images, fields)


def _assistant(message: ChatMessage, where: str, ledger: CallLedger, refuse: Refusal) -> dict[str, Any]:
    """What the model said."""
    texts: list[str] = []
    thoughts: list[str] = []
    images: list[Any] = []
    calls: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    for at, part in own_parts(message.content, lambda maker: _owns(maker, refuse)):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ReasoningContent):
            thoughts.append(part.text)
        elif isinstance(part, ToolCall):
            ledger.called(part.call_id, part.fn_name)
            calls.append(_call(part, here, refuse))
        elif isinstance(part, Binary):
            images.append(_image(part, here, refuse))
        elif isinstance(part, Custom):
            if _owns(part.model, refuse):
                _add_fields(part, here, fields, images, refuse)
        elif isinstance(part, ToolResponse):
            raise refuse(here, part, MENDS[ToolResponse])
    if not (texts or thoughts or calls or images or fields):
        mend = "Ollama does not take it back, and there is nothing else in the message: leave the message out"
        raise refuse(f"{where}.content", message.content[0], mend)
    if thoughts:
        fields["thinking"] = "".join(thoughts)
    if calls:
        fields["tool_calls"] = calls
    return _message("assistant", "".join(texts), images, fields)


def _message(role: str, content: str, images: list[Any], fields: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": content}
    if images:
        message["images"] = images
    return message | fields


def _results(message: ChatMessage, where: str, ledger: CallLedger, refuse: Refusal) -> list[tuple[int, dict[str, Any]]]:
    """One message for each answer, with the place of its call; content that is not text goes as JSON text."""
    found: list[tuple[int, dict[str, Any]]] = []
    for at, part in enumerate(message.content):
        if not isinstance(part, ToolResponse):
            raise refuse(f"{where}.content[{at}]", part, "a message of the role 'tool' takes ToolResponse parts only")
        text = part.content if isinstance(part.content, str) else to_json(part.content, inf_nan_mode="constants")
        answer: dict[str, Any] = {"role": "tool", "content": text if isinstance(text, str) else text.decode()}
        name, place = ledger.answered(part.call_id, part.fn_name)
        call_id = sent_id(part.call_id)
        if name:
            answer["tool_name"] = name
        if call_id is not None:
            answer["tool_call_id"] = call_id
        found.append((place, answer))
    return found


def _call(part: ToolCall, here: str, refuse: Refusal) -> dict[str, Any]:
    arguments: object = part.fn_arguments
    if isinstance(arguments, str):
        with suppress(ValueError):  # no JSON: it is refused below as the text it is
            arguments = from_json(arguments) if arguments.strip() else None
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise refuse(f"{here}.fn_arguments", arguments, "arguments are a JSON object here")
    call: dict[str, Any] = {"function": {"name": part.fn_name, "arguments": arguments}}
    call_id = sent_id(part.call_id)
    return call if call_id is None else {"id": call_id, **call}


def _image(part: Binary, here: str, refuse: Refusal) -> str:
    """A picture's base64, which is all that Ollama takes of it."""
    if part.content_type.lower().partition("/")[0].strip() != "image":
        mend = "Ollama takes pictures only: put what it says into a Text"
        raise refuse(f"{here}.content_type", part.content_type, mend)
    if part.source.base64 is not None:
        return part.source.base64
    url = part.source.url or ""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        mend = "Ollama fetches nothing: fetch it and use Binary.from_bytes"
        raise refuse(f"{here}.source.url", url.partition(":")[0] + ":...", mend)
    return data


def _add_fields(part: Custom, here: str, fields: dict[str, Any], images: list[Any], refuse: Refusal) -> None:
    """Add the message's own fields that a `Custom` holds."""
    if not isinstance(part.data, dict) or "type" in part.data or not _OWN.isdisjoint(part.data):
        mend = "a Custom is an object with further fields of the message here, such as {'images': [...]}"
        raise refuse(f"{here}.data", part.data, mend)
    for name, value in part.data.items():
        if name == "images" and isinstance(value, list):
            images.extend(value)
        elif name not in REPORTED:
            fields[name] = value


def _owns(maker: str | None, refuse: Refusal) -> bool:
    return maker in _FAMILY or refuse.owns(maker)
