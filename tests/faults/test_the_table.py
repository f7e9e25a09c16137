"""Every reported failure has its tests, the page names exactly them, and where the wire matters both engines run."""

from __future__ import annotations

import re
from collections import defaultdict
from types import SimpleNamespace

import pytest
from tests.docs.pages import PAGES, table
from tests.faults import tally
from tests.faults.bench import ENGINES

LINES = range(1, 36)
OFF_THE_WIRE = {32, 35}
"""What an import loads, and what a file says: no provider has a part in it."""


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest) -> dict[str, set[str]]:
    """Every test of this run, with the words of its parameters' ids."""
    if any(request.config.getoption(name, None) for name in ("keyword", "markexpr", "deselect", "lf")):
        pytest.skip("a part only was selected")
    found: dict[str, set[str]] = defaultdict(set)
    for item in request.session.items:
        test, _, parameters = item.nodeid.rstrip("]").partition("[")
        found[test] |= set(parameters.split("-"))
    return found


def rows() -> dict[int, set[str]]:
    """The page's table: the tests that each line names."""
    text = (PAGES / "failures.md").read_text(encoding="utf-8")
    return {
        int(row[0]): {f"tests/{each}" for each in re.findall(r"`([^`]+::[^`]+)`", row[3])} for row in table(text, "#")
    }


def standing_for(line: int) -> set[str]:
    return {test for test, lines in tally.marked().items() if line in lines}


def test_the_table_has_every_line() -> None:
    assert list(rows()) == list(LINES)
    assert {line for lines in tally.marked().values() for line in lines} == set(LINES)


@pytest.mark.parametrize("line", LINES)
def test_a_line_names_the_tests_that_stand_for_it(line: int) -> None:
    assert rows()[line] == standing_for(line)


def test_every_test_that_is_named_is_found(collected: dict[str, set[str]]) -> None:
    """In the files of this run: in a full one that is all of them."""
    files = {test.partition("::")[0] for test in collected}
    assert {test for test in tally.marked() if test.partition("::")[0] in files} <= collected.keys()


@pytest.mark.parametrize("line", sorted(set(LINES) - OFF_THE_WIRE))
def test_a_line_that_the_wire_matters_for_is_shown_on_both_engines(line: int, collected: dict[str, set[str]]) -> None:
    there = standing_for(line) & collected.keys()
    if not there:
        pytest.skip("none of its tests was selected")
    assert any(set(ENGINES) <= collected[test] for test in there)


def report(nodeid: str, reason: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(nodeid=nodeid, longrepr=("file", 1, f"Skipped: {reason}") if reason else None)


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({"passed": [report("a[1]"), report("b")]}, {}),
        ({"passed": [report("a")]}, {"b": "it did not run"}),
        (
            {"passed": [report("a"), report("b[1]")], "skipped": [report("b[2]", "too slow")]},
            {"b": "left out: Skipped: too slow"},
        ),
        ({"passed": [report("a")], "skipped": [report("b", "could not import 'no_such_package'")]}, {}),
        (
            {"passed": [report("a")], "skipped": [report("b", "needs 'pydantic'")]},
            {"b": "left out: Skipped: needs 'pydantic'"},
        ),
        ({"failed": [report("a")], "xfailed": [report("b")]}, {}),
    ],
)
def test_a_marked_test_that_did_not_run_is_missed(
    stats: dict[str, list[SimpleNamespace]], said: dict[str, str]
) -> None:
    assert tally.missing(stats, ["a", "b"]) == said


@pytest.mark.parametrize(
    ("args", "options", "full"),
    [
        (["tests"], {}, True),
        ([str(tally.TESTS)], {}, True),
        (["tests/faults"], {}, False),
        (["tests", "docs"], {}, False),
        (["tests"], {"keyword": "s01"}, False),
        (["tests"], {"collectonly": True}, False),
    ],
)
def test_only_a_full_run_is_held_to_it(
    args: list[str], options: dict[str, object], full: bool, request: pytest.FixtureRequest
) -> None:
    config = SimpleNamespace(
        args=args,
        rootpath=tally.TESTS.parent,
        getoption=options.get,
        pluginmanager=request.config.pluginmanager,
    )
    assert tally.is_full(config) is full
