"""Blocks of an answer, whole or while they stream: what each tells, and the parts it becomes.

A whole answer's block is one that opens with everything in it, so one reading serves both. `open`, `delta` and
`close` add events to `out`; `parts` gives what goes back into a conversation.
"""

from __future__ import annotations

from typing import Any, Protocol

from pydantic_core import to_json

from ...accumulate import parse_arguments
from ...chat.content import ContentPart, Custom, ReasoningContent, ThoughtSignature, ToolCall
from ...chat.events import (
    PROGRESS,
    Progress,
    ReasoningChunk,
    StreamEvent,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from ..ordered_parts import OrderedParts
from ..shapes import text_in

__all__ = ["CallBlock", "Events", "OpenBlock", "OtherBlock", "TextBlock", "ThinkingBlock"]

Events = list[StreamEvent | Progress]


class OpenBlock(Protocol):
    """One block of an answer."""

    def open(self, out: Events) -> None:
        """What it holds from the start."""
        ...

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        ...

    def close(self, out: Events) -> None:
        """It is whole; closing twice is closing once."""
        ...

    def parts(self, provider: str) -> list[ContentPart]:
        """The parts it became."""
        ...


class TextBlock:
    """A text, with the citations in it.

    Args:
        block: What it opened with.
        lift: Whether an inline `<think>` block is reasoning.
    """

    __slots__ = ("_block", "_citations", "_said")

    def __init__(self, block: dict[str, Any], *, lift: bool = False) -> None:
        self._block = block
        citations = block.get("citations")
        self._citations: list[Any] = list(citations) if isinstance(citations, list) else []
        self._said = OrderedParts(lift=lift)

    def open(self, out: Events) -> None:
        """What it holds from the start."""
        text = text_in(self._block, "text")
        if text:
            self._said.text(text, out)
        else:
            out.append(PROGRESS)

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More text, or a citation."""
        kind = delta.get("type")
        if kind == "text_delta":
            text = text_in(delta, "text")
            if text:
                self._said.text(text, out)
        elif kind == "citations_delta":
            if delta.get("citation") is not None:
                self._citations.append(delta["citation"])
            out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """What was held back as a possible tag was none."""
        self._said.finish(out)

    def parts(self, provider: str) -> list[ContentPart]:
        """The text, then its citations."""
        found = self._said.content()
        if self._citations:
            found.append(Custom(model=provider, data={"citations": self._citations}))
        return found


class ThinkingBlock:
    """Thinking, with the signature that it goes back with."""

    __slots__ = ("_block", "_pieces", "_signature")

    def __init__(self, block: dict[str, Any]) -> None:
        self._block = block
        self._pieces: list[str] = []
        self._signature = ""

    def open(self, out: Events) -> None:
        """What it holds from the start."""
        before = len(out)
        self._think(text_in(self._block, "thinking"), out)
        self._sign(text_in(self._block, "signature"), out)
        if len(out) == before:
            out.append(PROGRESS)

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More thinking, or its signature. Thinking that is not shown comes as empty pieces: a sign of life."""
        kind = delta.get("type")
        if kind == "thinking_delta":
            thinking = text_in(delta, "thinking")
            if thinking:
                self._think(thinking, out)
            else:
                out.append(PROGRESS)
        elif kind == "signature_delta":
            self._sign(text_in(delta, "signature"), out)

    def close(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, provider: str) -> list[ContentPart]:
        """The thinking as far as it is shown, then its signature."""
        found: list[ContentPart] = []
        if self._pieces:
            found.append(ReasoningContent(text="".join(self._pieces)))
        if self._signature:
            found.append(ThoughtSignature(signature=self._signature))
        return found

    def _think(self, thinking: str, out: Events) -> None:
        if thinking:
            self._pieces.append(thinking)
            out.append(ReasoningChunk(thinking))

    def _sign(self, signature: str, out: Events) -> None:
        if signature:
            self._signature = signature
            out.append(ThoughtSignatureChunk(signature))


class CallBlock:
    """A tool call.

    Args:
        block: What it opened with; some servers put the whole input there.
        index: Which call of the answer it is, from 0.
    """

    __slots__ = ("_block", "_call_id", "_closed", "_index", "_name", "_pieces")

    def __init__(self, block: dict[str, Any], index: int) -> None:
        self._block = block
        self._index = index
        self._call_id = text_in(block, "id") or f"call_{index}"
        self._name = text_in(block, "name")
        self._pieces: list[str] = []
        self._closed = False

    def open(self, out: Events) -> None:
        """Its id and name."""
        out.append(ToolCallChunk(self._index, self._call_id, self._name))

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of the arguments."""
        if delta.get("type") == "input_json_delta":
            piece = text_in(delta, "partial_json")
            if piece:
                self._pieces.append(piece)
                out.append(ToolCallChunk(self._index, None, None, piece))

    def close(self, out: Events) -> None:
        """The input it opened with, if nothing else came."""
        given = self._block.get("input")
        if not self._closed and not self._pieces and given:
            whole = given if isinstance(given, str) else to_json(given, inf_nan_mode="constants").decode()
            self._pieces.append(whole)
            out.append(ToolCallChunk(self._index, None, None, whole))
        self._closed = True

    def parts(self, provider: str) -> list[ContentPart]:
        """The call, then who made it, where that was not the model itself, and the set of tools it belongs to."""
        call = ToolCall(call_id=self._call_id, fn_name=self._name, fn_arguments=parse_arguments("".join(self._pieces)))
        caller, toolset = self._block.get("caller"), self._block.get("toolset_name")
        found: list[ContentPart] = [call]
        if isinstance(caller, dict) and caller.get("type") != "direct":
            found.append(Custom(model=provider, data={"caller": caller}))
        if isinstance(toolset, str) and toolset:
            found.append(Custom(model=provider, data={"toolset_name": toolset}))
        return found


class OtherBlock:
    """What has no part of its own: a server's tool at work, its result, hidden thinking. It is kept as it came."""

    __slots__ = ("_block", "_input")

    def __init__(self, block: dict[str, Any]) -> None:
        self._block = block
        self._input: list[str] = []

    def open(self, out: Events) -> None:
        """A sign of life."""
        out.append(PROGRESS)

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it: a tool's input is put together at the end, any other text or list grows."""
        if delta.get("type") == "input_json_delta":
            piece = text_in(delta, "partial_json")
            if piece:
                self._input.append(piece)
        else:
            for name, value in delta.items():
                if name != "type":
                    self._grow(name, value)
        out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """The input is whole."""
        if self._input:
            self._block["input"] = parse_arguments("".join(self._input))
            self._input.clear()

    def parts(self, provider: str) -> list[ContentPart]:
        """The block itself."""
        return [Custom(model=provider, data=self._block)]

    def _grow(self, name: str, value: object) -> None:
        before = self._block.get(name)
        if isinstance(before, str) and isinstance(value, str):
            self._block[name] = before + value
        elif isinstance(before, list) and isinstance(value, list):
            self._block[name] = [*before, *value]
        elif value is not None or name not in self._block:
            self._block[name] = value
