"""The whole answer, gathered while it streams."""

from __future__ import annotations

from ...chat.content import ContentPart, ReasoningContent, Text, ThoughtSignature
from ...chat.events import Progress, StreamEvent
from .extras import Extras
from .tool_calls import OpenCall, ToolCalls

__all__ = ["Answer"]


class Answer:
    """The parts of one streamed answer, in the order in which they began."""

    __slots__ = ("_channel", "_order", "_run", "calls", "extras")

    def __init__(self) -> None:
        self.calls = ToolCalls(self._opened)
        self.extras = Extras()
        self._channel: bool | None = None  # whether the run of texts that is open is reasoning
        self._run: list[str] = []
        self._order: list[tuple[bool, list[str]] | OpenCall | ThoughtSignature] = []

    def __bool__(self) -> bool:
        return bool(self._order or self.extras)

    def text(self, reasoning: bool, text: str) -> None:
        """Add a piece of text or of reasoning; neighbours of one kind are one part."""
        if self._channel is reasoning:
            self._run.append(text)
        else:
            self._channel = reasoning
            self._run = [text]
            self._order.append((reasoning, self._run))

    def sign(self, signature: str) -> None:
        """Add a signature of the reasoning so far."""
        self._channel = None
        self._order.append(ThoughtSignature(signature=signature))

    def content(self, provider: str, out: list[StreamEvent | Progress]) -> tuple[ContentPart, ...]:
        """The parts; what was not told yet is added to `out`."""
        self.calls.finish(out)
        content: list[ContentPart] = []
        for entry in self._order:
            if isinstance(entry, tuple):
                text = "".join(entry[1])
                content.append(ReasoningContent(text=text) if entry[0] else Text(text))
            else:
                content.append(entry.whole() if isinstance(entry, OpenCall) else entry)
        content.extend(self.extras.parts(provider))
        return tuple(content)

    def _opened(self, call: OpenCall) -> None:
        self._channel = None
        self._order.append(call)
