"""A bound on a whole call."""

from __future__ import annotations

import asyncio
import random

import pytest

from lamellar.chat.request import ChatRequest
from lamellar.deadline import exec_within
from lamellar.errors import ExecutorError, RejectedError
from lamellar.executor import ExecutorWrapper, open_stream, respond
from lamellar.scope import CallScope, current_scope, use_scope
from lamellar.testing import Hang, ManualClock, ScriptedExecutor, answer

REQUEST = ChatRequest.from_user("hi")


class Spy(ExecutorWrapper):
    """Notes what remains of the call when it is reached."""

    remaining: float | None = None

    async def _exec(self, operation, model, chat_req, options):
        scope = current_scope()
        self.remaining = scope.remaining() if scope is not None else None
        return await super()._exec(operation, model, chat_req, options)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def scope(clock: ManualClock) -> CallScope:
    return CallScope.open(clock, random.Random(0))


def within(total: float, scope: CallScope, executor, operation=respond):
    return exec_within(total, 0.25, scope, operation, executor, "m", REQUEST, None)


@pytest.mark.parametrize("operation", [respond, open_stream])
async def test_a_call_that_takes_too_long_is_refused(scope: CallScope, clock: ManualClock, operation) -> None:
    with pytest.raises(RejectedError, match="no answer within the call's 5 s") as caught:
        await clock.run(within(5, scope, ScriptedExecutor([Hang()]), operation))
    assert caught.value.kind == "deadline"
    assert 5 <= clock.now() < 5.1, "what is no attempt gets a moment more, so that an attempt ends by itself"


async def test_a_quick_call_is_left_alone(scope: CallScope, clock: ManualClock) -> None:
    slow = ScriptedExecutor(answer("in time", opening=(lambda: clock.sleep(4),)))
    assert (await clock.run(within(5, scope, slow))).text == "in time"
    await clock.advance(10)


async def test_plates_below_find_the_narrowed_scope_and_plates_above_their_own(scope: CallScope) -> None:
    spy = Spy(ScriptedExecutor("a"))
    with use_scope(scope):
        await within(5, scope, spy)
        assert current_scope() is scope
    assert spy.remaining == 5
    assert scope.remaining() is None


async def test_a_sooner_bound_outside_stays_the_one_that_acts(scope: CallScope, clock: ManualClock) -> None:
    outer = scope.with_deadline(3, 0)
    spy = Spy(ScriptedExecutor("a"))
    with use_scope(outer):
        await within(5, outer, spy)
    assert spy.remaining == 3
    assert clock.next_timer is None


async def test_an_error_of_the_provider_is_not_the_deadlines(scope: CallScope) -> None:
    with pytest.raises(ExecutorError, match="reset"):
        await within(5, scope, ScriptedExecutor(ExecutorError("connection", "reset")))


async def test_a_timeout_error_from_elsewhere_is_not_taken_for_the_deadline(scope: CallScope) -> None:
    with pytest.raises(TimeoutError, match="another"):
        await within(5, scope, ScriptedExecutor(TimeoutError("another")))


async def test_a_cancellation_is_not_the_deadlines(scope: CallScope, clock: ManualClock) -> None:
    call = asyncio.create_task(within(5, scope, ScriptedExecutor([Hang()])))
    await clock.settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert clock.next_timer is None
