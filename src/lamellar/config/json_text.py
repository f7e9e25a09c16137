"""JSON as nodes. The standard library's reader tells no positions, so the grammar is read here; its strings are not."""

from __future__ import annotations

import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder

from .nodes import MAX_DEPTH, MAX_VALUES, Mark, Node, Scalar, Source, mapping, scalar, sequence, too_deep, too_large

__all__ = ["Lines", "read_json"]

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?(?![\w.])", re.ASCII)
_WORD = re.compile(r"[-+\w.]+")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


class Lines:
    """Lines and columns of the positions of a text."""

    def __init__(self, text: str, source: Source) -> None:
        self._begins = [0, *(found.end() for found in re.finditer("\n", text))]
        self._source = source

    def mark(self, position: int) -> Mark:
        """The place of a position."""
        line = bisect_right(self._begins, position)
        return Mark(self._source, line, position - self._begins[line - 1] + 1)


def read_json(text: str, source: Source) -> Node | None:
    """The nodes of a document; None for an empty one.

    Raises:
        ConfigError: It is not JSON, or beyond the bounds.
    """
    return _Reader(text, source).document()


class _Reader:
    """Reads one document, from left to right."""

    def __init__(self, text: str, source: Source) -> None:
        self._text = text
        self._at = 0
        self._values = 0
        self._lines = Lines(text, source)
        self._strings = JSONDecoder()

    def document(self) -> Node | None:
        """All of it."""
        if not self._peek():
            return None
        node = self._value(0)
        if self._peek():
            raise self._wrong("expected the end of the file")
        return node

    def _peek(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space is not None else self._at
        return self._text[self._at : self._at + 1]

    def _wrong(self, said: str) -> Exception:
        return self._lines.mark(self._at).error(f"not JSON: {said}")

    def _value(self, depth: int) -> Node:
        first, mark = self._peek(), self._lines.mark(self._at)
        self._values += 1
        if self._values > MAX_VALUES:
            raise too_large(mark)
        if first in ("{", "["):
            if depth >= MAX_DEPTH:
                raise too_deep(mark)
            self._at += 1
            return self._mapping(mark, depth + 1) if first == "{" else self._list(mark, depth + 1)
        if first == '"':
            return scalar(self._string(), mark)
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            if number[1] or number[2]:
                return scalar(float(number[0]), mark)
            if len(number[0]) > 20:
                raise mark.no_number()
            return scalar(int(number[0]), mark)
        word = _WORD.match(self._text, self._at)
        if word is None or word[0] not in _WORDS:
            # The word is not shown: it may be a key whose quotes were forgotten.
            raise self._wrong(f"expected a value{'; text stands in double quotes' if word is not None else ''}")
        self._at = word.end()
        return scalar(_WORDS[word[0]], mark)

    def _string(self) -> str:
        try:
            text, self._at = self._strings.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            self._at = error.pos
            raise self._wrong(error.msg.lower()) from None
        return str(text)

    def _list(self, mark: Mark, depth: int) -> Node:
        items: list[Node] = []
        while self._more("]", first=not items):
            items.append(self._value(depth))
        return sequence(items, mark)

    def _mapping(self, mark: Mark, depth: int) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while self._more("}", first=not entries):
            if self._peek() != '"':
                raise self._wrong("expected a name in double quotes")
            place = self._lines.mark(self._at)
            name = str(scalar(self._string(), place).value)
            if name in entries:
                raise place.error(f"not JSON: '{name}' is said twice in one mapping")
            if self._peek() != ":":
                raise self._wrong("expected ':'")
            self._at += 1
            entries[name], keys[name] = self._value(depth), place
        return mapping(entries, keys, mark)

    def _more(self, end: str, *, first: bool) -> bool:
        """Whether another entry follows; the comma or the end is behind us then."""
        found = self._peek()
        if found == end:
            self._at += 1
            return False
        if not first:
            if found != ",":
                raise self._wrong(f"expected ',' or '{end}'")
            self._at += 1
            if self._peek() == end:
                raise self._wrong(f"expected another entry after ',', got '{end}'")
        return True
