"""A trace as a tree of text."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode

from lamellar.cli.trace_tree import render

MS = 1_000_000


def span(
    name: str, number: int, parent: int | None, start: int, end: int | None, *, failed: bool = False, **said: str
) -> ReadableSpan:
    """A span from `start` to `end`, in milliseconds."""
    return ReadableSpan(
        name,
        SpanContext(1, number, is_remote=False),
        SpanContext(1, parent, is_remote=False) if parent is not None else None,
        attributes={each.replace("_", "."): value for each, value in said.items()},
        status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
        start_time=start * MS,
        end_time=None if end is None else end * MS,
    )


CALL = span("chat gpt-4o-mini", 1, None, 0, 1000, lamellar_stream_outcome="completed")
FAILED = span("attempt primary", 2, 1, 0, 250, failed=True, error_type="overloaded")
HTTP = span("POST", 4, 3, 600, 700)
ANSWERED = span("attempt backup", 3, 1, 500, 1000)


def test_children_stand_below_their_parents_in_the_order_they_began() -> None:
    assert render([HTTP, ANSWERED, FAILED, CALL], width=8) == [
        "chat gpt-4o-mini    completed   1.00 s  ████████",
        "├─ attempt primary  overloaded  250 ms  ██",
        "└─ attempt backup   ok          500 ms      ████",
        "   └─ POST          ok          100 ms      ██",
    ]


def test_what_stands_between_is_drawn_through() -> None:
    deep = span("deep", 5, 2, 100, 200)
    names = [line.partition("  ok")[0].rstrip() for line in render([CALL, FAILED, deep, ANSWERED], width=1)]
    assert names[2] == "│  └─ deep"


def test_an_instant_is_seen_and_stays_within_the_width() -> None:
    instant = span("refused", 2, 1, 1000, 1000, failed=True)
    late = span("late", 3, 1, 1500, 2000)
    lines = render([CALL, instant, late], width=10)
    assert lines[0].endswith(" █████")
    assert lines[1].split() == ["├─", "refused", "error", "0", "ms", "█"]
    assert lines[2].endswith("       ███"), "a child may outlive its parent"
    assert len(lines[2]) == len(lines[0].rstrip("█")) + 10


def test_a_span_without_its_parent_is_a_root_and_each_root_has_its_own_time() -> None:
    lines = render([ANSWERED, span("other", 9, None, 5000, 5100)], width=4)
    assert [line.split("  ")[0].strip() for line in lines] == ["attempt backup", "other"]
    assert [line.endswith("████") for line in lines] == [True, True]


def test_what_has_not_ended_is_left_out_and_nothing_is_nothing() -> None:
    assert render([]) == []
    assert render([span("open", 1, None, 0, None)]) == []


def test_a_name_moves_no_cursor() -> None:
    [line] = render([span("chat \x1b[2Jm\n", 1, None, 0, 1)])
    assert line.startswith("chat [2Jm  ok")


def test_a_bar_has_a_width() -> None:
    with pytest.raises(ValueError, match="width"):
        render([CALL], width=0)
