"""Both HTTP engines, and the count of the tests that stand for the reported failures."""

from __future__ import annotations

from importlib import import_module

import pytest
from tests.faults import tally
from tests.faults.bench import ENGINES


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """The name of an engine, whose package is loaded: what that takes would be taken for a provider's silence."""
    import_module(request.param)
    return request.param


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A full run in which a marked test did not run is no success."""
    if not tally.is_full(session.config) or session.exitstatus != pytest.ExitCode.OK:
        return
    if tally.missing(tally.stats(session.config), tally.marked()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not tally.is_full(terminalreporter.config):
        return
    marked = tally.marked()
    missing = tally.missing(terminalreporter.stats, marked)
    terminalreporter.write_line(f"reported failures: {len(marked) - len(missing)}/{len(marked)} tests ran")
    for test, why in sorted(missing.items()):
        terminalreporter.write_line(f"  {test}: {why}", red=True)
