"""Tool calls out of deltas: which delta belongs to which call, though servers differ in how they say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...chat.content import ToolCall
from ...chat.events import PROGRESS, Progress, StreamEvent, ToolCallChunk
from ..names import name_of
from .reading import arguments_of, arguments_text, call_id, function_of, signature_of

__all__ = ["OpenCall", "ToolCalls"]


class OpenCall:
    """A call whose arguments are still arriving."""

    __slots__ = ("arguments", "index", "made_id", "name", "signature", "told", "wire_id")

    def __init__(self, index: int, wire_id: str | None, made_id: str) -> None:
        self.index = index
        self.wire_id = wire_id
        self.made_id = made_id  # what consumers see: the wire's id, or one made from the position
        self.name: str | None = None
        self.arguments: list[str] = []
        self.signature: str | None = None
        self.told = False  # whether its first delta was emitted

    def tell(self) -> ToolCallChunk:
        """The first delta: id, name, and the arguments so far."""
        self.told = True
        return ToolCallChunk(self.index, self.made_id, self.name or "", "".join(self.arguments))

    def whole(self) -> ToolCall:
        """The call as a part of the answer."""
        return ToolCall(
            call_id=self.made_id,
            fn_name=self.name or "",
            fn_arguments=arguments_of("".join(self.arguments)),
            thought_signatures=(self.signature,) if self.signature else None,
        )


class ToolCalls:
    """The calls of one streamed answer.

    The rule keys deltas by `index`, with id and name first. Others send whole calls, several to a delta, without an
    index, all with the same index, or with an empty id on every delta after the first. A new call therefore begins with
    an unknown index, or with a name together with a new id, or, where there is neither index nor id, with a name.

    Args:
        on_open: Called with every new call, in order.
    """

    __slots__ = ("_by_index", "_calls", "_on_open")

    def __init__(self, on_open: Callable[[OpenCall], None]) -> None:
        self._by_index: dict[int, OpenCall] = {}
        self._calls: list[OpenCall] = []
        self._on_open = on_open

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, entries: list[Any], out: list[StreamEvent | Progress]) -> None:
        """Add the deltas of one chunk, and their events to `out`."""
        for entry in entries:
            if not isinstance(entry, dict):
                continue
            function = function_of(entry)
            name = name_of(function.get("name"))
            call = self._call_for(entry, name)
            if call is None:
                continue
            if name is not None and call.name is None:
                call.name = name
            signature = signature_of(entry)
            if signature is not None:
                call.signature = signature
            arguments = arguments_text(function)
            if arguments:
                call.arguments.append(arguments)
            if call.told:
                if arguments:
                    out.append(ToolCallChunk(call.index, None, None, arguments))
            elif call.name is not None:
                out.append(call.tell())
            else:
                out.append(PROGRESS)  # a call without its name is told once the name is there

    def finish(self, out: list[StreamEvent | Progress]) -> None:
        """Tell the calls whose name never came."""
        out.extend(call.tell() for call in self._calls if not call.told)

    def _call_for(self, entry: dict[str, Any], name: str | None) -> OpenCall | None:
        index = entry.get("index")
        if not isinstance(index, int) or isinstance(index, bool):
            index = None
        wire_id = name_of(entry.get("id"))
        if index is not None:
            call = self._by_index.get(index)
            if call is None or (name and wire_id and call.wire_id and wire_id != call.wire_id):
                call = self._open(entry.get("id"), wire_id)
                self._by_index[index] = call
            return call
        if wire_id is not None:
            known = next((call for call in self._calls if call.wire_id == wire_id), None)
            if known is not None:
                return known
        if name is not None or not self._calls:
            return self._open(entry.get("id"), wire_id)
        return self._calls[-1]

    def _open(self, said: object, wire_id: str | None) -> OpenCall:
        position = len(self._calls)
        call = OpenCall(position, wire_id, call_id(said, position))
        self._calls.append(call)
        self._on_open(call)
        return call
