"""Blocks of an answer, whole or while they stream: what each tells, and the parts it becomes.

A whole answer's block is read as a start and one delta with everything in it, so one reading serves both. `start`,
`delta` and `close` add events to `out`; `parts` gives what goes back into a conversation.
"""

from __future__ import annotations

import base64
import binascii
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
from ..shapes import WrongShapeError, text_in

__all__ = [
    "CallBlock",
    "Events",
    "OpenBlock",
    "ReasoningBlock",
    "TextBlock",
    "joined",
]

Events = list[StreamEvent | Progress]


class OpenBlock(Protocol):
    """One block of an answer."""

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it, as an object with one member.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        ...

    def close(self, out: Events) -> None:
        """It is whole; closing twice is closing once."""
        ...

    def parts(self, maker: str) -> list[ContentPart]:
        """The parts it became."""
        ...


class TextBlock:
    """A text, with the citations in it.

    Args:
        lift: Whether an inline `<think>` block is reasoning.
    """

    __slots__ = ("_citations", "_said")

    def __init__(self, *, lift: bool = False) -> None:
        self._citations: list[Any] = []
        self._said = OrderedParts(lift=lift)

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More text, or a citation."""
        text = text_in(delta, "text")
        if text:
            self._said.text(text, out)
        if delta.get("citation") is not None:
            self._citations.append(delta["citation"])
            out.append(PROGRESS)

    def cite(self, citations: list[Any]) -> None:
        """The citations of a text that came whole."""
        self._citations.extend(citations)

    def close(self, out: Events) -> None:
        """What was held back as a possible tag was none."""
        self._said.finish(out)

    def parts(self, maker: str) -> list[ContentPart]:
        """The text, then its citations."""
        found = self._said.content()
        if self._citations:
            found.append(Custom(model=maker, data={"citations": self._citations}))
        return found


class ReasoningBlock:
    """Reasoning: shown, with the signature that it goes back with, or hidden in a text that only its maker reads."""

    __slots__ = ("_closed", "_hidden", "_pieces", "_signature")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._signature: list[str] = []
        self._hidden: list[str] = []
        self._closed = False

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it. Reasoning that is not shown comes as empty pieces: a sign of life."""
        said = delta.get("reasoningContent")
        if not isinstance(said, dict):
            raise WrongShapeError(f"`reasoningContent` is a {type(said).__name__}, not an object")
        whole = said.get("reasoningText")
        if isinstance(whole, dict):  # as in an answer that comes whole
            said = {**said, **whole}
        before = len(out)
        text, signature, hidden = text_in(said, "text"), text_in(said, "signature"), text_in(said, "redactedContent")
        if text:
            self._pieces.append(text)
            out.append(ReasoningChunk(text))
        if signature:
            self._signature.append(signature)
        if hidden:
            self._hidden.append(hidden)
        if len(out) == before:
            out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """The signature is whole: it may come in several pieces."""
        if self._signature and not self._closed:
            out.append(ThoughtSignatureChunk("".join(self._signature)))
        self._closed = True

    def parts(self, maker: str) -> list[ContentPart]:
        """The reasoning as far as it is shown, then its signature, or what is hidden."""
        found: list[ContentPart] = []
        if self._pieces:
            found.append(ReasoningContent(text="".join(self._pieces)))
        if self._signature:
            found.append(ThoughtSignature(signature="".join(self._signature)))
        if self._hidden:
            found.append(Custom(model=maker, data={"reasoningContent": {"redactedContent": joined(self._hidden)}}))
        return found


class CallBlock:
    """A tool call, of one of the caller's tools or of the provider's own.

    Args:
        start: What it opened with; a call that comes whole has its input there.
        index: Which call of the answer it is, from 0.
        out: Takes its id and name.
    """

    __slots__ = ("_call_id", "_closed", "_index", "_input", "_name", "_pieces", "_type")

    def __init__(self, start: dict[str, Any], index: int, out: Events) -> None:
        self._index = index
        self._call_id = text_in(start, "toolUseId") or f"call_{index}"
        self._name = text_in(start, "name")
        self._type = text_in(start, "type")
        self._input = start.get("input")
        self._pieces: list[str] = []
        self._closed = False
        out.append(ToolCallChunk(index, self._call_id, self._name))

    @property
    def is_ours(self) -> bool:
        """Whether the caller is asked to run it: the provider runs its own tools itself."""
        return self._type != "server_tool_use"

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of the arguments."""
        said = delta.get("toolUse")
        if not isinstance(said, dict):
            raise WrongShapeError(f"`toolUse` is a {type(said).__name__}, not an object")
        piece = text_in(said, "input")
        if piece:
            self._pieces.append(piece)
            out.append(ToolCallChunk(self._index, None, None, piece))

    def close(self, out: Events) -> None:
        """The input it opened with, if nothing else came."""
        given = self._input
        if not self._closed and not self._pieces and given:
            whole = given if isinstance(given, str) else to_json(given, inf_nan_mode="constants").decode()
            self._pieces.append(whole)
            out.append(ToolCallChunk(self._index, None, None, whole))
        self._closed = True

    def parts(self, maker: str) -> list[ContentPart]:
        """The call, then what marks it as one of the provider's own tools."""
        call = ToolCall(call_id=self._call_id, fn_name=self._name, fn_arguments=parse_arguments("".join(self._pieces)))
        return [call] if self.is_ours else [call, Custom(model=maker, data={"type": self._type})]


def joined(pieces: list[str]) -> str:
    """Bytes in base64 that came in pieces, each of which is whole by itself."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join([base64.b64decode(piece, validate=True) for piece in pieces])).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)
