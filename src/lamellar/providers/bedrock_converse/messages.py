"""The conversation in the provider's form: system blocks of their own, then the user and the assistant in turns.

The provider refuses two turns of one role in a row, so neighboring messages of one role are joined; tools' answers
belong to the user's turn.

What is left out on purpose, because the provider has no place for it and the conversation loses nothing by it:

- the tool's name in a tool's answer: the call's id names the call;
- reasoning without a signature: nobody can prove whose it is, Claude refuses it, and other models do without;
- signatures on tool calls, which are Gemini's;
- in an assistant's message, `Custom` parts that belong to another provider, and those fields of an answer that no
  request has a place for (see `_STAY`);
- blank texts beside other parts, which the provider refuses.

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
from .binary import DocumentNames, binary_block
from .blocks import cache_point, call_block, reasoning_block, result_block

__all__ = ["Conversation", "conversation_of"]

_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_STAY = frozenset({"additionalModelResponseFields", "trace"})
"""Fields of an answer that are kept as parts of it, and have no place in a request."""


class Conversation:
    """A conversation in the provider's form.

    Args:
        system: The body's `system`; empty for none.
        messages: The body's `messages`.
        has_calls: Whether a tool's call or answer is in it.
    """

    __slots__ = ("has_calls", "messages", "system")

    def __init__(self, system: list[Any], messages: list[dict[str, Any]], *, has_calls: bool) -> None:
        self.system = system
        self.messages = messages
        self.has_calls = has_calls


def conversation_of(chat_req: ChatRequest, refuse: Refusal) -> Conversation:
    """The conversation.

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
    writer = _Writer(refuse)
    for at, message in enumerate(messages[leading:], leading):
        writer.add(message, f"messages[{at}]")
    writer.end()
    return Conversation(system, writer.turns, has_calls=writer.has_calls)


def _system(first: str | None, messages: Sequence[ChatMessage], refuse: Refusal) -> list[Any]:
    """The system prompt as blocks; blank texts are refused by the provider, and say nothing."""
    blocks: list[Any] = [{"text": first}] if first and not first.isspace() else []
    for at, message in enumerate(messages):
        before = len(blocks)
        for n, part in enumerate(message.content):
            if isinstance(part, Text):
                if part.text.strip():
                    blocks.append({"text": part.text})
            elif isinstance(part, Custom):
                refuse_foreign(part, f"messages[{at}].content[{n}]", refuse)
                blocks.append(part.data)
            else:
                raise refuse(f"messages[{at}].content[{n}]", part, MENDS.get(type(part), "a system prompt is text"))
        if message.cache_control is not None and len(blocks) > before:
            blocks.append(cache_point(message.cache_control))
    return blocks


class _Writer:
    """Puts messages into turns."""

    __slots__ = ("_document", "_ids", "_names", "_refuse", "has_calls", "turns")

    def __init__(self, refuse: Refusal) -> None:
        self._refuse = refuse
        self._ids = ToolIds(_NOT_IN_AN_ID, longest=64)
        self._names = DocumentNames()
        self._document: tuple[str, Binary] | None = None  # the first of the turn, and where it stands
        self.turns: list[dict[str, Any]] = []
        self.has_calls = False

    def add(self, message: ChatMessage, where: str) -> None:
        """One more message.

        Raises:
            ExecutorError: A part of it cannot be said.
        """
        if message.role == "system":
            mend = "system messages stand before all others here: put it first, or make it a user message"
            raise self._refuse(f"{where}.role", message.role, mend)
        if not message.content:
            raise self._refuse(f"{where}.content", message.content, "give the message at least one part")
        role = "assistant" if message.role == "assistant" else "user"
        if not self.turns or self.turns[-1]["role"] != role:
            self.end()
            self.turns.append({"role": role, "content": []})
        blocks = self._blocks(message, where)
        if not blocks:
            mend = "the provider does not take it back, and there is nothing else in the message: leave the message out"
            raise self._refuse(f"{where}.content", message.content[0], mend)
        if message.cache_control is not None:
            blocks.append(cache_point(message.cache_control))
        self.turns[-1]["content"].extend(blocks)

    def end(self) -> None:
        """The last turn is whole.

        Raises:
            ExecutorError: There is a document in it, and no text.
        """
        if self._document is not None and not any(map(_is_text, self.turns[-1]["content"])):
            where, part = self._document
            raise self._refuse(where, part, "a document stands beside a text here: say what to do with it")
        self._document = None

    def _blocks(self, message: ChatMessage, where: str) -> list[Any]:
        if message.role == "assistant":
            blocks = self._of_assistant(message.content, where)
        else:
            one = self._of_tool if message.role == "tool" else self._of_user
            blocks = [one(part, f"{where}.content[{at}]") for at, part in enumerate(message.content)]
        said = [block for block in blocks if not _is_blank(block)]
        return said or blocks[:1]

    def _of_user(self, part: ContentPart, where: str) -> object:
        if isinstance(part, Text):
            return {"text": part.text}
        if isinstance(part, Binary):
            return self._binary(part, where)
        if isinstance(part, ToolCall | ReasoningContent | ThoughtSignature):
            raise self._refuse(where, part, MENDS[type(part)])
        return self._of_tool(part, where)  # the provider's own form: a user's turn with results in it

    def _binary(self, part: Binary, where: str) -> object:
        block = binary_block(part, where, self._names, self._refuse)
        if "document" in block and self._document is None:
            self._document = where, part
        return block

    def _of_tool(self, part: ContentPart, where: str) -> object:
        if isinstance(part, ToolResponse):
            self.has_calls = True
            return result_block(part, self._ids)
        if isinstance(part, Custom):
            refuse_foreign(part, where, self._refuse)
            return part.data
        raise self._refuse(where, part, MENDS[type(part)])

    def _of_assistant(self, parts: Sequence[ContentPart], where: str) -> list[Any]:
        """An assistant's turn: what this provider said goes back as it came, in its order."""
        blocks: list[Any] = []
        thought: str | None = None  # reasoning whose signature may follow
        for at, part in enumerate(parts):
            here = f"{where}.content[{at}]"
            if isinstance(part, ReasoningContent):
                thought = part.text
                continue
            if isinstance(part, ThoughtSignature):
                if self._refuse.owns(part.provider):  # reasoning that another has signed is none here
                    blocks.append(reasoning_block(thought or "", part.signature))
            elif isinstance(part, Text):
                blocks.append({"text": part.text})
            elif isinstance(part, Binary):
                blocks.append(self._binary(part, here))
            elif isinstance(part, ToolCall):
                self.has_calls = True
                blocks.append(call_block(part, here, self._ids, self._refuse))
            elif isinstance(part, Custom):
                if self._refuse.owns(part.model):
                    _add_custom(blocks, part.data)
            else:
                raise self._refuse(here, part, MENDS[type(part)])
            thought = None
        return blocks


def _add_custom(blocks: list[Any], data: object) -> None:
    """A block of its own, or what belongs to the block before it: a text's citations, what kind of call it is."""
    if not isinstance(data, dict):
        blocks.append(data)
    elif data.keys() == {"citations"}:
        last = blocks[-1] if blocks else None
        if isinstance(last, dict) and last.keys() == {"text"}:
            blocks[-1] = {"citationsContent": {"content": [last], "citations": data["citations"]}}
    elif data.keys() == {"type"}:
        last = blocks[-1] if blocks else None
        if isinstance(last, dict) and isinstance(last.get("toolUse"), dict):
            blocks[-1] = {"toolUse": {**last["toolUse"], "type": data["type"]}}
    elif not data.keys() <= _STAY:
        blocks.append(data)


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and not block.keys().isdisjoint(("text", "guardContent", "citationsContent"))


def _is_blank(block: object) -> bool:
    text = block.get("text") if isinstance(block, dict) and block.keys() == {"text"} else None
    return isinstance(text, str) and not text.strip()
