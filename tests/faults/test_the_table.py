"""Every reported failure has its tests, the page names exactly them, and where the wire matters both engines run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from types import SimpleNamespace

import pytest
from tests.docs.pages import PAGES, table
from tests.faults import tally
from tests.faults.bench import ENGINES

LINES = range(1, 36)
OFF_THE_WIRE = {32, 35}
"""What an import loads, and what a file says: no provider has a part in it."""


@cache
def collected() -> dict[str, set[str]]:
    """Every marked test that pytest finds, with the words of its parameters' ids."""
    files = sorted({test.partition("::")[0] for test in tally.marked()})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=tally.TESTS.parent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, set[str]] = defaultdict(set)
    for line in done.stdout.splitlines():
        test, _, parameters = line.rstrip("]").partition("[")
        if test in tally.marked():
            found[test] |= set(parameters.split("-"))
    return found


def rows() -> dict[int, set[str]]:
    """The page's table: the tests that each line names."""
    text = (PAGES / "failures.md").read_text(encoding="utf-8")
    return {int(row[0]): {f"tests/{each}" for each in re.findall(r"`([^`]+::[^`]+)`", row[3])} for row in table(text, "#")}


def tests_of(line: int) -> set[str]:
    return {test for test, lines in tally.marked().items() if line in lines}


def test_the_table_has_every_line() -> None:
    assert list(rows()) == list(LINES)
    assert {line for lines in tally.marked().values() for line in lines} == set(LINES)


@pytest.mark.parametrize("line", LINES)
def test_a_line_names_the_tests_that_stand_for_it(line: int) -> None:
    assert rows()[line] == tests_of(line)
    assert tests_of(line) <= collected().keys(), "each is found by pytest"


@pytest.mark.parametrize("line", sorted(set(LINES) - OFF_THE_WIRE))
def test_a_line_that_the_wire_matters_for_is_shown_on_both_engines(line: int) -> None:
    assert any(set(ENGINES) <= collected()[test] for test in tests_of(line))


def report(nodeid: str, reason: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(nodeid=nodeid, longrepr=("file", 1, f"Skipped: {reason}") if reason else None)


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({"passed": [report("a[1]"), report("b")]}, {}),
        ({"passed": [report("a")]}, {"b": "it did not run"}),
        ({"passed": [report("a"), report("b[1]")], "skipped": [report("b[2]", "too slow")]}, {"b": "left out: Skipped: too slow"}),
        ({"passed": [report("a")], "skipped": [report("b", "could not import 'no_such_package'")]}, {}),
        ({"passed": [report("a")], "skipped": [report("b", "needs 'pydantic'")]}, {"b": "left out: Skipped: needs 'pydantic'"}),
        ({"failed": [report("a")], "xfailed": [report("b")]}, {}),
    ],
)
def test_a_marked_test_that_did_not_run_is_missed(stats: dict[str, list[SimpleNamespace]], said: dict[str, str]) -> None:
    assert tally.missing(stats, ["a", "b"]) == said
