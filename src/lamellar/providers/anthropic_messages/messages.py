"""The conversation in the provider's form: a system prompt of its own, and turns of users and assistants.

The provider joins neighboring turns of one role itself, so messages stay apart as the caller wrote them. Tools'
answers are different: those of one round must stand in one user turn, before anything the user says, so neighboring
tool messages are one turn, and a user's message right after them belongs to it.

A system message within the conversation goes where it stands, for the models that take one there: after a user's turn,
and before an answer or at the end.

What is left out on purpose, because the provider has no place for it and the conversation loses nothing by it:

- the tool's name in a tool's answer: the call's id names the call;
- reasoning without a signature, which another provider made: thinking goes back signed or not at all;
- signatures on tool calls, which are Gemini's;
- in an assistant's message, `Custom` parts that belong to another provider, and those fields of an answer that no
  request has a place for (see `_GO_BACK`);
- empty texts beside other parts, which the provider refuses.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...chat.content import (
    Binary,
    ContentPart,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
)
from ...chat.request import ChatMessage, ChatRequest
from ..refusal import Refusal
from ..tool_ids import ToolIds
from ..unsayable import MENDS, refuse_foreign
from .blocks import binary_block, cache_mark, call_block, result_block, thinking_block
from .models import ModelTraits

__all__ = ["Conversation", "conversation_of"]

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_GO_BACK = {"citations": "text", "caller": "tool_use", "toolset_name": "tool_use"}
"""Fields of an answer's block that are kept beside it, and the type of the block to which they go back."""

_UNMARKED = frozenset({"thinking", "redacted_thinking"})
"""Blocks that take no cache mark."""


class Conversation:
    """A conversation in the provider's form.

    Args:
        system: The body's `system`, or None.
        messages: The body's `messages`.
    """

    __slots__ = ("messages", "system")

    def __init__(self, system: str | list[Any] | None, messages: list[dict[str, Any]]) -> None:
        self.system = system
        self.messages = messages


def conversation_of(chat_req: ChatRequest, traits: ModelTraits, refuse: Refusal) -> Conversation:
    """The conversation, for a model with these traits.

    Raises:
        ExecutorError: There is none, or a part of it cannot be said.
    """
    messages = chat_req.messages
    leading = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    if not messages:
        raise refuse("messages", messages, "add at least one message", code="empty_messages", failover=False)
    if leading == len(messages):
        raise refuse("messages", messages, "there are system messages only: add a message of the role 'user'")
    system = _system(chat_req.system, messages[:leading], refuse)
    ids = ToolIds(_NOT_IN_AN_ID)
    sent: list[dict[str, Any]] = []
    open_results = False  # whether the last turn holds tools' answers, which others and a user's words may join
    for at, message in enumerate(messages[leading:], leading):
        where = f"messages[{at}]"
        if message.role == "system":
            _interject(sent, message, where, traits, refuse)
            open_results = False
            continue
        if sent and sent[-1]["role"] == "system" and message.role != "assistant":
            raise refuse(f"{where}.role", message.role, _AFTER_SYSTEM)
        blocks = _blocks(message, where, ids, refuse)
        if message.cache_control is not None:
            _mark(blocks, message.cache_control)
        if open_results and message.role in ("tool", "user"):
            sent[-1]["content"].extend(blocks)
        else:
            role = "user" if message.role == "tool" else message.role
            sent.append({"role": role, "content": blocks})
        open_results = message.role == "tool"
    for turn in sent:
        turn["content"] = _plain(turn["content"])
    return Conversation(system, sent)


_AFTER_SYSTEM = "an answer, or nothing, follows a system message within a conversation: put this before it"


def _interject(
    sent: list[dict[str, Any]], message: ChatMessage, where: str, traits: ModelTraits, refuse: Refusal
) -> None:
    """Add a system message to the turns; neighbors are one.

    Raises:
        ExecutorError: The model takes none there, or it is not text.
    """
    if not traits.system_midway:
        mend = "this model has one system prompt: put it first, or make it a user message"
        raise refuse(f"{where}.role", message.role, mend)
    if sent[-1]["role"] == "assistant":
        mend = "it stands after a user's message or a tool's answer, not after the assistant's: move it"
        raise refuse(f"{where}.role", message.role, mend)
    blocks = _instructions(message, where, refuse)
    if not blocks:
        raise refuse(f"{where}.content", message.content, "give the message at least one part")
    if sent[-1]["role"] == "system":
        sent[-1]["content"].extend(blocks)
    else:
        sent.append({"role": "system", "content": blocks})


def _system(first: str | None, messages: Sequence[ChatMessage], refuse: Refusal) -> str | list[Any] | None:
    """The system prompt: one text as it is, several as blocks."""
    blocks: list[Any] = [{"type": "text", "text": first}] if first else []
    for at, message in enumerate(messages):
        blocks.extend(_instructions(message, f"messages[{at}]", refuse))
    return _plain(blocks) if blocks else None


def _instructions(message: ChatMessage, where: str, refuse: Refusal) -> list[Any]:
    """The blocks of a system message, with its mark; empty texts say nothing."""
    blocks: list[Any] = []
    for n, part in enumerate(message.content):
        if isinstance(part, Text):
            if part.text:
                blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, Custom):
            refuse_foreign(part, f"{where}.content[{n}]", refuse)
            blocks.append(part.data)
        else:
            raise refuse(f"{where}.content[{n}]", part, MENDS.get(type(part), "a system prompt is text"))
    if message.cache_control is not None:
        _mark(blocks, message.cache_control)
    return blocks


def _blocks(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal) -> list[Any]:
    if not message.content:
        raise refuse(f"{where}.content", message.content, "give the message at least one part")
    if message.role == "assistant":
        blocks = _assistant(message.content, where, ids, refuse)
    elif message.role == "tool":
        blocks = [_of_tool(part, f"{where}.content[{at}]", ids, refuse) for at, part in enumerate(message.content)]
    else:
        blocks = [_of_user(part, f"{where}.content[{at}]", ids, refuse) for at, part in enumerate(message.content)]
    if not blocks:
        mend = "the provider does not take it back, and there is nothing else in the message: leave the message out"
        raise refuse(f"{where}.content", message.content[0], mend)
    said = [block for block in blocks if block != {"type": "text", "text": ""}]
    return said or blocks[:1]


def _of_user(part: ContentPart, where: str, ids: ToolIds, refuse: Refusal) -> object:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Binary):
        return binary_block(part, where, refuse)
    if isinstance(part, ToolResponse):
        return result_block(part, ids)  # the provider's own form: a user's turn with results in it
    if isinstance(part, Custom):
        refuse_foreign(part, where, refuse)
        return part.data
    raise refuse(where, part, MENDS[type(part)])


def _of_tool(part: ContentPart, where: str, ids: ToolIds, refuse: Refusal) -> object:
    if isinstance(part, ToolResponse):
        return result_block(part, ids)
    if isinstance(part, Custom):
        refuse_foreign(part, where, refuse)
        return part.data
    raise refuse(where, part, MENDS[type(part)])


def _assistant(parts: Sequence[ContentPart], where: str, ids: ToolIds, refuse: Refusal) -> list[Any]:
    """An assistant's turn: what this provider said goes back as it came, in its order."""
    blocks: list[Any] = []
    thought: str | None = None  # reasoning whose signature may follow
    for at, part in enumerate(parts):
        here = f"{where}.content[{at}]"
        if isinstance(part, ReasoningContent):
            thought = part.text
            continue
        if isinstance(part, ThoughtSignature):
            if refuse.owns(part.provider):  # thinking that another has signed is no thinking here
                blocks.append(thinking_block(thought or "", part.signature))
        elif isinstance(part, Text):
            blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, ToolCall):
            blocks.append(call_block(part, here, ids, refuse))
        elif isinstance(part, Custom):
            if refuse.owns(part.model):
                _add_custom(blocks, part.data)
        else:
            raise refuse(here, part, MENDS[type(part)])
        thought = None
    return blocks


def _add_custom(blocks: list[Any], data: object) -> None:
    """A block of its own, or, without a `type`, fields of the block before it."""
    if not isinstance(data, dict) or "type" in data:
        blocks.append(data)
        return
    last = blocks[-1] if blocks else None
    for name, value in data.items():
        if isinstance(last, dict) and last.get("type") == _GO_BACK.get(name):
            last = blocks[-1] = {**last, name: value}  # a copy: a block may be the caller's own


def _mark(blocks: list[Any], kind: str) -> None:
    """Put the mark on the last block that takes one."""
    for at in range(len(blocks) - 1, -1, -1):
        block = blocks[at]
        if isinstance(block, dict) and block.get("type") not in _UNMARKED:
            blocks[at] = {**block, "cache_control": cache_mark(kind)}
            return


def _plain(blocks: list[Any]) -> str | list[Any]:
    """One bare text as a string."""
    if len(blocks) == 1 and isinstance(blocks[0], dict) and blocks[0].keys() == {"type", "text"}:
        text = blocks[0]["text"]
        if blocks[0]["type"] == "text" and isinstance(text, str):
            return text
    return blocks
