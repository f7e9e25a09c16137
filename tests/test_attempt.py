"""The plate round every leaf: whatever a leaf does, what comes out is of one tree and on the record."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import traceback

import pytest

from lamellar import (
    ChatRequest,
    Chunk,
    End,
    ErrorKind,
    EventSource,
    ExecutorError,
    LlmEventStream,
    Outcome,
    Progress,
    RejectedError,
    Stack,
    Start,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
    Target,
    Text,
    ToolCall,
    Usage,
)
from lamellar.attempt import Attempt
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.watch import AttemptLimits

REQUEST = ChatRequest.from_user("hi")


async def test_any_exception_of_a_leaf_becomes_an_error_of_the_tree() -> None:
    bug = ZeroDivisionError("1/0 with Bearer sk-secret-123456789")
    other = ScriptedExecutor("fine")
    async with Stack(Fallback(Retry_(ScriptedExecutor(bug, bug)), other)).build() as executor:
        response = await executor.exec_chat_response("m", REQUEST)
        assert response.text == "fine"
        first = response.attempts[0]
        assert (first.kind, first.code, first.outcome) == (
            ErrorKind.SERVER_ERROR,
            "unexpected_exception",
            Outcome.FAILED,
        )
        assert "ZeroDivisionError" in first.message
        assert "sk-secret" not in first.message
    bug = ZeroDivisionError("division by zero")
    async with Stack(Retry(), ScriptedExecutor(bug, "never")).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("m", REQUEST)
        assert caught.value.__cause__ is bug
        assert not caught.value.retryable, "asking again does not mend a bug"


def Retry_(leaf: ScriptedExecutor) -> Target:
    return Target(Retry(attempts=5), leaf)


async def test_any_exception_in_the_middle_of_a_stream_is_an_interruption() -> None:
    async with Stack(ScriptedExecutor([Chunk("a"), KeyError("x")])).build() as executor:
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        with pytest.raises(StreamInterruptedError) as caught:
            await stream.collect()
    assert caught.value.code == "unexpected_exception"
    assert isinstance(caught.value.cause.__cause__, KeyError)


async def test_a_refusal_of_a_leaf_stays_a_refusal() -> None:
    refusal = RejectedError("budget", "spent")
    async with Stack(ScriptedExecutor(refusal)).build() as executor:
        with pytest.raises(RejectedError) as caught:
            await executor.exec_chat_response("m", REQUEST)
    assert caught.value is refusal
    assert (caught.value.attempts[0].kind, caught.value.attempts[0].outcome) == (ErrorKind.BUDGET, Outcome.REFUSED)


async def test_an_executor_of_ones_own_may_return_any_asynchronous_iterable() -> None:
    class Own:
        name = "own"

        async def exec_chat_response(self, model, chat_req, options=None):
            return await (await self.exec_chat_stream_events(model, chat_req, options)).collect()

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            async def events():
                yield Start(model, "theirs", "own-1")
                yield Chunk("hel")
                yield Chunk("lo")
                yield End(usage=Usage(prompt_tokens=1))
                raise AssertionError("nobody reads past the end")

            return LlmEventStream.of(events())

    async with Stack(Retry(), Own()).build() as executor:
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        events = [event async for event in stream]
        assert events[0] == Start("m", "own", "own-1", "own")
        assert events[-1].content == (Text("hello"),)
        assert (await executor.exec_chat_response("m", REQUEST)).text == "hello"


async def test_a_truncated_whole_answer_is_a_retryable_failure() -> None:
    leaf = ScriptedExecutor(Scripted((Chunk("par"),)), "whole")
    async with Stack(Retry(initial=0, max=0), leaf).build() as executor:
        assert (await executor.exec_chat_response("m", REQUEST)).text == "whole"


async def test_a_leaf_that_tells_a_partial_of_an_undelivered_answer_is_retried() -> None:
    told = StreamTruncatedError(partial=(Text("par"),))
    leaf = ScriptedExecutor(Scripted((), (told,)), "whole")
    async with Stack(Retry(initial=0, max=0), leaf).build() as executor:
        assert (await executor.exec_chat_response("m", REQUEST)).text == "whole"


async def test_a_close_by_the_leaf_itself_is_nobodys_failure() -> None:
    async with Stack(ScriptedExecutor([Chunk("a"), StreamClosedError()])).build() as executor:
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        with pytest.raises(StreamClosedError):
            await stream.collect()
        assert stream.attempts[0].kind is None


async def test_a_whole_answer_of_the_wrong_type_is_an_error_on_the_record() -> None:
    class Wrong:
        name = "wrong"

        async def exec_chat_response(self, model, chat_req, options=None):
            return "hello"

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            return "hello"

    async with Stack(Wrong()).build() as executor:
        for call in (executor.exec_chat_response, executor.exec_chat_stream_events):
            with pytest.raises(ExecutorError, match="str") as caught:
                await call("m", REQUEST)
            assert caught.value.code == "unexpected_exception"
            assert caught.value.attempts[0].outcome is Outcome.FAILED


async def test_a_secret_of_a_leafs_own_exception_is_in_no_traceback() -> None:
    bug = ValueError("bad key sk-proj-0123456789abcdef")
    async with Stack(ScriptedExecutor(bug)).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("m", REQUEST)
    assert "0123456789abcdef" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("partial", [(), (Text("par"),)])
async def test_an_interruption_of_which_nothing_was_delivered_is_the_failure_itself(partial: tuple) -> None:
    def told() -> StreamInterruptedError:
        call = ToolCall(call_id="c", fn_name="f", fn_arguments="{")
        cause = ExecutorError("overloaded", "busy")
        return StreamInterruptedError(cause, partial=partial, usage=Usage(prompt_tokens=9), open_tool_call=call)

    async with Stack(
        Retry(initial=0, max=0, overloaded_initial=0), ScriptedExecutor(told(), "fine")
    ).build() as executor:
        response = await executor.exec_chat_response("m", REQUEST)
    assert response.text == "fine"
    assert (response.attempts[0].kind, response.attempts[0].usage) == (ErrorKind.OVERLOADED, Usage(prompt_tokens=9))


@pytest.mark.parametrize("batch", [(), (Chunk(""),), (Progress(),)], ids=["empty", "blank", "progress"])
def test_a_leaf_of_nothing_does_not_stop_the_clock(batch: tuple) -> None:
    class Busy(EventSource):
        async def read(self):
            return batch

        def finish(self, finish):
            pass

    class Leaf:
        name = "busy"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            return LlmEventStream(Busy())

    async def main() -> None:
        async with Stack(Timeout(attempt=0.05), Leaf()).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_stream_events("m", REQUEST)
            assert caught.value.code == "attempt"

    asyncio.run(main())


def test_a_deadline_among_heartbeats_after_content_is_an_interruption() -> None:
    class Beating(EventSource):
        def __init__(self) -> None:
            self.batches = [(Chunk("a"),)]

        async def read(self):
            return self.batches.pop() if self.batches else (Chunk(""),)

        def finish(self, finish):
            pass

    class Leaf:
        name = "beating"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            return LlmEventStream(Beating())

    async def main() -> None:
        async with Stack(Timeout(total=0.05), Leaf()).build() as executor:
            with pytest.raises(StreamInterruptedError) as caught:
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert (caught.value.kind, caught.value.text) == (ErrorKind.DEADLINE, "a")

    asyncio.run(main())


def test_an_attempt_closed_in_the_middle_of_a_wait_has_its_time_on_the_record() -> None:
    async def main() -> None:
        async with Stack(ScriptedExecutor([Chunk("a"), Hang()])).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            reading = asyncio.create_task(stream.collect())
            await asyncio.sleep(100)
            await stream.aclose()
            await asyncio.wait({reading})
            assert isinstance(reading.exception(), StreamClosedError)
            assert stream.attempts[0].latency == pytest.approx(100)

    run_virtual(main())


@pytest.mark.parametrize("layers", [(), (Retry(initial=0, max=0, overloaded_initial=0),)], ids=["bare", "retry"])
@pytest.mark.parametrize("storing", [False, True])
async def test_a_forgotten_stream_is_collected_at_once_after_failures(layers: tuple, storing: bool) -> None:
    kept: list[object] = []
    layers = tuple(each.model_copy(update={"on_retry": kept.append}) if storing else each for each in layers)
    failures = [ExecutorError("overloaded", "no")] if layers else []
    leaf = ScriptedExecutor(*failures, [Chunk("a"), Hang()])
    first = ScriptedExecutor(ExecutorError("overloaded", "no"))
    gc.collect()
    gc.disable()
    try:
        async with Stack(Fallback(first, Target(*layers, leaf), on_fallback=kept.append)).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert leaf.open_streams == 1
            del stream
            await asyncio.sleep(0.01)
            assert leaf.open_streams == 0
    finally:
        gc.enable()


async def test_a_failed_call_leaves_no_cycle() -> None:
    class Failing:
        name = "failing"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise ExecutorError("invalid_request", "no")

        exec_chat_stream_events = exec_chat_response

    leaf = Failing()
    async with Stack(Retry(), Fallback(leaf)).build() as executor:
        gc.collect()
        gc.disable()
        before = _errors_alive()
        try:
            for _ in range(50):
                with contextlib.suppress(ExecutorError):
                    await executor.exec_chat_response("m", REQUEST)
            assert _errors_alive() == before
        finally:
            gc.enable()


def _errors_alive() -> int:
    return sum(isinstance(each, ExecutorError) for each in gc.get_objects())


def test_the_record_times_the_attempt() -> None:
    steps = Scripted(
        (lambda: asyncio.sleep(2), Chunk("a"), lambda: asyncio.sleep(3), End(usage=Usage(prompt_tokens=7))),
        (lambda: asyncio.sleep(1),),
    )

    async def main() -> None:
        async with Stack(ScriptedExecutor(steps)).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert stream.attempts[0].outcome is None, "the attempt is still under way"
            await stream.collect()
            record = stream.attempts[0]
        assert record.latency == pytest.approx(6)
        assert record.first_content == pytest.approx(3)
        assert record.usage == Usage(prompt_tokens=7)
        assert (record.target, record.provider, record.model) == ("scripted", "scripted", "m")

    run_virtual(main())


async def test_outside_of_a_stack_the_plate_steps_aside() -> None:
    attempt = Attempt(ScriptedExecutor(answer("x"), repeat=True), "t", AttemptLimits())
    assert (await attempt.exec_chat_response("m", REQUEST)).text == "x"
    assert (await (await attempt.exec_chat_stream_events("m", REQUEST)).collect()).text == "x"
