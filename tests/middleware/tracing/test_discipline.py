"""What is current when, and what outlives what: nothing is held across a yield, and nobody's span is touched."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from opentelemetry import baggage, context, trace

from lamellar import ChatRequest, Chunk, End, ExecutorError, ExecutorWrapper, LayerSpec, LlmEventStream, Stack
from lamellar.middleware import Retry
from lamellar.scope import current_scope, use_scope
from lamellar.source import InnerSource
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

from .telemetry import Telemetry

REQUEST = ChatRequest.from_user("hi")


def http_span(told: Telemetry, name: str = "POST"):
    """What an instrumentation of the HTTP client does."""

    async def request() -> None:
        with told.tracer.start_as_current_span(name):
            await asyncio.sleep(1)

    return request


def test_what_the_http_client_makes_lies_beneath_the_attempt(told: Telemetry) -> None:
    steps = Scripted((http_span(told, "read 1"), Chunk("a"), http_span(told, "read 2"), End()), (http_span(told),))
    leaf = ScriptedExecutor(Scripted((), (http_span(told, "POST failed"), ExecutorError("server_error", "no"))), steps)

    async def main() -> None:
        async with Stack(told.tracing(), Retry(attempts=2, initial=1), leaf).build() as executor:
            await (await executor.exec_chat_stream_events("m", REQUEST)).collect()

    run_virtual(main())
    assert told.tree() == [
        "chat m CLIENT UNSET completed",
        "  attempt scripted INTERNAL ERROR server_error failed",
        "    POST failed INTERNAL UNSET",
        "  attempt scripted INTERNAL UNSET completed",
        "    POST INTERNAL UNSET",
        "    read 1 INTERNAL UNSET",
        "    read 2 INTERNAL UNSET",
    ]


@pytest.mark.parametrize("options", [{}, {"mode": "attempts"}, {"capture_content": True}], ids=str)
def test_between_two_events_the_callers_own_span_is_current(told: Telemetry, options: dict) -> None:
    async def main() -> None:
        leaf = ScriptedExecutor([Chunk("a"), http_span(told), Chunk("b"), End()])
        async with Stack(told.tracing(**options), leaf).build() as executor:
            with told.tracer.start_as_current_span("caller") as caller:
                before = context.get_current()
                stream = await executor.exec_chat_stream_events("m", REQUEST)
                assert context.get_current() is before
                async for _ in stream:
                    assert trace.get_current_span() is caller
                    assert context.get_current() is before, "no token is held across the yield"
                    assert current_scope() is None
                assert caller.is_recording()
                caller.set_attribute("still", "ours")

    run_virtual(main())
    caller = told.span("caller")
    assert dict(caller.attributes) == {"still": "ours"}
    assert caller.status.status_code.name == "UNSET"
    assert not caller.events
    first = next(span for span in told.spans if span.parent is not None and span.name != "POST")
    assert first.parent.span_id == caller.context.span_id
    assert told.span("POST").parent.span_id != caller.context.span_id


def test_a_later_read_in_another_context_keeps_the_parents(told: Telemetry) -> None:
    async def main() -> None:
        async with Stack(told.tracing(), ScriptedExecutor([Chunk("a"), http_span(told), End()])).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)

            async def consume() -> None:
                with told.tracer.start_as_current_span("consumer"):
                    await stream.collect()

            await asyncio.create_task(consume())

    run_virtual(main())
    assert told.span("POST").parent.span_id == told.span("attempt scripted").context.span_id
    assert told.span("consumer").parent is None


class Reopening(InnerSource):
    """Asks again when the answer breaks, as a restart in the middle of a stream does."""

    def __init__(self, inner, again) -> None:
        super().__init__(inner)
        self.again = again

    async def read(self):
        try:
            return await self.inner.read_batch()
        except ExecutorError:
            self.inner = await self.again()
            return await self.inner.read_batch()


class Restarts(ExecutorWrapper):
    async def _exec(self, operation, model, chat_req, options):
        scope = current_scope()

        async def again():
            with use_scope(scope):
                return await operation(self.inner, model, chat_req, options)

        return LlmEventStream(Reopening(await again(), again))


class RestartLayer(LayerSpec):
    kind = "restarts"

    def wrap(self, inner, context):
        return Restarts(inner)


def test_a_try_that_begins_in_the_middle_of_a_stream_lies_beneath_the_call(told: Telemetry) -> None:
    leaf = ScriptedExecutor([Chunk("a"), ExecutorError("connection", "cut")], [http_span(told), Chunk("b"), End()])

    async def main() -> None:
        async with Stack(told.tracing(), RestartLayer(), leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            with told.tracer.start_as_current_span("consumer"):
                await stream.collect()

    run_virtual(main())
    assert told.tree() == [
        "chat m CLIENT UNSET completed",
        "  attempt scripted INTERNAL ERROR connection failed",
        "  attempt scripted INTERNAL UNSET completed",
        "    POST INTERNAL UNSET",
        "consumer INTERNAL UNSET",
    ]


def test_the_callers_baggage_reaches_the_leaf(told: Telemetry) -> None:
    seen = []

    async def look() -> None:
        seen.append(baggage.get_baggage("tenant"))

    async def main() -> None:
        async with Stack(told.tracing(), ScriptedExecutor([look, Chunk("a"), look, End()])).build() as executor:
            token = context.attach(baggage.set_baggage("tenant", "blue"))
            try:
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            finally:
                context.detach(token)

    run_virtual(main())
    assert seen == ["blue", "blue"]


def test_a_layers_own_span_stands_between(told: Telemetry) -> None:
    class Spanning(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            with told.tracer.start_as_current_span("mine"):
                return await operation(self.inner, model, chat_req, options)

    class Layer(LayerSpec):
        kind = "spanning"

        def wrap(self, inner, context):
            return Spanning(inner)

    async def main() -> None:
        async with Stack(told.tracing(), Layer(), ScriptedExecutor("x")).build() as executor:
            await executor.exec_chat_response("m", REQUEST)

    run_virtual(main())
    assert told.tree() == ["chat m CLIENT UNSET", "  mine INTERNAL UNSET", "    attempt scripted INTERNAL UNSET"]


class Flight(ExecutorWrapper):
    """Does its work in a task of its own, as a cache's single flight does; the caller may leave before it ends."""

    def __init__(self, inner) -> None:
        super().__init__(inner)
        self.task = None

    async def _exec(self, operation, model, chat_req, options):
        scope = current_scope()

        async def work():
            with use_scope(scope.fork(streaming=False)):
                try:
                    return await self.inner.exec_chat_response(model, chat_req, options)
                finally:
                    current_scope().note("lamellar.cache.hit", False)

        self.task = asyncio.create_task(work())
        return await asyncio.shield(self.task)


class FlightLayer(LayerSpec):
    kind = "flight"

    def wrap(self, inner, context):
        return Flight(inner)


def test_work_that_outlives_its_call_has_spans_and_counts_its_tokens(told: Telemetry) -> None:
    leaf = ScriptedExecutor(
        Scripted((), (lambda: asyncio.sleep(10), ExecutorError("server_error", "no"))),
        answer("late", opening=(lambda: asyncio.sleep(10),)),
    )

    async def main() -> None:
        stack = Stack(told.tracing(), FlightLayer(), Retry(attempts=2, initial=1, jitter="none"), leaf)
        async with stack.build() as executor:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await executor.exec_chat_response("m", REQUEST)
            assert told.tree() == ["chat m CLIENT ERROR cancelled"]
            await executor.find(Flight).task

    run_virtual(main())
    assert told.tree() == [
        "chat m CLIENT ERROR cancelled",
        "  attempt scripted INTERNAL ERROR server_error",
        "  attempt scripted INTERNAL UNSET",
    ]
    assert sorted(total for _, total in told.points("gen_ai.client.token.usage")) == [2, 3]
    assert "gen_ai.usage.input_tokens" not in told.span("chat m").attributes


def test_a_forgotten_call_is_not_kept_alive(told: Telemetry) -> None:
    async def main() -> None:
        async with Stack(told.tracing(), ScriptedExecutor([Chunk("a"), Hang()])).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            await anext(stream)
            gone = weakref.ref(stream)
            gc.disable()
            try:
                del stream
                assert gone() is None, "no cycle holds it"
            finally:
                gc.enable()
            await asyncio.sleep(1)

    run_virtual(main())
    assert told.tree()[0] == "chat m CLIENT UNSET abandoned"
