"""What one question proves: facts from the providers' logs, beside what the library says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..attempts import attempts_data
from ..report import error_data
from .scenes import BACKUP, FIRST_CONTENT, PRIMARY, RETRY_AFTER, Scene
from .spans import span_checks, span_data
from .witness import ChatProvider, MessagesProvider

if TYPE_CHECKING:
    from ...testing.simulator import RequestLog
    from .run import BurstRun, Run

    Facts = dict[str, Any]
    Checks = dict[str, bool]

__all__ = ["request_data", "scene_facts"]

_PATIENCE = 2.0
"""Seconds after a limit within which it must have acted, on a busy machine too."""


def scene_facts(scene: Scene, run: Run, before: Sequence[Facts]) -> Facts:
    """The facts of one scene as JSON data, with the checks they must pass.

    Args:
        scene: The scene.
        run: What came of it.
        before: The facts of the scenes before it.
    """
    source = _source(run)
    facts: Facts = {
        "scene": scene.key,
        "ok": False,
        "checks": {},
        "question": scene.question,
        "upstream": {name: [request_data(request, run) for request in log] for name, log in run.logs.items()},
        "text": run.text,
        "text_sent": _text_sent(scene, run, source, before),
        "pieces": len(run.pieces),
        "answered_by": source,
        "cached": run.cached,
        "attempts": attempts_data(run.attempts),
        "seconds": round(run.ended - run.began, 3),
    }
    if run.error is not None:
        facts["error"] = error_data(run.error)["error"]
    statuses = {name: tuple([request.status for request in log]) for name, log in run.logs.items()}
    checks: Checks = {
        "call_succeeded": run.error is None,
        "requests_and_statuses_as_expected": statuses == dict(scene.statuses),
        "answered_by_the_right_provider": source == scene.answers,
        "text_is_what_was_sent": run.text == facts["text_sent"] != "",
        "attempts_are_the_requests_that_arrived": _attempts_agree(run),
        **_MORE[scene.key](run, facts),
    }
    facts["checks"] = checks
    facts["ok"] = all(checks.values())
    return facts


def request_data(request: RequestLog, run: Run | BurstRun) -> Facts:
    """What a provider logged of a request, as JSON data; times are seconds since the scene began."""
    return {
        "at": round(request.time - run.began, 4),
        "path": request.path,
        "model": request.model,
        "status": request.status,
        "outcome": request.outcome,
        "chunks_sent": request.chunks_sent,
        "bytes_sent": request.bytes_sent,
        "ended_at": None if request.ended_at is None else round(request.ended_at - run.began, 4),
    }


def _source(run: Run) -> str | None:
    """The provider whose answer was played to its end; None unless there is exactly one."""
    found = [
        name
        for name, log in run.logs.items()
        for request in log
        if request.status == 200 and request.outcome == "completed"
    ]
    return found[0] if len(found) == 1 else None


def _text_sent(scene: Scene, run: Run, source: str | None, before: Sequence[Facts]) -> str | None:
    """What the provider sent: now, or where nobody is to be asked now, when the same question was asked before."""
    if source is not None:
        return run.sent[source][-1]
    if scene.answers is None:
        return next((each["text_sent"] for each in before if each.get("question") == scene.question), None)
    return None


def _attempts_agree(run: Run) -> bool:
    """Whether the library's record names the same targets, in the same order, as the providers' logs do."""
    arrived = sorted((request.time, name, request.number, request) for name, log in run.logs.items() for request in log)
    return len(arrived) == len(run.attempts) and all(
        each.target == name and each.model == request.model and each.status in (request.status, None)
        for each, (_, name, _, request) in zip(run.attempts, arrived, strict=True)
    )


# -- what each scene proves beyond that ---------------------------------------------------------------------------


def _stream(run: Run, facts: Facts) -> Checks:
    log = run.logs[PRIMARY]
    sent_last = log[0].ended_at if log else None
    first = run.pieces[0][0] if run.pieces else None
    facts["first_piece_at"] = None if first is None else round(first, 4)
    return {
        "every_piece_arrived_on_its_own": bool(log) and 1 < len(run.pieces) == log[0].chunks_sent,
        "first_piece_arrived_before_the_last_was_sent": first is not None
        and sent_last is not None
        and run.began + first < sent_last,
    }


def _cache(run: Run, facts: Facts) -> Checks:
    facts["hit_took"] = round(run.took, 6)
    return {
        "cache_hit_made_no_request": not any(run.logs.values()),
        "answer_is_marked_as_cached": run.cached is True,
    }


def _retry_after(run: Run, facts: Facts) -> Checks:
    log = run.logs[PRIMARY]
    gap = log[1].time - log[0].ended_at if len(log) > 1 and log[0].ended_at is not None else None
    facts["retry_after"] = RETRY_AFTER
    facts["gap_after_429"] = None if gap is None else round(gap, 4)
    return {"waited_at_least_retry_after": gap is not None and gap >= RETRY_AFTER}


def _fallback(run: Run, facts: Facts) -> Checks:
    paths = {name: {request.path for request in log} for name, log in run.logs.items()}
    checks = {
        "each_was_asked_in_its_own_dialect": paths == {PRIMARY: {ChatProvider.path}, BACKUP: {MessagesProvider.path}}
    }
    if run.spans is None:
        facts["spans"], facts["spans_missing"] = None, run.spans_missing
        return checks
    facts["spans"] = span_data(run.spans)
    return checks | span_checks(facts["spans"], run.attempts)


def _silence(run: Run, facts: Facts) -> Checks:
    log = run.logs[PRIMARY]
    given_up = log[0].ended_at - log[0].time if log and log[0].ended_at is not None else None
    facts["first_content_limit"] = FIRST_CONTENT
    facts["given_up_after"] = None if given_up is None else round(given_up, 4)
    return {
        "silence_was_given_up_at_the_limit": given_up is not None
        and FIRST_CONTENT * 0.9 <= given_up <= FIRST_CONTENT + _PATIENCE,
        "silent_connection_was_closed": bool(log) and log[0].outcome == "client_left",
    }


_MORE: Mapping[str, Callable[[Run, Facts], Checks]] = {
    "stream": _stream,
    "cache": _cache,
    "retry_after": _retry_after,
    "fallback": _fallback,
    "silence": _silence,
}
