"""Time limits and watchdogs, on the loop's clock in virtual time and on a manual clock."""

from __future__ import annotations

import asyncio
import functools
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import pytest

from lamellar.clock import Clock, Interruption, LoopClock, TimeLimit, TimerHandle, Watchdog
from lamellar.testing import ManualClock, run_virtual

Scenario = Callable[[Clock], Coroutine[object, object, None]]


def both_clocks(scenario: Scenario) -> Callable[[str], None]:
    """Run a scenario on the loop's clock, and on a manual one that jumps to whatever is waited for."""

    @pytest.mark.parametrize("kind", ["loop", "manual"])
    @functools.wraps(scenario, assigned=("__name__", "__doc__"))
    def test(kind: str) -> None:
        async def manual() -> None:
            clock = ManualClock()
            await clock.run(scenario(clock))

        if kind == "loop":
            run_virtual(scenario(LoopClock()))
        else:
            asyncio.run(manual())

    del test.__wrapped__
    return test


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def ends(limit: TimeLimit) -> bool:
    try:
        async with limit:
            await for_ever()
    except TimeoutError:
        return limit.expired
    return False


# -- sleep -----------------------------------------------------------------------------------------------------------


@both_clocks
async def test_sleeping_takes_its_time(clock: Clock) -> None:
    began, wall = clock.now(), clock.wall()
    await clock.sleep(2.5)
    assert clock.now() - began == pytest.approx(2.5)
    assert clock.wall() >= wall


@both_clocks
async def test_sleeping_for_nothing_still_gives_others_a_turn(clock: Clock) -> None:
    for seconds in (0, -1):
        turns: list[str] = []
        asyncio.get_running_loop().call_soon(turns.append, "turn")
        began = clock.now()
        await clock.sleep(seconds)
        assert turns == ["turn"]
        assert clock.now() == began


async def test_a_cancelled_sleep_leaves_no_timer() -> None:
    clock = ManualClock()
    sleeper = asyncio.create_task(clock.sleep(10))
    await clock.settle()
    sleeper.cancel()
    await asyncio.wait({sleeper})
    assert clock.next_timer is None


def test_the_loops_clock_tells_time_without_a_loop() -> None:
    assert LoopClock().now() <= LoopClock().now()


# -- limits ----------------------------------------------------------------------------------------------------------


@both_clocks
async def test_a_limit_ends_its_block(clock: Clock) -> None:
    began = clock.now()
    limit = clock.timeout_at(began + 5)
    with pytest.raises(TimeoutError):
        async with limit:
            await for_ever()
    assert limit.expired
    assert clock.now() - began == pytest.approx(5)
    assert cancelling() == 0
    await clock.sleep(1)  # nothing is left that would cancel it


@both_clocks
async def test_a_block_that_is_quick_enough_is_left_alone(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 5)
    async with limit:
        await clock.sleep(4)
    await clock.sleep(10)
    assert not limit.expired


@both_clocks
async def test_no_limit_never_ends_anything(clock: Clock) -> None:
    limit = clock.timeout_at(None)
    async with limit:
        await clock.sleep(10**6)
    assert not limit.expired


@both_clocks
async def test_a_limit_in_the_past_ends_the_first_wait(clock: Clock) -> None:
    for late in (0, 3):
        with pytest.raises(TimeoutError):
            async with clock.timeout_at(clock.now() - late):
                await for_ever()


@both_clocks
async def test_an_error_of_the_block_is_its_own(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 5)
    with pytest.raises(LookupError):
        async with limit:
            raise LookupError
    await clock.sleep(10)
    assert not limit.expired


@both_clocks
async def test_a_timeout_from_elsewhere_is_not_taken_for_its_own(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 5)
    with pytest.raises(TimeoutError, match="another"):
        async with limit:
            raise TimeoutError("another")
    assert not limit.expired


@both_clocks
async def test_the_outer_of_two_limits_ends_the_outer_block(clock: Clock) -> None:
    outer, inner = clock.timeout_at(clock.now() + 1), clock.timeout_at(clock.now() + 2)
    with pytest.raises(TimeoutError):
        async with outer, inner:
            await for_ever()
    assert (outer.expired, inner.expired) == (True, False)
    assert cancelling() == 0


@both_clocks
async def test_the_inner_of_two_limits_leaves_the_outer_block_its_time(clock: Clock) -> None:
    outer, inner = clock.timeout_at(clock.now() + 2), clock.timeout_at(clock.now() + 1)
    with suppress(TimeoutError):
        async with outer:
            assert await ends(inner)
            await for_ever()
    assert (outer.expired, inner.expired) == (True, True)
    assert cancelling() == 0


@both_clocks
async def test_of_two_limits_at_one_time_the_outer_wins(clock: Clock) -> None:
    when = clock.now() + 1
    outer, inner = clock.timeout_at(when), clock.timeout_at(when)
    with pytest.raises(TimeoutError):
        async with outer, inner:
            await for_ever()
    assert outer.expired
    assert cancelling() == 0


@both_clocks
async def test_it_nests_with_the_standard_librarys(clock: Clock) -> None:
    if not isinstance(clock, LoopClock):
        return
    for ours, theirs in ((1, 2), (2, 1)):
        limit = clock.timeout_at(clock.now() + ours)
        with pytest.raises(TimeoutError):
            async with limit, asyncio.timeout(theirs):
                await for_ever()
        assert limit.expired is (ours < theirs)
        assert cancelling() == 0


@both_clocks
async def test_a_real_cancellation_passes_through(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 5)

    async def work() -> None:
        async with limit:
            await for_ever()

    task = asyncio.create_task(work())
    await clock.sleep(1)
    task.cancel("a reason")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert not limit.expired


@both_clocks
async def test_a_limit_inside_a_cleanup_works_like_any_other(clock: Clock) -> None:
    """The task is being cancelled already when the limit begins: that is its baseline."""
    seen: list[object] = []

    async def work() -> None:
        try:
            await for_ever()
        finally:
            limit = clock.timeout_at(clock.now() + 1)
            try:
                async with limit:
                    await for_ever()
            except TimeoutError:
                seen.extend((limit.expired, cancelling()))

    task = asyncio.create_task(work())
    await clock.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert seen == [True, 1]


@both_clocks
async def test_an_expiry_that_the_block_keeps_to_itself_is_forgotten(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 1)
    async with limit:
        with suppress(asyncio.CancelledError):
            await for_ever()
    assert cancelling() == 0
    with pytest.raises(TimeoutError):
        async with clock.timeout_at(clock.now() + 1):
            await for_ever()


@both_clocks
async def test_an_expiry_together_with_the_result_is_one_or_the_other(clock: Clock) -> None:
    limit = clock.timeout_at(clock.now() + 1)
    finished = False
    try:
        async with limit:
            await clock.sleep(1)
            finished = True
    except TimeoutError:
        assert limit.expired
    else:
        assert finished
    assert cancelling() == 0
    await clock.sleep(5)


@pytest.mark.parametrize("seed", range(48))
def test_a_cancellation_together_with_the_expiry_is_never_lost(seed: int) -> None:
    """Whoever comes first in the loop's turn, and whether or not a result comes too, the task ends as cancelled."""
    rng = random.Random(seed)

    async def main() -> None:
        clock, loop = LoopClock(), asyncio.get_running_loop()
        reached_the_end = False

        async def work() -> None:
            nonlocal reached_the_end
            result = loop.create_future()
            if result_comes:
                loop.call_at(when, lambda: result.done() or result.set_result(None))
            async with clock.timeout_at(when), clock.timeout_at(when) if nested else clock.timeout_at(None):
                await result
            reached_the_end = True

        when, nested, result_comes = clock.now() + 1, rng.random() < 0.5, rng.random() < 0.5
        tasks: list[asyncio.Task[None]] = []
        steps: list[Callable[[], object]] = [
            lambda: tasks.append(asyncio.create_task(work())),
            lambda: loop.call_at(when, lambda: [task.cancel() for task in tasks]),
        ]
        rng.shuffle(steps)
        for step in steps:
            step()
            if rng.random() < 0.5:
                await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert tasks[0].cancelled() is not reached_the_end
        assert reached_the_end is False or not tasks[0].cancelling()

    run_virtual(main())


# -- interruptions ---------------------------------------------------------------------------------------------------


async def interrupted(interruption: Interruption, wait: Callable[[], Awaitable[object]]) -> str:
    interruption.enter()
    try:
        await wait()
    except asyncio.CancelledError:
        return f"absorbed, {cancelling()}" if interruption.absorb() else f"cancelled, {cancelling()}"
    finally:
        interruption.leave()
    return f"finished, {cancelling()}"


async def test_an_interruption_wakes_the_task_that_waits() -> None:
    interruption = Interruption()
    task = asyncio.create_task(interrupted(interruption, for_ever))
    await asyncio.sleep(0)
    interruption.fire()
    interruption.fire()  # once is enough
    assert await task == "absorbed, 0"


async def test_an_interruption_before_or_after_the_wait_does_nothing() -> None:
    interruption = Interruption()
    interruption.fire()
    assert await interrupted(interruption, lambda: asyncio.sleep(0)) == "finished, 0"
    interruption.fire()
    await asyncio.sleep(0)
    assert not interruption.fired


@pytest.mark.parametrize("first", ["interruption", "cancellation"])
async def test_a_cancellation_beside_an_interruption_is_told(first: str) -> None:
    interruption = Interruption()
    task = asyncio.create_task(interrupted(interruption, for_ever))
    await asyncio.sleep(0)
    both = [interruption.fire, task.cancel]
    for step in both if first == "interruption" else reversed(both):
        step()
    assert await task == "cancelled, 1"


async def test_an_interruption_that_was_kept_by_what_was_awaited_leaves_no_trace() -> None:
    async def deaf() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            return

    interruption = Interruption()
    task = asyncio.create_task(interrupted(interruption, deaf))
    await asyncio.sleep(0)
    interruption.fire()
    await task
    assert task.cancelling() == 0
    assert not interruption.fired


async def test_an_interruption_may_come_from_another_thread() -> None:
    interruption = Interruption()
    task = asyncio.create_task(interrupted(interruption, for_ever))
    await asyncio.sleep(0)
    await asyncio.to_thread(interruption.fire)
    assert await task == "absorbed, 0"


async def test_an_interruption_from_another_thread_that_comes_too_late_does_nothing() -> None:
    interruption = Interruption()
    result = asyncio.get_running_loop().create_future()

    async def go_on() -> str:
        found = await interrupted(interruption, lambda: result)
        for _ in range(5):
            await asyncio.sleep(0)
        return found

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    result.set_result(None)
    thread = threading.Thread(target=interruption.fire)
    thread.start()
    thread.join()  # it has fired, and the loop has not seen it yet
    assert await task == "finished, 0"


async def test_a_task_does_not_interrupt_itself() -> None:
    """It does not wait while it runs: the cancellation would strike at some later await."""
    interruption = Interruption()

    async def fire() -> None:
        interruption.fire()

    assert await interrupted(interruption, fire) == "finished, 0"
    await asyncio.sleep(0)


# -- watchdogs -------------------------------------------------------------------------------------------------------


class CountingClock(ManualClock):
    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        self.timers += 1
        return super().call_at(when, callback)


async def watched(watchdog: Watchdog, when: float | None, wait: Awaitable[object]) -> bool:
    """Whether the wait was ended by the watchdog."""
    watchdog.arm(when)
    try:
        await wait
    except asyncio.CancelledError:
        if watchdog.expired():
            return True
        raise
    finally:
        watchdog.disarm()
    return False


@both_clocks
async def test_a_watchdog_ends_a_wait_that_lasts_too_long(clock: Clock) -> None:
    watchdog = Watchdog(clock)
    began = clock.now()
    assert await watched(watchdog, began + 3, for_ever())
    assert clock.now() - began == pytest.approx(3)
    assert cancelling() == 0
    assert await watched(watchdog, clock.now() + 2, for_ever())
    assert clock.now() - began == pytest.approx(5)
    watchdog.close()


@both_clocks
async def test_a_watchdog_moves_on_with_each_wait(clock: Clock) -> None:
    watchdog = Watchdog(clock)
    for _ in range(10):
        assert not await watched(watchdog, clock.now() + 3, clock.sleep(2))
    assert await watched(watchdog, clock.now() + 3, clock.sleep(4))
    watchdog.close()


@both_clocks
async def test_a_watchdog_does_not_bark_between_waits(clock: Clock) -> None:
    watchdog = Watchdog(clock)
    assert not await watched(watchdog, clock.now() + 3, clock.sleep(1))
    await clock.sleep(100)
    assert not await watched(watchdog, clock.now() + 3, clock.sleep(1))
    assert not await watched(watchdog, None, clock.sleep(100))
    watchdog.close()


@both_clocks
async def test_a_sooner_limit_is_kept_though_a_later_one_was_scheduled(clock: Clock) -> None:
    watchdog = Watchdog(clock)
    assert not await watched(watchdog, clock.now() + 100, clock.sleep(1))
    began = clock.now()
    assert await watched(watchdog, began + 2, for_ever())
    assert clock.now() - began == pytest.approx(2)
    watchdog.close()


@both_clocks
async def test_a_watchdog_lets_a_real_cancellation_through(clock: Clock) -> None:
    watchdog = Watchdog(clock)
    task = asyncio.create_task(watched(watchdog, clock.now() + 2, for_ever()))
    await clock.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    watchdog.close()


async def test_many_waits_share_one_timer() -> None:
    clock = CountingClock()
    watchdog = Watchdog(clock)
    for _ in range(1000):
        assert not await watched(watchdog, clock.now() + 10, asyncio.sleep(0))
    assert clock.timers == 1
    watchdog.close()
    assert clock.next_timer is None


async def test_a_closed_watchdog_does_not_hold_the_task() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock)
    task = asyncio.create_task(watched(watchdog, 5.0, for_ever()))
    await asyncio.sleep(0)
    watchdog.close()
    await clock.advance(10)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
