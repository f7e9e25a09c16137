"""What a file says, with the place of everything in it: one small tree for YAML, TOML and JSON.

A node is made once all that is in it is known, so it knows how large it is when everything that is said by reference
(aliases, `use`) is written out. A tree that would grow too large is refused as soon as that can be told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..errors import ConfigError
from ..masking import on_one_line, show

__all__ = [
    "MAX_DEPTH",
    "MAX_VALUES",
    "Mark",
    "Node",
    "Scalar",
    "Source",
    "mapping",
    "scalar",
    "sequence",
    "too_deep",
    "too_large",
    "unseen",
]

MAX_DEPTH = 100
"""Levels of lists and mappings within each other."""

MAX_VALUES = 10_000
"""Values of a document, all that is said by reference written out."""

_MAX_INT = 2**63
_MAX_MESSAGE = 1000

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where text comes from.

    Args:
        name: The file, as messages call it; None for text that was handed in.
        folder: Where relative paths in it begin.
    """

    name: str | None = None
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source.

    Args:
        source: The file or text.
        line: Counted from 1; None when it is not known.
        column: Counted from 1; None when it is not known.
    """

    source: Source
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        file = self.source.name
        if self.line is None:
            return file or ""
        if file is None:
            return f"line {self.line}, column {self.column}"
        return f"{file}:{self.line}:{self.column}"

    def tell(self, text: str) -> str:
        """A problem that was found here."""
        text = on_one_line(text)
        text = text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + " ..."
        return ": ".join(filter(None, (str(self), text)))

    def no_number(self) -> ConfigError:
        """The error of a whole number that is too large to be one."""
        return self.error("a whole number has 64 bits at most, and this one has more")

    def error(self, text: str) -> ConfigError:
        """The error of a problem that was found here."""
        return ConfigError(self.tell(text))


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a document. Make it with `scalar`, `sequence` or `mapping`.

    Args:
        value: A scalar, nodes, or nodes by name.
        mark: Where it begins.
        keys: Where the names of a mapping stand.
        origin: The path in the document by which people know it, where that is not the path that led here: what was
            brought in by `use` is told where it was written.
        note: What a message about it adds, such as the variable it was taken from.
        hidden: Whether its value comes from elsewhere: it may be a password by mistake, and no message shows it.
        told: Whether it stands for something that was wrong, and was told: nothing more is said of it.
        size: How many values it holds, itself included.
        depth: How many levels it has below it.
    """

    value: Scalar | Sequence[Node] | Mapping[str, Node]
    mark: Mark
    keys: Mapping[str, Mark] = field(default_factory=dict)
    origin: str | None = None
    note: str = ""
    hidden: bool = False
    told: bool = False
    size: int = 1
    depth: int = 0

    @property
    def entries(self) -> Mapping[str, Node] | None:
        """What it holds by name; None if it is no mapping."""
        return self.value if isinstance(self.value, Mapping) else None

    @property
    def items(self) -> Sequence[Node] | None:
        """What it holds in order; None if it is no list."""
        return self.value if isinstance(self.value, Sequence) and not isinstance(self.value, str) else None

    def mark_of(self, name: str) -> Mark:
        """Where an entry stands: its name, if that is known."""
        return self.keys.get(name, self.mark)

    def data(self) -> object:
        """What it says, as plain data."""
        if self.entries is not None:
            return {name: each.data() for name, each in self.entries.items()}
        if self.items is not None:
            return [each.data() for each in self.items]
        return self.value


def unseen(value: object) -> str:
    """What a message says of a value that it must not show: its type and its length."""
    length = len(str(value))
    what = "text" if isinstance(value, str) else type(value).__name__
    return f"{what} of {length} character{'' if length == 1 else 's'}"


def scalar(value: Scalar, mark: Mark) -> Node:
    """A node without others in it.

    Raises:
        ConfigError: It is a number that no option can hold, or text that cannot be written.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise mark.error(f"a number is finite, got {show(value)}")
    if isinstance(value, int) and not -_MAX_INT <= value < _MAX_INT:
        raise mark.no_number()
    if isinstance(value, str):
        _check_text(value, mark)
    return Node(value, mark)


def sequence(items: Sequence[Node], mark: Mark) -> Node:
    """A list.

    Raises:
        ConfigError: It is too large or too deep.
    """
    return Node(list(items), mark, size=_size(items, mark), depth=_depth(items, mark))


def mapping(entries: Mapping[str, Node], keys: Mapping[str, Mark], mark: Mark) -> Node:
    """A mapping.

    Raises:
        ConfigError: It is too large or too deep.
    """
    inside = tuple(entries.values())
    return Node(dict(entries), mark, dict(keys), size=_size(inside, mark), depth=_depth(inside, mark))


def _check_text(text: str, mark: Mark) -> None:
    """Refuse half characters, which no file and no request can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise mark.error(f"not text: half a surrogate pair (U+{ord(text[error.start]):04X})") from None


def too_deep(mark: Mark) -> ConfigError:
    """The error of lists and mappings within each other beyond the bound."""
    return mark.error(f"nested deeper than {MAX_DEPTH} levels; is this a stack?")


def too_large(mark: Mark) -> ConfigError:
    """The error of more values than the bound."""
    return mark.error(f"more than {MAX_VALUES} values, references written out; is this a stack?")


def _size(inside: Sequence[Node], mark: Mark) -> int:
    size = 1 + sum(each.size for each in inside)
    if size > MAX_VALUES:
        raise too_large(mark)
    return size


def _depth(inside: Sequence[Node], mark: Mark) -> int:
    depth = 1 + max((each.depth for each in inside), default=0)
    if depth > MAX_DEPTH:
        raise too_deep(mark)
    return depth
