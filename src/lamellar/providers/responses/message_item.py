"""A message of the assistant: texts with their annotations, and refusals."""

from __future__ import annotations

from typing import Any

from ...chat.content import ContentPart, Custom, ReasoningContent, Text
from ...chat.events import PROGRESS, Chunk, ReasoningChunk
from ...thinking import ThinkSplitter
from ..shapes import WrongShapeError, text_in
from .items import Events, rest_of
from .shells import MESSAGE, TEXT_FIELDS, shell_of

__all__ = ["MessageItem"]

TEXT_DELTA = "response.output_text.delta"
_TEXT_DONE = "response.output_text.done"
_REFUSAL_DELTA = "response.refusal.delta"
_REFUSAL_DONE = "response.refusal.done"
_ANNOTATION = "response.output_text.annotation.added"


class _Text:
    """A text of the message, with the fields that come with it."""

    __slots__ = ("_splitter", "annotations", "fields", "pieces", "runs")

    def __init__(self, *, lift: bool) -> None:
        self.pieces: list[str] = []  # as they came
        self.runs: list[tuple[bool, list[str]]] = []  # as they are told: each with whether it is reasoning
        self.annotations: list[Any] = []  # those that were told by events
        self.fields: dict[str, Any] = {}
        self._splitter = ThinkSplitter() if lift else None

    def add(self, text: str, out: Events) -> None:
        self.pieces.append(text)
        if self._splitter is None:
            self._tell(False, text, out)
        else:
            for reasoning, piece in self._splitter.feed(text):
                self._tell(reasoning, piece, out)

    def whole(self, part: dict[str, Any], out: Events) -> None:
        rest = rest_of(text_in(part, "text"), self.pieces)
        if rest:
            self.add(rest, out)

    def close(self, part: dict[str, Any], out: Events) -> None:
        self.whole(part, out)
        self.fields = {name: part[name] for name in TEXT_FIELDS if part.get(name)}
        self.finish(out)

    def finish(self, out: Events) -> None:
        """What was held back as a possible tag was none."""
        if self._splitter is not None:
            for reasoning, piece in self._splitter.finish():
                self._tell(reasoning, piece, out)
            self._splitter = None

    def parts(self, provider: str) -> list[ContentPart]:
        found: list[ContentPart] = []
        for reasoning, pieces in self.runs:
            text = "".join(pieces)
            found.append(ReasoningContent(text=text) if reasoning else Text(text))
        fields = self.fields
        if self.annotations and "annotations" not in fields:
            fields = {"annotations": self.annotations, **fields}
        found.extend(Custom(model=provider, data={name: value}) for name, value in fields.items())
        return found

    def _tell(self, reasoning: bool, text: str, out: Events) -> None:
        if self.runs and self.runs[-1][0] is reasoning:
            self.runs[-1][1].append(text)
        else:
            self.runs.append((reasoning, [text]))
        out.append(ReasoningChunk(text) if reasoning else Chunk(text))


class _Refusal:
    """A refusal: words that are no answer."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def close(self, part: dict[str, Any]) -> None:
        rest = rest_of(text_in(part, "refusal"), self.pieces)
        if rest:
            self.pieces.append(rest)

    def parts(self, provider: str) -> list[ContentPart]:
        text = "".join(self.pieces)
        return [Custom(model=provider, data={"refusal": text})] if text else []


class _Other:
    """A part of a kind that nobody knows; it is kept as it came."""

    __slots__ = ("_part",)

    def __init__(self, part: dict[str, Any]) -> None:
        self._part = part

    def parts(self, provider: str) -> list[ContentPart]:
        return [Custom(model=provider, data=self._part)]


class MessageItem:
    """One message.

    Args:
        lift: Whether an inline `<think>` block in a text is reasoning.
    """

    __slots__ = ("_contents", "_item", "_lift", "closed", "delivered", "paired")

    def __init__(self, *, lift: bool) -> None:
        self.closed = self.paired = self.delivered = False
        self._lift = lift
        self._item: dict[str, Any] = {}
        self._contents: dict[int, _Text | _Refusal | _Other] = {}

    def open(self, item: dict[str, Any], out: Events) -> None:
        """A sign of life: its texts follow."""
        self._item = item
        out.append(PROGRESS)

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """More text, more of a refusal, all of one of them, or an annotation."""
        index = payload.get("content_index")
        at = index if isinstance(index, int) else 0
        if kind == TEXT_DELTA:
            piece = text_in(payload, "delta")
            if piece:
                self.delivered = True
                self._text(at).add(piece, out)
            return
        if kind == _TEXT_DONE:
            text = self._text(at)
            text.whole(payload, out)
            self.delivered = self.delivered or bool(text.pieces)
        elif kind == _REFUSAL_DELTA:
            self.delivered = True
            self._refusal(at).pieces.append(text_in(payload, "delta"))
        elif kind == _REFUSAL_DONE:
            self.delivered = True
            self._refusal(at).close(payload)
        elif kind == _ANNOTATION and payload.get("annotation") is not None:
            self._text(at).annotations.append(payload["annotation"])
        out.append(PROGRESS)

    def close(self, item: dict[str, Any], out: Events) -> None:
        """What no delta brought."""
        self._item = {**self._item, **item}
        content = item.get("content")
        if isinstance(content, str):
            content = [{"type": "output_text", "text": content}]
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(part, dict):
                raise WrongShapeError(f"a part of a message is a {type(part).__name__}, not an object")
            self._close_part(at, part, out)
        self.finish(out)
        self.closed = True

    def finish(self, out: Events) -> None:
        """What was held back as a possible tag was none."""
        for each in self._contents.values():
            if isinstance(each, _Text):
                each.finish(out)

    def parts(self, provider: str, *, paired: bool) -> list[ContentPart]:
        """The texts and refusals in their order, then the message's other fields."""
        found = [part for each in self._contents.values() for part in each.parts(provider)]
        return [*found, *shell_of(MESSAGE, self._item, provider, paired=paired)] if found else []

    def _close_part(self, at: int, part: dict[str, Any], out: Events) -> None:
        kind = part.get("type")
        if kind in ("output_text", "text") or isinstance(self._contents.get(at), _Text):
            text = self._text(at)
            text.close(part, out)
            self.delivered = self.delivered or bool(text.pieces)
        elif kind == "refusal":
            self._refusal(at).close(part)
            self.delivered = True
        else:
            self._contents[at] = _Other(part)
            self.delivered = True

    def _text(self, at: int) -> _Text:
        found = self._contents.get(at)
        if found is None:
            found = self._contents[at] = _Text(lift=self._lift)
        if not isinstance(found, _Text):
            raise WrongShapeError("a part of a message is a text and something else")
        return found

    def _refusal(self, at: int) -> _Refusal:
        found = self._contents.get(at)
        if found is None:
            found = self._contents[at] = _Refusal()
        if not isinstance(found, _Refusal):
            raise WrongShapeError("a part of a message is a refusal and something else")
        return found
