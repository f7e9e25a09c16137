"""What goes into a cassette comes out of it: answers, streams, errors, at their pace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.middleware.cassette.tapes import REQUEST, lines, outcome, record, replay, run

from lamellar import (
    Chunk,
    Custom,
    End,
    ErrorKind,
    ExecutorError,
    ReasoningChunk,
    ReasoningContent,
    RejectedError,
    Restart,
    Stack,
    StopReason,
    StreamInterruptedError,
    StreamTruncatedError,
    Text,
    ThoughtSignature,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from lamellar.middleware import Record, Replay, Retry
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer
from lamellar.verdicts import VERDICTS

USAGE = Usage(prompt_tokens=7, completion_tokens=4, total_tokens=11, prompt_details={"cached_tokens": 3})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab "),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text("xyz", min_size=1), inside, max_size=2),
    max_leaves=4,
)
WORDS = st.text(alphabet='ab ß🦊\n\u2028"\\', max_size=6)
EVENTS = st.one_of(
    st.builds(Chunk, WORDS.filter(bool)),
    st.builds(ReasoningChunk, WORDS.filter(bool)),
    st.builds(ThoughtSignatureChunk, st.text("abc+/=", min_size=1)),
    st.builds(ToolCallChunk, st.integers(0, 1), st.just("c1"), st.just("f"), st.sampled_from(["{}", '{"a":', "1}"])),
)
ENDS = st.builds(
    End,
    st.none() | st.builds(StopReason, st.sampled_from(StopReason.KINDS), st.none() | st.text("ab")),
    st.none() | st.just(USAGE),
    st.none()
    | st.lists(
        st.builds(Text, WORDS)
        | st.builds(Custom, data=JSON)
        | st.builds(ToolCall, call_id=st.just("c"), fn_name=st.just("f"), fn_arguments=JSON),
        max_size=3,
    ).map(tuple),
    st.none() | st.just("r-1"),
    st.none() | st.just("m-0613"),
    JSON,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "calls.jsonl"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(EVENTS, max_size=6), ENDS)
def test_what_goes_in_comes_out(path: Path, events: list[object], end: End) -> None:
    script = Scripted((*events, end))
    for stream in (True, False):
        path.unlink(missing_ok=True)
        recorded = record(path, script, stream=stream)
        assert _plain(replay(path, stream=stream, name="scripted")) == _plain(recorded)


def _plain(results: list[object]) -> list[object]:
    """Without times and attempts, which are those of the run."""
    return [
        [event for _, event in each] if isinstance(each, list) else each.model_copy(update={"attempts": ()})
        for each in results
    ]


def test_a_stream_serves_a_whole_answer_and_the_other_way_round(path: Path) -> None:
    said = Scripted(
        (
            ReasoningChunk("hm"),
            ThoughtSignatureChunk("sig"),
            Chunk("Par"),
            Chunk("is"),
            ToolCallChunk(0, "c", "f", '{"a": 1}'),
            End(StopReason("tool_call", "tool_calls"), USAGE),
        )
    )
    content = (
        ReasoningContent(text="hm"),
        ThoughtSignature(signature="sig"),
        Text("Paris"),
        ToolCall(call_id="c", fn_name="f", fn_arguments={"a": 1}),
    )
    record(path, said, stream=True)
    (whole,) = replay(path, stream=False)
    assert (whole.content, whole.reasoning_content, whole.usage) == (content, "hm", USAGE)
    assert (whole.stop_reason, whole.stop_reason.raw) == ("tool_call", "tool_calls")
    assert (whole.provider, whole.model) == ("replay", "m")
    path.unlink()
    record(path, said, stream=False)
    (events,) = replay(path, stream=True)
    assert [event for _, event in events][:-1] == [
        ReasoningChunk("hm"),
        ThoughtSignatureChunk("sig"),
        Chunk("Paris"),
        ToolCallChunk(0, "c", "f", '{"a":1}'),
    ]
    assert (events[-1][1].content, events[-1][1].usage) == (content, USAGE)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind is not ErrorKind.CLOSED])
def test_an_error_has_its_kind_its_verdicts_and_its_words(path: Path, kind: ErrorKind, stream: bool) -> None:
    refusal = kind in list(ErrorKind)[list(ErrorKind).index(ErrorKind.CIRCUIT_OPEN) :]
    known = {"status": 418, "code": "teapot", "request_id": "r-1", "retry_after": 3.5, "retryable": True}
    error = RejectedError(kind, "no", retry_after=3.5) if refusal else ExecutorError(kind, "no", **known)
    (before,) = record(path, error, stream=stream)
    (after,) = replay(path, stream=stream)
    assert type(after) is type(before)
    assert (after.kind, after.message, after.retry_after) == (kind, "no", 3.5)
    assert (after.retryable, after.failover, after.counts_against_health) == (
        not refusal,
        VERDICTS[kind].failover,
        before.counts_against_health,
    )
    if not refusal:
        for name in ("status", "code", "request_id", "provider", "model"):
            assert getattr(after, name) == getattr(before, name), name
        assert after.attempts[0].status == 418


@pytest.mark.parametrize("error", [None, ExecutorError("overloaded", "busy", status=529)])
def test_a_stream_that_broke_breaks_again_at_the_same_place(path: Path, error: ExecutorError | None) -> None:
    script = Scripted((Chunk("Par"), Chunk("is"), *([error] if error else [])))
    record(path, script)
    (events,) = replay(path)
    assert [event for _, event in events[:-1]] == [Chunk("Par"), Chunk("is")]
    told = events[-1][1]
    assert isinstance(told, StreamInterruptedError if error else StreamTruncatedError)
    assert (told.text, told.kind, told.status) == (
        "Paris",
        "overloaded" if error else "truncated",
        529 if error else None,
    )
    (failed,) = replay(path, stream=False)
    assert (failed.kind, failed.retryable) == (told.kind, True)


def test_a_stream_that_was_left_early_says_so_when_it_is_read_on(path: Path) -> None:
    async def leave(executor) -> None:
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    break

    run(Stack(Record(path=path), ScriptedExecutor([Chunk("Par"), Chunk("is"), Hang()])), leave)
    assert lines(path)[0]["outcome"] == "abandoned"
    run(Stack(Replay(path=path)), leave)
    (events,) = replay(path)
    assert events[0][1] == Chunk("Par")
    assert "line 2 of the cassette was abandoned after 2 events" in str(events[-1][1])
    (error,) = replay(path, stream=False)
    assert "record it again to its end" in str(error)


def test_a_stream_that_was_cancelled_is_recorded_as_such(path: Path) -> None:
    async def cancel(executor) -> None:
        task = asyncio.create_task(outcome(executor, stream=True))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Stack(Record(path=path), ScriptedExecutor([Chunk("Par"), Hang()])), cancel)
    assert lines(path)[0]["outcome"] == "cancelled"


def test_a_whole_call_that_was_cancelled_is_no_exchange(path: Path) -> None:
    async def cancel(executor) -> None:
        task = asyncio.create_task(outcome(executor, stream=False))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Stack(Record(path=path), ScriptedExecutor([Hang()])), cancel)
    assert not path.exists()


def test_times_are_those_of_the_provider_and_are_kept(path: Path) -> None:
    def after(seconds: float):
        return lambda: asyncio.sleep(seconds)

    async def slowly(executor) -> list[tuple[float, object]]:
        seen = []
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            async for event in events:
                seen.append((asyncio.get_running_loop().time(), event))
                await asyncio.sleep(100)
        return seen

    script = Scripted((after(1), Chunk("a"), after(2), Chunk("b"), after(3), End()))
    run(Stack(Record(path=path), ScriptedExecutor(script)), slowly)
    assert [event["at"] for event in lines(path)[0]["events"]] == [1, 1, 3, 6]
    (events,) = replay(path, timing=True)
    assert [at for at, _ in events] == [1, 3, 6]
    (events,) = replay(path)
    assert [at for at, _ in events] == [0, 0, 0]


@pytest.mark.parametrize(
    "said",
    [answer("a", opening=(lambda: asyncio.sleep(5),)), [lambda: asyncio.sleep(5), ExecutorError("overloaded", "no")]],
)
def test_a_whole_answer_and_a_failure_take_their_time_too(path: Path, said: object) -> None:
    record(path, said, stream=False)

    async def timed(executor) -> float:
        await outcome(executor, stream=False)
        return asyncio.get_running_loop().time()

    assert run(Stack(Replay(path=path, timing=True)), timed) == 5
    assert run(Stack(Replay(path=path)), timed) == 0


def test_without_timing_no_time_is_written(path: Path) -> None:
    record(path, "Paris", timing=False)
    assert "took" not in lines(path)[0]
    assert all("at" not in event for event in lines(path)[0]["events"])
    assert len(replay(path, timing=True)) == 1


def test_a_restart_is_played_too(path: Path) -> None:
    leaf = ScriptedExecutor([Chunk("x"), ExecutorError("connection", "reset")], answer(["Par", "is"]))
    stack = Stack(Record(path=path), Retry(on_interrupt="restart", initial=0), leaf)
    run(stack, lambda executor: outcome(executor, stream=True))
    (events,) = replay(path)
    kinds = [type(event) for _, event in events]
    assert kinds == [Chunk, Restart, Chunk, Chunk, End]
    assert events[1][1].reason is ErrorKind.CONNECTION
    assert events[-1][1].content == (Text("Paris"),)
    assert replay(path, stream=False)[0].text == "Paris"
