"""The conversation as the provider's input items.

What is left out on purpose, because the provider has no place for it and the conversation loses nothing by it:

- the tool's name in a tool's answer: the call's id names the call;
- reasoning that another provider made, or that neither a signature nor an item of this provider's proves; and
  reasoning that nothing followed, as of an answer that was cut off while it was thought about: the provider refuses
  reasoning without what followed it;
- where nothing is to be stored (`store` is False), reasoning without its encrypted form, which could only be looked
  up, and the ids of what followed it;
- signatures on tool calls, which are Gemini's, and `Custom` parts that belong to another provider;
- empty texts beside others;
- the mark of a cacheable prefix: the provider caches prefixes by itself. A breakpoint of its own is a `Custom` part.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from ...chat.content import Binary, Custom, Text, ToolResponse
from ...chat.request import ChatMessage, ChatRequest
from ..refusal import Refusal
from ..tool_ids import ToolIds
from ..unsayable import MENDS, refuse_foreign
from .assistant import PARTS, AssistantTurn
from .binary import binary_part
from .shells import REASONING

__all__ = ["input_of"]

_LONGEST_ID = 64
"""Characters of a call's id; the provider matches by ids over the whole input, so no two calls may share one."""

_RESULTS = ("input_text", "input_image", "input_file")
"""What a tool's answer may consist of; anything else is sent as JSON text."""


def input_of(chat_req: ChatRequest, extra: Mapping[str, object], refuse: Refusal) -> list[Any] | None:
    """The input items; None where there are none because something else stands for them.

    Args:
        chat_req: The conversation.
        extra: The caller's `extra_body`, which may bring a prompt or a conversation that the provider keeps.
        refuse: Makes the errors.

    Raises:
        ExecutorError: There is nothing to send, or a part of it cannot be said.
    """
    if not chat_req.messages:
        if chat_req.previous_response_id is None and not extra.keys() & {"input", "prompt", "conversation"}:
            raise refuse(
                "messages", chat_req.messages, "add at least one message", code="empty_messages", failover=False
            )
        return None
    items: list[Any] = []
    ids = ToolIds(longest=_LONGEST_ID)
    for at, message in enumerate(chat_req.messages):
        where = f"messages[{at}]"
        if not message.content:
            raise refuse(f"{where}.content", message.content, "give the message at least one part")
        if message.role == "assistant":
            items.extend(_assistant(message, where, ids, refuse, stored=chat_req.store is not False))
        elif message.role == "tool":
            items.extend(_results(message, where, ids, refuse))
        else:
            items.extend(_said(message, where, refuse))
    return [item for at, item in enumerate(items) if not _is_left_alone(item, items[at + 1 : at + 2])]


def _assistant(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal, *, stored: bool) -> list[Any]:
    turn = AssistantTurn(refuse, ids, stored=stored)
    for at, part in enumerate(message.content):
        turn.add(part, f"{where}.content[{at}]")
    turn.end()
    if not turn.items:
        mend = "the provider does not take it back, and there is nothing else in the message: leave the message out"
        raise refuse(f"{where}.content", message.content[0], mend)
    return turn.items


def _said(message: ChatMessage, where: str, refuse: Refusal) -> list[Any]:
    """A user's or a system message: one text as it is, anything else as a list of parts.

    A `Custom` that is an item of its own divides the message.
    """
    items: list[Any] = []
    content: list[Any] = []
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            content.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Binary) and message.role == "user":
            content.append(binary_part(part, here, refuse))
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse)
            data = _object(part, here, refuse)
            if data.get("type") in PARTS:
                content.append(data)
            else:
                items.extend(_message(message.role, content))
                content = []
                items.append(data)
        else:
            raise refuse(here, part, MENDS[type(part)])
    return [*items, *_message(message.role, content)]


def _message(role: str, content: list[Any]) -> list[Any]:
    if not content:
        return []
    brief = len(content) == 1 and content[0].keys() == {"type", "text"} and content[0]["type"] == "input_text"
    return [{"role": role, "content": content[0]["text"] if brief else content}]


def _results(message: ChatMessage, where: str, ids: ToolIds, refuse: Refusal) -> list[Any]:
    """One item for each answer: text, a list of the provider's own parts, or JSON text."""
    items: list[Any] = []
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, ToolResponse):
            content: Any = part.content
            if not isinstance(content, str) and not _is_parts(content):
                content = to_json(content, inf_nan_mode="constants").decode()
            items.append({"type": "function_call_output", "call_id": ids.of_result(part.call_id), "output": content})
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse)
            items.append(_object(part, here, refuse))  # such as the output of a custom tool, or an approval
        else:
            raise refuse(here, part, MENDS[type(part)])
    return items


def _is_parts(content: object) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(part, dict) and part.get("type") in _RESULTS for part in content)
    )


def _object(part: Custom, where: str, refuse: Refusal) -> dict[str, Any]:
    if not isinstance(part.data, dict):
        raise refuse(where, part, "a Custom part is an object here: an item, or a part of a message")
    return part.data


def _is_left_alone(item: dict[str, Any], after: list[Any]) -> bool:
    """Whether it is reasoning without what followed it: nothing, or something that the model did not make."""
    if item.get("type") != REASONING:
        return False
    if not after:
        return True
    kind = after[0].get("type")
    return after[0].get("role") in ("user", "system", "developer") or (
        isinstance(kind, str) and kind.endswith("output")
    )
