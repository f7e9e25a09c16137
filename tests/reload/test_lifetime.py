"""From loop to loop, from thread to thread, to the end."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable

import pytest
from tests.reload.held import INTERVAL, NOTICED, REQUEST, ask, leaf, owner, reload_of, watched

from lamellar import (
    Chunk,
    RejectedError,
    Stack,
    Target,
)
from lamellar.middleware import Fallback, Retry
from lamellar.testing import Hang, ScriptedExecutor, answer, run_virtual


def until(condition: Callable[[], object]) -> None:
    """Wait until another thread has done something; fail when it does not."""
    for _ in range(5000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("it never came to pass")


def test_from_loop_to_loop_the_first_call_sees_what_has_changed_between_them() -> None:
    closed: list[str] = []
    executor, held = watched(owner("first", closed), ScriptedExecutor("first", [Chunk("one"), Hang()]))

    async def first() -> None:
        assert await ask(executor) == "first"
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        held.stack = Stack(owner("second", closed), leaf("second"))
        await asyncio.sleep(NOTICED)
        assert await ask(executor) == "second"
        assert reload_of(executor)["retired"] != []
        del stream

    async def second() -> None:
        held.stack = Stack(leaf("third"))
        assert await ask(executor) == "third"
        await asyncio.sleep(1)
        assert closed == ["first", "second"]
        held.stack = Stack(leaf("fourth"))
        await asyncio.sleep(NOTICED)
        assert await ask(executor) == "fourth"
        await executor.aclose()

    run_virtual(first())
    gc.collect()
    run_virtual(second())


def test_no_task_and_no_timer_is_left_when_it_is_closed() -> None:
    async def main() -> None:
        executor, held = watched(ScriptedExecutor([Chunk("one"), Hang()], "two"))
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        held.stack = Stack(leaf("new"))
        await asyncio.sleep(NOTICED)
        await ask(executor)
        await executor.aclose()
        await executor.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert stream.outcome == "cancelled"
        looks = held.looks
        await asyncio.sleep(10 * INTERVAL)
        assert held.looks == looks
        for use in (executor.exec_chat_response, executor.exec_chat_stream_events):
            with pytest.raises(RejectedError, match="watch the file again"):
                await use("m", REQUEST)
        with pytest.raises(RejectedError):
            executor.reload()

    run_virtual(main())


def test_closing_waits_its_grace_for_the_calls_of_old_stacks_too() -> None:
    async def main() -> None:
        executor, held = watched(answer_after(3.0, "old"))
        call = asyncio.create_task(ask(executor))
        await asyncio.sleep(0.1)
        held.stack = Stack(leaf("new"))
        executor.reload()
        assert await ask(executor) == "new"
        await executor.aclose(grace=10)
        assert await call == "old"

    run_virtual(main())


def answer_after(seconds: float, text: str) -> ScriptedExecutor:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return ScriptedExecutor(answer(text, opening=(wait,)), repeat=True)


def test_one_that_nobody_holds_is_freed_though_its_timer_is_set() -> None:
    async def main() -> None:
        executor, held = watched(leaf("old"))
        await ask(executor)
        gone = weakref.ref(executor)
        del executor
        gc.collect()
        assert gone() is None
        looks = held.looks
        await asyncio.sleep(10 * INTERVAL)
        assert held.looks == looks

    run_virtual(main())


def test_isolated_targets_stay_isolated() -> None:
    async def main() -> None:
        executor, held = watched(Fallback(Target(leaf("a"), name="a"), Target(leaf("b"), name="b")))
        async with executor:
            executor.isolate("a")
            assert await ask(executor) == "b"
            held.stack = Stack(Retry(), Fallback(Target(leaf("a2"), name="a"), Target(leaf("b2"), name="b")))
            executor.reload()
            assert await ask(executor) == "b2"
            executor.reset("a")
            assert await ask(executor) == "a2"

    run_virtual(main())


def test_threads_and_loops_that_call_while_it_is_reloaded_are_all_answered() -> None:
    executor, held = watched(leaf("v0"))
    stop = threading.Event()
    errors: list[BaseException] = []
    answered: list[str] = []

    async def call() -> None:
        while not stop.is_set():
            answered.append(await ask(executor))

    def work() -> None:
        try:
            asyncio.run(call())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 100):
        held.stack = Stack(leaf(f"v{number}"))
        assert executor.reload().ok
        if number % 2:  # every other one at least has calls under way when the next comes
            until(lambda number=number: errors or f"v{number}" in answered[-20:])  # type: ignore[misc]
    stop.set()
    for thread in threads:
        thread.join(10)
    asyncio.run(executor.aclose())
    assert errors == []
    assert len(set(answered)) >= 50


def test_a_stack_of_the_users_own_may_hold_one() -> None:
    async def main() -> None:
        executor, held = watched(leaf("old"))
        async with executor, Stack(Retry(), executor).build() as outer:
            held.stack = Stack(leaf("new"))
            executor.reload()
            assert (await outer.exec_chat_response("m", REQUEST)).text == "new"
            assert executor.find(ScriptedExecutor) is not None

    run_virtual(main())
