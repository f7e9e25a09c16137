"""The tree of spans of a call, in every way it can go and every way it can end; each span exported exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest

from lamellar import (
    ChatRequest,
    Chunk,
    End,
    ExecutorError,
    LamellarError,
    Outcome,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
    Usage,
)
from lamellar.errors import ConfigError, ErrorKind, StreamClosedError
from lamellar.middleware import Fallback, Retry
from lamellar.source import Finish
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedExecutor, answer, run_virtual

from .telemetry import Telemetry, ours

REQUEST = ChatRequest.from_user("hi")
STALLS = [Chunk("a"), Chunk("b"), Hang()]
SILENT = Scripted((Hang(),), (Hang(),))


def busy() -> ExecutorError:
    return ExecutorError(ErrorKind.OVERLOADED, "busy", status=503)


def retrying(told: Telemetry, leaf: ScriptedExecutor, **options) -> Stack:
    return Stack(told.tracing(**options), Retry(attempts=2, initial=1, overloaded_initial=1, jitter="none"), leaf)


def run(stack: Stack, *, streaming: bool) -> None:
    """One call to its end, whatever that is."""

    async def main() -> None:
        async with stack.build() as executor:
            with contextlib.suppress(LamellarError):
                if streaming:
                    await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
                else:
                    await executor.exec_chat_response("m", REQUEST)

    run_virtual(main())


both = pytest.mark.parametrize(("streaming", "end"), [(False, ""), (True, " completed")], ids=["answer", "stream"])
fails = pytest.mark.parametrize(("streaming", "end"), [(False, ""), (True, " failed")], ids=["answer", "stream"])


@both
def test_success(told: Telemetry, streaming: bool, end: str) -> None:
    run(retrying(told, ScriptedExecutor("fine")), streaming=streaming)
    assert told.tree() == [f"chat m CLIENT UNSET{end}", f"  attempt scripted INTERNAL UNSET{end}"]


@both
def test_what_was_retried_is_told_by_the_attempts_alone(told: Telemetry, streaming: bool, end: str) -> None:
    run(retrying(told, ScriptedExecutor(busy(), "fine")), streaming=streaming)
    failed = " failed" if streaming else ""
    assert told.tree() == [
        f"chat m CLIENT UNSET{end}",
        f"  attempt scripted INTERNAL ERROR overloaded{failed}",
        f"  attempt scripted INTERNAL UNSET{end}",
    ]
    first, second = (span for span in told.spans if span.name == "attempt scripted")
    assert ours(first.attributes) | {"lamellar.stream.outcome": None} == {
        "lamellar.attempt.number": 1,
        "lamellar.attempt.kind": "initial",
        "lamellar.attempt.target": "scripted",
        "lamellar.attempt.provider": "scripted",
        "lamellar.attempt.model": "m",
        "lamellar.stream.outcome": None,
    }
    assert first.attributes["http.response.status_code"] == 503
    assert (second.attributes["lamellar.attempt.kind"], second.attributes["lamellar.attempt.number"]) == ("retry", 2)
    assert second.attributes["lamellar.attempt.backoff"] == 1
    assert second.attributes["lamellar.attempt.input_tokens"] == 3
    assert not [name for name in second.attributes if name.startswith("gen_ai.")], "no backend counts it twice"


@both
def test_a_fallback(told: Telemetry, streaming: bool, end: str) -> None:
    primary, spare = ScriptedExecutor(busy(), name="p"), ScriptedExecutor("fine", name="s")
    stack = Stack(told.tracing(), Fallback(Target(primary, name="one"), Target(spare, name="two", model="small")))
    run(stack, streaming=streaming)
    failed = " failed" if streaming else ""
    assert told.tree() == [
        f"chat m CLIENT UNSET{end}",
        f"  attempt one INTERNAL ERROR overloaded{failed}",
        f"  attempt two INTERNAL UNSET{end}",
    ]
    one, two = told.span("attempt one").attributes, told.span("attempt two").attributes
    assert (one["lamellar.fallback.index"], two["lamellar.fallback.index"]) == (0, 1)
    assert (two["lamellar.attempt.kind"], two["lamellar.attempt.model"]) == ("fallback", "small")
    call = told.span("chat m").attributes
    assert (call["gen_ai.provider.name"], call["gen_ai.response.model"]) == ("s", "small")


@fails
def test_a_failure_for_good(told: Telemetry, streaming: bool, end: str) -> None:
    run(retrying(told, ScriptedExecutor(busy(), repeat=True)), streaming=streaming)
    assert told.tree() == [
        f"chat m CLIENT ERROR overloaded{end}",
        *[f"  attempt scripted INTERNAL ERROR overloaded{end}"] * 2,
    ]
    call = told.span("chat m")
    assert call.attributes["gen_ai.response.finish_reasons"] == ("error",)
    assert call.status.description == "overloaded"
    assert not call.events, "no event repeats the provider's words"


def test_a_refusal_and_a_mistake_have_their_kinds(told: Telemetry) -> None:
    refusing = ScriptedExecutor(RejectedError(ErrorKind.QUEUE_FULL, "no"), ConfigError("wrong"))
    run(Stack(told.tracing(), refusing), streaming=False)
    run(Stack(told.tracing(), refusing), streaming=False)
    assert told.tree() == [
        "chat m CLIENT ERROR queue_full",
        "  attempt scripted INTERNAL ERROR queue_full",
        "chat m CLIENT ERROR ConfigError",
        "  attempt scripted INTERNAL ERROR _OTHER",
    ]


def test_a_target_that_a_layer_refused_is_an_attempt_without_a_leaf(told: Telemetry) -> None:
    class Full(ScriptedExecutor):
        pass

    from lamellar import ExecutorWrapper, LayerSpec

    class Refuses(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            raise RejectedError(ErrorKind.CIRCUIT_OPEN, "open")

    class Refusing(LayerSpec):
        kind = "refusing"

        def wrap(self, inner, context):
            return Refuses(inner)

    stack = Stack(
        told.tracing(),
        Fallback(Target(Refusing(), Full("never"), name="one"), Target(ScriptedExecutor("fine"), name="two")),
    )
    run(stack, streaming=False)
    assert told.tree() == [
        "chat m CLIENT UNSET",
        "  attempt one INTERNAL ERROR circuit_open",
        "  attempt two INTERNAL UNSET",
    ]


def test_an_interrupted_stream(told: Telemetry) -> None:
    run(retrying(told, ScriptedExecutor([Chunk("a"), busy()])), streaming=True)
    assert told.tree() == [
        "chat m CLIENT ERROR overloaded failed",
        "  attempt scripted INTERNAL ERROR overloaded failed",
    ]
    assert told.points("lamellar.stream.interruptions") == [({"error.type": "overloaded"}, 1)]


# -- the ways a stream ends besides -----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"capture_content": True}, {"per_chunk_metrics": True}], ids=str)
@pytest.mark.parametrize("how", ["break", "aclose", "other task", "collected", "cancelled", "stack closed"])
@pytest.mark.failure(9)
def test_however_a_stream_ends_its_spans_are_exported_once(told: Telemetry, how: str, options: dict) -> None:
    async def main() -> None:
        executor = retrying(told, ScriptedExecutor(STALLS), **options).build()
        stream = await executor.exec_chat_stream_events("m", REQUEST)
        assert told.tree() == [], "the spans are open as long as the stream is"
        if how == "break":
            async with stream:
                async for event in stream:
                    if isinstance(event, Chunk):
                        break
        elif how == "aclose":
            await anext(stream)
            await stream.aclose()
        elif how == "other task":
            reader = asyncio.create_task(stream.collect())
            await asyncio.sleep(1)
            await asyncio.create_task(stream.aclose())
            with pytest.raises(LamellarError):
                await reader
            del reader
        elif how == "collected":
            await anext(stream)
        elif how == "cancelled":
            reader = asyncio.create_task(stream.collect())
            await asyncio.sleep(1)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            del reader
        else:
            await executor.aclose()
        del stream
        gc.collect()
        await asyncio.sleep(1)
        await executor.aclose()

    run_virtual(main())
    outcome = "ERROR cancelled cancelled" if how in ("cancelled", "stack closed") else "UNSET abandoned"
    assert told.tree() == [f"chat m CLIENT {outcome}", f"  attempt scripted INTERNAL {outcome}"]
    assert told.span("chat m").attributes["gen_ai.response.finish_reasons"] == ("error",)
    [(attributes, _)] = told.points("gen_ai.client.operation.duration")
    assert attributes.get("error.type") == ("cancelled" if outcome.startswith("ERROR") else None)


@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "answer"])
def test_cancelled_before_the_commit_point(told: Telemetry, streaming: bool) -> None:
    async def main() -> None:
        async with retrying(told, ScriptedExecutor(SILENT)).build() as executor:
            call = executor.exec_chat_stream_events if streaming else executor.exec_chat_response
            task = asyncio.create_task(call("m", REQUEST))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run_virtual(main())
    end = "ERROR cancelled" + (" cancelled" if streaming else "")
    assert told.tree() == [f"chat m CLIENT {end}", f"  attempt scripted INTERNAL {end}"]


def test_a_loop_that_dies_with_a_call_under_way_exports_it_and_logs_nothing(told: Telemetry) -> None:
    executor = retrying(told, ScriptedExecutor(SILENT)).build()

    def drive() -> None:
        loop = asyncio.new_event_loop()
        coroutine = executor.exec_chat_response("m", REQUEST)
        task = loop.create_task(coroutine)
        loop.run_until_complete(asyncio.sleep(0))
        task._log_destroy_pending = False
        loop.close()
        del task
        coroutine.close()  # a GeneratorExit in the context of whoever collects it, not of the task

    drive()
    gc.collect()
    assert told.tree() == ["chat m CLIENT ERROR cancelled", "  attempt scripted INTERNAL ERROR cancelled"]


# -- modes, and stacks in stacks --------------------------------------------------------------------------------


def test_attempts_mode_makes_each_attempt_an_inference(told: Telemetry) -> None:
    leaf = ScriptedExecutor(busy(), answer("fine", usage=Usage(prompt_tokens=7)))
    run(retrying(told, leaf, mode="attempts"), streaming=True)
    assert told.tree() == [
        "call m INTERNAL UNSET completed",
        "  chat m CLIENT ERROR overloaded failed",
        "  chat m CLIENT UNSET completed",
    ]
    outer, first, second = told.spans
    assert dict(outer.attributes) == {"lamellar.stream.outcome": "completed"}
    assert first.attributes["lamellar.attempt.kind"] == "initial"
    assert second.attributes["lamellar.attempt.kind"] == "retry"
    assert second.attributes["gen_ai.usage.input_tokens"] == 7
    assert second.attributes["gen_ai.request.stream"] is True
    kinds = [attributes.get("error.type") for attributes, _ in told.points("gen_ai.client.operation.duration")]
    assert kinds == ["overloaded", None]
    assert [total for _, total in told.points("gen_ai.client.token.usage")] == [7]


class Nested:
    """A leaf that is a stack of its own."""

    name = "nested"

    def __init__(self, stack: Stack) -> None:
        self.executor = stack.build()

    async def exec_chat_response(self, model, chat_req, options=None):
        return await self.executor.exec_chat_response(model, chat_req, options)

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        return await self.executor.exec_chat_stream_events(model, chat_req, options)


@both
def test_the_tries_of_a_stack_inside_a_leaf_lie_beneath_its_attempt(told: Telemetry, streaming: bool, end: str) -> None:
    inner = Stack(Retry(attempts=2, initial=1, overloaded_initial=1), ScriptedExecutor(busy(), "fine", name="deep"))
    run(Stack(told.tracing(), Nested(inner)), streaming=streaming)
    failed = " failed" if streaming else ""
    assert told.tree() == [
        f"chat m CLIENT UNSET{end}",
        f"  attempt nested INTERNAL UNSET{end}",
        f"    attempt deep INTERNAL ERROR overloaded{failed}",
        f"    attempt deep INTERNAL UNSET{end}",
    ]
    assert told.span("chat m").attributes["gen_ai.usage.input_tokens"] == 3, "counted once"
    assert told.span("chat m").attributes["gen_ai.provider.name"] == "deep"
    assert sum(total for _, total in told.points("gen_ai.client.token.usage")) == 5


@both
def test_a_stack_inside_a_leaf_with_its_own_tracing_is_an_inference_and_counts_its_tokens(
    told: Telemetry, streaming: bool, end: str
) -> None:
    run(Stack(told.tracing(), Nested(Stack(told.tracing(), ScriptedExecutor("x", name="deep")))), streaming=streaming)
    assert told.tree() == [
        f"chat m CLIENT UNSET{end}",
        f"  attempt nested INTERNAL UNSET{end}",
        f"    chat m CLIENT UNSET{end}",
        f"      attempt deep INTERNAL UNSET{end}",
    ]
    assert sum(total for _, total in told.points("gen_ai.client.token.usage")) == 5, "counted once"


@both
def test_a_second_tracing_in_one_stack_adds_a_plain_span(told: Telemetry, streaming: bool, end: str) -> None:
    target = Target(told.tracing(), ScriptedExecutor("fine"), name="one", model="small")
    run(Stack(told.tracing(), Fallback(target)), streaming=streaming)
    assert told.tree() == [
        f"chat m CLIENT UNSET{end}",
        f"  call small INTERNAL UNSET{end}",
        f"    attempt one INTERNAL UNSET{end}",
    ]
    assert len(told.points("gen_ai.client.operation.duration")) == 1
    assert told.span("chat m").attributes["gen_ai.usage.input_tokens"] == 3


def test_further_in_it_spans_its_part(told: Telemetry) -> None:
    stack = Stack(
        Fallback(Target(ScriptedExecutor(busy())), Target(told.tracing(), ScriptedExecutor("fine"), name="t"))
    )
    run(stack, streaming=False)
    assert told.tree() == ["chat m CLIENT UNSET", "  attempt t INTERNAL UNSET"]
    assert told.span("attempt t").attributes["lamellar.attempt.number"] == 2, "its number in the call"


def test_the_interruption_keeps_its_error(told: Telemetry) -> None:
    async def main() -> None:
        async with Stack(
            told.tracing(capture_content=True), ScriptedExecutor([Chunk("a"), busy()])
        ).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.collect()
            assert caught.value.text == "a"
            assert caught.value.attempts[0].kind is ErrorKind.OVERLOADED

    run_virtual(main())


@pytest.mark.parametrize("streaming", [True, False])
def test_a_leaf_that_was_closed_is_nobodys_failure(told: Telemetry, streaming: bool) -> None:
    run(Stack(told.tracing(), ScriptedExecutor(StreamClosedError())), streaming=streaming)
    end = " abandoned" if streaming else ""
    assert told.tree() == [f"chat m CLIENT UNSET{end}", f"  attempt scripted INTERNAL UNSET{end}"]
    assert told.points("gen_ai.client.operation.duration")[0][0].get("error.type") is None


def test_what_is_told_twice_is_ended_once(told: Telemetry) -> None:
    from lamellar.live import LiveAttempt
    from lamellar.observer import LeafCall
    from lamellar_middleware.tracing.call import CallTrace
    from lamellar_middleware.tracing.kit import Kit

    leaf = ScriptedExecutor()
    kit = Kit(told.tracing(), leaf)
    assert kit.listening()
    trace = CallTrace(kit, "m", REQUEST, None, streaming=True, clock=ManualClock())
    live = LiveAttempt(1, "t", "p", "m", 0.0)
    attempt = trace.attempt_began(live, LeafCall(leaf, REQUEST, None, streaming=True))
    live.outcome = Outcome.CANCELLED
    for _ in range(2):
        attempt.ended(live, None)
        trace.failed(KeyboardInterrupt())
        trace.ended(Finish(Outcome.ABANDONED))
        trace.note("lamellar.cache.hit", True)
        trace.note("lamellar.breaker.state", "open")
        attempt.note("lamellar.breaker.state", "open")
    assert told.tree() == ["chat m CLIENT ERROR cancelled cancelled", "  attempt t INTERNAL ERROR cancelled cancelled"]
    assert len(told.points("gen_ai.client.operation.duration")) == 1
    assert told.points("lamellar.attempts")[0][1] == 1


def test_an_end_without_content_is_an_answer(told: Telemetry) -> None:
    run(Stack(told.tracing(), ScriptedExecutor([End()])), streaming=True)
    assert told.tree() == ["chat m CLIENT UNSET completed", "  attempt scripted INTERNAL UNSET completed"]
    assert "gen_ai.response.finish_reasons" not in told.span("chat m").attributes
    assert "gen_ai.usage.input_tokens" not in told.span("chat m").attributes
