"""The conversation in Google's form: a system instruction, and turns of the user and the model.

Turns of one kind that follow each other are one turn: Google wants all answers to the calls of a turn together. Answers
of tools stand apart from what the user says, though both have the role `user`.

What is left out on purpose, because the conversation loses nothing by it:

- marks of cacheable prefixes: Gemini caches prefixes by itself (a cache of one's own goes into `extra_body` as
  `cachedContent`);
- a file's name: the Gemini API has no place for it;
- what an answer reported about itself (grounding, citations, fetched URLs), and, in the model's turns, parts in another
  provider's form.

Everything else that cannot be said is refused by name.
"""

from __future__ import annotations

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
from ..call_ledger import CallLedger
from ..own_parts import own_parts
from ..refusal import Refusal
from ..unsayable import MENDS, refuse_foreign
from .parts import REPORTED, binary_part, call_part, response_part

__all__ = ["contents_of"]

_FAMILY = ("gemini", "vertex")
"""Namespaces whose parts have this dialect's form."""


def contents_of(chat_req: ChatRequest, refuse: Refusal) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system instruction, and the contents.

    Raises:
        ExecutorError: There is nothing to answer, or a message cannot be said.
    """
    system: list[dict[str, Any]] = [] if chat_req.system is None else [{"text": chat_req.system}]
    turns: list[_Turn] = []
    ledger = CallLedger()
    for at, message in enumerate(chat_req.messages):
        where = f"messages[{at}]"
        if not message.content:
            raise refuse(f"{where}.content", message.content, "give the message at least one part")
        if message.role == "system":
            if turns:
                mend = "system messages stand before all others: move it to the beginning, or into `system`"
                raise refuse(f"{where}.role", message.role, mend)
            system.extend(_plain(message, where, refuse))
            continue
        if not turns or turns[-1].role != message.role:
            turns.append(_Turn(message.role))
            if message.role == "assistant":
                ledger.new_turn()
        turn = turns[-1]
        if message.role == "tool":
            _answers(message, where, ledger, refuse, turn)
        elif message.role == "assistant":
            turn.parts.extend(_model(message, where, ledger, refuse))
        else:
            turn.parts.extend(_plain(message, where, refuse))
    if not turns:
        raise refuse("messages", (), "add at least one user message", code="empty_messages", failover=False)
    return system, [turn.content() for turn in turns]


class _Turn:
    """Messages of one role that follow each other.

    Args:
        role: Whose they are, in our words.
    """

    __slots__ = ("parts", "places", "role")

    def __init__(self, role: str) -> None:
        self.role = role
        self.parts: list[dict[str, Any]] = []
        self.places: list[int | None] = []
        """Of each answer of a tool, which call it answers; None for a part in Google's own form, which stays put."""

    def content(self) -> dict[str, Any]:
        """The turn in Google's form, answers in the order of their calls."""
        slots = [slot for slot, place in enumerate(self.places) if place is not None]
        parts = list(self.parts)
        for slot, source in zip(slots, sorted(slots, key=lambda slot: self.places[slot] or 0), strict=True):
            parts[slot] = self.parts[source]
        return {"role": "model" if self.role == "assistant" else "user", "parts": parts}


def _plain(message: ChatMessage, where: str, refuse: Refusal) -> list[dict[str, Any]]:
    """What a user or the system says."""
    sent: list[dict[str, Any]] = []
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, Text):
            sent.append({"text": part.text})
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse, family=_FAMILY)
            sent.append(_own_form(part, here, refuse))
        elif isinstance(part, Binary) and message.role == "user":
            sent.append(binary_part(part, here, refuse))
        else:
            raise refuse(here, part, MENDS.get(type(part), f"a {message.role} message takes text"))
    return sent


def _model(message: ChatMessage, where: str, ledger: CallLedger, refuse: Refusal) -> list[dict[str, Any]]:
    """What the model said, each signature on the part it came with."""
    sent: list[dict[str, Any]] = []
    signable = False  # whether the last part may take the signature that follows it
    loose: str | None = None  # a signature that follows no part of its own
    for at, part in own_parts(message.content, lambda maker: _own(maker, refuse)):
        here = f"{where}.content[{at}]"
        new = _said(part, here, ledger, refuse)
        if isinstance(part, ThoughtSignature) and signable:
            sent[-1]["thoughtSignature"] = part.signature
            signable = False
            continue
        if loose is not None:
            if isinstance(part, ToolCall) and new and "thoughtSignature" not in new:
                new["thoughtSignature"] = loose  # other dialects tell a call's signature before the call
            else:
                sent.append({"text": "", "thoughtSignature": loose})
            loose = None
        if isinstance(part, ThoughtSignature):
            loose = part.signature
        elif new:
            sent.append(new)
            signable = not isinstance(part, ToolCall | Custom)
    if loose is not None:
        sent.append({"text": "", "thoughtSignature": loose})
    if not sent:
        mend = "Gemini does not take it back, and there is nothing else in the message: leave the message out"
        raise refuse(f"{where}.content", message.content[0], mend)
    return sent


def _said(part: ContentPart, here: str, ledger: CallLedger, refuse: Refusal) -> dict[str, Any] | None:
    """One part of a model's turn, without the signature that may follow it; None where there is nothing to send."""
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, ReasoningContent):
        return {"text": part.text, "thought": True}
    if isinstance(part, ToolCall):
        ledger.called(part.call_id, part.fn_name)
        return call_part(part, here, refuse, signed=_own(part.provider, refuse))
    if isinstance(part, Binary):
        return binary_part(part, here, refuse)
    if isinstance(part, ToolResponse):
        raise refuse(here, part, MENDS[ToolResponse])
    if isinstance(part, Custom):
        reported = isinstance(part.data, dict) and not set(part.data) - set(REPORTED)
        return _own_form(part, here, refuse) if _own(part.model, refuse) and not reported else None
    return None


def _own(maker: str | None, refuse: Refusal) -> bool:
    return maker in _FAMILY or refuse.owns(maker)


def _answers(message: ChatMessage, where: str, ledger: CallLedger, refuse: Refusal, turn: _Turn) -> None:
    """Add what tools answered to their turn."""
    for at, part in enumerate(message.content):
        here = f"{where}.content[{at}]"
        if isinstance(part, ToolResponse):
            name, place = ledger.answered(part.call_id, part.fn_name)
            turn.parts.append(response_part(part, name, here, refuse))
            turn.places.append(place)
        elif isinstance(part, Custom):
            refuse_foreign(part, here, refuse, family=_FAMILY)
            turn.parts.append(_own_form(part, here, refuse))
            turn.places.append(None)
        else:
            raise refuse(here, part, "a message of the role 'tool' takes ToolResponse parts only")


def _own_form(part: Custom, here: str, refuse: Refusal) -> dict[str, Any]:
    if not isinstance(part.data, dict) or not part.data:
        raise refuse(f"{here}.data", part.data, "a part is an object here, such as {'fileData': {...}}")
    return dict(part.data)
