"""TOML as nodes: `tomllib` reads it, and a scanner of the text that it took tells where each name stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from typing import TypeAlias

from .json_text import Lines
from .nodes import MAX_DEPTH, Mark, Node, Source, mapping, scalar, sequence, too_deep

__all__ = ["read_toml"]

Path: TypeAlias = tuple[str | int, ...]

_BASIC = r'"(?:[^"\\\n]|\\.)*+"'
_LITERAL = r"'[^'\n]*+'"
_LONG = r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}|' + r"'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
_KEY_PART = rf"(?:[\w-]++|{_BASIC}|{_LITERAL})"
_SKIP = re.compile(r"(?:[ \t\r\n]|#[^\n]*+)*+")
_PART = re.compile(rf"[ \t]*({_KEY_PART})[ \t]*", re.ASCII)
_SCALAR = re.compile(rf"{_LONG}|{_BASIC}|{_LITERAL}|[^,\]}}#\r\n]++", re.DOTALL)
_ENDLESS = re.compile(rf"(?<![\w-])(?:{_KEY_PART}[ \t]*\.[ \t]*){{{MAX_DEPTH}}}", re.ASCII)
_ENDLESS_NUMBER = re.compile(r"(?<![\d_])[\d_]{4000}", re.ASCII)
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(text: str, source: Source) -> Node | None:
    """The nodes of a document; None for an empty one.

    Raises:
        ConfigError: It is not TOML, or beyond the bounds.
    """
    lines = Lines(text, source)
    endless = _ENDLESS.search(text)  # tomllib's time would grow with the square of it
    if endless is not None:
        raise too_deep(lines.mark(endless.start()))
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        mark = (
            lines.mark(len(text)) if place is None or place[1] is None else Mark(source, int(place[1]), int(place[2]))
        )
        raise mark.error(f"not TOML: {_PLACE.sub('', str(error))}") from None
    except RecursionError:
        raise too_deep(Mark(source)) from None
    except ValueError:  # Python reads no number of so many digits
        digits = _ENDLESS_NUMBER.search(text)
        raise (Mark(source) if digits is None else lines.mark(digits.start())).no_number() from None
    try:
        marks = dict(reversed(list(_Scanner(text, lines).marks())))  # the first place of each
    except RecursionError:
        raise too_deep(Mark(source)) from None
    return _node(data, (), marks, Mark(source, 1, 1)) if data else None


def _node(value: object, path: Path, marks: dict[Path, Mark], around: Mark) -> Node:
    mark = marks.get(path, around)
    if len(path) > MAX_DEPTH:
        raise too_deep(mark)
    if isinstance(value, dict):
        entries = {name: _node(each, (*path, name), marks, mark) for name, each in value.items()}
        return mapping(entries, {name: marks.get((*path, name), mark) for name in value}, mark)
    if isinstance(value, list):
        return sequence([_node(each, (*path, place), marks, mark) for place, each in enumerate(value)], mark)
    if isinstance(value, date | time):
        return scalar(value.isoformat(), mark)
    return scalar(value if isinstance(value, str | int | float | bool) else str(value), mark)


class _Scanner:
    """Finds where names and list items stand, in text that is known to be TOML."""

    def __init__(self, text: str, lines: Lines) -> None:
        self._text = text
        self._lines = lines
        self._at = 0
        self._tables: dict[Path, int] = {}
        """How many tables each list of tables has so far."""

    def marks(self) -> Iterator[tuple[Path, Mark]]:
        """Paths and their places; a path may come again where more is said of it."""
        table: Path = ()
        while self._next():
            mark = self._lines.mark(self._at)
            if self._text.startswith("[[", self._at):
                self._at += 2
                path = self._path_of((), self._key())
                self._at += 2
                self._tables[path] = self._tables.get(path, 0) + 1
                table = (*path, self._tables[path] - 1)
                yield from (((*path,), mark), (table, mark))
            elif self._text.startswith("[", self._at):
                self._at += 1
                table = self._last(self._path_of((), self._key()))
                self._at += 1
                yield from ((table[:end], mark) for end in range(1, len(table) + 1))
            else:
                yield from self._entry(table)

    def _next(self) -> str:
        """The next character that says something, or nothing at the end."""
        skipped = _SKIP.match(self._text, self._at)
        self._at = skipped.end() if skipped is not None else self._at
        return self._text[self._at : self._at + 1]

    def _path_of(self, table: Path, parts: list[str]) -> Path:
        path = table
        for part in parts:
            path = (*self._last(path), part)
        return path

    def _last(self, path: Path) -> Path:
        """The last table so far, where `path` is a list of tables."""
        return (*path, self._tables[path] - 1) if path in self._tables else path

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            found = _PART.match(self._text, self._at)
            if found is None:
                return parts
            self._at = found.end()
            said = found[1]
            parts.append(tomllib.loads(f"k={said}")["k"] if said[0] in "'\"" else said)
            if self._text[self._at : self._at + 1] != ".":
                return parts
            self._at += 1

    def _entry(self, table: Path) -> Iterator[tuple[Path, Mark]]:
        mark = self._lines.mark(self._at)
        path = (*table, *self._key())
        yield from ((path[:end], mark) for end in range(len(table) + 1, len(path) + 1))
        self._at += 1  # the equals sign
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, Mark]]:
        first = self._next()
        if first not in ("[", "{") or not first:
            found = _SCALAR.match(self._text, self._at)
            self._at = found.end() if found is not None else len(self._text)
            return
        self._at += 1
        end, place = "]" if first == "[" else "}", 0
        while self._next() not in (end, ""):
            if first == "[":
                yield (*path, place), self._lines.mark(self._at)
                yield from self._value((*path, place))
                place += 1
            else:
                yield from self._entry(path)
            if self._next() == ",":
                self._at += 1
        self._at += 1
