"""Output items, whole or while they stream: what each tells, and the parts it becomes.

A whole answer's item is one that is closed with everything in it, so one reading serves both. `open`, `piece` and
`close` add events to `out`; `parts` gives what goes back into a conversation.
"""

from __future__ import annotations

from typing import Any, Protocol

from pydantic_core import to_json

from ...accumulate import parse_arguments
from ...chat.content import ContentPart, Custom, ToolCall
from ...chat.events import PROGRESS, Progress, StreamEvent, ToolCallChunk
from ..names import name_of
from ..shapes import text_in
from .shells import CALL, shell_of

__all__ = ["CallItem", "Events", "Item", "OtherItem", "rest_of"]

Events = list[StreamEvent | Progress]


class Item(Protocol):
    """One output item of an answer."""

    closed: bool
    """Whether the whole item has come."""

    paired: bool
    """Whether what follows it goes back with its id, because this item does."""

    delivered: bool
    """Whether it brought anything that a reader can use."""

    def open(self, item: dict[str, Any], out: Events) -> None:
        """It begins; what it holds then may be preliminary."""
        ...

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """More of it; or a piece of it once more, as a whole, which for some servers is the first time.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        ...

    def close(self, item: dict[str, Any], out: Events) -> None:
        """It is whole: what no delta brought is told now.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        ...

    def finish(self, out: Events) -> None:
        """The answer is over, and the whole item never came: what was held back is told."""
        ...

    def parts(self, provider: str, *, paired: bool) -> list[ContentPart]:
        """The parts it became.

        Args:
            provider: Whose they are.
            paired: Whether the ids of items matter in this answer.
        """
        ...


def rest_of(whole: str, pieces: list[str]) -> str:
    """What of a whole text its deltas did not bring. Where the two differ, what was delivered stands."""
    if not pieces:
        return whole
    told = "".join(pieces)
    return whole[len(told) :] if whole.startswith(told) else ""


class CallItem:
    """A call of one of the user's functions.

    Args:
        index: Which call of the answer it is, from 0.
    """

    __slots__ = ("_call_id", "_item", "_name", "_pieces", "_told", "closed", "delivered", "index", "paired")

    def __init__(self, index: int) -> None:
        self.index = index
        self.closed = self.paired = False
        self.delivered = True
        self._item: dict[str, Any] = {}
        self._call_id = f"call_{index}"
        self._name = ""
        self._pieces: list[str] = []
        self._told = False

    def open(self, item: dict[str, Any], out: Events) -> None:
        """Its id and name, if they are there: some servers send them with the end only."""
        self._item = item
        if text_in(item, "name"):
            self._tell(item, out)
        else:
            out.append(PROGRESS)

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """More of the arguments, or all of them."""
        if kind == "response.function_call_arguments.delta":
            piece = text_in(payload, "delta")
            if piece:
                self._add(piece, out)
            return
        if kind == "response.function_call_arguments.done":
            if not self._item.get("name"):
                self._item = {**self._item, "name": payload.get("name")}  # nothing else may tell it
            rest = rest_of(text_in(payload, "arguments"), self._pieces)
            if rest:
                self._add(rest, out)
        out.append(PROGRESS)

    def close(self, item: dict[str, Any], out: Events) -> None:
        """The arguments, as far as they did not come before."""
        self._item = {**self._item, **item}
        self.finish(out)
        given = item.get("arguments")
        if given not in (None, ""):
            whole = given if isinstance(given, str) else to_json(given, inf_nan_mode="constants").decode()
            rest = rest_of(whole, self._pieces)
            if rest:
                self._add(rest, out)
        self.closed = True

    def finish(self, out: Events) -> None:
        """Its id and name, if they were not told yet."""
        if not self._told:
            self._tell(self._item, out)

    def parts(self, provider: str, *, paired: bool) -> list[ContentPart]:
        """The call, then its other fields."""
        call = ToolCall(call_id=self._call_id, fn_name=self._name, fn_arguments=parse_arguments("".join(self._pieces)))
        return [call, *shell_of(CALL, self._item, provider, paired=paired)]

    def _tell(self, item: dict[str, Any], out: Events) -> None:
        self._told = True
        self._name = text_in(item, "name")
        self._call_id = name_of(item.get("call_id")) or name_of(item.get("id")) or self._call_id
        out.append(ToolCallChunk(self.index, self._call_id, self._name, "".join(self._pieces)))

    def _add(self, piece: str, out: Events) -> None:
        self._pieces.append(piece)
        if self._told:
            out.append(ToolCallChunk(self.index, None, None, piece))
        else:
            out.append(PROGRESS)  # a call without its name is told once the name is there


class OtherItem:
    """What has no part of its own: a tool of the provider's at work, its result. It is kept as it came."""

    __slots__ = ("_item", "closed", "delivered", "paired")

    def __init__(self) -> None:
        self._item: dict[str, Any] = {}
        self.closed = False
        self.paired = False
        self.delivered = True

    def open(self, item: dict[str, Any], out: Events) -> None:
        """A sign of life."""
        self._item = item
        out.append(PROGRESS)

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """A sign of life: the whole item repeats what its deltas say."""
        out.append(PROGRESS)

    def close(self, item: dict[str, Any], out: Events) -> None:
        """The item as it is in the end."""
        self._item = item
        self.closed = True
        out.append(PROGRESS)

    def finish(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, provider: str, *, paired: bool) -> list[ContentPart]:
        """The item itself."""
        return [Custom(model=provider, data=self._item)]
