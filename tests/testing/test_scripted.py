"""The executor that answers by hand."""

from __future__ import annotations

import asyncio

import pytest

from lamellar.chat.content import ReasoningContent, Text, ToolCall
from lamellar.chat.events import Chunk, End, ReasoningChunk, ToolCallChunk
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatRequest
from lamellar.chat.usage import Usage
from lamellar.errors import ConfigError, ExecutorError, StreamTruncatedError
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer

REQUEST = ChatRequest.from_user("hi")
USAGE = Usage(prompt_tokens=9)


async def whole(executor: ScriptedExecutor):
    return await executor.exec_chat_response("m", REQUEST)


async def streamed(executor: ScriptedExecutor):
    return await (await executor.exec_chat_stream_events("m", REQUEST)).collect()


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(
    "entry",
    ["Hello.", answer(["Hel", "lo."]), [Chunk("Hello."), *answer("").steps], Scripted(answer("Hello.").steps)],
    ids=["text", "pieces", "steps", "scripted"],
)
async def test_an_entry_in_every_spelling_answers_both_calls(entry, ask) -> None:
    response = await ask(ScriptedExecutor(entry))
    assert response.text == "Hello."
    assert response.stop_reason == "completed"
    assert response.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_all_channels_become_parts(ask) -> None:
    steps = [ReasoningChunk("hm"), Chunk("so"), ToolCallChunk(0, "c", "f", "{}"), End(usage=USAGE)]
    response = await ask(ScriptedExecutor(steps))
    assert response.content == (
        ReasoningContent(text="hm"),
        Text("so"),
        ToolCall(call_id="c", fn_name="f", fn_arguments={}),
    )
    assert response.reasoning_content == "hm"
    assert response.usage == USAGE


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_errors_are_raised_where_they_stand(ask) -> None:
    reset = ExecutorError("connection", "reset")
    with pytest.raises(ExecutorError, match="reset"):
        await ask(ScriptedExecutor(reset))
    with pytest.raises(ExecutorError, match="reset"):
        await ask(ScriptedExecutor([Chunk("a"), reset]))


async def test_an_entry_that_is_an_error_refuses_the_stream_itself() -> None:
    with pytest.raises(ExecutorError, match="reset"):
        await ScriptedExecutor(ExecutorError("connection", "reset")).exec_chat_stream_events("m", REQUEST)


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_a_script_without_its_end_is_truncated(ask) -> None:
    with pytest.raises(StreamTruncatedError):
        await ask(ScriptedExecutor([Chunk("a")]))


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_silence_lasts_until_somebody_gives_up(ask) -> None:
    asking = asyncio.create_task(ask(ScriptedExecutor([Hang()])))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not asking.done()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_steps_may_be_awaited(ask) -> None:
    seen: list[str] = []

    async def note() -> None:
        seen.append("awaited")

    await ask(ScriptedExecutor(answer("a", opening=[note])))
    await ask(ScriptedExecutor([note, *answer("a").steps]))
    assert seen == ["awaited", "awaited"]


async def test_it_keeps_what_it_was_asked() -> None:
    executor = ScriptedExecutor("a", "b", name="mine")
    options = ChatOptions(seed=1)
    await executor.exec_chat_response("one", REQUEST, options)
    stream = await executor.exec_chat_stream_events("two", REQUEST)
    assert [(call.model, call.options, call.streaming) for call in executor.calls] == [
        ("one", options, False),
        ("two", None, True),
    ]
    assert executor.open_streams == 1
    await stream.aclose()
    assert executor.open_streams == 0
    assert executor.calls[1].finish is not None
    assert executor.calls[1].finish.outcome == "abandoned"
    assert repr(executor) == "ScriptedExecutor(name='mine', calls=2)"


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_a_call_that_was_not_scripted_fails_the_test(ask) -> None:
    executor = ScriptedExecutor("a")
    await ask(executor)
    with pytest.raises(ConfigError, match="the script of 'scripted' is over: call 2 was not expected"):
        await ask(executor)


async def test_the_last_entry_may_answer_all_further_calls() -> None:
    executor = ScriptedExecutor("a", "b", repeat=True)
    assert [(await whole(executor)).text for _ in range(4)] == ["a", "b", "b", "b"]
