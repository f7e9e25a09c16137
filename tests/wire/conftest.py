"""Prints how many recordings were compared."""

from __future__ import annotations

import pytest
from tests.wire import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tally.expected:
        terminalreporter.write_line(f"compared {len(tally.compared)}/{len(tally.expected)}")
