"""Calls go to the stack of the moment, and end in the one they began in."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from tests.reload.held import INTERVAL, NOTICED, REQUEST, Held, ask, at_once, leaf, owner, reload_of, watched

from lamellar import (
    Chunk,
    ConfigError,
    End,
    LayerSpec,
    RejectedError,
    Stack,
    StreamClosedError,
    Target,
)
from lamellar.middleware import Fallback, RateLimit, Retry, Timeout
from lamellar.reload import Reload, WatchedExecutor
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

# -- the change --------------------------------------------------------------------------------------------------------


def test_calls_go_to_the_new_stack_once_it_was_noticed() -> None:
    async def main() -> None:
        executor, held = watched(leaf("old"))
        async with executor:
            assert await ask(executor) == "old"
            held.stack = Stack(leaf("new"))
            assert await ask(executor) == "old"
            await asyncio.sleep(NOTICED)
            assert await ask(executor) == "new"
            assert reload_of(executor) == {"version": 2, "last_error": None, "retired": []}

    run_virtual(main())


def test_nothing_is_looked_at_in_a_call() -> None:
    async def main() -> None:
        executor, held = watched(leaf("old"))
        async with executor:
            await ask(executor)
            before = held.looks
            for _ in range(100):
                await ask(executor)
            assert held.looks == before
            await asyncio.sleep(10 * INTERVAL)
            assert held.looks == before + 10
            assert held.loads == 1

    run_virtual(main())


def test_a_call_under_way_ends_in_the_stack_it_began_in() -> None:
    async def main() -> None:
        closed: list[str] = []
        go = asyncio.Event()
        old = ScriptedExecutor(answer("old", opening=(go.wait,)))
        executor, held = watched(owner("old", closed), old)
        async with executor:
            call = asyncio.create_task(ask(executor))
            await asyncio.sleep(1)
            held.stack = Stack(leaf("new"))
            await asyncio.sleep(NOTICED)
            assert await ask(executor) == "new"
            assert reload_of(executor)["retired"] == [{"version": 1, "calls": 1, "streams": 0}]
            assert closed == []
            go.set()
            assert await call == "old"
            await asyncio.sleep(0.1)
            assert closed == ["old"]
            assert reload_of(executor)["retired"] == []

    run_virtual(main())


def test_a_stream_is_read_to_its_last_event_in_the_stack_it_began_in() -> None:
    async def main() -> None:
        closed: list[str] = []
        old = ScriptedExecutor(answer(["one ", "two ", "three"]))
        executor, held = watched(owner("old", closed), old)
        async with executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            held.stack = Stack(leaf("new"))
            await asyncio.sleep(NOTICED)
            assert await ask(executor) == "new"
            read = [event async for event in events]
            assert "".join(event.content for event in read if isinstance(event, Chunk)) == "one two three"
            assert isinstance(read[-1], End)
            await asyncio.sleep(0.1)
            assert closed == ["old"]

    run_virtual(main())


def test_what_does_not_end_within_the_grace_is_cut() -> None:
    async def main() -> None:
        closed: list[str] = []
        old = ScriptedExecutor([Chunk("one"), Hang()], Scripted((), (Hang(),)))
        executor, held = watched(owner("old", closed), old, grace=60.0)
        async with executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            call = asyncio.create_task(ask(executor))
            await asyncio.sleep(0)
            held.stack = Stack(leaf("new"))
            await asyncio.sleep(NOTICED + 50)
            assert not call.done()
            await asyncio.sleep(20)
            assert closed == ["old"]
            with pytest.raises(RejectedError, match="the executor was closed while this call was under way"):
                await call
            with pytest.raises(StreamClosedError):
                [event async for event in events]
            assert await ask(executor) == "new"

    run_virtual(main())


def test_of_very_many_old_stacks_the_oldest_is_closed() -> None:
    async def main() -> None:
        closed: list[str] = []
        executor, held = watched(owner("0", closed), ScriptedExecutor([Chunk("one"), Hang()]))
        async with executor:
            streams = [await executor.exec_chat_stream_events("m", REQUEST)]
            for number in range(1, 20):
                held.stack = Stack(owner(str(number), closed), ScriptedExecutor([Chunk("one"), Hang()]))
                executor.reload()
                streams.append(await executor.exec_chat_stream_events("m", REQUEST))
            await asyncio.sleep(1)
            assert closed == ["0", "1", "2"]
            assert str(reload_of(executor)["retired"]).count("version") == 16

    run_virtual(main())


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_is_wrong_is_refused_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        told: list[Reload] = []
        first = Stack(leaf("old"))
        executor, held = watched(*first.layers, first.executor, on_reload=told.append)
        held.stack = first
        executor.reload()
        told.clear()
        caplog.clear()
        async with executor:
            await ask(executor)
            held.stack = ConfigError("held.yaml:3: retry.atempts: unknown option")
            await asyncio.sleep(5 * INTERVAL)
            assert await ask(executor) == "old"
            assert reload_of(executor)["last_error"] == "held.yaml:3: retry.atempts: unknown option"
            assert str(executor.last_error) == "held.yaml:3: retry.atempts: unknown option"
            (refused,) = told
            assert not refused.ok
            assert (refused.version, str(refused.error)) == (2, str(held.stack))
            (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
            assert "retry.atempts" in warning.getMessage()
            held.stack = first
            await asyncio.sleep(2 * INTERVAL)
            assert executor.last_error is None
            assert told[1:] == [Reload(told[1].at, 2)]

    run_virtual(main())


def test_a_stack_that_cannot_be_built_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(LayerSpec):
        kind = "broken"

        def wrap(self, inner, context):
            raise ZeroDivisionError("a mistake of a plate's, with sk-abcdefgh12345678 in it")

    async def main() -> None:
        from lamellar.middleware import Retry
        from lamellar.providers import OpenAI

        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        monkeypatch.setattr(Retry, "wrap", Broken.wrap)
        executor, held = watched(leaf("old"))
        async with executor:
            for wrong, said in (
                (Stack(OpenAI()), "OPENAI_API_KEY"),
                (Stack(Broken(), leaf("new")), "failed in `wrap`: ZeroDivisionError"),
                (Stack(Retry(), leaf("new")), "the stack cannot be built: ZeroDivisionError"),
            ):
                held.stack = wrong
                record = executor.reload()
                assert said in str(record.error)
                assert "abcdefgh" not in str(record.error)
                assert await ask(executor) == "old"
            held.stack = Stack(leaf("new"))
            await asyncio.sleep(NOTICED)
            assert await ask(executor) == "new"

    run_virtual(main())


def test_what_is_refused_at_first_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="wrong"):
        WatchedExecutor(
            Held(ConfigError("wrong")),
            None,  # type: ignore[arg-type]
            clock=None,  # type: ignore[arg-type]
            interval=1,
            grace=1,
            background=at_once,
        )


def test_what_is_being_written_is_not_taken_and_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        told: list[Reload] = []
        executor, held = watched(leaf("old"), on_reload=told.append)
        async with executor:
            await ask(executor)
            for step in range(40):
                held.stack = ConfigError("half") if step % 2 else Stack(leaf("half"))
                await asyncio.sleep(0.2)
                assert await ask(executor) == "old"
            assert told == []
            held.stack = Stack(leaf("whole"))
            await asyncio.sleep(NOTICED)
            assert await ask(executor) == "whole"
            assert [each.ok for each in told] == [True]

    run_virtual(main())
    assert not [each for each in caplog.records if each.levelno == logging.WARNING]


def test_a_hook_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def hook(record: Reload) -> None:
            raise ValueError("mine")

        executor, held = watched(leaf("old"), on_reload=hook)
        async with executor:
            held.stack = Stack(leaf("new"))
            assert executor.reload().ok
            assert await ask(executor) == "new"

    run_virtual(main())
    assert "the on_reload hook failed" in caplog.text


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_by_hand_it_is_read_at_once_and_built_anew() -> None:
    async def main() -> None:
        closed: list[str] = []
        executor, held = watched(owner("a", closed), leaf("old"))
        async with executor:
            unchanged = executor.reload()
            assert (unchanged.ok, unchanged.version, unchanged.changes) == (True, 2, ())
            held.stack = Stack(Timeout(total=3), leaf("new"))
            record = executor.reload()
            assert (record.ok, record.version) == (True, 3)
            assert "layers[0]: timeout added" in record.changes
            assert await ask(executor) == "new"

    run_virtual(main())


def test_by_hand_from_a_thread_without_a_loop_the_old_stack_is_closed_by_the_loop() -> None:
    async def main() -> None:
        closed: list[str] = []
        executor, held = watched(owner("old", closed), leaf("old"))
        async with executor:
            assert await ask(executor) == "old"
            held.stack = Stack(leaf("new"))
            thread = threading.Thread(target=executor.reload)
            thread.start()
            thread.join()
            assert await ask(executor) == "new"
            for _ in range(500):
                if closed:
                    break
                await asyncio.sleep(0.01)
            assert closed == ["old"]

    asyncio.run(main())


def test_what_changed_is_told() -> None:
    before = Stack(Retry(attempts=2), Timeout(total=5), Fallback(Target(leaf("a"), name="a")))
    after = Stack(Timeout(total=6), RateLimit(), Fallback(Target(leaf("b"), name="b")))
    executor, held = watched(*before.layers, before.executor)
    held.stack = after
    assert executor.reload().changes == (
        "layers[0]: retry left out",
        "layers[0].timeout.total: 6.0, was 5.0",
        "layers[1]: rate_limit added",
        "executor.fallback.targets[0]: target a left out",
        "executor.fallback.targets[0]: target b added",
    )
