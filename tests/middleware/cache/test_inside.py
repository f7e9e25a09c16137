"""What stands inside a cache: executors that are given as objects, stacks in stacks, targets that are not the first."""

import asyncio
import logging
import sys
import threading

import pytest
from tests.middleware.cache.asking import Dictionary, ask, stream

from lamellar import Chunk, End, ErrorKind, ExecutorError, RejectedError, Stack, StopReason, Target
from lamellar.middleware import Cache, Fallback, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import Scripted, ScriptedExecutor, run_virtual


def end() -> End:
    return End(stop_reason=StopReason("completed"))


class TestAnObject:
    async def test_is_not_taken_for_another_of_its_name_and_type(self, caplog):
        store = Dictionary()
        for text in ("from prod", "from staging"):
            async with Stack(Cache(store=store), ScriptedExecutor(text)).build() as executor:
                assert (await ask(executor)).text == text
        assert "given as an object" in caplog.text

    async def test_that_says_what_it_is_is_known_again(self, caplog):
        class Own(ScriptedExecutor):
            def identity(self):
                return "the same"

        store = Dictionary()
        with caplog.at_level(logging.WARNING):
            for text in ("first", "second"):
                async with Stack(Cache(store=store), Own(text)).build() as executor:
                    assert (await ask(executor)).text == "first"
        assert "given as an object" not in caplog.text

    def test_that_is_a_built_stack_is_known_by_what_it_was_built_from(self):
        def inside(url):
            return Stack(Stack(OpenAI(base_url=url, api_key="k")).build()).identity()

        assert inside("http://a.test") == inside("http://a.test") != inside("http://b.test")


async def test_a_stack_within_a_stack_that_had_the_answer_is_billed_nothing():
    leaf = ScriptedExecutor("ok")
    async with Stack(Stack(Cache(), leaf).build()).build() as executor:
        first, again = await ask(executor), await ask(executor)
        streamed = await stream(executor)
    assert first.attempts[-1].usage is not None
    for hit in (again, streamed):
        assert (hit.cached, hit.attempts[-1].usage) == (True, None)


async def test_a_cache_in_a_target_that_is_not_the_first_keeps_what_its_own_target_answers():
    down = ScriptedExecutor(ExecutorError(ErrorKind.OVERLOADED, "busy"), repeat=True)
    spare = ScriptedExecutor("spare", repeat=True)
    async with Stack(Fallback(Target(down, name="a"), Target(Cache(), spare, name="b"))).build() as executor:
        assert [(await ask(executor)).cached for _ in range(3)] == [False, True, True]


def test_who_came_later_has_time_left_when_a_layers_time_is_over_for_the_others():
    slow = Scripted((lambda: asyncio.sleep(7), Chunk("late"), end()))
    quick = Scripted((lambda: asyncio.sleep(1), Chunk("quick"), end()))

    async def main():
        leaf = ScriptedExecutor(slow, quick)
        async with Stack(Cache(), Timeout(total=6), leaf).build() as executor:

            async def call(at):
                await asyncio.sleep(at)
                try:
                    return (await ask(executor)).text
                except RejectedError as error:
                    return error.kind

            told = await asyncio.gather(call(0), call(0), call(5.9), call(5.95))
        assert told == [ErrorKind.DEADLINE, ErrorKind.DEADLINE, "quick", "quick"]
        assert len(leaf.calls) == 2

    run_virtual(main())


@pytest.mark.parametrize("rounds", [20])
def test_loops_of_many_threads_come_and_go(rounds):
    problems = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(rounds):
            executor = Stack(Cache(), ScriptedExecutor("ok", repeat=True)).build()
            start = threading.Barrier(8)

            def work(executor=executor, start=start):
                start.wait()
                for _ in range(4):
                    try:
                        asyncio.run(ask(executor))
                    except Exception as error:
                        problems.append(error)

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []
