"""The stream's state machine, apart from any layer."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from lamellar import (
    ChatRequest,
    Chunk,
    End,
    ErrorKind,
    EventSource,
    ExecutorError,
    Finish,
    LlmEventStream,
    Outcome,
    Progress,
    ReasoningChunk,
    Restart,
    Stack,
    Start,
    StopReason,
    StreamClosedError,
    StreamTruncatedError,
    Text,
    ThoughtSignatureChunk,
    ToolCallChunk,
    Usage,
)
from lamellar.source import InnerSource
from lamellar.testing import Hang, ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")
END = End(stop_reason=StopReason("completed"), usage=Usage(prompt_tokens=1))


class Listed(EventSource):
    """Batches from a list; an error is raised, None waits for ever."""

    def __init__(self, *batches: Sequence[object] | Exception | None) -> None:
        self.batches = list(batches)
        self.finishes: list[Finish] = []

    async def read(self) -> Sequence[object]:
        batch = self.batches.pop(0)
        if batch is None:
            await asyncio.get_running_loop().create_future()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def finish(self, finish: Finish) -> None:
        self.finishes.append(finish)


async def waiting(stream: LlmEventStream) -> asyncio.Task[object]:
    """A task that waits in a read of `stream`."""
    task = asyncio.create_task(_next(stream))
    while not stream._core.reading:
        await asyncio.sleep(0.01)
    return task


async def _next(stream: LlmEventStream) -> object:
    return await anext(stream)


async def test_an_iterator_that_just_stops_is_truncated() -> None:
    async def events() -> AsyncIterator[object]:
        yield Chunk("par")

    class Own:
        name = "own"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            return events()

    async with Stack(Own()).build() as executor:
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        with pytest.raises(StreamTruncatedError) as caught:
            await stream.collect()
    assert caught.value.text == "par"


async def test_an_iterator_is_closed_when_its_stream_is() -> None:
    closed = asyncio.Event()

    async def events() -> AsyncIterator[object]:
        try:
            yield Chunk("a")
            await asyncio.get_running_loop().create_future()
        finally:
            closed.set()

    async with LlmEventStream.of(events()) as stream:
        assert await anext(stream) == Chunk("a")
    await asyncio.wait_for(closed.wait(), 5)


async def test_ready_holds_what_came_before_the_commit_and_is_idempotent() -> None:
    source = Listed([Start("m", "p")], [ThoughtSignatureChunk("s")], [Chunk("a"), END])
    stream = LlmEventStream(source)
    await stream.ready()
    await stream.ready()
    assert stream.outcome is None
    assert stream.peek() == (Start("m", "p"), ThoughtSignatureChunk("s"), Chunk("a"), END)
    assert stream.preview().text == "a"
    assert [event async for event in stream] == [Start("m", "p"), ThoughtSignatureChunk("s"), Chunk("a"), END]


async def test_ready_closes_on_failure_and_tells_it_again() -> None:
    error = ExecutorError("overloaded", "busy")
    source = Listed([Start("m", "p")], error)
    stream = LlmEventStream(source)
    for _ in range(2):
        with pytest.raises(ExecutorError) as caught:
            await stream.ready()
        assert caught.value is error
    assert source.finishes == [Finish(Outcome.FAILED, error)]


@pytest.mark.parametrize("event", [Chunk("x"), ReasoningChunk("x"), ToolCallChunk(0), END])
async def test_content_and_the_end_commit(event: object) -> None:
    stream = LlmEventStream(Listed([event], None))
    await asyncio.wait_for(stream.ready(), 5)
    await stream.aclose()


@pytest.mark.parametrize("event", [Start("m", "p"), ThoughtSignatureChunk("x"), Progress()])
@pytest.mark.failure(5)
async def test_nothing_else_commits(event: object) -> None:
    stream = LlmEventStream(Listed([event], [], [END]))
    await stream.ready()
    assert stream._core.source.batches == [], "it waited for the end"
    await stream.aclose()


async def test_an_empty_chunk_commits_nothing() -> None:
    stream = LlmEventStream(Listed([Chunk("")], ExecutorError("overloaded", "busy")))
    with pytest.raises(ExecutorError):
        await stream.ready()


async def test_what_comes_before_content_is_held_behind_start() -> None:
    leaf = ScriptedExecutor([Start("theirs", "p", "m-1", response_id="r"), ThoughtSignatureChunk("s"), Chunk("a"), END])
    async with Stack(leaf).build() as executor:
        events = [event async for event in await executor.exec_chat_stream_events("m", REQUEST)]
    assert events[:3] == [
        Start("m", "scripted", "m-1", "scripted", "r"),
        ThoughtSignatureChunk("s"),
        Chunk("a"),
    ]


async def test_tool_calls_come_as_deltas_and_whole_at_the_end() -> None:
    deltas = [
        ToolCallChunk(0, "a", "weather", ""),
        ToolCallChunk(0, arguments='{"city": '),
        ToolCallChunk(1, "b", "time", '{"zone":'),
        ToolCallChunk(0, arguments='"Paris"}'),
        ToolCallChunk(1, arguments="1}"),
    ]
    async with Stack(ScriptedExecutor([Chunk("Let me see."), *deltas, END])).build() as executor:
        events = [event async for event in await executor.exec_chat_stream_events("m", REQUEST)]
    assert events[2:-1] == deltas
    assert [(call.call_id, call.fn_name, call.fn_arguments) for call in events[-1].tool_calls] == [
        ("a", "weather", {"city": "Paris"}),
        ("b", "time", {"zone": 1}),
    ]


async def test_an_interruption_shows_the_tool_call_that_was_open() -> None:
    steps = [Chunk("x"), ToolCallChunk(0, "a", "weather", '{"ci'), ExecutorError("connection", "reset")]
    async with Stack(ScriptedExecutor(steps)).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
    assert [part.type for part in caught.value.partial] == ["text"]
    assert caught.value.open_tool_call.fn_arguments == '{"ci'


async def test_callbacks_run_once_innermost_first_before_anything_is_awaited() -> None:
    order: list[str] = []
    source = Listed([Chunk("a")], [Chunk("b")], None)
    inner = LlmEventStream(source)
    outer = LlmEventStream(InnerSource(inner))
    outer.on_finish(lambda finish: order.append(f"outer {finish.outcome}"))
    inner.on_finish(lambda finish: order.append(f"inner {finish.outcome}"))
    outer.on_finish(lambda finish: order.append("outer again"))
    await anext(outer)
    closing = outer.aclose()
    with pytest.raises(StopIteration):  # it has finished without awaiting anything
        closing.send(None)
    await outer.aclose()
    inner.finish(Finish(Outcome.FAILED))
    assert order == ["inner abandoned", "outer abandoned", "outer again"]
    assert [finish.outcome for finish in source.finishes] == [Outcome.ABANDONED]
    assert (inner.outcome, outer.outcome) == (Outcome.ABANDONED, Outcome.ABANDONED)


async def test_a_callback_after_the_end_is_called_at_once_and_a_broken_one_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = LlmEventStream(Listed([END]))
    seen: list[Finish] = []
    stream.on_finish(lambda finish: 1 / 0)
    stream.on_finish(seen.append)
    await stream.collect()
    stream.on_finish(seen.append)
    assert seen == [Finish(Outcome.COMPLETED, None, END)] * 2
    assert "finish callback failed" in caplog.text


async def test_an_outer_stream_decides_the_outcome_of_the_inner_one() -> None:
    inner = LlmEventStream(Listed([Chunk("a"), Chunk("b"), END]))
    outer = LlmEventStream(InnerSource(inner))
    assert await anext(outer) == Chunk("a")
    assert inner.outcome is None, "the inner stream's end was read, and not yet handed to the consumer"
    await outer.aclose()
    assert (inner.outcome, outer.outcome) == (Outcome.ABANDONED, Outcome.ABANDONED)


async def test_a_close_wakes_the_read_that_waits() -> None:
    stream = LlmEventStream(Listed(None))
    task = await waiting(stream)
    await stream.aclose()
    done, _ = await asyncio.wait({task}, timeout=1)
    task.cancel()
    assert done
    assert isinstance(task.exception(), StreamClosedError)


async def test_a_close_and_a_cancellation_at_once_are_a_cancellation() -> None:
    stream = LlmEventStream(Listed(None))
    task = await waiting(stream)
    await stream.aclose()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_second_reader_is_refused_and_the_first_goes_on() -> None:
    source = Listed(None)
    stream = LlmEventStream(source)
    task = await waiting(stream)
    source.batches.append([END])
    with pytest.raises(RuntimeError, match="another task"):
        await asyncio.wait_for(anext(stream), 1)
    assert stream.outcome is None
    assert not task.done()
    await stream.aclose()
    await asyncio.wait({task})
    task.exception()


async def test_a_cancellation_is_raised_as_the_same_instance() -> None:
    class Cancelling(Listed):
        async def read(self) -> Sequence[object]:
            raise cancellation

    cancellation = asyncio.CancelledError("told")
    stream = LlmEventStream(Cancelling())
    with pytest.raises(asyncio.CancelledError) as caught:
        await stream.ready()
    assert caught.value is cancellation
    assert stream.outcome is Outcome.CANCELLED


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_an_interrupt_is_never_converted(interrupt: type[BaseException]) -> None:
    class Interrupted(Listed):
        async def read(self) -> Sequence[object]:
            raise interrupt

    source = Interrupted()
    stream = LlmEventStream(source)
    reading = stream.ready()
    with pytest.raises(interrupt):
        reading.send(None)
    assert [finish.outcome for finish in source.finishes] == [Outcome.CANCELLED]


async def test_leaving_the_block_by_a_cancellation_is_cancelled_and_by_an_error_abandoned() -> None:
    for error, outcome in ((asyncio.CancelledError(), Outcome.CANCELLED), (ValueError(), Outcome.ABANDONED)):
        stream = LlmEventStream(Listed([Chunk("a")]))
        with pytest.raises(type(error)):
            async with stream:
                raise error
        assert stream.outcome is outcome


def test_a_stream_collected_in_another_thread_is_finished_in_its_loop() -> None:
    threads: list[str] = []

    async def main() -> None:
        holder = [LlmEventStream(Listed([Chunk("a")]))]
        holder[0].on_finish(lambda finish: threads.append(threading.current_thread().name))
        worker = threading.Thread(target=lambda: (holder.clear(), gc.collect()), name="elsewhere")
        worker.start()
        worker.join()
        assert threads == [], "nothing is done in the thread that collects"
        await asyncio.sleep(0.05)
        assert threads == ["MainThread"]

    asyncio.run(main())


def test_a_stream_that_outlives_its_loop_is_silent(recwarn: pytest.WarningsRecorder) -> None:
    async def main() -> LlmEventStream:
        return LlmEventStream(Listed([Chunk("a")]))

    stream = asyncio.run(main())
    del stream
    gc.collect()
    assert not recwarn


async def test_collect_gathers_everything_and_drops_what_a_restart_drops() -> None:
    events = [
        Start("m", "p", "m-1", "t", "r1"),
        Chunk("old"),
        ToolCallChunk(0, "a", "f", "{}"),
        Restart("t2", "m2", ErrorKind.TIMEOUT),
        ReasoningChunk("hm"),
        Chunk("new"),
        Chunk(" text"),
        End(stop_reason=StopReason("completed")),
    ]
    response = await LlmEventStream(Listed(events)).collect()
    assert (response.text, response.reasoning_content) == ("new text", "hm")
    assert response.tool_calls == ()
    assert (response.model, response.provider, response.provider_model) == ("m2", "p", "m-1")
    assert response.usage is None


async def test_collect_of_a_stream_that_ended_badly_is_never_an_answer() -> None:
    error = ExecutorError("connection", "reset")
    broken = LlmEventStream(Listed([Start("m", "p"), Chunk("a")], error))
    for _ in range(2):
        with pytest.raises(ExecutorError) as caught:
            await broken.collect()
        assert caught.value is error
    left = LlmEventStream(Listed([Start("m", "p"), Chunk("a")], None))
    await anext(left)
    await left.aclose()
    with pytest.raises(StreamClosedError, match="no whole answer"):
        await left.collect()


async def test_collect_after_some_reading_has_it_all() -> None:
    end = End(content=(Text("ab"),))
    stream = LlmEventStream(Listed([Start("m", "p", "m-1"), Chunk("a"), Chunk("b"), end]))
    await anext(stream)
    await anext(stream)
    response = await stream.collect()
    assert (response.text, response.model, response.provider_model) == ("ab", "m", "m-1")
    again = await stream.collect()
    assert again == response


async def test_after_an_error_nothing_that_came_before_it_is_handed_out() -> None:
    stream = LlmEventStream(Listed([Start("m", "p")], ExecutorError("overloaded", "busy")))
    with pytest.raises(ExecutorError):
        await stream.ready()
    assert [event async for event in stream] == []


async def test_a_source_that_fails_to_finish_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Breaking(Listed):
        def finish(self, finish: Finish) -> None:
            raise RuntimeError("boom")

    stream = LlmEventStream(Breaking([Chunk("a"), END]))
    seen: list[Finish] = []
    stream.on_finish(seen.append)
    assert (await stream.collect()).text == "a"
    assert [finish.outcome for finish in seen] == [Outcome.COMPLETED]
    assert "boom" in caplog.text


async def test_a_stream_nobody_wants_is_completed_when_it_is_whole_and_abandoned_when_not() -> None:
    for events, outcome in (([END], Outcome.COMPLETED), ([Chunk("a")], Outcome.ABANDONED)):
        stream = LlmEventStream(Listed(events, None))
        await stream.ready()
        stream.discard()
        assert stream.outcome is outcome


async def test_text_is_the_text_alone() -> None:
    events = [Start("m", "p"), ReasoningChunk("hm"), Chunk("a"), Chunk("b"), END]
    assert [piece async for piece in LlmEventStream(Listed(events)).text()] == ["a", "b"]


def test_many_forgotten_streams_leave_nothing() -> None:
    leaf = ScriptedExecutor([Chunk("a"), Hang()], repeat=True)

    async def main() -> None:
        async with Stack(leaf).build() as executor:
            for _ in range(200):
                await executor.exec_chat_stream_events("m", REQUEST)
            gc.collect()
            await asyncio.sleep(1)
            assert leaf.open_streams == 0
            assert not executor._streams
            assert len(asyncio.all_tasks()) == 1

    run_virtual(main())
