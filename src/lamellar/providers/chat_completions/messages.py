"""Messages in the dialect's form.

What is left out on purpose, because the endpoint has no place for it and the conversation loses nothing by it:

- the tool's name in a tool's answer: the call's id names the call;
- thought signatures, and reasoning, where the endpoint does not take them back, or another provider signed it: they
  mean something only to the provider that made them;
- what a provider reported about its own answer (annotations, citations, executed tools, log probabilities), and the
  fields of an answer that belong to another provider;
- the mark of a cacheable prefix where the endpoint caches by itself.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from ...chat.options import ChatOptions
from ...chat.request import ChatMessage, ChatRequest
from ..own_parts import own_parts
from ..refusal import Refusal
from ..tool_ids import ToolIds
from ..unsayable import MENDS, refuse_foreign
from ..wire import Quirks
from .binary import binary_part

__all__ = ["cache_mark", "messages_of"]

_REPORTED = frozenset({"annotations", "citations", "executed_tools", "logprobs", "search_results"})
"""Extras of an answer that no request has a place for."""


def messages_of(chat_req: ChatRequest, options: ChatOptions, quirks: Quirks, refuse: Refusal) -> list[dict[str, Any]]:
    """The messages, the system prompt first.

    Raises:
        ExecutorError: There are none, or one of them cannot be said.
    """
    if not chat_req.messages:
        raise refuse("messages", chat_req.messages, "add at least one message", code="empty_messages", failover=False)
    sent: list[dict[str, Any]] = []
    if chat_req.system is not None:
        sent.append({"role": "system", "content": chat_req.system})
    last = len(chat_req.messages) - 1
    ids = ToolIds(empty=True)  # Google's endpoint sends an empty one, and takes it back
    for at, message in enumerate(chat_req.messages):
        where = f"messages[{at}]"
        if not message.content:
            raise refuse(f"{where}.content", message.content, "give the message at least one part")
        if message.role == "tool":
            new = _tool_results(message, where, ids, refuse)
        elif message.role == "assistant":
            new = [_assistant(message, where, quirks, ids, refuse)]
        else:
            new = [{"role": message.role, "content": _content(message, where, quirks, refuse)}]
        mark = message.cache_control or (options.cache_control if at == last else None)
        if mark is not None and quirks.cache == "parts":
            _mark(new[-1], cache_mark(mark))
        sent.extend(new)
    return sent


def cache_mark(kind: str) -> dict[str, Any]:
    """Anthropic's mark, as OpenRouter takes it.

    It says how long the prefix may be kept. An hour is the longest there is, so 24h is sent as that.
    """
    if kind == "ephemeral":
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": "1h" if kind == "24h" else kind}


def _mark(message: dict[str, Any], mark: dict[str, Any]) -> None:
    """Put the mark on the message's last part, which must be an object for it."""
    content = message.get("content")
    if isinstance(content, str):
        message["content"] = [{"type": "text", "text": content, "cache_control": mark}]
    elif isinstance(content, list) and content and isinstance(content[-1], dict):
        content[-1] = {**content[-1], "cache_control": mark}


def _content(message: ChatMessage, where: str, quirks: Quirks, refuse: Refusal) -> object:
    """The content of a user's or a system message: one text as it is, anything else as a list of parts."""
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.content[0].text
    parts: list[object] = []
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse)
            parts.append(part.data)
        elif isinstance(part, Binary) and message.role == "user":
            parts.append(binary_part(part, here, quirks, refuse))
        else:
            raise refuse(here, part, MENDS.get(type(part), f"a {message.role} message takes text"))
    return parts


def _tool_results(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal) -> list[dict[str, Any]]:
    """One message for each answer; content that is not text goes as JSON text."""
    sent: list[dict[str, Any]] = []
    for at, part in enumerate(message.content):
        if not isinstance(part, ToolResponse):
            raise refuse(f"{where}.content[{at}]", part, "a message of the role 'tool' takes ToolResponse parts only")
        text = part.content if isinstance(part.content, str) else _json(part.content)
        sent.append({"role": "tool", "tool_call_id": ids.of_result(part.call_id), "content": text})
    return sent


def _assistant(message: ChatMessage, where: str, quirks: Quirks, ids: ToolIds, refuse: Refusal) -> dict[str, Any]:
    """An assistant's turn. A `Custom` object without a `type` is a set of the message's own fields."""
    texts: list[str] = []
    reasoning: list[str] = []
    calls: list[dict[str, Any]] = []
    customs: list[object] = []
    fields: dict[str, Any] = {}
    signature: str | None = None
    for at, part in own_parts(message.content, refuse.owns):
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolCall):
            calls.append(_call(part, quirks, ids, refuse))
        elif isinstance(part, ReasoningContent):
            reasoning.append(part.text)
        elif isinstance(part, ThoughtSignature):
            signature = part.signature
        elif isinstance(part, Custom):
            own = refuse.owns(part.model)
            if isinstance(part.data, dict) and "type" not in part.data:
                fields.update({name: value for name, value in part.data.items() if own or name == "refusal"})
            elif own:
                customs.append(part.data)
        else:
            raise refuse(f"{where}.content[{at}]", part, MENDS.get(type(part), "leave it out"))

    sent: dict[str, Any] = {"role": "assistant", "content": None}
    if customs:
        # Their place among the texts matters, so the texts are parts too.
        sent["content"] = [
            {"type": "text", "text": part.text} if isinstance(part, Text) else part.data
            for part in message.content
            if isinstance(part, Text) or (isinstance(part, Custom) and refuse.owns(part.model) and part.data in customs)
        ]
    elif texts:
        sent["content"] = "".join(texts)
    if calls:
        sent["tool_calls"] = calls
    if reasoning and "reasoning_details" not in fields:
        _reasoning_back(sent, "".join(reasoning), quirks)
    if signature is not None and quirks.signatures:
        sent["extra_content"] = {"google": {"thought_signature": signature}}
    sent.update(_sendable(fields, quirks))
    if sent == {"role": "assistant", "content": None}:
        raise refuse(
            f"{where}.content",
            message.content[0],
            "the endpoint does not take it back, and there is nothing else in the message: leave the message out",
        )
    return sent


def _sendable(fields: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
    """The fields that may go back: not what was reported, and OpenRouter's reasoning only where reasoning goes back."""
    sent = {name: value for name, value in fields.items() if name not in _REPORTED}
    if quirks.reasoning_back is None:
        sent.pop("reasoning_details", None)
    audio = sent.get("audio")
    if isinstance(audio, dict) and "id" in audio:
        sent["audio"] = {"id": audio["id"]}  # the provider has the sound
    return sent


def _reasoning_back(sent: dict[str, Any], text: str, quirks: Quirks) -> None:
    if quirks.reasoning_back == "thinking":
        content = sent["content"]
        after = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        sent["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}, *after]
    elif quirks.reasoning_back is not None:
        sent[quirks.reasoning_back] = text


def _call(part: ToolCall, quirks: Quirks, ids: ToolIds, refuse: Refusal) -> dict[str, Any]:
    arguments = part.fn_arguments
    text = arguments if isinstance(arguments, str) else _json({} if arguments is None else arguments)
    call: dict[str, Any] = {
        "id": ids.of_call(part.call_id),
        "type": "function",
        "function": {"name": part.fn_name, "arguments": text},
    }
    if part.thought_signatures and quirks.signatures and refuse.owns(part.provider):
        call["extra_content"] = {"google": {"thought_signature": part.thought_signatures[0]}}
    return call


def _json(value: object) -> str:
    return to_json(value, inf_nan_mode="constants").decode()
