"""Lifts inline ``<think>`` blocks out of a text, whole or in pieces, tags split across pieces included."""

from __future__ import annotations

__all__ = ["ThinkSplitter"]

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkSplitter:
    """Tells reasoning from text; one per answer.

    White space round the reasoning, and between a block and the text after it, belongs to the tags and is dropped. A
    block that is never closed is reasoning to the end.
    """

    __slots__ = ("_blank", "_held", "_inside", "_trim")

    def __init__(self) -> None:
        self._inside = False
        self._held = ""  # the beginning of what may be a tag
        self._blank = ""  # white space inside a block that may be its last
        self._trim = False  # white space comes next that is dropped

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """The pieces that are certain, each with whether it is reasoning; no piece is empty."""
        pieces: list[tuple[bool, str]] = []
        text = self._held + text
        self._held = ""
        while text:
            tag = _CLOSE if self._inside else _OPEN
            at = text.find(tag)
            if at < 0:
                keep = _overlap(text, tag)
                self._held = text[len(text) - keep :]
                self._emit(text[: len(text) - keep], pieces)
                break
            self._emit(text[:at], pieces)
            self._blank = ""
            self._inside = not self._inside
            self._trim = True
            text = text[at + len(tag) :]
        return pieces

    def finish(self) -> list[tuple[bool, str]]:
        """What was held back: it was no tag after all."""
        pieces: list[tuple[bool, str]] = []
        held, self._held = self._held, ""
        self._emit(held, pieces)
        return pieces

    def _emit(self, text: str, pieces: list[tuple[bool, str]]) -> None:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if self._inside and text:
            text = self._blank + text
            kept = text.rstrip()
            self._blank = text[len(kept) :]
            text = kept
        if text:
            pieces.append((self._inside, text))


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` begin `tag`."""
    for size in range(min(len(text), len(tag) - 1), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
