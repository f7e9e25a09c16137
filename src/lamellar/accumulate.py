"""Putting a stream's events together into the parts of an answer."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue
from pydantic_core import from_json

from .chat.content import ContentPart, ReasoningContent, Text, ThoughtSignature, ToolCall
from .chat.events import Chunk, ReasoningChunk, Restart, StreamEvent, ThoughtSignatureChunk, ToolCallChunk

__all__ = ["Accumulator", "parse_arguments"]


def parse_arguments(text: str) -> JsonValue:
    """The JSON value of a tool call's arguments; no text at all is `{}`, and text that is not JSON stays text."""
    if not text.strip():
        return {}
    try:
        return cast("JsonValue", from_json(text))
    except ValueError:
        return text


class _OpenCall:
    __slots__ = ("arguments", "call_id", "name")

    def __init__(self) -> None:
        self.call_id = ""
        self.name = ""
        self.arguments: list[str] = []

    def text(self) -> str:
        return "".join(self.arguments)

    def is_open(self) -> bool:
        try:
            from_json(self.text())
        except ValueError:
            return True
        return False


class Accumulator:
    """Collects events and makes parts of them on demand; adding an event costs a list append.

    Contiguous pieces of one channel become one part, in the order the channels were opened. A `Restart` drops
    everything.
    """

    __slots__ = ("_calls", "_last", "_runs")

    def __init__(self) -> None:
        self._runs: list[tuple[type[object], list[str]] | _OpenCall] = []
        self._last: type[object] | None = None
        self._calls: dict[int, _OpenCall] = {}

    def add(self, event: StreamEvent) -> None:
        """Take one event; those without content change nothing."""
        kind = event.__class__
        if kind is Chunk or kind is ReasoningChunk or kind is ThoughtSignatureChunk:
            piece = event.content  # type: ignore[union-attr]
            if kind is self._last and kind is not ThoughtSignatureChunk:  # a signature is whole
                self._runs[-1][1].append(piece)  # type: ignore[index, arg-type]
            else:
                self._runs.append((kind, [piece]))  # type: ignore[list-item]
                self._last = kind
        elif kind is ToolCallChunk:
            self._add_call(event)  # type: ignore[arg-type]
        elif kind is Restart:
            self.clear()

    def _add_call(self, event: ToolCallChunk) -> None:
        call = self._calls.get(event.index)
        if call is None:
            call = self._calls[event.index] = _OpenCall()
            self._runs.append(call)
            self._last = None
        call.call_id = event.call_id or call.call_id
        call.name = event.name or call.name
        if event.arguments:
            call.arguments.append(event.arguments)

    def clear(self) -> None:
        """Forget everything."""
        self._runs = []
        self._last = None
        self._calls = {}

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def open_tool_call(self) -> ToolCall | None:
        """The last tool call, if its arguments are not yet a whole JSON value; they are the raw text so far."""
        for run in reversed(self._runs):
            if isinstance(run, _OpenCall) and run.is_open():
                return ToolCall(call_id=run.call_id, fn_name=run.name, fn_arguments=run.text())
        return None

    def parts(self, *, whole: bool = True) -> tuple[ContentPart, ...]:
        """What was collected.

        Args:
            whole: False leaves out a tool call whose arguments are still open.
        """
        found: list[ContentPart] = []
        for run in self._runs:
            if isinstance(run, _OpenCall):
                if whole or not run.is_open():
                    arguments = parse_arguments(run.text())
                    found.append(ToolCall(call_id=run.call_id, fn_name=run.name, fn_arguments=arguments))
                continue
            kind, pieces = run
            text = "".join(pieces)
            if kind is Chunk:
                found.append(Text(text))
            elif kind is ReasoningChunk:
                found.append(ReasoningContent(text=text))
            else:
                found.append(ThoughtSignature(signature=text))
        return tuple(found)
