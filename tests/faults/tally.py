"""Which tests stand for which reported failure, and whether they ran.

A test says so by its marker, `@pytest.mark.failure(8)`. The markers are read from the source, so that they are known
whatever part of the suite is selected.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_RAN = ("passed", "failed", "xfailed", "xpassed")
TESTS = Path(__file__).resolve().parents[1]


@cache
def marked() -> dict[str, tuple[int, ...]]:
    """Every marked test by its id (`tests/faults/test_x.py::test_y`, no parameters), with its failures."""
    found: dict[str, tuple[int, ...]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if "mark.failure(" in text:
            place = file.relative_to(TESTS.parent).as_posix()
            found |= {f"{place}::{name}": lines for name, lines in _tests(ast.parse(text).body, "")}
    return found


def _tests(body: list[ast.stmt], inside: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{inside}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = tuple(line for each in node.decorator_list for line in _lines(each))
            if lines:
                yield inside + node.name, lines


def _lines(decorator: ast.expr) -> Iterator[int]:
    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.failure":
        yield from map(ast.literal_eval, decorator.args)


def is_full(config: pytest.Config) -> bool:
    """Whether the whole suite is run, and runs here: not a part of it, nor a list of it."""
    if hasattr(config, "workerinput") or not config.pluginmanager.has_plugin("terminalreporter"):
        return False
    options = (
        "keyword",
        "markexpr",
        "deselect",
        "ignore",
        "ignore_glob",
        "collectonly",
        "lf",
        "last_failed",
        "maxfail",
    )
    if any(config.getoption(name, None) for name in options):
        return False
    return {Path(config.rootpath, each).resolve() for each in config.args} == {TESTS}


def stats(config: pytest.Config) -> Mapping[str, Sequence[Any]]:
    """The reports of a run, by how they ended."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert isinstance(reporter, pytest.TerminalReporter)
    return reporter.stats


def missing(stats: Mapping[str, Sequence[Any]], expected: Iterable[str]) -> dict[str, str]:
    """The tests of which no case ran, or one was left out for no good reason, and why."""
    ran = {_bare(report.nodeid) for kind in _RAN for report in stats.get(kind, ())}
    found = {test: "it did not run" for test in expected if test not in ran}
    for report in stats.get("skipped", ()):
        test = _bare(report.nodeid)
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if test not in expected:
            continue
        if not names_a_missing_package(reason):
            found[test] = f"left out: {reason}"
        elif found.get(test) == "it did not run":
            del found[test]
    return found


def names_a_missing_package(reason: str) -> bool:
    """Whether a reason for a skip names, in quotes or backticks, a package that is not installed here."""
    return any(find_spec(name.partition(".")[0]) is None for name in re.findall(r"['`]([A-Za-z_][\w.]*)['`]", reason))


def _bare(nodeid: str) -> str:
    return nodeid.partition("[")[0]
