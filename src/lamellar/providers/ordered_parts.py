"""Parts of an answer in the order in which they began, gathered whole or while they stream."""

from __future__ import annotations

from ..chat.content import ContentPart, ReasoningContent, Text
from ..chat.events import Chunk, Progress, ReasoningChunk, StreamEvent
from ..thinking import ThinkSplitter

__all__ = ["OrderedParts"]

_Events = list[StreamEvent | Progress]


class OrderedParts:
    """Texts, pieces of reasoning and other parts; neighboring pieces of one kind are one part.

    Args:
        lift: Whether inline ``<think>`` blocks are reasoning.
    """

    __slots__ = ("_order", "_reasons", "_run", "_splitter")

    def __init__(self, *, lift: bool) -> None:
        self._splitter = ThinkSplitter() if lift else None
        self._order: list[tuple[bool, list[str]] | ContentPart] = []
        self._reasons: bool | None = None  # whether the run of pieces that is open is reasoning; None: none is open
        self._run: list[str] = []

    def text(self, text: str, out: _Events) -> None:
        """A piece of text, in which a block of thinking may begin or end."""
        if self._splitter is None:
            self._say(False, text, out)
        else:
            for lifted, piece in self._splitter.feed(text):
                self._say(lifted, piece, out)

    def reasoning(self, text: str, out: _Events) -> None:
        """A piece of reasoning."""
        self._say(True, text, out)

    def part(self, part: ContentPart) -> None:
        """A part that is complete, and tells its events itself."""
        self._reasons = None
        self._order.append(part)

    def finish(self, out: _Events) -> None:
        """Tell what was held back because it might have been a tag."""
        if self._splitter is not None:
            for lifted, piece in self._splitter.finish():
                self._say(lifted, piece, out)

    def end_run(self) -> None:
        """What follows is a part of its own, whatever it is."""
        self._reasons = None

    def content(self) -> list[ContentPart]:
        """The parts."""
        parts: list[ContentPart] = []
        for entry in self._order:
            if isinstance(entry, tuple):
                text = "".join(entry[1])
                parts.append(ReasoningContent(text=text) if entry[0] else Text(text))
            else:
                parts.append(entry)
        return parts

    def _say(self, reasoning: bool, text: str, out: _Events) -> None:
        if self._reasons is reasoning:
            self._run.append(text)
        else:
            self._reasons = reasoning
            self._run = [text]
            self._order.append((reasoning, self._run))
        out.append(ReasoningChunk(text) if reasoning else Chunk(text))
