"""What of all answers is kept, and where: whole ones, in memory or in a store of one's own that may fail."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.middleware.cache.asking import (
    BOTH_WAYS,
    END,
    PIECES,
    REQUEST,
    RICH,
    TEXT,
    USAGE,
    Dictionary,
    ask,
    stream,
)

from lamellar import (
    ChatOptions,
    Chunk,
    EventSource,
    ExecutorError,
    LlmEventStream,
    Outcome,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.middleware import Cache, Fallback, StoredAnswer
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedCall, ScriptedExecutor, answer, run_virtual


def whole() -> Scripted:
    return answer(PIECES, usage=USAGE)


# -- what is not kept ------------------------------------------------------------------------------------------------


def ends(reason: str | None, content: str = "text") -> Scripted:
    return answer(content, stop_reason=reason)


@pytest.mark.parametrize("way", BOTH_WAYS)
@pytest.mark.parametrize("single_flight", [True, False])
@pytest.mark.parametrize(
    ("given", "options", "kept"),
    [
        (ends("completed"), None, True),
        (ends("stop_sequence"), None, True),
        (ends(None), None, True),
        (ends("content_filter"), None, False),
        (ends("other"), None, False),
        (ends("max_tokens"), None, False),
        (ends("max_tokens"), ChatOptions(max_tokens=5), True),
        (ends("completed", ""), None, False),
    ],
    ids=["completed", "stop", "unsaid", "filtered", "other", "cut", "cut-by-the-caller", "empty"],
)
@pytest.mark.failure(26)
async def test_only_whole_answers_are_kept(given, options, kept: bool, single_flight: bool, way) -> None:
    leaf = ScriptedExecutor(given, given)
    async with Stack(Cache(single_flight=single_flight), leaf).build() as executor:
        await way(executor, options=options)
        assert (await way(executor, options=options)).cached is kept
    assert len(leaf.calls) == (1 if kept else 2)


@pytest.mark.parametrize("single_flight", [True, False])
@pytest.mark.failure(26)
async def test_what_broke_is_not_kept(single_flight: bool) -> None:
    broken = [Chunk("Par"), ExecutorError("connection", "reset")]
    truncated = [Chunk("Par")]
    leaf = ScriptedExecutor(broken, truncated, ExecutorError("server_error", "no"), whole())
    async with Stack(Cache(single_flight=single_flight), leaf).build() as executor:
        for _ in range(2):
            with pytest.raises(StreamInterruptedError):
                await stream(executor)
        with pytest.raises(ExecutorError):
            await ask(executor)
        assert (await ask(executor)).text == TEXT


@pytest.mark.parametrize("single_flight", [True, False])
async def test_what_was_left_or_cancelled_is_not_kept(single_flight: bool) -> None:
    leaf = ScriptedExecutor(whole(), [Chunk("a"), Hang()], whole())
    async with Stack(Cache(single_flight=single_flight), leaf).build() as executor:
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break
        task = asyncio.create_task(stream(executor))
        await ManualClock.settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await stream(executor)).cached
    assert len(leaf.calls) == 3


class AtOnce(ScriptedExecutor):
    """Streams that come in one piece, as from a fast provider."""

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        self.calls.append(ScriptedCall(model, chat_req, options, streaming=True))
        return LlmEventStream(Batch())


class Batch(EventSource):
    async def read(self):
        return [*map(Chunk, PIECES), END]

    def finish(self, finish):
        pass


@pytest.mark.parametrize("single_flight", [True, False])
async def test_an_answer_whose_end_nobody_was_handed_is_not_kept(single_flight: bool) -> None:
    async with Stack(Cache(single_flight=single_flight), leaf := AtOnce()).build() as executor:
        for _ in range(2):
            async with await executor.exec_chat_stream_events("m", REQUEST) as events:
                async for event in events:
                    if isinstance(event, Chunk):
                        break
            assert events.attempts[-1].outcome is Outcome.ABANDONED
        assert len(leaf.calls) == 2
        assert not (await stream(executor)).cached
        assert (await stream(executor)).cached


async def test_an_answer_that_is_handed_out_after_the_close_is_not_kept() -> None:
    store = Dictionary()
    built = Stack(Cache(store=store), AtOnce()).build()
    events = await built.inner.exec_chat_stream_events("m", REQUEST)
    await asyncio.sleep(0)
    await built.inner.aclose()
    assert (await events.collect()).text == TEXT
    await ManualClock.settle()
    assert store.kept == {}
    await built.aclose()


@pytest.mark.parametrize("way", BOTH_WAYS)
@pytest.mark.parametrize("store_fallback", [False, True])
@pytest.mark.parametrize("single_flight", [True, False])
@pytest.mark.failure(25)
async def test_the_answer_of_a_fallback_is_not_kept_for_the_primary(single_flight, store_fallback, way) -> None:
    primary = ScriptedExecutor(ExecutorError("overloaded", "busy"), whole())
    other = ScriptedExecutor("from the other")
    targets = Fallback(Target(primary, model="a"), Target(other, model="b"))
    cache = Cache(single_flight=single_flight, store_fallback=store_fallback)
    async with Stack(cache, targets).build() as executor:
        assert (await way(executor)).text == "from the other"
        second = await way(executor)
    assert second.text == ("from the other" if store_fallback else TEXT)
    assert second.cached is store_fallback


async def test_a_cache_over_a_cache_keeps_what_that_one_kept() -> None:
    near, far, leaf = Dictionary(), Dictionary(), ScriptedExecutor(whole())
    far_off = Cache(store=far, fingerprint="the same")
    async with Stack(far_off, leaf).build() as executor:
        await ask(executor)
    async with Stack(Cache(store=near), far_off, ScriptedExecutor(name="scripted")).build() as executor:
        assert (await ask(executor)).cached
        await ManualClock.settle()
        assert len(near.kept) == 1


# -- stores of a user's own ------------------------------------------------------------------------------------------


async def test_a_store_of_ones_own_keeps_json_and_survives_the_stack() -> None:
    store, leaf = Dictionary(), ScriptedExecutor(RICH)
    cache = Cache(store=store, ttl=60, fingerprint="the same")
    async with Stack(cache, leaf).build() as executor:
        made = await ask(executor)
    (data,) = store.kept.values()
    assert b"attempts" not in data
    async with Stack(cache, ScriptedExecutor()).build() as executor:
        kept = await ask(executor)
    assert kept == made.model_copy(update={"cached": True, "attempts": ()})


async def test_an_entry_that_a_store_gives_too_late_is_a_miss() -> None:
    clock, store = ManualClock(), Dictionary()
    async with Stack(Cache(store=store, ttl=60), ScriptedExecutor("a", "b")).build(clock=clock) as executor:
        await ask(executor)
        await clock.advance(60)
        assert (await ask(executor)).text == "b"


class Broken:
    async def get(self, key: str) -> StoredAnswer | None:
        raise ConnectionError("redis://user:the-password@cache.internal refused")

    async def put(self, key: str, stored: StoredAnswer) -> None:
        raise ConnectionError("refused")


@pytest.mark.parametrize("way", BOTH_WAYS)
async def test_a_store_that_fails_reaches_no_caller_and_is_told_once(way, caplog) -> None:
    leaf = ScriptedExecutor(whole(), repeat=True)
    with caplog.at_level(logging.WARNING, "lamellar.cache"):
        async with Stack(Cache(store=Broken(), fingerprint="x"), leaf).build() as executor:
            for _ in range(5):
                assert (await way(executor)).text == TEXT
                await ManualClock.settle()
    assert len(leaf.calls) == 5
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("the calls go on without it" in each for each in said)
    assert "the-password" not in "".join(said)


async def test_what_waits_for_a_slow_store_is_bounded(caplog) -> None:
    class Stuck(Dictionary):
        gate = asyncio.Event()

        async def put(self, key: str, stored: StoredAnswer) -> None:
            await self.gate.wait()
            await super().put(key, stored)

    store, leaf = Stuck(), ScriptedExecutor(answer("x" * 300), repeat=True)
    async with Stack(Cache(store=store, max_bytes=2000, max_entry_bytes=1000), leaf).build() as executor:
        for number in range(20):
            await ask(executor, model=f"m{number}")
        store.gate.set()
    assert 1 <= len(store.kept) < 5
    assert len([record for record in caplog.records if "slower" in record.getMessage()]) == 1


async def test_a_store_that_gives_something_else_is_a_miss(caplog) -> None:
    class Odd(Dictionary):
        async def get(self, key: str) -> object:
            return self.kept.get(key)

    async with Stack(Cache(store=Odd(), fingerprint="x"), ScriptedExecutor(whole(), repeat=True)).build() as executor:
        for _ in range(3):
            assert (await ask(executor)).text == TEXT
            await ManualClock.settle()
    assert [record.getMessage() for record in caplog.records] == ["the cache's store gave a bytes, not a StoredAnswer"]


def test_closing_waits_for_a_store_that_hangs_and_not_for_ever(caplog) -> None:
    class Hanging(Dictionary):
        async def put(self, key: str, stored: StoredAnswer) -> None:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        executor = Stack(Cache(store=Hanging(), fingerprint="x"), ScriptedExecutor(whole())).build()
        await ask(executor)
        await executor.aclose()
        assert asyncio.get_running_loop().time() == pytest.approx(5)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())
    assert "too slow at closing" in caplog.text
