"""Equal calls at the same time: one call to the provider, whoever leaves."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.middleware.cache.asking import END, PIECES, REQUEST, TEXT, ask, slowly, stream

from lamellar import (
    ChatOptions,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    Progress,
    RejectedError,
    Stack,
    Start,
    StreamClosedError,
    StreamInterruptedError,
    Usage,
)
from lamellar.middleware import Cache
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar_middleware.cache.flight import Flight
from lamellar_middleware.cache.reader import Reader

N = 50
KINDS = {
    "calls": [ask] * N,
    "streams": [stream] * N,
    "mixed": [stream, *[ask, stream] * (N // 2)][:N],
}
EVERYBODY = range(N)
SUBSETS: dict[str, Sequence[int]] = {
    "nobody": [],
    "the leader": [0],
    "the last": [N - 1],
    "some": random.Random(1).sample(EVERYBODY, N // 2),
    "the followers": EVERYBODY[1:],
    "all but one": [each for each in EVERYBODY if each != 17],
    "all": EVERYBODY,
}
MOMENTS = {"connecting": 0.5, "before content": 1.5, "mid-stream": 2.5, "at the end": 4.5}
"""Seconds after which they are cancelled; the answer takes five."""


async def no_tasks_left() -> None:
    await ManualClock.settle()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.failure(28)
def test_fifty_equal_calls_are_one_whoever_is_cancelled(kind: str, subset: str, moment: str) -> None:
    leaf = ScriptedExecutor(slowly(), "afresh")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Cache(), leaf).build() as executor:
            calls = [asyncio.create_task(way(executor)) for way in KINDS[kind]]
            await asyncio.sleep(MOMENTS[moment])
            for number in SUBSETS[subset]:
                calls[number].cancel()
            left = set(EVERYBODY) - set(SUBSETS[subset])
            if not left:
                await ManualClock.settle()
                assert leaf.open_streams == 0, "nobody waits: the provider is let go of at once"
            done = await asyncio.gather(*calls, return_exceptions=True)
            assert loop.time() == pytest.approx(5 if left else MOMENTS[moment])
            assert len(leaf.calls) == 1
            for number, result in enumerate(done):
                if number in left:
                    assert result.text == TEXT
                    assert result.cached is (number != 0)
                    assert len(result.attempts) == (number == 0)
                else:
                    assert isinstance(result, asyncio.CancelledError)
                    assert calls[number].cancelling() == 1
            assert leaf.open_streams == 0
            await no_tasks_left()
            assert (await ask(executor)).text == (TEXT if left else "afresh"), "the whole answer was kept, or nothing"

    run_virtual(main())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([None, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 4.5, 5])), min_size=1, max_size=8
    )
)
def test_any_callers_and_any_cancellations(callers: list[tuple[bool, float | None]]) -> None:
    """Callers are (stream or call, when cancelled); all of them ask at once."""
    leaf = ScriptedExecutor(slowly(), repeat=True)

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            tasks = [asyncio.create_task((stream if streaming else ask)(executor)) for streaming, _ in callers]
            await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            for task, (_, moment) in zip(tasks, callers, strict=True):
                if moment is not None:
                    loop.call_at(moment, task.cancel)
            done = await asyncio.gather(*tasks, return_exceptions=True)
            for (_, moment), result in zip(callers, done, strict=True):
                if moment is None:
                    assert result.text == TEXT
                else:
                    assert isinstance(result, asyncio.CancelledError) or result.text == TEXT
            kinds = [streaming for streaming, _ in callers]
            assert len(leaf.calls) == 1 + (True in kinds and not kinds[0]), "a stream cannot join a call's flight"
            assert leaf.open_streams == 0
            await no_tasks_left()

    run_virtual(main())


# -- who joins what --------------------------------------------------------------------------------------------------


def test_who_comes_late_gets_everything_from_the_beginning() -> None:
    leaf = ScriptedExecutor(slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            first = asyncio.create_task(stream(executor))
            await asyncio.sleep(3.5)
            async with await executor.exec_chat_stream_events("m", REQUEST) as events:
                seen = [event async for event in events]
            assert [event.content for event in seen[1:-1]] == list(PIECES)
            assert seen[0] == Start("m", "scripted", target="scripted", cached=True)
            assert (seen[-1].usage, seen[-1].stop_reason) == (END.usage, "completed")
            assert events.outcome is Outcome.COMPLETED
            assert not (await first).cached

    run_virtual(main())
    assert len(leaf.calls) == 1


def test_a_stream_does_not_join_a_calls_flight() -> None:
    leaf = ScriptedExecutor(slowly(), slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            results = await asyncio.gather(ask(executor), stream(executor), ask(executor), stream(executor))
        assert [result.cached for result in results] == [False, False, True, True]

    run_virtual(main())
    assert [call.streaming for call in leaf.calls] == [False, True]


def test_without_single_flight_each_asks_for_itself() -> None:
    leaf = ScriptedExecutor(slowly(), repeat=True)

    async def main() -> None:
        async with Stack(Cache(single_flight=False), leaf).build() as executor:
            results = await asyncio.gather(*[ask(executor) for _ in range(3)])
            assert not any(result.cached for result in results)
            assert (await ask(executor)).cached

    run_virtual(main())
    assert len(leaf.calls) == 3


def test_other_requests_have_flights_of_their_own() -> None:
    leaf = ScriptedExecutor(slowly(), repeat=True)

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            await asyncio.gather(*[ask(executor, options=ChatOptions(seed=n % 2)) for n in range(10)])

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_one_flight_writes_one_entry() -> None:
    written = []

    class Counting:
        async def get(self, key: str) -> None:
            return None

        async def put(self, key: str, stored: object) -> None:
            written.append(key)

    async def main() -> None:
        async with Stack(Cache(store=Counting()), ScriptedExecutor(slowly())).build() as executor:
            await asyncio.gather(*[stream(executor) for _ in range(10)], *[ask(executor) for _ in range(10)])

    run_virtual(main())
    assert len(written) == 1


# -- pace and memory -------------------------------------------------------------------------------------------------


class Counted:
    """Counts how many events the provider has been asked for."""

    def __init__(self, pieces: int, size: int) -> None:
        self.read = 0
        step = [self._count, Chunk("x" * size)] * pieces
        self.leaf = ScriptedExecutor([*step, END])

    async def _count(self) -> None:
        self.read += 1


async def test_a_flight_reads_no_further_than_somebody_wants() -> None:
    counted = Counted(10, 10)
    async with Stack(Cache(), counted.leaf).build() as executor:
        events = await executor.exec_chat_stream_events("m", REQUEST)
        await anext(events)
        await ManualClock.settle()
        assert counted.read == 1
        await stream(executor)
        assert counted.read == 10, "somebody wanted all of it"
        assert (await events.collect()).text == "x" * 100


async def test_over_the_bound_nobody_joins_and_the_slowest_sets_the_pace() -> None:
    counted = Counted(100, 900)
    async with Stack(Cache(max_entry_bytes=5_000), counted.leaf).build() as executor:
        slow = await executor.exec_chat_stream_events("m", REQUEST)
        quick = asyncio.create_task(stream(executor))
        await ManualClock.settle(200)
        assert not quick.done()
        assert counted.read <= 7, "as much as the bound allows, and one event more"
        (flight,) = executor.inner._here().flights._flying.values()
        late = asyncio.create_task(executor.exec_chat_stream_events("m", REQUEST))
        await ManualClock.settle()
        assert len(counted.leaf.calls) == 2, "who comes now asks for himself"
        with pytest.raises(Exception, match="script"):
            await late
        most = 0
        async with slow:
            async for _ in slow:
                most = max(most, len(flight._events))
                await asyncio.sleep(0)
        assert most <= 7
        assert slow.outcome is Outcome.COMPLETED
        assert (await quick).text == "x" * 90_000


async def test_a_slow_reader_that_leaves_lets_the_others_go_on() -> None:
    counted = Counted(100, 900)
    async with Stack(Cache(max_entry_bytes=5_000), counted.leaf).build() as executor:
        slow = await executor.exec_chat_stream_events("m", REQUEST)
        quick, call = (asyncio.create_task(way(executor)) for way in (stream, ask))
        await ManualClock.settle(200)
        await slow.aclose()
        assert len((await quick).text) == len((await call).text) == 90_000


async def test_a_reader_that_nobody_holds_leaves() -> None:
    leaf = ScriptedExecutor([Chunk("a"), Hang()])
    async with Stack(Cache(), leaf).build() as executor:
        one, other = [await executor.exec_chat_stream_events("m", REQUEST) for _ in range(2)]
        assert leaf.open_streams == 1
        del one
        gc.collect()
        await ManualClock.settle()
        assert leaf.open_streams == 1
        assert other.outcome is None
        del other
        gc.collect()
        await ManualClock.settle()
        assert leaf.open_streams == 0
        await no_tasks_left()


async def breaks() -> None:
    raise ExecutorError("connection", "reset")


async def test_a_flight_goes_without_the_garbage_collector() -> None:
    async def flights_after(way, *steps: object) -> list[object]:
        leaf = ScriptedExecutor(Scripted(steps))
        async with Stack(Cache(), leaf).build() as executor:
            tasks = [asyncio.create_task(way(executor)) for _ in range(3)]
            await ManualClock.settle()
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await ManualClock.settle()
            del tasks
            return [each for each in gc.get_objects() if isinstance(each, Flight | Reader)]

    gc.collect()
    gc.disable()
    try:
        assert await flights_after(ask, Chunk("a"), END) == []
        assert await flights_after(stream, Chunk("a"), END) == []
        assert await flights_after(ask, Chunk("a"), ManualClock.settle, breaks) == []
    finally:
        gc.enable()


# -- closing ---------------------------------------------------------------------------------------------------------


async def test_closing_the_stack_ends_everything_under_way() -> None:
    leaf = ScriptedExecutor([Chunk("a"), Hang()], Scripted((), (Hang(),)))
    executor = Stack(Cache(), leaf).build()
    events = [await executor.exec_chat_stream_events("m", REQUEST) for _ in range(2)]
    calls = [asyncio.create_task(ask(executor, options=each)) for each in (None, ChatOptions(seed=1))]
    await ManualClock.settle()
    await executor.aclose()
    assert not [task for task in asyncio.all_tasks() if "Flight" in repr(task)], "nothing outlives the close"
    for each in events:
        assert each.outcome is Outcome.CANCELLED
        with pytest.raises(StreamClosedError, match="executor was closed"):
            await each.collect()
    for call in calls:
        with pytest.raises(RejectedError, match="closed"):
            await call
    assert leaf.open_streams == 0
    await no_tasks_left()


async def test_closing_the_layer_alone_tells_whoever_waits() -> None:
    leaf = ScriptedExecutor([Chunk("a"), Hang()])
    built = Stack(Cache(), leaf).build()
    events = await built.inner.exec_chat_stream_events("m", REQUEST)
    call = asyncio.create_task(ask(built.inner))
    await ManualClock.settle()
    await built.inner.aclose()
    with pytest.raises(RejectedError, match="closed"):
        await call
    with pytest.raises(StreamInterruptedError) as caught:
        await events.collect()
    assert (caught.value.kind, caught.value.text) == (ErrorKind.CLOSED, "a")
    await built.aclose()


def test_a_loop_that_ends_with_a_flight_under_way_takes_it_along() -> None:
    leaf = ScriptedExecutor([Chunk("a"), Hang()], answer("b"))
    executor = Stack(Cache(), leaf).build()

    async def leave() -> None:
        for _ in range(3):
            task = asyncio.create_task(stream(executor))
        await ManualClock.settle()
        assert not task.done()

    asyncio.run(leave())
    assert leaf.open_streams == 0
    assert asyncio.run(ask(executor)).text == "b"
    asyncio.run(executor.aclose())


async def test_progress_is_for_nobody_who_reads() -> None:
    leaf = ScriptedExecutor([Progress(), Chunk("a"), Progress(), Chunk(""), Chunk("b"), End(usage=Usage())])
    async with Stack(Cache(), leaf).build() as executor:
        events = [event async for event in await executor.exec_chat_stream_events("m", REQUEST)]
    assert [type(event) for event in events] == [Start, Chunk, Chunk, End]
