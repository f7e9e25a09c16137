"""What a scene proves: facts from the providers' logs, beside what the library says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..attempts import attempts_data
from ..report import error_data
from .scenes import FIRST_CONTENT, PRIMARY, RETRY_AFTER, Scene

if TYPE_CHECKING:
    from ...testing.simulator import RequestLog
    from .theatre import Run

__all__ = ["scene_facts"]

_PATIENCE = 2.0
"""Seconds after a limit within which it must have acted, on a busy machine too."""


def scene_facts(scene: Scene, run: Run) -> dict[str, Any]:
    """The facts of one scene as JSON data, with the checks they must pass."""
    source = _source(run)
    facts: dict[str, Any] = {
        "scene": scene.key,
        "ok": False,
        "checks": {},
        "upstream": {name: [_request(request, run) for request in log] for name, log in run.logs.items()},
        "text": run.text,
        "text_sent": None if source is None else run.sent[source][-1],
        "pieces": len(run.pieces),
        "answered_by": source,
        "attempts": attempts_data(run.attempts),
        "seconds": round(run.ended - run.began, 3),
    }
    if run.error is not None:
        facts["error"] = error_data(run.error)["error"]
    statuses = {name: tuple(request.status for request in log) for name, log in run.logs.items()}
    checks: dict[str, bool] = {
        "call_succeeded": run.error is None,
        "requests_and_statuses_as_expected": statuses == dict(scene.statuses),
        "answered_by_the_right_provider": source == scene.answers,
        "text_is_what_was_sent": source is not None and run.text == run.sent[source][-1] != "",
        "attempts_are_the_requests_that_arrived": _attempts_agree(run),
        **_MORE[scene.key](run, facts),
    }
    facts["checks"] = checks
    facts["ok"] = all(checks.values())
    return facts


def _source(run: Run) -> str | None:
    """The provider whose stream was played to its end; None unless there is exactly one."""
    found = [
        name
        for name, log in run.logs.items()
        for request in log
        if request.status == 200 and request.outcome == "completed" and request.chunks_sent
    ]
    return found[0] if len(found) == 1 else None


def _request(request: RequestLog, run: Run) -> dict[str, Any]:
    return {
        "at": round(request.time - run.began, 4),
        "model": request.model,
        "status": request.status,
        "outcome": request.outcome,
        "chunks_sent": request.chunks_sent,
        "bytes_sent": request.bytes_sent,
        "ended_at": None if request.ended_at is None else round(request.ended_at - run.began, 4),
    }


def _attempts_agree(run: Run) -> bool:
    """Whether the library's record names the same targets, in the same order, as the providers' logs do."""
    arrived = sorted((request.time, name, request) for name, log in run.logs.items() for request in log)
    return len(arrived) == len(run.attempts) and all(
        each.target == name and each.model == request.model and each.status in (request.status, None)
        for each, (_, name, request) in zip(run.attempts, arrived, strict=True)
    )


def _stream(run: Run, facts: dict[str, Any]) -> dict[str, bool]:
    log = run.logs[PRIMARY]
    sent_last = log[0].ended_at if log else None
    first = run.pieces[0][0] if run.pieces else None
    facts["first_piece_at"] = None if first is None else round(first, 4)
    return {
        "every_piece_arrived_on_its_own": len(run.pieces) > 1 and len(run.pieces) == log[0].chunks_sent,
        "first_piece_arrived_before_the_last_was_sent": None not in (first, sent_last)
        and run.began + (first or 0) < (sent_last or 0),
    }


def _retry_after(run: Run, facts: dict[str, Any]) -> dict[str, bool]:
    log = run.logs[PRIMARY]
    gap = log[1].time - log[0].ended_at if len(log) > 1 and log[0].ended_at is not None else None
    facts["retry_after"] = RETRY_AFTER
    facts["gap_after_429"] = None if gap is None else round(gap, 4)
    return {"waited_at_least_retry_after": gap is not None and gap >= RETRY_AFTER}


def _fallback(run: Run, facts: dict[str, Any]) -> dict[str, bool]:
    return {}


def _silence(run: Run, facts: dict[str, Any]) -> dict[str, bool]:
    log = run.logs[PRIMARY]
    given_up = log[0].ended_at - log[0].time if log and log[0].ended_at is not None else None
    facts["first_content_limit"] = FIRST_CONTENT
    facts["given_up_after"] = None if given_up is None else round(given_up, 4)
    return {
        "silence_was_given_up_at_the_limit": given_up is not None
        and FIRST_CONTENT * 0.9 <= given_up <= FIRST_CONTENT + _PATIENCE,
        "silent_connection_was_closed": bool(log) and log[0].outcome == "client_left",
    }


_MORE: dict[str, Callable[[Run, dict[str, Any]], dict[str, bool]]] = {
    "stream": _stream,
    "retry_after": _retry_after,
    "fallback": _fallback,
    "silence": _silence,
}
