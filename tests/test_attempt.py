"""The plate round every leaf: whatever a leaf does, what comes out is of one tree and on the record."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    ChatRequest,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    LlmEventStream,
    Outcome,
    RejectedError,
    Stack,
    Start,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
    Target,
    Text,
    Usage,
)
from lamellar.attempt import Attempt
from lamellar.middleware import Fallback, Retry
from lamellar.testing import Scripted, ScriptedExecutor, answer, run_virtual
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
