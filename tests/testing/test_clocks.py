"""The clocks that obey."""

from __future__ import annotations

import asyncio
import time

import pytest

from lamellar.testing import ManualClock, run_virtual


async def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(start=5.0, wall=1000.0)
    sleeper = asyncio.create_task(clock.sleep(10))
    await clock.advance(9.999)
    assert not sleeper.done()
    await clock.advance(0.001)
    assert sleeper.done()
    assert (clock.now(), clock.wall()) == (15.0, 1010.0)


async def test_what_is_due_happens_in_order_each_at_its_own_time() -> None:
    clock = ManualClock()
    seen: list[tuple[str, float]] = []

    async def sleep_twice(name: str, seconds: float) -> None:
        for _ in range(2):
            await clock.sleep(seconds)
            seen.append((name, clock.now()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep_twice("slow", 3))
        group.create_task(sleep_twice("quick", 2))
        await clock.advance(100)
    assert seen == [("quick", 2), ("slow", 3), ("quick", 4), ("slow", 6)]


async def test_a_timer_that_is_due_already_fires_at_the_loops_next_turn() -> None:
    clock = ManualClock()
    fired: list[str] = []
    clock.call_at(0.0, lambda: fired.append("now"))
    clock.call_at(0.0, lambda: fired.append("cancelled")).cancel()
    assert fired == []
    await asyncio.sleep(0)
    assert fired == ["now"]


async def test_the_next_timer_is_the_first_that_was_not_cancelled() -> None:
    clock = ManualClock()
    assert clock.next_timer is None
    first = clock.call_at(1, lambda: None)
    clock.call_at(2, lambda: None)
    assert clock.next_timer == 1
    first.cancel()
    assert clock.next_timer == 2


async def test_running_lets_time_jump_to_whatever_is_waited_for() -> None:
    clock = ManualClock()

    async def work() -> str:
        await clock.sleep(3600)
        return "done"

    assert await clock.run(work()) == "done"
    assert clock.now() == 3600


async def test_running_raises_what_the_work_raises() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await ManualClock().run(work())


async def test_work_does_not_outlive_a_run_that_is_cancelled() -> None:
    clock = ManualClock()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    run = asyncio.create_task(clock.run(work()))
    await clock.settle(50)
    run.cancel()
    await asyncio.wait({run})
    await asyncio.sleep(0)
    assert ended.is_set()


def test_virtual_time_passes_without_real_time() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400 * 30)
        async with asyncio.timeout(10):
            await asyncio.sleep(9)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run_virtual(main()) == pytest.approx(86_400 * 30 + 9)
    assert time.monotonic() - began < 5


def test_virtual_timeouts_fire_when_they_are_due() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(11)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(10)


@pytest.mark.parametrize("run", [run_virtual, lambda main: asyncio.run(ManualClock().run(main))], ids=["loop", "clock"])
def test_a_wait_that_nothing_ends_is_told_and_does_not_hang(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamellar.testing.clocks._PATIENCE", 0.05)

    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is left to wait for"):
        run(forever())
