"""No test of tracing may make OpenTelemetry complain."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace

from .telemetry import Telemetry


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Neither "Failed to detach context", nor "Calling end() on an ended span", nor a failure of our own."""
    caplog.set_level(logging.WARNING)
    yield
    loud = [
        f"{record.name}: {record.getMessage()}"
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.WARNING and not getattr(record, "expected", False)
    ]
    assert loud == []
    assert trace.get_current_span() is trace.INVALID_SPAN, "a span was left current"


@pytest.fixture
def told() -> Telemetry:
    return Telemetry()
