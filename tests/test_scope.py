"""What the plates of a stack share while one call runs."""

from __future__ import annotations

import asyncio
import random

import pytest

from lamellar.call import CallContext, Outcome
from lamellar.chat.usage import Usage
from lamellar.errors import ExecutorError, RejectedError, StreamInterruptedError
from lamellar.scope import CallScope, Stopwatch, current_scope, use_scope
from lamellar.testing import ManualClock

USAGE = Usage(prompt_tokens=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start=100.0)


@pytest.fixture
def scope(clock: ManualClock) -> CallScope:
    return CallScope.open(clock, random.Random(0), CallContext(priority=3), streaming=True)


# -- the stopwatch ---------------------------------------------------------------------------------------------------


async def test_a_stopwatch_stands_still_while_nobody_waits(clock: ManualClock) -> None:
    watch = Stopwatch(clock)
    await clock.advance(5)
    watch.start()
    await clock.advance(2)
    assert watch.elapsed() == 2
    watch.stop()
    await clock.advance(50)
    assert watch.elapsed() == 2
    watch.start()
    await clock.advance(1)
    watch.stop()
    assert watch.elapsed() == 3


async def test_waits_inside_waits_and_side_by_side_are_one(clock: ManualClock) -> None:
    watch = Stopwatch(clock)
    watch.start()
    await clock.advance(1)
    watch.start()
    await clock.advance(1)
    watch.stop()
    assert watch.elapsed() == 2
    await clock.advance(1)
    watch.stop()
    assert watch.elapsed() == 3


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_nothing_bounds_a_call_by_itself(scope: CallScope) -> None:
    assert scope.remaining() is None
    assert scope.until_deadline() is None


async def test_what_remains_counts_waiting_only(scope: CallScope, clock: ManualClock) -> None:
    bounded = scope.with_deadline(10, 0.25)
    await clock.advance(100)
    assert bounded.remaining() == 10
    scope.stopwatch.start()
    await clock.advance(4)
    assert bounded.remaining() == 6
    scope.stopwatch.stop()


@pytest.mark.parametrize(("deadline", "allowance", "left"), [(10, 3, 3), (3, 10, 3), (None, 4, 4), (4, None, 4)])
def test_what_remains_is_the_sooner_of_deadline_and_allowance(
    scope: CallScope, deadline: float | None, allowance: float | None, left: float
) -> None:
    view = scope if deadline is None else scope.with_deadline(deadline, 0)
    view = view if allowance is None else view.with_allowance(allowance)
    assert view.remaining() == left
    assert view.until_deadline() == deadline


def test_a_later_deadline_does_not_widen_a_sooner_one(scope: CallScope) -> None:
    outer = scope.with_deadline(5, 0.1)
    inner = outer.with_deadline(50, 0.5)
    assert (inner.remaining(), inner.total) == (5, 5)
    assert outer.with_deadline(2, 0.5).remaining() == 2


def test_the_nearest_plates_reserve_holds_whoevers_deadline_is_sooner(scope: CallScope) -> None:
    outer = scope.with_deadline(5, 0.1)
    assert outer.with_deadline(50, 0.5).reserve == 0.5
    assert outer.reserve == 0.1


def test_a_larger_allowance_does_not_widen_a_smaller_one(scope: CallScope) -> None:
    assert scope.with_allowance(2).with_allowance(9).remaining() == 2
    assert scope.with_allowance(9).with_allowance(2).remaining() == 2


def test_a_bound_may_be_passed(scope: CallScope) -> None:
    assert scope.with_deadline(10, 0).with_allowance(-1).remaining() == -1


# -- views -----------------------------------------------------------------------------------------------------------


def test_narrowed_views_share_all_but_the_bounds(scope: CallScope) -> None:
    view = scope.with_deadline(10, 0).with_allowance(3)
    view.begin_attempt("main", "openai", "gpt")
    assert view.stopwatch is scope.stopwatch
    assert (view.clock, view.rng, view.context) == (scope.clock, scope.rng, scope.context)
    assert view.streaming
    assert scope.attempt_count == view.attempt_count == 1
    assert scope.attempts == view.attempts
    assert scope.remaining() is None


# -- the log ---------------------------------------------------------------------------------------------------------


def test_tries_are_numbered_in_the_order_they_began(scope: CallScope) -> None:
    for target in ("a", "b", "c"):
        scope.begin_attempt(target, "p", "m")
    assert [(each.number, each.target) for each in scope.attempts] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_try_says_what_was_waited_and_slept_before_it(scope: CallScope) -> None:
    scope.note_wait(0.5)
    scope.note_wait(0.25)
    scope.note_backoff(2)
    scope.begin_attempt("a", "p", "m")
    scope.begin_attempt("a", "p", "m")
    assert [(each.waited, each.backoff) for each in scope.attempts] == [(0.75, 2), (0, 0)]


def test_a_try_says_when_it_began(scope: CallScope, clock: ManualClock) -> None:
    assert scope.begin_attempt("a", "p", "m").record().started == clock.wall()


def test_a_failed_try_says_what_went_wrong(scope: CallScope) -> None:
    live = scope.begin_attempt("a", "p", "m")
    cause = ExecutorError("overloaded", "busy", status=503, code="c", retry_after=2, request_id="r")
    live.blame(StreamInterruptedError(cause, usage=USAGE))
    record = live.record()
    assert (record.kind, record.status, record.code, record.retry_after) == ("overloaded", 503, "c", 2)
    assert (record.request_id, record.usage) == ("r", USAGE)
    assert record.message is not None
    assert record.message.endswith("busy")


def test_a_failure_without_usage_leaves_what_was_known(scope: CallScope) -> None:
    live = scope.begin_attempt("a", "p", "m")
    live.usage = USAGE
    live.blame(ExecutorError("timeout", "slow"))
    assert live.record().usage == USAGE


def test_a_refused_try_is_in_the_log(scope: CallScope) -> None:
    scope.refused("a", "p", "m", RejectedError("circuit_open", "resting", retry_after=9))
    (record,) = scope.attempts
    assert (record.outcome, record.kind, record.retry_after) == (Outcome.REFUSED, "circuit_open", 9)
    assert record.message == "resting"


def test_an_error_of_no_kind_is_no_blame(scope: CallScope) -> None:
    live = scope.begin_attempt("a", "p", "m")
    live.blame(KeyError("x"))
    assert live.record().kind is None


async def test_the_tries_of_a_stack_inside_stand_for_its_own_and_are_renumbered(
    scope: CallScope, clock: ManualClock
) -> None:
    scope.begin_attempt("a", "p", "m")
    with use_scope(scope.for_attempt(scope.begin_attempt("inner", "p", "m"))):
        inside = CallScope.open(clock, random.Random(0))
    inside.begin_attempt("x", "p", "m")
    inside.begin_attempt("y", "p", "m")
    scope.begin_attempt("z", "p", "m")
    assert [(each.number, each.target) for each in scope.attempts] == [(1, "a"), (2, "x"), (3, "y"), (4, "z")]
    assert [(each.number, each.target) for each in inside.attempts] == [(1, "x"), (2, "y")]


async def test_a_stack_inside_is_bounded_by_what_is_left_of_the_call(scope: CallScope, clock: ManualClock) -> None:
    outer = scope.with_deadline(10, 0.25)
    with use_scope(outer.for_attempt(outer.begin_attempt("inner", "p", "m"))):
        inside = CallScope.open(clock, random.Random(0))
    assert (inside.remaining(), inside.reserve) == (10, 0.25)


async def test_a_task_that_a_try_left_behind_is_none_of_its_business(scope: CallScope, clock: ManualClock) -> None:
    live = scope.begin_attempt("inner", "p", "m")
    with use_scope(scope.with_deadline(1, 0.25).for_attempt(live)):
        elsewhere = asyncio.create_task(_opened(clock))
        here = await _opened(clock)
        live.outcome = Outcome.COMPLETED
        later = await _opened(clock)
    assert here.remaining() == 1
    assert later.remaining() is None
    assert (await elsewhere).remaining() is None
    assert live.inner == [here]


async def _opened(clock: ManualClock) -> CallScope:
    return CallScope.open(clock, random.Random(0))


# -- finding it ------------------------------------------------------------------------------------------------------


def test_there_is_no_scope_outside_of_a_call() -> None:
    assert current_scope() is None


def test_a_scope_holds_for_its_block_and_nests(scope: CallScope) -> None:
    view = scope.with_allowance(1)
    with use_scope(scope):
        with use_scope(view):
            assert current_scope() is view
        assert current_scope() is scope
        with use_scope(None):
            assert current_scope() is None
    assert current_scope() is None


def test_a_scope_ends_with_its_block_when_that_fails(scope: CallScope) -> None:
    with pytest.raises(LookupError), use_scope(scope):
        raise LookupError
    assert current_scope() is None


async def test_tasks_that_a_plate_starts_find_the_scope(scope: CallScope) -> None:
    async def find() -> CallScope | None:
        await asyncio.sleep(0)
        with use_scope(scope.with_allowance(1)):
            await asyncio.sleep(0)
        return current_scope()

    with use_scope(scope):
        tasks = [asyncio.create_task(find()) for _ in range(3)]
    assert current_scope() is None
    assert await asyncio.gather(*tasks) == [scope] * 3


def test_a_block_that_ends_in_another_context_harms_nobody(scope: CallScope) -> None:
    import contextvars

    block = use_scope(scope)
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert current_scope() is None


class TestViews:
    def test_the_answer_is_the_primarys_only_where_every_composite_asked_its_first_choice(self):
        scope = CallScope.open(ManualClock(), random.Random(0))
        assert scope.by_primary
        scope.at_target(0, primary=True).begin_attempt("t", "p", "m")
        assert scope.by_primary
        nested = scope.at_target(1, primary=False).at_target(0, primary=True)
        nested.begin_attempt("t", "p", "m")
        assert not scope.by_primary
        scope.begin_attempt("t", "p", "m")
        assert scope.by_primary

    def test_the_place_of_a_target_is_on_its_try(self):
        scope = CallScope.open(ManualClock(), random.Random(0))
        assert scope.begin_attempt("t", "p", "m").target_index is None
        assert scope.at_target(2, primary=False).with_allowance(3).begin_attempt("t", "p", "m").target_index == 2

    async def test_a_fork_keeps_the_bounds_until_an_answer_is_committed_and_the_record_and_counts_for_itself(self):
        clock = ManualClock()
        scope = CallScope.open(clock, random.Random(0)).with_deadline(10, 0.25)
        scope.stopwatch.start()
        await clock.advance(4)
        fork = scope.fork(streaming=True)
        assert (fork.remaining(), fork.total, fork.reserve, fork.streaming) == (6, 10, 0.25, True)
        assert (fork.until_deadline(), fork.allowance_limit) == (None, "deadline")
        scope.stopwatch.stop()
        fork.stopwatch.start()
        await clock.advance(5)
        assert (scope.remaining(), fork.remaining()) == (6, 1)
        fork.begin_attempt("t", "p", "m")
        assert [each.target for each in scope.attempts] == ["t"]

    def test_the_sooner_of_a_forks_bound_and_a_grant_is_named(self):
        scope = CallScope.open(ManualClock(), random.Random(0)).with_deadline(10, 0.25)
        fork = scope.fork(streaming=False)
        assert (fork.with_allowance(3).allowance_limit, fork.with_allowance(3).remaining()) == ("reserve", 3)
        assert (fork.with_allowance(30).allowance_limit, fork.with_allowance(30).remaining()) == ("deadline", 10)
        assert scope.with_allowance(4).fork(streaming=False).allowance_limit == "reserve"
        assert CallScope.open(ManualClock(), random.Random(0)).fork(streaming=False).remaining() is None

    def test_adopted_tries_are_counted_on_and_not_twice(self):
        mine, other = (CallScope.open(ManualClock(), random.Random(0)) for _ in range(2))
        mine.begin_attempt("mine", "p", "m")
        other.begin_attempt("first", "p", "m")
        other.begin_attempt("second", "p", "m")
        mine.adopt(other)
        mine.adopt(other)
        assert [(each.number, each.target) for each in mine.attempts] == [(1, "mine"), (2, "first"), (3, "second")]
        assert [each.number for each in other.attempts] == [1, 2]
        fork = other.fork(streaming=False)
        other.adopt(fork)
        assert len(other.attempts) == 2

    def test_who_watches_is_told_of_refusals_and_facts(self):
        told = []

        class Watcher:
            def attempt_began(self, live, call):
                told.append(("began", live.target, call))
                return self

            def ended(self, live, answer):
                assert answer is None
                told.append(("ended", str(live.outcome), str(live.kind)))

            def note(self, name, value):
                told.append((name, value))

        scope = CallScope.open(ManualClock(), random.Random(0))
        scope.note("unheard", True)
        watched = scope.observed_by(Watcher()).with_deadline(3, 0)
        watched.note("lamellar.cache.hit", False)
        watched.refused("t", "p", "m", RejectedError("queue_full", "no"))
        assert told == [("lamellar.cache.hit", False), ("began", "t", None), ("ended", "refused", "queue_full")]
