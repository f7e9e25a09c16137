"""A built stack: the scope of a call, closing, and what it refuses at the door."""

from __future__ import annotations

import asyncio
import gc

import pytest

from lamellar import (
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    LayerSpec,
    LlmExecutor,
    Outcome,
    RejectedError,
    Stack,
    StackExecutor,
    StreamClosedError,
    Target,
)
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")


async def test_a_built_stack_is_an_executor_like_any_other() -> None:
    leaf = ScriptedExecutor("fine", name="leaf")
    async with Stack(Timeout(total=5), Retry(), leaf).build() as executor:
        assert isinstance(executor, LlmExecutor)
        assert executor.name == "leaf"
        assert executor.find(ScriptedExecutor) is leaf
        assert executor.find(StackExecutor) is executor
        assert executor.find(asyncio.Queue) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, REQUEST), "model: expected a model's name, got NoneType"),
        (("", REQUEST), "model: expected a model's name, got an empty str"),
        (("m", "hello"), r"chat_req: expected a ChatRequest, got str.*ChatRequest.from_user"),
        (("m", {"messages": []}), "chat_req: expected a ChatRequest, got dict"),
        (("m", REQUEST, {"temperature": 0}), "options: expected ChatOptions or None, got dict"),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
async def test_wrong_arguments_are_refused_by_name(arguments: tuple, said: str, streaming: bool) -> None:
    leaf = ScriptedExecutor("never")
    async with Stack(leaf).build() as executor:
        call = executor.exec_chat_stream_events if streaming else executor.exec_chat_response
        with pytest.raises(ConfigError, match=said):
            await call(*arguments)
    assert not leaf.calls


async def test_calls_at_once_have_records_of_their_own() -> None:
    errors = [ExecutorError("server_error", "no") for _ in range(50)]
    leaf = ScriptedExecutor(*errors, *[f"answer {n}" for n in range(50)])
    async with Stack(Retry(initial=0, max=0, overloaded_initial=0), leaf).build() as executor:
        responses = await asyncio.gather(*[executor.exec_chat_response(f"m{n}", REQUEST) for n in range(50)])
    for number, response in enumerate(responses):
        assert [each.number for each in response.attempts] == [1, 2]
        assert {each.model for each in response.attempts} == {f"m{number}"}


async def test_a_stack_as_the_leaf_of_another_shows_all_the_tries() -> None:
    inner_leaf = ScriptedExecutor(ExecutorError("server_error", "no"), "fine", ExecutorError("invalid_request", "no"))
    async with Stack(Retry(initial=0, max=0), inner_leaf).build() as inner:
        outer_leaf = ScriptedExecutor(ExecutorError("overloaded", "no"), ExecutorError("overloaded", "no"))
        async with Stack(Fallback(outer_leaf, inner)).build() as outer:
            response = await outer.exec_chat_response("m", REQUEST)
            assert [(each.number, each.kind) for each in response.attempts] == [
                (1, ErrorKind.OVERLOADED),
                (2, ErrorKind.SERVER_ERROR),
                (3, None),
            ]
            with pytest.raises(ExecutorError) as caught:
                await outer.exec_chat_response("m", REQUEST)
            assert [each.kind for each in caught.value.attempts] == [ErrorKind.OVERLOADED, ErrorKind.INVALID_REQUEST]


def test_a_stack_inside_another_keeps_to_what_is_left_of_the_call() -> None:
    fails = [ExecutorError("server_error", "no") for _ in range(9)]

    async def main() -> None:
        inner = Stack(Retry(attempts=9, initial=4, max=4, jitter="none"), ScriptedExecutor(*fails)).build()
        async with Stack(Timeout(total=10), inner).build() as outer:
            began = asyncio.get_running_loop().time()
            with pytest.raises(ExecutorError) as caught:
                await outer.exec_chat_response("m", REQUEST)
            assert asyncio.get_running_loop().time() - began == pytest.approx(8), "a third wait would outlast the call"
            assert caught.value.kind is ErrorKind.SERVER_ERROR
            assert len(caught.value.attempts) == 3

    run_virtual(main())


def test_the_share_of_a_stack_inside_does_not_cut_its_stream() -> None:
    steps = [Chunk("a"), lambda: asyncio.sleep(50), Chunk("b"), End()]

    async def main() -> None:
        inner = Stack(ScriptedExecutor(steps)).build()
        async with Stack(Timeout(total=60), Fallback(inner, ScriptedExecutor("never"))).build() as outer:
            assert (await (await outer.exec_chat_stream_events("m", REQUEST)).collect()).text == "ab"

    run_virtual(main())


def test_the_tries_of_a_stack_inside_are_kept_when_the_call_is_cut() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(ExecutorError("server_error", "no"), Scripted((), (Hang(),)))
        inner = Stack(Retry(initial=1, jitter="none"), leaf).build()
        async with Stack(Timeout(total=10), inner).build() as outer:
            with pytest.raises(RejectedError) as caught:
                await outer.exec_chat_response("m", REQUEST)
            assert [each.outcome for each in caught.value.attempts] == [Outcome.FAILED, Outcome.CANCELLED]

    run_virtual(main())


async def test_what_was_handed_is_not_closed() -> None:
    async with Stack(ScriptedExecutor("still here")).build() as inner:
        async with Stack(inner).build():
            pass
        assert (await inner.exec_chat_response("m", REQUEST)).text == "still here"


async def test_a_call_on_a_closed_executor_is_refused() -> None:
    executor = Stack(ScriptedExecutor("never")).build()
    await executor.aclose()
    with pytest.raises(RejectedError) as caught:
        await executor.exec_chat_response("m", REQUEST)
    assert caught.value.kind is ErrorKind.CLOSED


async def test_closing_ends_calls_under_way_with_a_refusal() -> None:
    leaf = ScriptedExecutor(Scripted((), (Hang(),)))
    executor = Stack(Retry(), leaf).build()
    call = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
    while not leaf.calls:
        await asyncio.sleep(0)
    await executor.aclose()
    with pytest.raises(RejectedError) as caught:
        await call
    assert caught.value.kind is ErrorKind.CLOSED
    assert call.cancelling() == 0
    assert [each.outcome for each in caught.value.attempts] == [Outcome.CANCELLED]


def test_grace_waits_for_what_is_under_way() -> None:
    slow = Scripted((Chunk("a"), lambda: asyncio.sleep(5), Chunk("b"), End()))

    async def main() -> None:
        executor = Stack(ScriptedExecutor(slow, slow, Scripted((Chunk("x"), Hang())))).build()
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        reading = asyncio.create_task(stream.collect())
        call = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await executor.aclose(grace=60)
        assert asyncio.get_running_loop().time() - began == pytest.approx(4)
        assert (await reading).text == (await call).text == "ab"

    run_virtual(main())


def test_grace_covers_a_stream_whose_call_is_still_under_way() -> None:
    slow = Scripted((lambda: asyncio.sleep(5), Chunk("a"), lambda: asyncio.sleep(5), Chunk("b"), End()))

    async def main() -> None:
        executor = Stack(ScriptedExecutor(slow)).build()

        async def consume() -> str:
            return (await (await executor.exec_chat_stream_events("m", REQUEST)).collect()).text

        consuming = asyncio.create_task(consume())
        await asyncio.sleep(1)
        await executor.aclose(grace=60)
        assert await consuming == "ab"

    run_virtual(main())


def test_two_may_close_at_once() -> None:
    async def main() -> None:
        executor = Stack(ScriptedExecutor(Scripted((Chunk("x"), Hang())))).build()
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        patient = asyncio.create_task(executor.aclose(grace=60))
        await asyncio.sleep(0)
        await executor.aclose(grace=3)
        await patient
        assert asyncio.get_running_loop().time() == pytest.approx(3), "nothing is left to wait for"
        assert stream.outcome is Outcome.CANCELLED

    run_virtual(main())


def test_grace_is_a_bound() -> None:
    async def main() -> None:
        executor = Stack(ScriptedExecutor(Scripted((Chunk("x"), Hang())))).build()
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        reading = asyncio.create_task(stream.collect())
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await executor.aclose(grace=3)
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)
        with pytest.raises(StreamClosedError, match="executor was closed"):
            await reading
        assert stream.outcome is Outcome.CANCELLED

    run_virtual(main())


def test_two_runs_over_one_executor_work() -> None:
    leaf = ScriptedExecutor(Scripted((Chunk("left open"), Hang())), "second")
    executor = Stack(Timeout(total=60, idle=5), leaf).build()

    async def leave_open() -> object:
        return await executor.exec_chat_stream_events("m", REQUEST)

    stream = asyncio.run(leave_open())
    assert asyncio.run(executor.exec_chat_response("m", REQUEST)).text == "second"
    del stream
    gc.collect()
    assert not executor._streams, "a stream whose loop is gone is not remembered for ever"


async def test_a_layer_that_wraps_nothing_is_named_when_the_stack_is_built() -> None:
    class Forgetful(LayerSpec):
        def wrap(self, inner, context):
            pass

    stack = Stack(Forgetful(), ScriptedExecutor("x"))
    assert "forgetful" in stack.describe(), "a spec without a kind is called by its class"
    with pytest.raises(ConfigError, match=r"Forgetful.wrap returned NoneType"):
        stack.build()


async def test_the_error_names_the_target_that_failed() -> None:
    down = ScriptedExecutor(ExecutorError("overloaded", "busy", provider="openai", model="m"), name="openai")
    async with Stack(Fallback(Target(down, name="east"))).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("m", REQUEST)
    assert caught.value.target == "east"
    assert str(caught.value) == "overloaded at east from openai/m: busy"
    assert repr(caught.value) == "ExecutorError('overloaded', 'busy')"


async def test_an_injected_clock_holds_every_wait() -> None:
    clock = ManualClock()
    leaf = ScriptedExecutor(ExecutorError("rate_limited", "no", retry_after=30), "fine")
    async with Stack(Timeout(total=100), Retry(), leaf).build(clock=clock) as executor:
        call = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
        await clock.advance(29)
        assert len(leaf.calls) == 1
        await clock.advance(5)
        assert (await call).text == "fine"


async def test_nobody_changes_what_the_caller_gave() -> None:
    leaf = ScriptedExecutor(answer("x"), repeat=True)
    options = ChatOptions(temperature=0.5, extra_headers={"a": "b"})
    before = options.model_dump_json(), REQUEST.model_dump_json()
    async with Stack(Retry(), leaf).build() as executor:
        await executor.exec_chat_response("m", REQUEST, options)
    assert leaf.calls[0].options is options
    assert leaf.calls[0].chat_req is REQUEST
    assert (options.model_dump_json(), REQUEST.model_dump_json()) == before
