"""Timeout: what each limit bounds, where it stands, and that the consumer's own time never counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    Progress,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
    ThoughtSignatureChunk,
    Usage,
)
from lamellar.attempt import Attempt
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")
END = End(usage=Usage(prompt_tokens=1))


def after(seconds: float) -> Callable[[], Awaitable[None]]:
    return lambda: asyncio.sleep(seconds)


def play(stack: Stack, *, pause: float = 0, options: ChatOptions | None = None) -> tuple[object, float, list[object]]:
    """What a consumer gets who takes `pause` seconds for each event: the result or error, the seconds, the events."""
    seen: list[object] = []

    async def consume() -> tuple[object, float]:
        loop = asyncio.get_running_loop()
        async with stack.build() as executor:
            began = loop.time()
            try:
                async with await executor.exec_chat_stream_events("m", REQUEST, options) as stream:
                    async for event in stream:
                        seen.append(event)
                        await asyncio.sleep(pause)
                return stream, loop.time() - began
            except (ExecutorError, RejectedError) as error:
                return error, loop.time() - began

    return *run_virtual(consume()), seen


@pytest.mark.failure(11)
def test_no_content_in_time_is_a_timeout_of_the_attempt_and_not_retried() -> None:
    leaf = ScriptedExecutor(Scripted((Hang(),)), repeat=True)
    error, seconds, _ = play(Stack(Timeout(first_content=10), Retry(attempts=3), leaf))
    assert (error.kind, error.code) == (ErrorKind.TIMEOUT, "first_content")
    assert "10 s" in error.message
    assert seconds == pytest.approx(10)
    assert len(leaf.calls) == 1
    assert leaf.open_streams == 0


def test_headers_count_towards_the_first_content() -> None:
    leaf = ScriptedExecutor(Scripted((after(6), Chunk("x"), END), (after(6),)))
    error, seconds, _ = play(Stack(Timeout(first_content=10), leaf))
    assert error.code == "first_content"
    assert seconds == pytest.approx(10)


@pytest.mark.failure(7)
def test_progress_starts_the_first_content_clock_anew_and_a_heartbeat_does_not() -> None:
    steps = [after(8), Progress(), after(8), ThoughtSignatureChunk("s"), after(8), Chunk("x"), END]
    stream, seconds, _ = play(Stack(Timeout(first_content=10), ScriptedExecutor(steps)))
    assert stream.outcome is Outcome.COMPLETED
    assert seconds == pytest.approx(24)
    beats = [after(4), Chunk(""), after(4), Chunk(""), after(4), Chunk("x"), END]
    error, seconds, _ = play(Stack(Timeout(first_content=10), ScriptedExecutor(beats)))
    assert error.code == "first_content"
    assert seconds == pytest.approx(10)


def test_silence_after_content_interrupts_within_the_idle_limit() -> None:
    leaf = ScriptedExecutor([Chunk("a"), after(14), Chunk("b"), Hang()])
    error, seconds, seen = play(Stack(Timeout(idle=15), leaf))
    assert isinstance(error, StreamInterruptedError)
    assert (error.kind, error.code, error.text) == (ErrorKind.TIMEOUT, "idle", "ab")
    assert seconds == pytest.approx(29)
    assert leaf.open_streams == 0
    assert error.attempts[0].kind is ErrorKind.TIMEOUT


@pytest.mark.failure(7)
def test_heartbeats_do_not_reset_the_idle_clock_and_progress_does() -> None:
    beats = [Chunk("a"), *[after(5), Chunk("")] * 9]
    error, seconds, _ = play(Stack(Timeout(idle=15), ScriptedExecutor(beats)))
    assert error.code == "idle"
    assert seconds == pytest.approx(15)
    progress = [Chunk("a"), *[after(5), Progress()] * 9, END]
    stream, _, _ = play(Stack(Timeout(idle=15), ScriptedExecutor(progress)))
    assert stream.outcome is Outcome.COMPLETED


def test_the_consumers_own_time_counts_for_no_limit() -> None:
    leaf = ScriptedExecutor([Chunk("a"), after(1), Chunk("b"), after(1), Chunk("c"), END])
    limits = Timeout(total=5, attempt=4, first_content=3, idle=2)
    stream, seconds, _ = play(Stack(limits, leaf), pause=100, options=ChatOptions(call=CallContext(timeout=3)))
    assert stream.outcome is Outcome.COMPLETED
    assert seconds == pytest.approx(2 + 5 * 100)
    assert stream.attempts[0].latency == pytest.approx(2)


def test_the_attempt_limit_covers_a_streams_waiting_and_a_whole_answer() -> None:
    trickle = [part for _ in range(9) for part in (Chunk("x"), after(2))]
    error, seconds, _ = play(Stack(Timeout(attempt=5), ScriptedExecutor(trickle)))
    assert (error.kind, error.code) == (ErrorKind.TIMEOUT, "attempt")
    assert seconds == pytest.approx(5)

    async def answer() -> None:
        async with Stack(Timeout(attempt=5), ScriptedExecutor(Scripted((Hang(),)))).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
        assert caught.value.code == "attempt"

    run_virtual(answer())


def test_the_total_covers_retries_and_their_waits() -> None:
    fails = Scripted((), (after(3), ExecutorError("server_error", "no")))
    leaf = ScriptedExecutor(fails, fails, Scripted((Hang(),)))
    error, seconds, _ = play(Stack(Timeout(total=10), Retry(attempts=9, initial=1, jitter="none"), leaf))
    assert error.kind is ErrorKind.DEADLINE
    assert seconds == pytest.approx(10)
    assert [attempt.outcome for attempt in error.attempts] == ["failed", "failed", "failed"]
    assert (error.attempts[2].kind, error.attempts[2].code) == (ErrorKind.TIMEOUT, "deadline")


def test_the_total_interrupts_a_stream_that_is_under_way() -> None:
    trickle = [part for _ in range(99) for part in (Chunk("x"), after(2))]
    leaf = ScriptedExecutor(trickle)
    error, seconds, seen = play(Stack(Timeout(total=5), leaf), pause=50)
    assert isinstance(error, StreamInterruptedError)
    assert error.kind is ErrorKind.DEADLINE
    assert error.text == "xxx"
    assert seconds == pytest.approx(5 + 50 * len(seen))
    assert not error.counts_against_health
    assert leaf.open_streams == 0


@pytest.mark.parametrize(("stack_total", "caller", "expected"), [(10, 3, 3), (3, 10, 3), (None, 4, 4)])
def test_the_sooner_of_the_callers_timeout_and_the_stacks_holds(
    stack_total: float | None, caller: float, expected: float
) -> None:
    layers = [Timeout(total=stack_total)] if stack_total else []
    leaf = ScriptedExecutor(Scripted((Hang(),)))
    error, seconds, _ = play(Stack(*layers, leaf), options=ChatOptions(call=CallContext(timeout=caller)))
    assert error.kind is ErrorKind.DEADLINE
    assert f"{expected:g} s" in error.message
    assert seconds == pytest.approx(expected)


def test_the_nearest_plate_wins_field_by_field() -> None:
    leaf = ScriptedExecutor(Scripted((Hang(),)), name="leaf")
    stack = Stack(
        Timeout(first_content=10, idle=15, connect=3),
        Fallback(Target(Timeout(first_content=90, idle=None), leaf, name="thinks"), Target(leaf, name="plain")),
    )
    limits = {}

    async def main() -> None:
        executor = stack.build()
        for target in executor.find(type(executor.inner)).children():
            attempt = target.find(Attempt)
            limits[attempt.target] = attempt.limits
        await executor.aclose()

    run_virtual(main())
    assert (limits["thinks"].connect, limits["thinks"].first_content, limits["thinks"].idle) == (3, 90, None)
    assert (limits["plain"].connect, limits["plain"].first_content, limits["plain"].idle) == (3, 10, 15)


def test_a_total_of_one_target_moves_on_to_the_next() -> None:
    silent, other = ScriptedExecutor(Scripted((Hang(),))), ScriptedExecutor("fine")
    stream, seconds, _ = play(Stack(Fallback(Target(Timeout(total=5), silent), other)))
    assert stream.outcome is Outcome.COMPLETED
    assert seconds == pytest.approx(5)


def test_a_cut_after_the_consumer_slept_is_not_held_against_the_provider() -> None:
    cut = ExecutorError("connection", "reset")
    for pause, counts in ((1, True), (20, False)):
        steps = [Chunk("a"), Chunk("b"), ExecutorError("connection", "reset")]
        error, _, _ = play(Stack(Timeout(idle=15), ScriptedExecutor(steps)), pause=pause)
        assert error.counts_against_health is counts
    assert cut.counts_against_health


def test_a_limit_leaves_no_timer_behind() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(
            Timeout(total=50, attempt=40, first_content=30, idle=20), ScriptedExecutor("a", "b")
        ).build() as ex:
            await ex.exec_chat_response("m", REQUEST)
            await (await ex.exec_chat_stream_events("m", REQUEST)).collect()
        assert not [timer for timer in loop._scheduled if not timer.cancelled()]

    run_virtual(main())


def test_a_bare_timeout_has_the_documented_defaults() -> None:
    timeout = Timeout()
    assert (timeout.total, timeout.first_content, timeout.idle) == (600, 60, 60)
    assert Timeout(idle="15s").total is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"total": 0}, "more than zero"),
        ({"idle": -1}, "zero seconds or more"),
        ({"first_content": 30, "attempt": 10}, "can never act"),
        ({"attempt": 30, "total": 10}, "can never act"),
        ({"first_content": 30, "total": 10}, "can never act"),
        ({"reserve": 1}, "reserve"),
        ({"first_contnet": 3}, "did you mean 'first_content'"),
        ({"total": "soon"}, "expected a duration"),
        ({"total": True}, "bool"),
    ],
)
def test_wrong_options_are_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Timeout(**options)
