"""Prints how many recordings were compared, by whichever of the run's processes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.wire import tally

_SENT = "recordings"


@pytest.hookimpl
def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes sends what it compared."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = {"compared": sorted(tally.compared), "expected": sorted(tally.expected)}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The process that prints takes it; one that died has sent nothing."""
    sent = getattr(node, "workeroutput", {}).get(_SENT, {})
    tally.compared.update(sent.get("compared", ()))
    tally.expected.update(sent.get("expected", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tally.expected:
        terminalreporter.write_line(f"compared {len(tally.compared)}/{len(tally.expected)}")
