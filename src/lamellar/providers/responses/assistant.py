"""An assistant's turn as output items again: what this provider said goes back as it came, in its order."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ...chat.content import ContentPart, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from ..refusal import Refusal
from ..tool_ids import ToolIds
from .shells import CALL, MESSAGE, REASONING, SHELLS, TEXT_FIELDS

__all__ = ["PARTS", "AssistantTurn"]

PARTS = ("input_text", "input_image", "input_file", "input_audio", "output_text", "refusal", "text", "summary_text")
"""Types of what stands in a message. Any other object in the provider's form is an item of its own."""


class AssistantTurn:
    """Makes items of an assistant's parts.

    Args:
        refuse: Makes the error for what cannot be said.
        ids: The ids of the conversation's calls.
        stored: Whether the provider may look up items by their ids: not where nothing is to be stored.
    """

    __slots__ = ("_ids", "_keep_ids", "_message", "_refuse", "_signature", "_stored", "_thoughts", "items")

    def __init__(self, refuse: Refusal, ids: ToolIds, *, stored: bool) -> None:
        self.items: list[Any] = []
        self._refuse = refuse
        self._ids = ids
        self._stored = stored
        self._message: list[dict[str, Any]] = []  # the content of a message that is still growing
        self._thoughts: list[str] = []  # reasoning that may still turn out to be this provider's
        self._signature: str | None = None
        self._keep_ids = True  # not once reasoning stayed here: what followed it must not name it

    def add(self, part: ContentPart, where: str) -> None:
        """The next part.

        Raises:
            ExecutorError: It cannot be said.
        """
        if isinstance(part, Text):
            self._end_reasoning()
            self._message.append({"type": "output_text", "text": part.text, "annotations": []})
        elif isinstance(part, ToolCall):
            self.end()
            self.items.append(_call(part, self._ids))
        elif isinstance(part, ReasoningContent):
            self._end_message()
            if self._signature is not None:
                self._end_reasoning()
            self._thoughts.append(part.text)
        elif isinstance(part, ThoughtSignature):
            self._sign(part)
        elif isinstance(part, Custom):
            self._custom(part, where)
        else:
            raise self._refuse(where, part, "an assistant's message takes text, reasoning, tool calls and Custom parts")

    def end(self) -> None:
        """Nothing more comes that belongs to what is open."""
        self._end_reasoning()
        self._end_message()

    def _sign(self, part: ThoughtSignature) -> None:
        self._end_message()
        if not self._refuse.owns(part.provider):
            self._thoughts.clear()  # reasoning that another has signed is none here
            return
        if self._signature is not None:
            self._end_reasoning()
        self._signature = part.signature

    def _custom(self, part: Custom, where: str) -> None:
        data = part.data
        if not self._refuse.owns(part.model):
            words = data.get("refusal") if isinstance(data, dict) else None
            if isinstance(words, str):
                self._refused(words)  # what the assistant said, whoever it was
            return
        if not isinstance(data, dict):
            raise self._refuse(where, part, "a Custom part is an object here: an item, a part of a message, or fields")
        kind = data.get("type")
        if kind is None:
            self._add_fields(part, data, where)
        elif kind in PARTS:
            self._end_reasoning()
            self._message.append(data)
        elif kind == REASONING:
            self._thoughts.clear()  # the item tells them itself
            self._signature = None
            self._end_message()
            self.items.append(data)
        else:
            self.end()
            self.items.append(data)

    def _add_fields(self, part: Custom, data: dict[str, Any], where: str) -> None:
        """Fields of what came before: see `shells`."""
        last = self.items[-1] if self.items else None
        for name, value in data.items():
            if name == "refusal":
                self._refused(str(value))
            elif name in SHELLS and isinstance(value, dict):
                if name == REASONING:
                    self._end_message()
                    self._reasoning(value)
                elif name == MESSAGE:
                    self._end_message(value)
                elif not self._message and isinstance(last, dict) and last.get("type") == CALL:
                    self.items[-1] = {**last, **self._named(value)}
            elif name in TEXT_FIELDS:
                if self._message and self._message[-1].get("type") == "output_text":
                    self._message[-1] = {**self._message[-1], name: value}
            elif part.model is None:
                mend = "an object without a `type` is none of this provider's items: give it one"
                raise self._refuse(where, part, mend)

    def _refused(self, words: str) -> None:
        self._end_reasoning()
        self._message.append({"type": "refusal", "refusal": words})

    def _end_reasoning(self) -> None:
        """Reasoning that is signed is an item even without its other fields; any other stays here."""
        if self._signature is not None:
            self._reasoning({})
        self._thoughts.clear()

    def _reasoning(self, fields: dict[str, Any]) -> None:
        item = {
            "type": REASONING,
            **fields,
            "summary": [{"type": "summary_text", "text": text} for text in self._thoughts],
        }
        if self._signature is not None:
            item["encrypted_content"] = self._signature
        self._thoughts.clear()
        if self._signature is not None or self._stored:
            self.items.append(item)
        else:
            self._keep_ids = False
        self._signature = None

    def _end_message(self, fields: dict[str, Any] | None = None) -> None:
        content = self._message
        said = [part for part in content if part.get("text") != ""] or content[:1]
        if not said:
            return
        self._message = []
        own = self._named(fields or {})
        if "id" in own:
            self.items.append({"type": MESSAGE, "role": "assistant", "status": "completed", **own, "content": said})
            return
        own.pop("status", None)
        plain: dict[str, Any] = {"type": "output_text", "text": said[0].get("text"), "annotations": []}
        brief = len(said) == 1 and said[0] == plain
        self.items.append({"role": "assistant", **own, "content": said[0]["text"] if brief else said})

    def _named(self, fields: dict[str, Any]) -> dict[str, Any]:
        return dict(fields) if self._keep_ids else {name: value for name, value in fields.items() if name != "id"}


def _call(part: ToolCall, ids: ToolIds) -> dict[str, Any]:
    arguments = part.fn_arguments
    text = arguments if isinstance(arguments, str) else _json({} if arguments is None else arguments)
    return {"type": CALL, "call_id": ids.of_call(part.call_id), "name": part.fn_name, "arguments": text}


def _json(value: object) -> str:
    return to_json(value, inf_nan_mode="constants").decode()
