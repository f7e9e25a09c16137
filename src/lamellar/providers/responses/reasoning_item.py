"""A reasoning item: summaries of it or the text itself, and its encrypted form, which goes back."""

from __future__ import annotations

from typing import Any

from ...chat.content import ContentPart, Custom, ReasoningContent, ThoughtSignature
from ...chat.events import PROGRESS, ReasoningChunk, ThoughtSignatureChunk
from ..names import name_of
from ..shapes import text_in
from .items import Events, rest_of
from .shells import REASONING, shell_of

__all__ = ["ReasoningItem"]

_FIELDS = {"summary": "summary_text", "content": "reasoning_text"}
"""Where the texts stand in a whole item, and the type of each."""

_DELTAS = {
    "response.reasoning_summary_text.delta": ("summary", "summary_index"),
    "response.reasoning_text.delta": ("content", "content_index"),
}
_DONE = {
    "response.reasoning_summary_text.done": ("summary", "summary_index"),
    "response.reasoning_text.done": ("content", "content_index"),
}


class ReasoningItem:
    """One item of reasoning.

    Reasoning told by summaries becomes parts: a text each, the signature, and the item's other fields. Any other goes
    back as the whole item it came as, beside the texts, because no part tells a summary from the reasoning itself.
    """

    __slots__ = ("_item", "_last", "_runs", "_signature", "closed", "delivered", "paired")

    def __init__(self) -> None:
        self.closed = False
        self.paired = True
        self.delivered = False
        self._item: dict[str, Any] = {}
        self._runs: dict[tuple[str, object], list[str]] = {}  # by where it stands, in the order they began
        self._signature = ""
        self._last: tuple[str, object] | None = None

    def open(self, item: dict[str, Any], out: Events) -> None:
        """A sign of life; the encrypted form it has now is not the last one."""
        self._item = item
        out.append(PROGRESS)

    def piece(self, kind: str, payload: dict[str, Any], out: Events) -> None:
        """More of a summary or of the reasoning, or all of one."""
        found = _DELTAS.get(kind) or _DONE.get(kind)
        if found is None:
            out.append(PROGRESS)
            return
        index = payload.get(found[1])
        place = (found[0], index if isinstance(index, int) else 0)
        if kind in _DELTAS:
            piece = text_in(payload, "delta")
        else:
            piece = rest_of(text_in(payload, "text"), self._runs.get(place, []))
        if piece:
            self._add(place, piece, out)
        elif kind in _DONE:
            out.append(PROGRESS)

    def close(self, item: dict[str, Any], out: Events) -> None:
        """What no delta brought, and the signature."""
        self._item = {**self._item, **item}
        for field in _FIELDS:
            texts = item.get(field)
            for at, entry in enumerate(texts if isinstance(texts, list) else ()):
                text = entry.get("text") if isinstance(entry, dict) else None
                if isinstance(text, str):
                    rest = rest_of(text, self._runs.get((field, at), []))
                    if rest:
                        self._add((field, at), rest, out)
        self._signature = text_in(item, "encrypted_content")
        out.append(ThoughtSignatureChunk(self._signature) if self._signature else PROGRESS)
        self.closed = True

    def finish(self, out: Events) -> None:
        """Nothing is held back."""

    def parts(self, provider: str, *, paired: bool) -> list[ContentPart]:
        """The texts, the signature, and what puts the item together again."""
        found: list[ContentPart] = [ReasoningContent(text="".join(pieces)) for pieces in self._runs.values()]
        if self._signature:
            found.append(ThoughtSignature(signature=self._signature))
        if self._is_summary():
            return [*found, *shell_of(REASONING, self._item, provider, paired=True)]
        return [*found, Custom(model=provider, data=self._whole())]

    def _add(self, place: tuple[str, object], piece: str, out: Events) -> None:
        self._runs.setdefault(place, []).append(piece)
        self.delivered = True
        out.append(ReasoningChunk(piece))

    def _is_summary(self) -> bool:
        """Whether the parts tell all of it: its texts are plain summaries."""
        if any(field != "summary" for field, _ in self._runs) or self._item.get("content"):
            return False
        summary = self._item.get("summary") or []
        return isinstance(summary, list) and all(
            isinstance(entry, dict)
            and entry.keys() == {"type", "text"}
            and entry["type"] == "summary_text"
            and isinstance(entry["text"], str)
            for entry in summary
        )

    def _whole(self) -> dict[str, Any]:
        """The item; one whose end never came is put together from its deltas."""
        item = {"type": REASONING, **self._item}
        if not self.closed:
            for field, kind in _FIELDS.items():
                texts = [
                    {"type": kind, "text": "".join(pieces)}
                    for (where, _), pieces in self._runs.items()
                    if where == field
                ]
                if texts or field == "summary":
                    item[field] = texts
        elif name_of(item.get("encrypted_content")) is None:
            item.pop("encrypted_content", None)
        return item
