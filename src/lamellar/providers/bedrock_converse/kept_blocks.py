"""Blocks of an answer that are kept as they came: results of the provider's own tools, pictures, and what is new."""

from __future__ import annotations

from typing import Any, TypeGuard

from ...chat.content import Binary, ContentPart, Custom
from ...chat.events import PROGRESS
from ..shapes import WrongShapeError, text_in
from .open_blocks import Events, joined

__all__ = ["ImageBlock", "OtherBlock", "ResultBlock"]


class ResultBlock:
    """What one of the provider's own tools answered, kept as it came.

    Args:
        start: What it opened with.
    """

    __slots__ = ("_content", "_start")

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = start
        content = start.get("content")
        self._content: list[Any] = list(content) if isinstance(content, list) else []

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of its content: a text grows, anything else is whole."""
        said = delta.get("toolResult")
        for piece in said if isinstance(said, list) else [said]:
            last: Any = self._content[-1] if self._content else None
            if _is_text(piece) and _is_text(last):
                self._content[-1] = {"text": last["text"] + piece["text"]}
            elif piece is not None:
                self._content.append(piece)
        out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, maker: str) -> list[ContentPart]:
        """The block itself."""
        return [Custom(model=maker, data={"toolResult": {**self._start, "content": self._content}})]


class ImageBlock:
    """A picture that the model made.

    Args:
        start: What it opened with.
    """

    __slots__ = ("_pieces", "_start")

    def __init__(self, start: dict[str, Any]) -> None:
        self._start = start
        self._pieces: list[str] = []

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it, or why there is none."""
        said = delta.get("image")
        if not isinstance(said, dict):
            raise WrongShapeError(f"`image` is a {type(said).__name__}, not an object")
        source = said.get("source")
        piece = text_in(source, "bytes") if isinstance(source, dict) else ""
        if piece:
            self._pieces.append(piece)
            said = {name: value for name, value in said.items() if name != "source"}
        self._start = {**self._start, **said}
        out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, maker: str) -> list[ContentPart]:
        """The picture; without its bytes, what was said of it."""
        kind = self._start.get("format")
        if self._pieces and isinstance(kind, str) and kind:
            return [Binary.from_base64(f"image/{kind}", joined(self._pieces))]
        return [Custom(model=maker, data={"image": self._start})]


class OtherBlock:
    """What has no part of its own, kept as it came."""

    __slots__ = ("_block",)

    def __init__(self, block: dict[str, Any]) -> None:
        self._block = block

    def delta(self, delta: dict[str, Any], out: Events) -> None:
        """More of it: what is new, or longer."""
        for name, value in delta.items():
            before = self._block.get(name)
            if isinstance(before, str) and isinstance(value, str):
                self._block[name] = before + value
            elif isinstance(before, list) and isinstance(value, list):
                self._block[name] = [*before, *value]
            elif isinstance(before, dict) and isinstance(value, dict):
                self._block[name] = {**before, **value}
            else:
                self._block[name] = value
        out.append(PROGRESS)

    def close(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, maker: str) -> list[ContentPart]:
        """The block itself; one that never said anything is none."""
        return [Custom(model=maker, data=self._block)] if self._block else []


def _is_text(piece: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(piece, dict) and piece.keys() == {"text"} and isinstance(piece["text"], str)
