"""Lifts inline ``<think>`` blocks out of a text, whole or in pieces, tags split across pieces included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["THINK", "TagPair", "ThinkSplitter"]

TagPair = tuple[str, str]
"""What opens a block, and what closes it."""

THINK: TagPair = ("<think>", "</think>")
"""The pair that most models write."""


class ThinkSplitter:
    """Tells reasoning from text; one per answer.

    White space round the reasoning belongs to the tags and is dropped; so is that between a block and the text after
    it, unless it is all that parts this text from text before the block. A block that is never closed is reasoning to
    the end. How the text is cut into pieces makes no difference.

    Args:
        tags: The pairs that mark a block. No tag has the first character of another in its middle.
        inside: Whether the answer begins within a block whose opening tag was a part of the prompt. An opening tag at
            the very beginning is dropped then.
        separator: What stands between the reasoning of two blocks.
    """

    __slots__ = (
        "_at_start",
        "_blank",
        "_closing",
        "_first_of_block",
        "_held",
        "_inside",
        "_opening",
        "_reasoned",
        "_separator",
        "_spaced",
        "_tags",
        "_trim",
    )

    def __init__(self, tags: Sequence[TagPair] = (THINK,), *, inside: bool = False, separator: str = "") -> None:
        self._tags = dict(tags)
        self._opening = tuple(self._tags)
        self._separator = separator
        self._reasoned = False  # whether an earlier block had reasoning in it
        self._closing = tuple(self._tags.values())
        self._begin(inside)

    def _begin(self, inside: bool) -> None:
        self._inside = inside
        self._at_start = inside  # whether an opening tag may still come that is dropped
        self._first_of_block = inside
        self._held = ""  # the beginning of what may be a tag
        self._blank = ""  # white space inside a block that may be its last
        self._trim = inside  # white space comes next that is dropped
        self._spaced = True  # whether the text so far is empty or ends in white space

    def passes(self, text: str) -> bool:
        """Whether this piece is all text, so that it need not be fed."""
        if self._inside or self._held or self._trim or any(tag[0] in text for tag in self._opening):
            return False
        if text:
            self._spaced = text[-1].isspace()
        return True

    def feed(self, text: str) -> list[tuple[bool, str]]:
        """The pieces that are certain, each with whether it is reasoning; no piece is empty."""
        pieces: list[tuple[bool, str]] = []
        text = self._held + text
        self._held = ""
        if self._at_start:
            text = self._without_opening(text)
        while text:
            wanted = self._closing if self._inside else self._opening
            at, tag = _first(text, wanted)
            if at < 0:
                keep = _overlap(text, wanted)
                self._held = text[len(text) - keep :]
                self._emit(text[: len(text) - keep], pieces)
                break
            self._emit(text[:at], pieces)
            self._turn(tag)
            text = text[at + len(tag) :]
        return pieces

    def finish(self) -> list[tuple[bool, str]]:
        """What was held back: it was no tag after all. What is fed after this is a text of its own."""
        pieces: list[tuple[bool, str]] = []
        held = self._held
        self._emit(held, pieces)
        self._begin(inside=False)
        return pieces

    def _without_opening(self, text: str) -> str:
        """The text without the tag that was a part of the prompt, if it is repeated; nothing while that is open."""
        begun = text.lstrip()
        for tag in self._opening:
            if begun.startswith(tag):
                self._at_start = False
                return begun[len(tag) :]
            if tag.startswith(begun):
                self._held = text
                return ""
        self._at_start = False
        return text

    def _turn(self, tag: str) -> None:
        """A tag was read: a block begins or ends."""
        self._inside = not self._inside
        self._closing = (self._tags[tag],) if self._inside else self._closing
        self._first_of_block = self._inside
        self._blank = ""
        self._trim = self._inside or self._spaced

    def _emit(self, text: str, pieces: list[tuple[bool, str]]) -> None:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if not text:
            return
        if not self._inside:
            self._spaced = text[-1].isspace()
            pieces.append((False, text))
            return
        text = self._blank + text
        kept = text.rstrip()
        self._blank = text[len(kept) :]
        if kept:
            if self._first_of_block and self._reasoned:
                kept = self._separator + kept
            self._first_of_block = False
            self._reasoned = True
            pieces.append((True, kept))


def _first(text: str, tags: Iterable[str]) -> tuple[int, str]:
    """Where the first of these tags stands, and which it is; -1 where there is none."""
    at, found = -1, ""
    for tag in tags:
        place = text.find(tag)
        if place >= 0 and (at < 0 or place < at):
            at, found = place, tag
    return at, found


def _overlap(text: str, tags: Iterable[str]) -> int:
    """How many characters at the end of `text` begin one of these tags."""
    most = 0
    for tag in tags:
        for size in range(min(len(text), len(tag) - 1), most, -1):
            if text.endswith(tag[:size]):
                most = size
                break
    return most
