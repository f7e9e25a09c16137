"""What many questions at once prove: how they arrived, and that the limiter is why."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..attempts import attempts_data
from ..report import error_data
from .facts import request_data
from .scenes import LIMIT, PRIMARY, PROVIDER_LIMIT, Burst
from .witness import question_in

if TYPE_CHECKING:
    from .run import BurstRun

__all__ = ["burst_facts", "busiest_second"]

_ABOUT = 0.9
"""Of a duration: arrivals come a little closer together, or further apart, than requests leave."""


def burst_facts(scene: Burst, run: BurstRun) -> dict[str, Any]:
    """The facts of a burst as JSON data, with the checks they must pass."""
    log = run.logs[PRIMARY]
    asked = run.asked
    busiest = busiest_second([request.time for request in log])
    spread = log[-1].time - log[0].time if log else 0.0
    checks = {
        "all_were_answered": all(each.error is None for each in asked),
        "each_got_the_answer_to_its_own_question": [(each.question, each.text) for each in asked]
        == list(scene.answers.items()),
        "text_is_what_was_sent": [each.text for each in asked] == run.sent[PRIMARY],
        "provider_refused_none": {request.status for request in log} == {200},
        "nobody_else_was_asked": all(not each for name, each in run.logs.items() if name != PRIMARY),
        "first_come_first_served": [question_in(request) for request in log] == [each.question for each in asked],
        "attempts_are_the_requests_that_arrived": len(log) == len(asked)
        and all([tried.target for tried in each.attempts] == [PRIMARY] for each in asked),
        "no_second_held_more_than_the_provider_takes": 0 < busiest <= PROVIDER_LIMIT,
        # Most, not all but one: where the machine is slow to ask them, the limiter has no need to hold each.
        "limiter_held_the_burst": sum(each.waited > 0 for each in asked) > len(asked) / 2
        and spread >= (len(asked) - 1) / LIMIT * _ABOUT,
    }
    return {
        "scene": scene.key,
        "ok": all(checks.values()),
        "checks": checks,
        "upstream": {name: [request_data(request, run) for request in each] for name, each in run.logs.items()},
        "calls": [
            {
                "question": each.question,
                "text": each.text,
                "waited": round(each.waited, 4),
                "attempts": attempts_data(each.attempts),
                **({} if each.error is None else {"error": error_data(each.error)["error"]}),
            }
            for each in asked
        ],
        "limit": LIMIT,
        "provider_limit": PROVIDER_LIMIT,
        "busiest_second": busiest,
        "first_to_last": round(spread, 4),
        "longest_wait": round(max([each.waited for each in asked], default=0.0), 4),
        "seconds": round(run.ended - run.began, 3),
    }


def busiest_second(times: Sequence[float]) -> int:
    """How many of `times`, which ascend, lie in the second that holds most of them."""
    return max([bisect_left(times, each + 1.0) - at for at, each in enumerate(times)], default=0)
