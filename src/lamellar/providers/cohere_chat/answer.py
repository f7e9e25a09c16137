"""An answer, gathered from one message or from the events of a stream.

Texts and thinking are blocks of the content, the plan for tool calls and the calls stand beside them, and each run of
one kind becomes one part. The plan is reasoning, and `PLAN_MARK` after it tells it from thinking when it goes back.
Citations, log probabilities and what is new are kept as `Custom` parts.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import JsonValue

from ...chat.content import ContentPart, Custom, ReasoningContent, Text
from ...chat.events import PROGRESS, Chunk, Progress, ReasoningChunk, StreamEvent
from ...thinking import ThinkSplitter
from ..chat_completions.tool_calls import OpenCall, ToolCalls

__all__ = ["PLAN_MARK", "Answer", "Channel"]

_Events = list[StreamEvent | Progress]

Channel = Literal["text", "thinking", "plan"]
"""What a piece is: text, a block of thinking, or the plan for the calls that follow."""

PLAN_MARK: dict[str, JsonValue] = {"type": "tool_plan"}
"""What a `Custom` holds that says: the reasoning before me was told as the plan for tool calls."""

_BLOCKS: tuple[Channel, ...] = ("thinking", "text")
"""Kinds of blocks, which are also the names of what stands in them."""


class Answer:
    """The parts of one answer, in the order in which they began.

    Args:
        provider: The provider's namespace, for what is kept in its form.
        lift: Whether inline ``<think>`` blocks are reasoning.
    """

    __slots__ = ("_channel", "_extras", "_order", "_provider", "_run", "_splitter", "calls")

    def __init__(self, provider: str, *, lift: bool) -> None:
        self.calls = ToolCalls(self._opened)
        self._provider = provider
        self._splitter = ThinkSplitter() if lift else None
        self._channel: Channel | None = None  # what the run that is open is
        self._run: list[str] = []
        self._order: list[tuple[Channel, list[str]] | OpenCall | Custom] = []
        self._extras: dict[str, list[Any]] = {}

    def block(self, block: object, out: _Events) -> None:
        """Add a block of the content, whole or a piece of it; a kind that is new is kept as it is."""
        if isinstance(block, str):
            self.say("text", block, out)
            return
        if not isinstance(block, dict):
            return
        kind = block.get("type")
        known = kind in _BLOCKS
        if known or kind is None:  # a piece names no kind
            for channel in _BLOCKS:
                text = block.get(channel)
                if isinstance(text, str):
                    self.say(channel, text, out)
                    known = True
        if block and not known:
            self._close(out)
            self._order.append(Custom(model=self._provider, data=block))
            out.append(PROGRESS)

    def say(self, channel: Channel, text: str, out: _Events) -> None:
        """Add a piece of one channel; neighbors of one kind are one part."""
        if not text:
            return
        if channel == "text" and self._splitter is not None:
            for lifted, piece in self._splitter.feed(text):
                self._say("thinking" if lifted else "text", piece, out)
        else:
            self._say(channel, text, out)

    def call(self, entry: dict[str, Any], out: _Events) -> None:
        """Add a call, whole or a delta of it."""
        if self._channel is not None:
            self._close(out)
        self.calls.feed([entry], out)

    def keep(self, name: str, values: list[Any], out: _Events) -> None:
        """Keep what is reported beside the content."""
        if values:
            self._extras.setdefault(name, []).extend(values)
            out.append(PROGRESS)

    def finish(self, out: _Events) -> None:
        """Tell what was held back."""
        self._close(out)
        self.calls.finish(out)

    def content(self) -> tuple[ContentPart, ...]:
        """The parts."""
        parts: list[ContentPart] = []
        for entry in self._order:
            if isinstance(entry, tuple):
                text = "".join(entry[1])
                parts.append(Text(text) if entry[0] == "text" else ReasoningContent(text=text))
                if entry[0] == "plan":
                    parts.append(Custom(model=self._provider, data=PLAN_MARK))
            else:
                parts.append(entry.whole() if isinstance(entry, OpenCall) else entry)
        parts.extend(Custom(model=self._provider, data={name: said}) for name, said in self._extras.items())
        return tuple(parts)

    def _say(self, channel: Channel, text: str, out: _Events) -> None:
        if self._channel == channel:
            self._run.append(text)
        else:
            self._channel = channel
            self._run = [text]
            self._order.append((channel, self._run))
        out.append(Chunk(text) if channel == "text" else ReasoningChunk(text))

    def _close(self, out: _Events) -> None:
        """The run of texts ends: what might have been the beginning of a tag was none."""
        if self._splitter is not None:
            for lifted, piece in self._splitter.finish():
                self._say("thinking" if lifted else "text", piece, out)
        self._channel = None

    def _opened(self, call: OpenCall) -> None:
        self._order.append(call)
