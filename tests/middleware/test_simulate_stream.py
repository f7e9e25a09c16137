"""SimulateStream: a whole answer, told as a stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar import (
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    ReasoningChunk,
    Stack,
    Start,
    StreamClosedError,
    StreamTruncatedError,
    Target,
    ToolCallChunk,
    Usage,
)
from lamellar.middleware import Fallback, Retry, SimulateStream, Timeout
from lamellar.root import StackExecutor
from lamellar.scope import current_scope
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")
USAGE = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def run(stack: Stack, scenario: Callable[[StackExecutor], Awaitable[object]]) -> object:
    async def main() -> object:
        async with stack.build() as executor:
            found = await scenario(executor)
            gc.collect()
            assert not executor._streams
            return found

    return run_virtual(main())


def pieces(plate: SimulateStream, *said: object) -> list[tuple[float, object]]:
    """The events with the times at which they came."""

    async def scenario(executor: StackExecutor) -> list[tuple[float, object]]:
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            return [(asyncio.get_running_loop().time(), event) async for event in events]

    return run(Stack(plate, ScriptedExecutor(*said)), scenario)


def test_a_stream_is_asked_for_as_a_whole_answer_and_told_as_events() -> None:
    leaf = ScriptedExecutor(answer(["Par", "is"], usage=USAGE), name="leaf")

    async def scenario(executor: StackExecutor) -> None:
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            seen = [event async for event in events]
        assert seen[0] == Start("m", "leaf", target="leaf")
        assert seen[1] == Chunk("Paris")
        assert (seen[2].usage, seen[2].stop_reason, seen[2].content[0].text) == (USAGE, "completed", "Paris")
        assert len(seen) == 3
        assert [attempt.outcome for attempt in events.attempts] == [Outcome.COMPLETED]

    run(Stack(SimulateStream(), leaf), scenario)
    assert [call.streaming for call in leaf.calls] == [False]


def test_a_whole_answer_passes_through() -> None:
    leaf = ScriptedExecutor("Paris")
    response = run(Stack(SimulateStream(words=1), leaf), lambda executor: executor.exec_chat_response("m", REQUEST))
    assert response.text == "Paris"


def test_words_come_with_the_space_before_them_at_their_time() -> None:
    seen = pieces(SimulateStream(words=2, delay="500ms"), "The sky\n is  blue. ")
    assert [(at, event.content) for at, event in seen if isinstance(event, Chunk)] == [
        (0.0, "The sky"),
        (0.5, "\n is  blue."),
        (1.0, " "),
    ]
    assert isinstance(seen[-1][1], End)
    assert seen[-1][0] == 1.0, "the end comes with the last piece"


def test_characters_cut_reasoning_too_and_calls_stay_whole() -> None:
    said = Scripted((ReasoningChunk("hmm"), Chunk("abcde"), ToolCallChunk(0, "c", "f", '{"a": 1}'), End()))
    seen = [event for _, event in pieces(SimulateStream(characters=2), said)]
    assert seen[1:-1] == [
        ReasoningChunk("hm"),
        ReasoningChunk("m"),
        Chunk("ab"),
        Chunk("cd"),
        Chunk("e"),
        ToolCallChunk(0, "c", "f", '{"a":1}'),
    ]


@given(st.text(alphabet="ab \n\tß🦊", max_size=30), st.sampled_from(["words", "characters"]), st.integers(1, 5))
def test_the_pieces_are_the_answer(text: str, measure: str, size: int) -> None:
    seen = [event for _, event in pieces(SimulateStream(**{measure: size}), answer(text))]
    assert "".join(event.content for event in seen if isinstance(event, Chunk)) == text
    assert all(event.content for event in seen if isinstance(event, Chunk))


def test_an_empty_answer_is_an_empty_stream() -> None:
    async def scenario(executor: StackExecutor) -> None:
        events = await executor.exec_chat_stream_events("m", REQUEST)
        assert events.is_empty
        assert [type(event) async for event in events] == [Start, End]

    run(Stack(SimulateStream(delay=1), ScriptedExecutor([End()])), scenario)


def test_start_names_the_target_that_answered() -> None:
    async def scenario(executor: StackExecutor) -> str | None:
        return (await anext(await executor.exec_chat_stream_events("m", REQUEST))).target

    down = ScriptedExecutor(ExecutorError("overloaded", "busy"), repeat=True)
    spare = ScriptedExecutor("a", repeat=True)
    outside = Stack(SimulateStream(), Fallback(Target(down, name="one"), Target(spare, name="two")))
    inside = Stack(Fallback(Target(down, name="one"), Target(SimulateStream(), spare, name="two")))
    assert run(outside, scenario) == run(inside, scenario) == "two"


def test_failures_are_raised_by_the_call_and_retried() -> None:
    broken = Scripted((Chunk("Par"),))
    leaf = ScriptedExecutor(broken, "Paris", broken)

    async def scenario(executor: StackExecutor) -> None:
        events = await executor.exec_chat_stream_events("m", REQUEST)
        assert (await events.collect()).text == "Paris"

    run(Stack(Retry(initial=0), SimulateStream(), leaf), scenario)
    with pytest.raises(StreamTruncatedError):
        run(Stack(SimulateStream(), leaf), lambda executor: executor.exec_chat_stream_events("m", REQUEST))


def test_the_limit_of_an_attempt_holds_and_delays_do_not_count() -> None:
    limits = Timeout(attempt=3, total=3)
    leaf = ScriptedExecutor("a b c d e f g")

    async def scenario(executor: StackExecutor) -> str:
        return (await (await executor.exec_chat_stream_events("m", REQUEST)).collect()).text

    assert run(Stack(limits, SimulateStream(words=1, delay=1), leaf), scenario) == "a b c d e f g"
    with pytest.raises(ExecutorError) as caught:
        run(Stack(limits, SimulateStream(), ScriptedExecutor([Hang()])), scenario)
    assert caught.value.kind is ErrorKind.TIMEOUT


def test_leaving_cancelling_and_closing_in_the_middle() -> None:
    finishes: list[Outcome] = []

    async def opened(executor: StackExecutor):
        events = await executor.exec_chat_stream_events("m", REQUEST)
        events.on_finish(lambda finish: finishes.append(finish.outcome))
        return events

    async def scenario(executor: StackExecutor) -> None:
        async with await opened(executor) as events:
            async for event in events:
                assert current_scope() is None
                if isinstance(event, Chunk):
                    break
        task = asyncio.create_task((await opened(executor)).collect())
        await asyncio.sleep(1.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        events = await opened(executor)
        task = asyncio.create_task(events.collect())
        await asyncio.sleep(1.5)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(events)
        await events.aclose()
        with pytest.raises(StreamClosedError):
            await task
        events = await opened(executor)
        del events, event
        gc.collect()
        await asyncio.sleep(0)

    run(Stack(SimulateStream(words=1, delay=1), ScriptedExecutor("a b c d", repeat=True)), scenario)
    assert finishes == [Outcome.ABANDONED, Outcome.CANCELLED, Outcome.ABANDONED, Outcome.ABANDONED]


def test_words_or_characters() -> None:
    with pytest.raises(ConfigError, match="one or the other"):
        SimulateStream(words=1, characters=1)
    with pytest.raises(ConfigError, match="words: expected"):
        SimulateStream(words=0)
    assert SimulateStream().identity() is None
