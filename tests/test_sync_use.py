"""Synchronous code in its surroundings: interrupts, running loops, deadlines, spans, a stack that follows its file."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lamellar import CallContext, ChatOptions, ChatRequest, Chunk, RejectedError, Stack, SyncExecutor
from lamellar.middleware import Timeout
from lamellar.testing import Hang, ProviderSimulator, Scripted, ScriptedExecutor, answer

REQUEST = ChatRequest.from_user("hi")


def until(condition: Callable[[], object]) -> None:
    """Wait until another thread has done something; fail when it does not."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    until(lambda: not [each for each in threading.enumerate() if each.name.startswith("lamellar-sync")])


def test_an_interrupt_in_the_middle_of_a_stream_closes_it_and_the_executor_goes_on() -> None:
    leaf = ScriptedExecutor([Chunk("one"), Hang()], "after")
    reading = threading.Event()

    def interrupt() -> None:
        reading.wait(5)
        time.sleep(0.05)  # it is to come while the next event is waited for
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with SyncExecutor(Stack(leaf).build()) as executor:
        events = executor.exec_chat_stream_events("m", REQUEST)
        with pytest.raises(KeyboardInterrupt), events:
            for event in events:
                if isinstance(event, Chunk):
                    reading.set()
        assert events.outcome in ("cancelled", "abandoned")
        assert leaf.open_streams == 0
        assert list(events) == []
        assert executor.exec_chat_response("m", REQUEST).text == "after"
    interrupter.join()


def test_it_may_be_called_where_a_loop_runs_already() -> None:
    """As in a notebook, or in a synchronous function that a coroutine calls: that loop waits, and goes on."""

    async def main() -> list[str]:
        with SyncExecutor(Stack(ScriptedExecutor("whole", answer(["in ", "parts"]))).build()) as executor:
            whole = executor.exec_chat_response("m", REQUEST).text
            with executor.exec_chat_stream_events("m", REQUEST) as events:
                return [whole, *events.text()]

    assert asyncio.run(main()) == ["whole", "in ", "parts"]


def test_deadlines_hold() -> None:
    hanging = ScriptedExecutor(Scripted((), (Hang(),)), repeat=True)
    limited = Stack(Timeout(total=0.05), hanging)
    with SyncExecutor(limited.build()) as executor, pytest.raises(RejectedError, match="deadline"):
        executor.exec_chat_response("m", REQUEST)
    with SyncExecutor(Stack(hanging).build()) as executor:
        soon = ChatOptions(call=CallContext(timeout=0.05))
        with pytest.raises(RejectedError, match="deadline") as caught:
            executor.exec_chat_stream_events("m", REQUEST, soon)
    assert len(caught.value.attempts) == 1


def test_each_read_of_a_stream_sees_the_context_of_its_reader() -> None:
    current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="none")
    seen: list[str] = []

    async def look() -> None:
        seen.append(current.get())

    leaf = ScriptedExecutor(Scripted((Chunk("a"), look, *answer("b").steps), (look,)))
    with SyncExecutor(Stack(leaf).build()) as executor:
        current.set("at the call")
        with executor.exec_chat_stream_events("m", REQUEST) as events:
            current.set("at the reading")
            list(events)
    assert seen == ["at the call", "at the reading"]


def test_many_threads_each_leave_their_stream_in_the_middle() -> None:
    leaf = ScriptedExecutor([Chunk("one"), Chunk("two"), Hang()], repeat=True)

    def work(_: int) -> str:
        with executor.exec_chat_stream_events("m", REQUEST) as events:
            return next(event.content for event in events if isinstance(event, Chunk))

    with SyncExecutor(Stack(leaf).build()) as executor, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(200))) == ["one"] * 200
        assert leaf.open_streams == 0


def test_a_stack_that_follows_its_file_serves_synchronous_code(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"

    def write(simulator: ProviderSimulator) -> None:
        reach = {"base_url": simulator.base_url, "api_key": "sk-0123456789"}
        file.write_text(json.dumps({"executor": {"openai": reach}}))

    with ProviderSimulator() as old, ProviderSimulator() as new:
        write(old)
        watched = Stack.watch(file, interval=0.02)
        with SyncExecutor(watched) as executor:
            executor.exec_chat_response("m", REQUEST)
            write(new)
            until(lambda: watched.snapshot()["stack"]["reload"]["version"] == 2)  # type: ignore[index,call-overload]
            executor.exec_chat_response("m", REQUEST)
            write(old)
            assert watched.reload().ok  # from this thread, which has no loop
            with executor.exec_chat_stream_events("m", REQUEST) as events:
                assert "".join(events.text())
        assert (len(old.requests), len(new.requests)) == (2, 1)
