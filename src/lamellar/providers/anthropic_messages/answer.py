"""The blocks of one answer, in their order."""

from __future__ import annotations

from typing import Any

from ...chat.content import ContentPart, Custom, ThoughtSignature
from ..shapes import WrongShapeError
from .open_blocks import CallBlock, Events, OpenBlock, OtherBlock, TextBlock, ThinkingBlock

__all__ = ["Answer"]

_OF_DELTAS = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}
"""The block that a delta belongs to, for servers that do not open it."""

_EXTRAS = ("container", "stop_details")
"""Fields beside the content that belong to the answer; each is kept as a `Custom` part."""


class Answer:
    """One answer, gathered from whole blocks or while it streams.

    Args:
        lift: Whether an inline `<think>` block in a text is reasoning.
    """

    __slots__ = ("_blocks", "_by_index", "_calls", "_extras", "_last", "_lift")

    def __init__(self, *, lift: bool) -> None:
        self._lift = lift
        self._blocks: list[OpenBlock] = []
        self._by_index: dict[int, OpenBlock] = {}
        self._last: OpenBlock | None = None
        self._calls = 0
        self._extras: dict[str, Any] = {}

    @property
    def has_calls(self) -> bool:
        """Whether there is a tool call among the blocks."""
        return self._calls > 0

    def open(self, index: object, block: object, out: Events) -> OpenBlock:
        """A block begins.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        if not isinstance(block, dict):
            raise WrongShapeError(f"a block is a {type(block).__name__}, not an object")
        opened = self._made(block)
        opened.open(out)
        self._blocks.append(opened)
        self._last = opened
        if isinstance(index, int):
            self._by_index[index] = opened
        return opened

    def delta(self, index: object, delta: dict[str, Any], out: Events) -> None:
        """More of a block.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        block = self._by_index.get(index) if isinstance(index, int) else self._last
        if block is None:
            kind = _OF_DELTAS.get(str(delta.get("type")))
            if kind is None:
                raise WrongShapeError("a delta belongs to no block")
            block = self.open(index, {"type": kind}, out)
        block.delta(delta, out)

    def close(self, index: object, out: Events) -> None:
        """A block is whole."""
        block = self._by_index.get(index) if isinstance(index, int) else self._last
        if block is not None:
            block.close(out)

    def keep(self, fields: dict[str, Any]) -> None:
        """Keep what stands beside the content and belongs to the answer."""
        for name in _EXTRAS:
            if fields.get(name):
                self._extras[name] = fields[name]

    @property
    def details(self) -> object:
        """What the provider says about the reason to stop."""
        return self._extras.get("stop_details")

    def content(self, provider: str, out: Events) -> tuple[ContentPart, ...]:
        """The parts; what was held back until now is added to `out`."""
        parts: list[ContentPart] = []
        for block in self._blocks:
            block.close(out)
            parts.extend(block.parts(provider))
        parts.extend(Custom(model=provider, data={name: value}) for name, value in self._extras.items())
        return tuple(parts)

    def delivered(self, content: tuple[ContentPart, ...]) -> bool:
        """Whether anything came that a reader can use: no signature alone, and nothing that stands beside content."""
        beside = len(self._extras)
        return any(not isinstance(part, ThoughtSignature) for part in content[: len(content) - beside])

    def _made(self, block: dict[str, Any]) -> OpenBlock:
        kind = block.get("type")
        if kind == "text":
            return TextBlock(block, lift=self._lift)
        if kind == "thinking":
            return ThinkingBlock(block)
        if kind == "tool_use":
            self._calls += 1
            return CallBlock(block, self._calls - 1)
        return OtherBlock(block)
