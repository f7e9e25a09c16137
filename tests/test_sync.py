"""The same executors for synchronous code."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lamellar.chat.events import Chunk, End
from lamellar.chat.request import ChatRequest
from lamellar.errors import ConfigError, ExecutorError, RejectedError
from lamellar.stack import Stack
from lamellar.sync import SyncExecutor
from lamellar.testing import Hang, ScriptedExecutor, answer

REQUEST = ChatRequest.from_user("hi")


def sync(*script: Any, repeat: bool = False) -> tuple[SyncExecutor, ScriptedExecutor]:
    leaf = ScriptedExecutor(*script, repeat=repeat)
    return SyncExecutor(Stack(leaf).build()), leaf


def until(condition: Any) -> None:
    """Wait until another thread has done something; fail when it does not."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


def lamellar_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lamellar-sync"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    until(lambda: not lamellar_threads())


# -- whole answers ---------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    executor, leaf = sync("Hello.")
    with executor:
        assert executor.exec_chat_response("m", REQUEST).text == "Hello."
        assert executor.name == "scripted"
    assert not leaf.calls[0].streaming


@pytest.mark.parametrize("error", [ExecutorError("connection", "reset"), RejectedError("budget", "spent")])
def test_errors_arrive_with_their_attempts(error: Exception) -> None:
    executor, _ = sync(error)
    with executor, pytest.raises(type(error)) as caught:
        executor.exec_chat_response("m", REQUEST)
    assert caught.value is error
    assert len(caught.value.attempts) == 1


def test_a_wrong_argument_is_told_like_any_other() -> None:
    executor, _ = sync("a")
    with executor, pytest.raises(ConfigError, match="chat_req: expected a ChatRequest, got str"):
        executor.exec_chat_response("m", "hi")  # type: ignore[arg-type]


def test_many_threads_share_one_executor() -> None:
    executor, leaf = sync(answer("Hello."), repeat=True)

    def work(number: int) -> str:
        if number % 2:
            return executor.exec_chat_response("m", REQUEST).text
        with executor.exec_chat_stream_events("m", REQUEST) as events:
            return "".join(events.text())

    with executor, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(200))) == ["Hello."] * 200
    assert len(leaf.calls) == 200
    assert leaf.open_streams == 0


def test_context_variables_of_the_caller_are_seen_inside() -> None:
    current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="none")
    seen: list[str] = []

    async def look() -> None:
        seen.append(current.get())

    executor, _ = sync(answer("a", opening=(look,)))
    current.set("the caller's")
    with executor:
        executor.exec_chat_response("m", REQUEST)
    assert seen == ["the caller's"]


# -- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_is_an_iterator() -> None:
    executor, leaf = sync(answer(["He", "llo"]))
    with executor, executor.exec_chat_stream_events("m", REQUEST) as events:
        kinds = [type(event).__name__ for event in events]
        assert kinds == ["Start", "Chunk", "Chunk", "End"]
        assert list(events) == []
        assert events.outcome == "completed"
        assert events.usage is not None
        assert [each.outcome for each in events.attempts] == ["completed"]
    assert leaf.open_streams == 0


def test_a_stream_may_be_collected_or_read_as_text() -> None:
    executor, _ = sync(answer(["He", "llo"]), repeat=True)
    with executor:
        assert executor.exec_chat_stream_events("m", REQUEST).collect().text == "Hello"
        assert list(executor.exec_chat_stream_events("m", REQUEST).text()) == ["He", "llo"]


def test_leaving_early_closes_the_providers_stream() -> None:
    executor, leaf = sync([Chunk("a"), Hang()])
    with executor:
        with executor.exec_chat_stream_events("m", REQUEST) as events:
            next(event for event in events if isinstance(event, Chunk))
        assert events.outcome == "abandoned"
        assert leaf.open_streams == 0
        assert list(events) == []


def test_a_stream_that_nobody_holds_is_closed() -> None:
    executor, leaf = sync([Chunk("a"), Hang()])
    with executor:
        for event in executor.exec_chat_stream_events("m", REQUEST):
            if isinstance(event, Chunk):
                break
        gc.collect()
        until(lambda: leaf.open_streams == 0)


def test_closing_a_stream_twice_or_after_its_executor_is_fine() -> None:
    executor, _ = sync([Chunk("a"), Hang()], [Chunk("a"), Hang()])
    with executor:
        first = executor.exec_chat_stream_events("m", REQUEST)
        first.close()
        first.close()
        second = executor.exec_chat_stream_events("m", REQUEST)
    second.close()
    assert (first.outcome, second.outcome) == ("abandoned", "cancelled")


def test_an_error_of_the_stream_arrives() -> None:
    executor, _ = sync([Chunk("a"), ExecutorError("connection", "reset")])
    with executor, executor.exec_chat_stream_events("m", REQUEST) as events, pytest.raises(ExecutorError) as caught:
        list(events)
    assert caught.value.kind == "connection"


# -- closing ---------------------------------------------------------------------------------------------------------


def test_closing_is_idempotent_and_closes_what_is_inside() -> None:
    closed: list[str] = []

    class Closable(ScriptedExecutor):
        async def aclose(self) -> None:
            closed.append("once")

    executor = SyncExecutor(Closable("a"))
    executor.close()
    executor.close()
    assert closed == ["once"]


def test_what_fails_while_closing_is_told_and_the_thread_ends_anyway() -> None:
    class Stuck(ScriptedExecutor):
        async def aclose(self) -> None:
            raise OSError("the door is stuck")

    executor = SyncExecutor(Stuck("a"))
    with pytest.raises(OSError, match="the door is stuck"):
        executor.close()
    assert not lamellar_threads()


def test_a_closed_executor_refuses() -> None:
    executor, _ = sync(answer(["a", "b"]), repeat=True)
    events = executor.exec_chat_stream_events("m", REQUEST)
    executor.close()
    for use in (
        lambda: executor.exec_chat_response("m", REQUEST),
        lambda: executor.exec_chat_stream_events("m", REQUEST),
        lambda: next(events),
        events.collect,
    ):
        with pytest.raises(RejectedError, match="this executor is closed") as caught:
            use()
        assert caught.value.kind == "closed"


@pytest.mark.parametrize("bare", [False, True], ids=["stack", "bare leaf"])
def test_closing_ends_the_calls_that_other_threads_wait_for(bare: bool) -> None:
    leaf = ScriptedExecutor([Hang()], repeat=True)
    executor = SyncExecutor(leaf if bare else Stack(leaf).build())
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(executor.exec_chat_response, "m", REQUEST) for _ in range(8)]
        until(lambda: len(leaf.calls) == 8)
        executor.close()
        for call in waiting:
            with pytest.raises(RejectedError, match="the executor was closed while this call was under way"):
                call.result(timeout=5)


def test_closing_while_threads_keep_calling_leaves_none_of_them_waiting() -> None:
    for _ in range(20):
        executor, _ = sync("a", repeat=True)

        def call_on(executor: SyncExecutor = executor) -> str:
            while True:
                try:
                    executor.exec_chat_response("m", REQUEST)
                except RejectedError as error:
                    return str(error.kind)

        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(call_on) for _ in range(4)]
            executor.close()
            assert [call.result(timeout=5) for call in calls] == ["closed"] * 4


def test_an_executor_that_nobody_holds_ends_its_thread() -> None:
    executor, _ = sync("a")
    assert lamellar_threads()
    del executor
    gc.collect()
    until(lambda: not lamellar_threads())


def test_an_executor_that_is_collected_on_its_own_loop_does_not_wait_for_itself() -> None:
    executor, _ = sync("a")
    holder, loop = [executor], executor._runner.loop
    del executor
    loop.call_soon_threadsafe(holder.clear)
    until(loop.is_closed)  # it would wait for 10 s


# -- misuse and interrupts -------------------------------------------------------------------------------------------


def test_calling_it_from_its_own_loop_is_refused() -> None:
    errors: list[BaseException] = []

    async def call_back() -> None:
        try:
            executor.exec_chat_response("m", REQUEST)
        except RuntimeError as error:
            errors.append(error)

    executor, _ = sync(answer("a", opening=(call_back,)))
    with executor:
        executor.exec_chat_response("m", REQUEST)
    assert "called from its own loop" in str(errors[0])


async def test_it_works_beside_a_running_loop_of_the_callers() -> None:
    executor, _ = sync("a")
    with executor:
        assert (await asyncio.to_thread(executor.exec_chat_response, "m", REQUEST)).text == "a"


def test_an_interrupt_of_the_waiting_thread_cancels_the_call() -> None:
    ended = threading.Event()

    async def never() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    executor, leaf = sync(answer("a", opening=(never,)), "after")

    def interrupt() -> None:
        until(lambda: leaf.calls)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with executor:
        with pytest.raises(KeyboardInterrupt):
            executor.exec_chat_response("m", REQUEST)
        assert ended.wait(5)
        assert executor.exec_chat_response("m", REQUEST).text == "after"
    interrupter.join()


@pytest.mark.parametrize(
    "ending",
    [
        "executor.close()",
        "",
        "stream = executor.exec_chat_stream_events('m', request); next(stream)",
        "del executor",
    ],
    ids=["closed", "left open", "a stream left open", "dropped"],
)
def test_a_program_ends_without_a_word(ending: str) -> None:
    program = f"""
from lamellar import ChatRequest, Stack, SyncExecutor
from lamellar.testing import ScriptedExecutor, answer
request = ChatRequest.from_user("hi")
executor = SyncExecutor(Stack(ScriptedExecutor(answer(["a", "b"]), repeat=True)).build())
print(executor.exec_chat_response("m", request).text)
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("ab\n", "", 0)


def test_the_end_event_is_the_last() -> None:
    executor, _ = sync("a")
    with executor, executor.exec_chat_stream_events("m", REQUEST) as events:
        assert isinstance(list(events)[-1], End)


# -- forks -----------------------------------------------------------------------------------------------------------

FORKING = """
import os, signal, sys, threading, time
from lamellar import ChatRequest, RejectedError, Stack, SyncExecutor
from lamellar.testing import Hang, ScriptedExecutor, answer
request = ChatRequest.from_user("hi")

def say(*words):
    print(*words, flush=True)

def ask(executor):
    say(executor.exec_chat_response("m", request).text)

def make(*script, repeat=True):
    return SyncExecutor(Stack(ScriptedExecutor(*(script or (answer(["a", "b"]),)), repeat=repeat)).build())

def refused(use, *arguments):
    try:
        use(*arguments)
    except RejectedError as error:
        say(error.kind, "--", error.message)

def fork(work):
    child = os.fork()
    if child == 0:
        signal.alarm(15)  # a child that hangs ends by itself
        work()
        sys.exit(0)  # with the finalizers, unlike os._exit
    status = os.waitpid(child, 0)[1]
    if status:
        say("the child ended with", status)
"""


def forking(program: str) -> list[str]:
    """What a program that forks prints; it must not hang, and say nothing else."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-W", "ignore::DeprecationWarning", "-c", FORKING + program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@forks
@pytest.mark.parametrize("ending", ["executor.close()", "", "del executor"], ids=["closed", "left open", "dropped"])
def test_a_forked_child_gets_a_thread_of_its_own_and_the_parent_goes_on(ending: str) -> None:
    program = f"""
def work():
    global executor
    ask(executor)
    say(*executor.exec_chat_stream_events("m", request).text())
    say([thread.name for thread in threading.enumerate()].count("lamellar-sync"))
    {ending or "pass"}

executor = make()
ask(executor)
fork(work)
ask(executor)
fork(work)
ask(executor)
{ending}
"""
    child = ["ab", "a b", "1"]
    assert forking(program) == ["ab", *child, "ab", *child, "ab"]


@forks
@pytest.mark.parametrize("ending", ["executor.close()", "", "del executor"], ids=["closed", "left open", "dropped"])
def test_a_child_that_never_calls_ends_at_once(ending: str) -> None:
    program = f"""
def work():
    global executor
    {ending or "pass"}

executor = make()
begun = time.monotonic()
fork(work)
say(time.monotonic() - begun < 5)  # it would wait for 10 s
ask(executor)
"""
    assert forking(program) == ["True", "ab"]


@forks
def test_a_lock_that_was_held_at_the_fork_does_not_stop_the_child() -> None:
    program = """
from lamellar import sync
executor = make()
with executor._runner._gate, sync._moving:
    fork(lambda: (ask(executor), executor.close()))
    fork(lambda: (executor.close(), refused(ask, executor)))
ask(executor)
"""
    assert forking(program) == ["ab", "closed -- this executor is closed", "ab"]


@forks
def test_what_was_closed_before_the_fork_stays_closed() -> None:
    program = """
executor = make()
executor.close()
fork(lambda: (refused(ask, executor), executor.close()))
"""
    assert forking(program) == ["closed -- this executor is closed"]


@forks
def test_a_fork_while_other_threads_call_and_streams_are_open() -> None:
    program = """
def work():
    refused(next, stream)
    stream.close()
    ask(executor)
    refused(next, stream)
    executor.close()

executor = make(answer(["a", "b"]), [Hang()], answer(["c", "d"]), answer(["e", "f"]), repeat=False)
stream = executor.exec_chat_stream_events("m", request)
next(stream)
waiting = threading.Thread(target=refused, args=(ask, executor))
waiting.start()
time.sleep(0.2)
fork(work)
ask(executor)
say(*stream.text())
executor.close()
waiting.join()
"""
    foreign = "closed -- this stream belongs to the process before the fork"
    ended = "closed -- the executor was closed while this call was under way"
    assert forking(program) == [foreign, "cd", foreign, "cd", "a b", ended]


@forks
def test_many_threads_of_a_child_share_its_one_loop() -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
def work():
    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: executor.exec_chat_response("m", request).text, range(100)))
    say(set(texts), [thread.name for thread in threading.enumerate()].count("lamellar-sync"))

executor = make()
fork(work)
executor.close()
"""
    assert forking(program) == ["{'ab'} 1"]
