"""One limiter for many: targets, stacks, loops and threads; keys of their own; levels that can be read."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from lamellar import ConfigError, ErrorKind, RejectedError, Stack, Target
from lamellar.clock import LoopClock
from lamellar.middleware import Fallback, RateLimit, RateLimiter
from lamellar.testing import ManualClock, ScriptedExecutor, run_virtual
from lamellar_middleware.rate_limit import limiter as limiter_module

from .support import limiter_of, tagged, timed

FINE = ScriptedExecutor("fine", repeat=True)


# -- by name -----------------------------------------------------------------------------------------------------


def test_targets_share_by_name_and_only_by_name() -> None:
    async def times(first: RateLimit, second: RateLimit) -> list[float]:
        fallback = Fallback(Target(first, FINE, name="a"), Target(second, FINE, name="b"))
        async with Stack(fallback).build() as executor:
            return [(await timed(target))[0] for target in executor.inner.targets]

    shared = RateLimit(requests_per_second=1, share="ours")
    assert run_virtual(times(shared, RateLimit(requests_per_second=1, share="ours"))) == pytest.approx([0, 1], abs=1e-3)
    assert run_virtual(times(shared, RateLimit(requests_per_second=1, share="other"))) == [0, 0]
    assert run_virtual(times(RateLimit(requests_per_second=1), RateLimit(requests_per_second=1))) == [0, 0]


def test_two_stacks_share_through_build() -> None:
    async def main() -> None:
        shared: dict[str, object] = {}
        stack = Stack(RateLimit(requests_per_second=1, share="ours"), FINE)
        async with stack.build(shared=shared) as first, stack.build(shared=shared) as second, stack.build() as alone:
            done = await asyncio.gather(timed(first), timed(second), timed(alone))
            assert [when for when, _ in done] == pytest.approx([0, 1, 0], abs=1e-3)
            assert shared == {"ours": limiter_of(first)}
        assert limiter_of(first).levels()[""]["limits"]["1 request per second"]["used"] == 1, "closed with no one stack"

    run_virtual(main())


def test_a_limiter_made_by_hand_can_be_handed_in() -> None:
    layer = RateLimit(requests_per_minute=1, max_wait=1, share="ours")

    async def main() -> None:
        limiter = RateLimiter(layer, LoopClock())
        await limiter.reserve()
        async with Stack(layer, FINE).build(shared={"ours": limiter}) as executor:
            assert (await timed(executor))[1].kind is ErrorKind.LIMITER_DEADLINE

    run_virtual(main())


def test_who_shares_a_name_must_say_the_same_limits() -> None:
    stack = Stack(
        Fallback(
            Target(RateLimit(requests_per_minute=5, share="ours", max_wait=1), FINE),
            Target(RateLimit(requests_per_minute=6, share="ours"), FINE),
        )
    )
    with pytest.raises(ConfigError, match="share: 'ours'") as caught:
        stack.build()
    assert "RateLimit(requests_per_minute=5, share='ours', max_wait=1.0)" in str(caught.value)
    assert "RateLimit(requests_per_minute=6, share='ours')" in str(caught.value)


def test_what_is_not_the_limiters_own_may_differ_between_those_who_share() -> None:
    Stack(
        Fallback(
            Target(RateLimit(requests_per_minute=5, share="ours", max_wait=1, default_output_tokens=1), FINE),
            Target(RateLimit(requests_per_minute=5, share="ours", on_wait=print), FINE),
        )
    ).build()


def test_a_name_under_which_something_else_is_shared_is_refused() -> None:
    with pytest.raises(ConfigError, match="shared as str"):
        Stack(RateLimit(share="ours"), FINE).build(shared={"ours": "something"})


# -- keys --------------------------------------------------------------------------------------------------------


def test_each_combination_has_limits_of_its_own() -> None:
    async def main() -> None:
        layer = RateLimit(requests_per_second=1, per=("model", "tag:team"))
        async with Stack(layer, FINE).build() as executor:
            calls = [("a", "red"), ("a", "blue"), ("b", "red"), ("a", "red")]
            done = await asyncio.gather(*[timed(executor, model, tagged(team=team)) for model, team in calls])
            assert [when for when, _ in done] == pytest.approx([0, 0, 0, 1], abs=1e-3)
            assert (await timed(executor, "a"))[0] == done[3][0], "without the tag is a key too"
            levels = limiter_of(executor).levels()
            assert list(levels) == [
                "model=a, tag:team=blue",
                "model=b, tag:team=red",
                "model=a, tag:team=red",
                "model=a, tag:team=",
            ]

    run_virtual(main())


def test_a_pause_is_the_keys_own() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(per="model"), LoopClock())
        limiter.pause(5, key=("a",))
        await limiter.reserve(key=("b",))
        assert asyncio.get_running_loop().time() == 0
        await limiter.reserve(key=("a",))
        assert asyncio.get_running_loop().time() == 5

    run_virtual(main())


@pytest.mark.failure(31)
def test_the_keys_are_bounded_and_none_that_is_in_use_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "_MOST", 3)

    async def main() -> None:
        limiter = RateLimiter(RateLimit(requests_per_minute=60, per="tag:user"), LoopClock())
        for user in "abc":
            await limiter.reserve(key=(user,))
        with pytest.raises(RejectedError, match="3 values of tag:user") as caught:
            limiter.lane(("d",))
        assert caught.value.kind is ErrorKind.QUEUE_FULL
        await asyncio.sleep(30)
        await limiter.reserve(key=("a",))
        await asyncio.sleep(31)
        limiter.lane(("d",))
        assert list(limiter.levels()) == ["tag:user=c", "tag:user=a", "tag:user=d"], "the one used longest ago is gone"
        limiter.pause(1000, key=("c",))
        limiter.lane(("e",))
        assert list(limiter.levels()) == ["tag:user=a", "tag:user=c", "tag:user=e"]

    run_virtual(main())


# -- loops and threads -------------------------------------------------------------------------------------------


def test_levels_and_pauses_survive_a_loop() -> None:
    limiter = RateLimiter(RateLimit(requests_per_second=2, tokens_per_minute=10, burst=1), LoopClock())

    async def take(tokens: int) -> float:
        began = asyncio.get_running_loop().time()
        await limiter.reserve(tokens)
        return asyncio.get_running_loop().time() - began

    async def first() -> None:
        assert [await take(1) for _ in range(2)] == [0, 0]
        await asyncio.sleep(100)
        assert [await take(1) for _ in range(2)] == [0, 0]
        limiter.pause(5)

    run_virtual(first())
    assert run_virtual(take(8)) == pytest.approx(5, abs=1e-3), "its time began at zero again"
    assert run_virtual(take(1)) == pytest.approx(55, abs=1e-3)


def test_two_real_loops_in_sequence_go_on_where_the_first_ended() -> None:
    limiter = RateLimiter(RateLimit(requests_per_minute=2, burst=1), LoopClock())

    async def take() -> int:
        taken = 0
        while limiter.lane().take(0) is not None:
            taken += 1
        return taken

    assert [asyncio.run(take()) for _ in range(2)] == [2, 0]


def test_whoever_waited_in_a_loop_that_is_gone_holds_nobody_up() -> None:
    limiter = RateLimiter(RateLimit(requests_per_second=50, burst=0.01), LoopClock())
    loop = asyncio.new_event_loop()
    loop.run_until_complete(limiter.reserve())
    orphans = [loop.create_task(limiter.reserve()) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
    assert limiter.levels()[""]["waiting"] == 3
    loop.close()

    async def main() -> None:
        async with asyncio.timeout(5):
            await limiter.reserve(within=0.05)

    asyncio.run(main())
    levels = limiter.levels()[""]
    assert levels["waiting"] == 0
    assert levels["limits"]["50 requests per second"]["used"] == 2, "and takes nothing"
    for task in orphans:
        task._log_destroy_pending = False


def test_whoever_waits_behind_a_loop_that_stands_still_is_served() -> None:
    limiter = RateLimiter(RateLimit(requests_per_second=50, burst=0.01), LoopClock())
    still = asyncio.new_event_loop()
    still.run_until_complete(limiter.reserve())
    waiting = still.create_task(limiter.reserve())
    still.run_until_complete(asyncio.sleep(0))

    async def main() -> None:
        async with asyncio.timeout(5):
            await limiter.reserve()

    asyncio.run(main())
    still.run_until_complete(waiting)
    still.close()


def test_whoever_waited_in_the_process_before_a_fork_takes_nothing_in_the_new_one() -> None:
    limiter = RateLimiter(RateLimit(requests_per_second=20, burst=0.01), LoopClock())
    before = asyncio.new_event_loop()
    before.run_until_complete(limiter.reserve())
    waiting = before.create_task(limiter.reserve())
    before.run_until_complete(asyncio.sleep(0))
    child = os.fork()
    if child == 0:
        asyncio.run(limiter.reserve())
        os._exit(0 if limiter.levels()[""]["limits"]["20 requests per second"]["used"] == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    before.run_until_complete(waiting)
    before.close()


def test_two_threads_keep_one_limit_between_them() -> None:
    limiter = RateLimiter(RateLimit(requests_per_second=100, burst=0.05), LoopClock())
    granted: list[float] = []
    errors: list[BaseException] = []

    async def one() -> None:
        await limiter.reserve()
        granted.append(time.monotonic())

    async def main(number: int) -> None:
        async with asyncio.timeout(30):
            tasks = [asyncio.create_task(one()) for _ in range(40)]
            await asyncio.sleep(0.05)
            tasks[-1 - number].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def run(number: int) -> None:
        try:
            asyncio.run(main(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(granted) == 78
    assert limiter.levels()[""]["waiting"] == 0
    granted.sort()
    spans = [last - first for first, last in zip(granted, granted[25:], strict=False)]
    assert min(spans) > 0.15, "25 more take a quarter of a second, and five of them may come at once"


# -- levels ------------------------------------------------------------------------------------------------------


async def test_levels_are_plain_data() -> None:
    clock = ManualClock(start=1000)
    limiter = RateLimiter(RateLimit(requests_per_minute=60, tokens_per_minute=600, burst=0.5), clock)
    assert repr(limiter) == "RateLimiter(60 requests per minute, 600 tokens per minute)"
    await limiter.reserve(100)
    limiter.pause(3)
    await clock.advance(1)
    waiting = asyncio.create_task(limiter.reserve())
    await clock.settle()
    assert limiter.levels() == {
        "": {
            "waiting": 1,
            "paused": 2.0,
            "limits": {
                "60 requests per minute": {"limit": 60, "used": 1, "burst": 30, "level": 0},
                "600 tokens per minute": {"limit": 600, "used": 100, "burst": 300, "level": pytest.approx(90)},
            },
        }
    }
    await clock.advance(2)
    await waiting
