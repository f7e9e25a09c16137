"""A finished trace as a tree of text: each span's name, how it ended, how long it took, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["render"]

_OUTCOMES = ("error.type", "lamellar.stream.outcome")
"""The attributes that say how a span ended, the most telling first."""


class _Row(NamedTuple):
    name: str
    ended: str
    took: str
    bar: str


def render(spans: Iterable[ReadableSpan], *, width: int = 32) -> list[str]:
    """The lines of a tree: children below their parents, in the order they began.

    Args:
        spans: Spans that have ended, in any order and of any number of traces. One whose parent is not among them is a
            root.
        width: Characters of the bars; a bar spans the time of its root.

    Raises:
        ValueError: `width` is less than one.
    """
    if width < 1:
        raise ValueError(f"width: a bar has one character or more, got {width}")
    ended = sorted((span for span in spans if span.start_time is not None and span.end_time is not None), key=_start)
    ids = {span.context.span_id for span in ended if span.context is not None}
    children: dict[int | None, list[ReadableSpan]] = {}
    for span in ended:
        parent = span.parent.span_id if span.parent is not None else None
        children.setdefault(parent if parent in ids else None, []).append(span)
    rows = [row for root in children.get(None, []) for row in _rows(root, children, width)]
    columns = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return [
        f"{row.name:<{columns[0]}}  {row.ended:<{columns[1]}}  {row.took:>{columns[2]}}  {row.bar}".rstrip()
        for row in rows
    ]


def _rows(root: ReadableSpan, children: dict[int | None, list[ReadableSpan]], width: int) -> Iterator[_Row]:
    tree = list(_walk(root, children, "", ""))
    begin = _start(root)
    end = max(_end(span) for _, span in tree)
    for lead, span in tree:
        yield _Row(lead + _plain(span.name), _ending(span), _seconds(span), _bar(span, begin, end, width))


def _walk(
    span: ReadableSpan, children: dict[int | None, list[ReadableSpan]], lead: str, below: str
) -> Iterator[tuple[str, ReadableSpan]]:
    """Every span of a tree with what is drawn before its name."""
    yield lead, span
    own: Sequence[ReadableSpan] = children.get(span.context.span_id, []) if span.context is not None else ()
    for number, child in enumerate(own, 1):
        last = number == len(own)
        yield from _walk(child, children, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))


def _bar(span: ReadableSpan, begin: int, end: int, width: int) -> str:
    """Where the span lies in the time of its root; at least one character, so that it can be seen."""
    whole = max(end - begin, 1)
    left = min(max((_start(span) - begin) * width // whole, 0), width - 1)
    right = min(-(-(_end(span) - begin) * width // whole), width)
    return " " * left + "█" * max(right - left, 1)


def _ending(span: ReadableSpan) -> str:
    for name in _OUTCOMES:
        said = (span.attributes or {}).get(name)
        if said is not None:
            return _plain(str(said))
    return "ok" if span.status.is_ok else "error"


def _seconds(span: ReadableSpan) -> str:
    took = (_end(span) - _start(span)) / 1e9
    return f"{took * 1000:.0f} ms" if took < 0.9995 else f"{took:.2f} s"


def _start(span: ReadableSpan) -> int:
    return span.start_time or 0


def _end(span: ReadableSpan) -> int:
    return span.end_time or 0


def _plain(text: str) -> str:
    """`text` without what could move a terminal's cursor."""
    return "".join(letter for letter in text if letter.isprintable())
