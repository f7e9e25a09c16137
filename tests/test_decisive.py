"""The decisive error of several."""

from __future__ import annotations

import pytest

from lamellar.decisive import decisive
from lamellar.errors import (
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamClosedError,
    StreamInterruptedError,
)

TRANSIENT = ["rate_limited", "overloaded", "server_error", "connection", "timeout", "truncated", "malformed"]
PERMANENT = ["invalid_request", "unauthorized", "permission_denied", "model_not_found", "context_overflow"]


def errors(*kinds: str) -> list[LamellarError]:
    refusals = {"circuit_open", "queue_full", "budget", "deadline"}
    return [RejectedError(kind, kind) if kind in refusals else ExecutorError(kind, kind) for kind in kinds]


@pytest.mark.parametrize(
    ("kinds", "place"),
    [
        (["connection"], 0),
        (["connection", "overloaded"], 1),
        (["overloaded", "circuit_open"], 0),
        (["circuit_open", "overloaded", "queue_full"], 1),
        (["circuit_open", "queue_full"], 1),
        (["invalid_request", "connection"], 1),
        (["unauthorized", "model_not_found"], 1),
        (["connection", "overloaded", "unauthorized"], 1),
        (["connection", "unauthorized", "circuit_open"], 0),
        (["connection", "quota_exhausted"], 1),
        (["connection", "content_filtered"], 1),
        (["quota_exhausted", "unauthorized"], 1),
    ],
)
def test_the_error_that_decides(kinds: list[str], place: int) -> None:
    found = errors(*kinds)
    assert decisive(found) is found[place]


@pytest.mark.parametrize("earlier", TRANSIENT)
@pytest.mark.parametrize("later", PERMANENT)
def test_a_later_targets_permanent_error_masks_no_transient_one(earlier: str, later: str) -> None:
    found = errors(earlier, later)
    assert decisive(found) is found[0]


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in PERMANENT])
def test_any_other_last_error_stands(kind: str) -> None:
    found: list[LamellarError] = [ExecutorError("connection", "m"), ExecutorError(kind, "m")]
    assert decisive(found) is found[1]


def test_an_interruption_decides_by_its_kind() -> None:
    broken = StreamInterruptedError(ExecutorError("connection", "reset"))
    assert decisive([broken, ExecutorError("unauthorized", "m")]) is broken


def test_an_error_without_a_kind_is_no_reason_to_look_back() -> None:
    closed = StreamClosedError()
    assert decisive([ExecutorError("connection", "m"), closed]) is closed
