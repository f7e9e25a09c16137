"""The blocks of one answer, in their order."""

from __future__ import annotations

from typing import Any, TypeVar

from ...chat.content import ContentPart, Custom, ThoughtSignature
from ...chat.events import PROGRESS
from ..shapes import WrongShapeError, text_in
from .kept_blocks import ImageBlock, OtherBlock, ResultBlock
from .open_blocks import CallBlock, Events, OpenBlock, ReasoningBlock, TextBlock

__all__ = ["Answer"]

BlockT = TypeVar("BlockT", bound=OpenBlock)

_EXTRAS = ("additionalModelResponseFields", "trace")
"""Fields beside the content that the caller asked for; each is kept as a `Custom` part."""


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
        self._calls: list[CallBlock] = []
        self._extras: dict[str, Any] = {}

    @property
    def asks_for_tools(self) -> bool:
        """Whether the caller is asked to run a tool."""
        return any(call.is_ours for call in self._calls)

    def whole(self, block: object, out: Events) -> None:
        """A block that comes whole.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        if not isinstance(block, dict):
            raise WrongShapeError(f"a block is a {type(block).__name__}, not an object")
        cited = block.get("citationsContent")
        if "text" in block:
            opened: OpenBlock = self._keep(None, TextBlock(lift=self._lift))
            opened.delta(block, out)
        elif isinstance(cited, dict):
            text = self._keep(None, TextBlock(lift=self._lift))
            for piece in _list(cited, "content"):
                text.delta({"text": text_in(piece, "text") if isinstance(piece, dict) else ""}, out)
            text.cite(_list(cited, "citations"))
            opened = text
        elif "toolUse" in block or "toolResult" in block:
            opened = self.start(None, block, out)
        elif "reasoningContent" in block:
            opened = self._keep(None, ReasoningBlock())
            opened.delta(block, out)
        elif "image" in block:
            opened = self._keep(None, ImageBlock({}))
            opened.delta(block, out)
        else:
            opened = self._keep(None, OtherBlock(block))
        opened.close(out)

    def start(self, index: object, start: object, out: Events) -> OpenBlock:
        """A block that says what it is before anything of it comes: a call, a tool's result, a picture.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        if not isinstance(start, dict):
            raise WrongShapeError(f"`start` is a {type(start).__name__}, not an object")
        call, result, image = start.get("toolUse"), start.get("toolResult"), start.get("image")
        if isinstance(call, dict):
            opened = self._keep(index, CallBlock(call, len(self._calls), out))
            self._calls.append(opened)
            return opened
        if "toolUse" in start:
            raise WrongShapeError(f"`toolUse` is a {type(call).__name__}, not an object")
        out.append(PROGRESS)
        if isinstance(result, dict):
            return self._keep(index, ResultBlock(result))
        if isinstance(image, dict):
            return self._keep(index, ImageBlock(image))
        return self._keep(index, OtherBlock(start))

    def delta(self, index: object, delta: object, out: Events) -> None:
        """More of a block; most begin with their first delta.

        Raises:
            WrongShapeError: It is not what the provider sends.
        """
        if not isinstance(delta, dict):
            raise WrongShapeError(f"`delta` is a {type(delta).__name__}, not an object")
        block = self._by_index.get(index) if isinstance(index, int) else self._last
        kind = _kind_of(delta)
        if block is None or (kind is not None and not isinstance(block, kind)):
            if kind is CallBlock:
                raise WrongShapeError("a tool's input belongs to no call")
            if block is not None:
                block.close(out)
            block = self._keep(index, self._made(kind))
            before = len(out)
            block.delta(delta, out)
            if len(out) == before:
                out.append(PROGRESS)  # a block was opened
            return
        block.delta(delta, out)

    def close(self, index: object, out: Events) -> None:
        """A block is whole."""
        block = self._by_index.get(index) if isinstance(index, int) else self._last
        if block is not None:
            block.close(out)

    def keep(self, fields: dict[str, Any]) -> None:
        """Keep what stands beside the content and was asked for."""
        for name in _EXTRAS:
            if fields.get(name):
                self._extras[name] = fields[name]

    def content(self, maker: str, out: Events) -> tuple[ContentPart, ...]:
        """The parts; what was held back until now is added to `out`."""
        parts: list[ContentPart] = []
        for block in self._blocks:
            block.close(out)
            parts.extend(block.parts(maker))
        parts.extend(Custom(model=maker, data={name: value}) for name, value in self._extras.items())
        return tuple(parts)

    def delivered(self, content: tuple[ContentPart, ...]) -> bool:
        """Whether anything came that a reader can use: no signature alone, and nothing that stands beside content."""
        return any(not isinstance(part, ThoughtSignature) for part in content[: len(content) - len(self._extras)])

    def _made(self, kind: type[OpenBlock] | None) -> OpenBlock:
        """A block that begins with its first delta."""
        if kind is TextBlock:
            return TextBlock(lift=self._lift)
        if kind is ReasoningBlock:
            return ReasoningBlock()
        if kind is ResultBlock:
            return ResultBlock({})
        return ImageBlock({}) if kind is ImageBlock else OtherBlock({})

    def _keep(self, index: object, block: BlockT) -> BlockT:
        self._blocks.append(block)
        self._last = block
        if isinstance(index, int):
            self._by_index[index] = block
        return block


def _kind_of(delta: dict[str, Any]) -> type[OpenBlock] | None:
    """The kind of block that a delta belongs to; None is any."""
    if "text" in delta or "citation" in delta:
        return TextBlock
    if "reasoningContent" in delta:
        return ReasoningBlock
    if "toolUse" in delta:
        return CallBlock
    if "toolResult" in delta:
        return ResultBlock
    return ImageBlock if "image" in delta else None


def _list(holder: dict[str, Any], name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []
