"""The output items of one answer, in their order."""

from __future__ import annotations

from typing import Any

from ...chat.content import ContentPart
from ...chat.events import PROGRESS
from ..shapes import WrongShapeError
from .items import CallItem, Events, Item, OtherItem
from .message_item import MessageItem
from .placing import Placed, Places
from .reasoning_item import ReasoningItem
from .shells import CALL, MESSAGE, REASONING

__all__ = ["PIECES", "Answer"]

PIECES = {
    "response.output_text.delta": MESSAGE,
    "response.output_text.done": MESSAGE,
    "response.refusal.delta": MESSAGE,
    "response.refusal.done": MESSAGE,
    "response.output_text.annotation.added": MESSAGE,
    "response.reasoning_summary_text.delta": REASONING,
    "response.reasoning_summary_text.done": REASONING,
    "response.reasoning_text.delta": REASONING,
    "response.reasoning_text.done": REASONING,
    "response.function_call_arguments.delta": CALL,
    "response.function_call_arguments.done": CALL,
}
"""The events that bring a piece of an item, or repeat one whole, and the type of the item, which may be open or not."""


class Answer:
    """One answer, gathered from whole items or while it streams.

    Args:
        lift: Whether an inline `<think>` block in a text is reasoning.
    """

    __slots__ = ("_calls", "_lift", "_places")

    def __init__(self, *, lift: bool) -> None:
        self._lift = lift
        self._places = Places()
        self._calls = 0

    @property
    def has_calls(self) -> bool:
        """Whether there is a call of a function among the items."""
        return self._calls > 0

    @property
    def delivered(self) -> bool:
        """Whether anything came that a reader can use."""
        return any(item.delivered for item in self._places)

    def open(self, index: object, item: object, out: Events) -> None:
        """An item begins; one that is open already says so again.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        begun = _object(item)
        found = self._places.to_open(index, begun)
        if found is None:
            self._made(index, begun).open(begun, out)
        elif found.presumed:
            found.presumed = False
            self._places.name(found, index, begun.get("id"))
            found.item.open(begun, out)
        else:
            out.append(PROGRESS)

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """More of an item, or a piece of it once more, as a whole.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        index, item_id, type_ = payload.get("output_index"), payload.get("item_id"), PIECES.get(kind)
        found = self._places.of_delta(index, item_id, type_)
        if found is not None:
            found.item.piece(kind, payload, out)
        elif type_ is not None:
            self._made(index, {"type": type_, "id": item_id}, presumed=True).piece(kind, payload, out)
        else:
            out.append(PROGRESS)

    def close(self, index: object, item: object, out: Events) -> None:
        """An item is whole.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        whole = _object(item)
        self._close(self._places.to_close(index, whole), index, whole, out)

    def settle(self, output: object, out: Events) -> None:
        """The answer is whole: what its last event lists, and no other event told, is told now.

        Some servers repeat every item there, some list none, and some have told nothing before.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        items = [_object(item) for item in output] if isinstance(output, list) else []
        for at, (found, whole) in enumerate(zip(self._places.of_output(items), items, strict=True)):
            self._close(found, at, whole, out)
        for each in self._places:
            if not each.closed:
                each.finish(out)

    def content(self, provider: str) -> tuple[ContentPart, ...]:
        """The parts."""
        paired = any(item.paired for item in self._places)
        return tuple([part for item in self._places for part in item.parts(provider, paired=paired)])

    def _close(self, found: Placed | None, index: object, whole: dict[str, Any], out: Events) -> None:
        item = self._made(index, whole) if found is None else found.item
        if found is not None:
            found.presumed = False
            self._places.name(found, index, whole.get("id"))
        if not item.closed:
            item.close(whole, out)

    def _made(self, index: object, item: dict[str, Any], *, presumed: bool = False) -> Item:
        kind = item.get("type")
        made: Item
        if kind == MESSAGE:
            made = MessageItem(lift=self._lift)
        elif kind == REASONING:
            made = ReasoningItem()
        elif kind == CALL:
            made = CallItem(self._calls)
            self._calls += 1
        else:
            made = OtherItem()
        self._places.add(Placed(made, kind, presumed=presumed), index, item.get("id"))
        return made


def _object(item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise WrongShapeError(f"an output item is a {type(item).__name__}, not an object")
    return item
