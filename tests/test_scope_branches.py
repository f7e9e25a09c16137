"""A scope for several lines of work that run at the same time."""

from __future__ import annotations

from random import Random

import pytest

from lamellar import ErrorKind, ExecutorError, Outcome
from lamellar.scope import CallScope
from lamellar.testing import ManualClock


@pytest.fixture
def scope() -> CallScope:
    return CallScope.open(ManualClock(), Random(0), streaming=True)


def targets(scope: CallScope) -> list[tuple[int, str]]:
    return [(each.number, each.target) for each in scope.attempts]


def test_tries_of_branches_are_in_one_record_in_the_order_they_began(scope: CallScope) -> None:
    scope.begin_attempt("before", "p", "m")
    one, other = scope.branch(), scope.branch()
    one.begin_attempt("a", "p", "m")
    other.begin_attempt("b", "p", "m")
    one.begin_attempt("a", "p", "m")
    expected = [(1, "before"), (2, "a"), (3, "b"), (4, "a")]
    assert targets(scope) == targets(one) == targets(other) == expected
    scope.join([other, one])
    scope.begin_attempt("after", "p", "m")
    assert targets(scope) == [*expected, (5, "after")]


def test_a_branch_counts_and_blames_its_own_tries(scope: CallScope) -> None:
    one, other = scope.branch(), scope.branch()
    one.begin_attempt("a", "p", "m")
    assert (one.attempt_count, other.attempt_count, scope.attempt_count) == (1, 0, 1)
    other.begin_attempt("b", "p", "m")
    one.blame_last(ExecutorError("empty", "nothing in it"))
    other_of_none = scope.branch()
    other_of_none.blame_last(ExecutorError("empty", "nobody's"))
    assert [each.kind for each in scope.attempts] == [ErrorKind.EMPTY, None]


def test_a_call_rests_on_the_last_try_of_the_branch_that_is_joined_last(scope: CallScope) -> None:
    winner, loser = scope.at_target(1, primary=False).branch(), scope.branch()
    winner.begin_attempt("b", "p", "m")
    loser.begin_attempt("a", "p", "m")
    assert scope.by_primary, "as the record has it"
    scope.join([loser, winner])
    assert not scope.by_primary
    assert scope.attempt_count == 2
    scope.blame_last(ExecutorError("empty", "nothing in it"))
    assert [(each.target, each.kind) for each in scope.attempts] == [("b", ErrorKind.EMPTY), ("a", None)]


def test_what_a_joined_branch_still_tries_is_the_calls_last_try_too(scope: CallScope) -> None:
    loser, winner = scope.branch(), scope.branch()
    winner.begin_attempt("b", "p", "m")
    loser.begin_attempt("a", "p", "m")
    scope.join([loser, winner])
    winner.at_target(1, primary=False).begin_attempt("again", "p", "m")
    assert not scope.by_primary
    assert scope.attempt_count == 3


def test_branches_of_branches(scope: CallScope) -> None:
    outer, beside = scope.branch(), scope.branch()
    outer.begin_attempt("first", "p", "m")
    one, other = outer.branch(), outer.branch()
    one.begin_attempt("a", "p", "m")
    other.begin_attempt("b", "p", "m")
    beside.begin_attempt("c", "p", "m")
    outer.join([other, one])
    assert outer.attempt_count == 3
    scope.join([beside, outer])
    scope.blame_last(ExecutorError("empty", "nothing in it"))
    assert [each.target for each in scope.attempts if each.kind is not None] == ["a"]
    assert scope.attempt_count == 4


def test_branches_without_a_try_change_nothing(scope: CallScope) -> None:
    scope.join([scope.branch()])
    assert scope.by_primary
    scope.begin_attempt("a", "p", "m")
    scope.join([scope.branch(), scope.branch()])
    assert targets(scope) == [(1, "a")]


def test_waits_are_the_branchs_own_and_earlier_ones_go_to_the_first(scope: CallScope) -> None:
    scope.note_wait(3)
    scope.note_backoff(1)
    one, other = scope.branch(), scope.branch()
    one.note_wait(0.5)
    other.note_backoff(2)
    for each in (other, one):
        each.begin_attempt("t", "p", "m")
    assert [(each.waited, each.backoff) for each in scope.attempts] == [(0, 2), (3.5, 1)]


async def test_branches_share_the_calls_time_and_wait_at_the_same_time(scope: CallScope) -> None:
    clock = scope.clock
    assert isinstance(clock, ManualClock)
    bounded = scope.with_deadline(10, 0.25)
    one, other = bounded.branch(), bounded.branch()
    for each in (one, other):
        each.stopwatch.start()
    await clock.advance(4)
    for each in (one, other):
        each.stopwatch.stop()
    assert [each.until_deadline() for each in (one, other, bounded)] == [6, 6, 6]


def test_a_refusal_in_a_branch_is_its_own(scope: CallScope) -> None:
    from lamellar import RejectedError

    one, other = scope.branch(), scope.branch()
    one.refused("a", "p", "m", RejectedError("circuit_open", "resting"))
    assert (one.attempt_count, other.attempt_count) == (1, 0)
    assert [each.outcome for each in scope.attempts] == [Outcome.REFUSED]
