"""The lines of IN: read one at a time, numbered, and known again by a fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from io import BufferedIOBase
from typing import NamedTuple

__all__ = ["Fingerprint", "Line", "lines_of"]

_HALF = 4
"""Bytes of a digest."""

_LONGEST = 64 * 1024 * 1024
"""Bytes of a line that is still read; whatever is longer is no question."""


class Line(NamedTuple):
    """A line that is not blank.

    Args:
        number: From 1; blank lines count.
        data: Its bytes without white space around them; None for a line that is too long to be read.
        start: Where it begins in the file, in bytes.
    """

    number: int
    data: bytes | None
    start: int


def lines_of(file: BufferedIOBase, *, number: int = 1, longest: int = _LONGEST) -> Iterator[Line]:
    """The lines of `file` from where it stands, blank ones left out; never more than one in memory.

    Args:
        file: The file.
        number: The number of the line that comes first.
        longest: Bytes of a line that is still read.
    """
    start = file.tell()
    while data := file.readline(longest):
        size, whole = len(data), True
        while not data.endswith(b"\n"):
            more = file.readline(longest)
            if not more:
                break
            data, size, whole = more, size + len(more), False
        if not whole:
            yield Line(number, None, start)
        elif stripped := data.strip():
            yield Line(number, stripped, start)
        number, start = number + 1, start + size


class Fingerprint:
    """What tells one question from another, and who is asked: half of it each, for they are not compared alike.

    A question that has changed would leave a wrong answer in its place. A stack may well change between two runs, say
    because a provider is down and another is added: what was answered before still stands then.

    Args:
        system: The system prompt of the lines that have none.
        model: The model of the lines that name none.
        stack: What of the stack changes an answer, as JSON data.
    """

    def __init__(self, system: str | None, model: str | None = None, stack: object = None) -> None:
        self._shared = blake2b(json.dumps([system, model]).encode(), digest_size=_HALF)
        self._stack = blake2b(json.dumps(stack, sort_keys=True, default=str).encode(), digest_size=_HALF).hexdigest()

    def of(self, line: Line) -> str:
        """The fingerprint of a line: 16 hexadecimal digits, 8 of the question and 8 of the stack."""
        found = self._shared.copy()
        found.update(line.data if line.data is not None else b"\0too long")
        return found.hexdigest() + self._stack

    def same_stack(self, fingerprint: str) -> bool:
        """Whether this stack was asked, and not another."""
        return fingerprint.endswith(self._stack)
