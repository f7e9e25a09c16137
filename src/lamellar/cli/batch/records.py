"""The lines of OUT: one JSON object each, which begins with what a later run must know of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from ...errors import ConfigError, LamellarError
from ..answers import answer_data
from ..report import error_data

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...call import AttemptRecord
    from ...chat.response import ChatResponse
    from .questions import Identifier

__all__ = ["BAD_LINE", "Mark", "Record", "answered", "failed", "mark_of"]

BAD_LINE = "invalid_line"
"""The kind of error of a line of IN that asks nothing."""

_HEAD = re.compile(rb'\s*\{\s*"line":\s*(\d{1,18}),\s*"input":\s*"([0-9a-f]{16})",\s*"ok":\s*(true|false),')
_BREAKS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
"""Line breaks to some readers of text, though not to JSON."""


class Mark(NamedTuple):
    """What is known of a line of OUT without reading all of it.

    Args:
        number: The line of IN that it answers.
        fingerprint: What that line was.
        ok: Whether it holds an answer, not an error.
    """

    number: int
    fingerprint: str
    ok: bool


class Record(NamedTuple):
    """A line for OUT.

    Args:
        mark: What a later run must know.
        data: The line, with its line break.
        cost: What was billed for it, in US dollars, or None where that is not known.
        error: What went wrong, or None.
    """

    mark: Mark
    data: bytes
    cost: float | None
    error: LamellarError | None


def mark_of(line: bytes) -> Mark | None:
    """The mark of a whole line of OUT, or None when it is no such line."""
    found = _HEAD.match(line)
    if found is None or not line.endswith((b"}\n", b"}\r\n", b"}")):
        return None
    return Mark(int(found[1]), found[2].decode(), found[3] == b"true")


def answered(number: int, fingerprint: str, id: Identifier, answer: ChatResponse) -> Record:  # noqa: A002
    """The line of an answer."""
    cost = answer.cost
    if cost is not None:
        cost += _billed(each for each in answer.attempts if each.kind is not None) or 0.0
    mark = Mark(number, fingerprint, ok=True)
    return Record(mark, _line(mark, id, {**answer_data(answer), "error": None, "cost": cost}), cost, None)


def failed(number: int, fingerprint: str, id: Identifier, error: LamellarError, *, bad: bool = False) -> Record:  # noqa: A002
    """The line of a failure.

    Args:
        number: The line of IN.
        fingerprint: What it was.
        id: What it calls itself.
        error: What went wrong.
        bad: Whether the line itself is the trouble: nobody was asked.
    """
    cost = 0.0 if bad else _billed(error.attempts)
    told = error_data(error)
    if bad and isinstance(error, ConfigError):
        told["error"]["kind"] = BAD_LINE
    mark = Mark(number, fingerprint, ok=False)
    return Record(mark, _line(mark, id, {**told, "usage": told["error"].pop("usage"), "cost": cost}), cost, error)


def _billed(attempts: Iterable[AttemptRecord]) -> float | None:
    """What these tries cost, as far as it is known; None where nothing is."""
    from ...prices import price_of

    told = [each for each in attempts if each.usage is not None]
    prices = [price_of(each.usage, each.model, provider=each.provider, at=each.started) for each in told if each.usage]
    known = [price for price in prices if price is not None]
    return sum(known) if known or not told else None


def _line(mark: Mark, id: Identifier, more: dict[str, object]) -> bytes:  # noqa: A002
    data = {"line": mark.number, "input": mark.fingerprint, "ok": mark.ok, "id": id, **more}
    try:
        text = to_json(data, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeEncodeError):  # half a character, which a model may well say
        text = json.dumps(data, separators=(",", ":")).encode()
    for found, escaped in _BREAKS:
        text = text.replace(found, escaped)
    return text + b"\n"
