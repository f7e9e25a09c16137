"""Hedge: who wins, what becomes of the others, and what other plates see of them."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar
from weakref import ref

import pytest
from tests.middleware.composites import REQUEST, SILENT, after, answered, failing, leaf, now, others

from lamellar import (
    CallContext,
    ChatOptions,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    ExecutorWrapper,
    LayerSpec,
    LlmEventStream,
    Outcome,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
    Usage,
)
from lamellar.middleware import Balance, Cache, Fallback, Hedge, Retry, Route, Timeout, Tracing
from lamellar.providers import OpenAI
from lamellar.source import EventSource
from lamellar.testing import Hang, ManualClock, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.testing.simulator import Answer, ProviderSimulator, Silence

# -- the winner and the losers ----------------------------------------------------------------------------------


def test_the_winners_stream_belongs_to_the_caller() -> None:
    slow = Scripted((Chunk("a"), *[lambda: asyncio.sleep(1), Chunk("a")] * 3, Hang()))

    async def main() -> None:
        leaf_b = leaf("b", slow)
        async with Stack(Timeout(idle=5), Hedge(leaf("a", SILENT), leaf_b, delay=1)).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert not others(), "no task is left to read it"
            assert executor.snapshot()["stack"]["hedge"]["racing"] == 0
            with pytest.raises(StreamInterruptedError) as caught:
                await stream.collect()
            assert (caught.value.kind, caught.value.text) == (ErrorKind.TIMEOUT, "aaaa")
            assert leaf_b.open_streams == 0

    run_virtual(main())


class Reporting(EventSource):
    """A stream that reports its input tokens, and then nothing."""

    usage = Usage(prompt_tokens=7)

    async def read(self):
        await asyncio.get_running_loop().create_future()

    def finish(self, finish):
        pass


@pytest.mark.failure(23)
def test_what_a_loser_cost_is_on_the_record() -> None:
    class Leaf:
        name = "reporting"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            return LlmEventStream(Reporting())

    async def main() -> None:
        async with Stack(Hedge(Leaf(), leaf("b"), delay=1)).build() as executor:
            response = await answered(executor, stream=True)
            assert response.attempts[0].outcome is Outcome.CANCELLED
            assert response.attempts[0].usage == Usage(prompt_tokens=7)

    run_virtual(main())


def test_two_that_answer_at_once_have_one_winner_and_the_other_is_closed() -> None:
    first, second = (leaf(name, after(seconds, Chunk(name), Hang())) for name, seconds in (("a", 2), ("b", 1)))

    async def main() -> None:
        async with Stack(Hedge(first, second, delay=1)).build() as executor:
            async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                assert first.open_streams + second.open_streams == 1
                assert [each.outcome for each in stream.attempts] in (
                    [None, Outcome.ABANDONED],
                    [Outcome.ABANDONED, None],
                ), "both had an answer, and nobody wanted the other's"
            assert not others()

    run_virtual(main())


def test_a_loser_that_resists_holds_up_nobody_and_is_not_lost() -> None:
    freed = asyncio.Event()

    async def resist() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await freed.wait()

    async def main() -> None:
        stubborn = ScriptedExecutor(Scripted((), (resist,)), name="a")
        async with Stack(Hedge(stubborn, leaf("b"), delay=1)).build() as executor:
            assert (await answered(executor)).provider == "b"
            assert now() == pytest.approx(1.1), "a moment, no longer"
            assert executor.snapshot()["stack"]["hedge"]["racing"] == 1
            freed.set()
            await asyncio.sleep(0.01)
            assert executor.snapshot()["stack"]["hedge"]["racing"] == 0
            assert not others()

    run_virtual(main())


def test_a_winner_that_nobody_waits_for_any_more_is_closed() -> None:
    async def resist() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(5)

    async def main() -> None:
        winner = leaf("b", [Chunk("b"), Hang()])
        stubborn = ScriptedExecutor(Scripted((), (resist,)), name="a")
        async with Stack(Hedge(stubborn, winner, delay=1)).build() as executor:
            task = asyncio.create_task(executor.exec_chat_stream_events("m", REQUEST))
            await asyncio.sleep(1.05)
            assert winner.open_streams == 1, "it has won, and the other resists"
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert winner.open_streams == 0
            await asyncio.sleep(6)
            assert not others()

    run_virtual(main())


def test_a_stream_that_nobody_holds_is_let_go_of_although_its_racer_was_refused_elsewhere_before() -> None:
    async def main() -> None:
        second = leaf("b", [Chunk("b"), Hang()])
        first = Target(ScriptedExecutor("never"), name="a")
        async with Stack(Hedge(Target(Fallback(first, second), name="both"), leaf("c", SILENT))).build() as executor:
            executor.isolate("both/a")
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert [each.outcome for each in stream.attempts] == [Outcome.REFUSED, None]
            del stream
            gc.collect()
            await asyncio.sleep(0)
            assert second.open_streams == 0

    run_virtual(main())


@pytest.mark.parametrize("at", [0.5, 1.5])
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_the_caller_cancels_every_racer(at: float, stream: bool) -> None:
    leaves = [leaf("a", [Hang()]), leaf("b", [Hang()])]

    async def main() -> None:
        async with Stack(Hedge(*leaves, delay=1)).build() as executor:
            task = asyncio.create_task(answered(executor, stream=stream))
            await asyncio.sleep(at)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelling() == 1
            assert not others()
            assert [each.open_streams for each in leaves] == [0, 0]
            assert len(leaves[1].calls) == int(at)

    run_virtual(main())


def test_the_deadline_of_the_call_ends_every_racer_and_all_are_on_the_record() -> None:
    async def main() -> None:
        async with Stack(Timeout(total=5), Hedge(leaf("a", SILENT), leaf("b", SILENT), delay=1)).build() as executor:
            with pytest.raises(RejectedError) as caught:
                await answered(executor)
            assert caught.value.kind is ErrorKind.DEADLINE
            assert [each.target for each in caught.value.attempts] == ["a", "b"]
            assert all(each.outcome is not None for each in caught.value.attempts)
            assert not others()

    run_virtual(main())


def test_closing_the_stack_ends_the_race() -> None:
    async def main() -> None:
        executor = Stack(Hedge(leaf("a", SILENT), leaf("b", SILENT), delay=1)).build()
        task = asyncio.create_task(answered(executor))
        await asyncio.sleep(2)
        await executor.aclose()
        with pytest.raises(RejectedError, match="closed"):
            await task
        assert not others()

    run_virtual(main())


def test_it_keeps_to_the_injected_clock() -> None:
    async def main() -> None:
        clock = ManualClock()
        async with Stack(Hedge(leaf("a", SILENT), leaf("b"), delay=7)).build(clock=clock) as executor:
            response = await clock.run(answered(executor))
            assert (response.provider, clock.now()) == ("b", 7)

    asyncio.run(main())


# -- with others ------------------------------------------------------------------------------------------------


def test_each_racers_waits_and_tries_are_its_own() -> None:
    first = ScriptedExecutor(failing(), failing(), after(50), name="a")

    async def main() -> None:
        stack = Stack(
            Hedge(Target(Retry(attempts=3, initial=3, max=3, jitter="none"), first), leaf("b", after(4)), delay=1)
        )
        async with stack.build() as executor:
            response = await answered(executor)
            assert [(each.number, each.target, each.backoff) for each in response.attempts] == [
                (1, "a", 0),
                (2, "b", 0),
                (3, "a", 3),
            ]

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
def test_only_the_primarys_answer_is_cached_however_the_tries_were_mixed(stream: bool) -> None:
    hedge_wins = [after(5), failing("overloaded")]  # at 3, the first one's second try begins after the hedge
    leaves = {"a": hedge_wins, "b": [after(4, Chunk("b"), End())]}

    async def main() -> None:
        first = Target(Retry(attempts=2, overloaded_initial=2, jitter="none"), leaf("a", failing("overloaded"), SILENT))
        async with Stack(Cache(ttl="1h"), Hedge(first, leaf("b", *leaves["b"]), delay=1)).build() as executor:
            response = await answered(executor, stream=stream)
            assert [each.target for each in response.attempts] == ["a", "b", "a"]
            assert response.provider == "b"
            again = asyncio.create_task(answered(executor, stream=stream))
            await asyncio.sleep(0.1)
            assert not again.done(), "the answer of the other target was not kept"
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
        kept = Stack(Cache(ttl="1h"), Hedge(leaf("a", after(3)), leaf("b", SILENT), delay=1))
        async with kept.build() as executor:
            assert (await answered(executor, stream=stream)).provider == "a"
            assert (await answered(executor, stream=stream)).cached

    run_virtual(main())


def test_an_outer_fallback_that_turns_the_answer_down_blames_the_winner() -> None:
    async def main() -> None:
        hedge = Hedge(leaf("a", after(4)), leaf("b", SILENT), delay=1)
        async with Stack(Fallback(hedge, leaf("spare"), accept=lambda r: r.provider == "spare")).build() as executor:
            response = await answered(executor)
            assert [(each.target, each.kind) for each in response.attempts] == [
                ("hedge/a", ErrorKind.ANSWER_REJECTED),
                ("hedge/b", None),
                ("spare", None),
            ]

    run_virtual(main())


def test_a_refusal_beside_another_racer_is_on_the_record() -> None:
    async def main() -> None:
        async with Stack(Hedge(leaf("a", after(3)), leaf("b"), delay=1)).build() as executor:
            executor.isolate("b")
            response = await answered(executor)
            assert [(each.target, each.outcome.value) for each in response.attempts] == [
                ("a", "completed"),
                ("b", "refused"),
            ]

    run_virtual(main())


def test_a_stream_that_broke_is_asked_for_again_within_the_call() -> None:
    cut = ScriptedExecutor([Chunk("half "), lambda: asyncio.sleep(2), failing()], answer("half whole"), name="a")

    async def main() -> None:
        stack = Stack(Timeout(total=60), Retry(on_interrupt="restart", initial=1), Hedge(cut, leaf("b"), delay=9))
        async with stack.build() as executor:
            assert (await answered(executor, stream=True)).text == "half whole"

    run_virtual(main())


WHO: ContextVar[str] = ContextVar("who", default="nobody")


def test_the_callers_context_goes_along() -> None:
    seen = []

    class Seeing(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            seen.append(WHO.get())
            return await operation(self.inner, model, chat_req, options)

    class See(LayerSpec):
        kind = "see"

        def wrap(self, inner, context):
            return Seeing(inner)

    async def main() -> None:
        WHO.set("the caller")
        targets = [Target(See(), leaf("a", SILENT)), Target(See(), leaf("b"))]
        async with Stack(Hedge(*targets, delay=1)).build() as executor:
            await executor.exec_chat_response("m", REQUEST, ChatOptions(call=CallContext(timeout=9)))

    run_virtual(main())
    assert seen == ["the caller", "the caller"]


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
@pytest.mark.parametrize("stream", [False, True])
def test_over_real_connections(engine: str, stream: bool) -> None:
    """A loser's connection is closed, and the winner's is read by a task that did not open it."""

    async def main(simulator: ProviderSimulator) -> None:
        provider = OpenAI(base_url=simulator.base_url, api_key="sk-any", engine=engine)
        hedge = Hedge(Target(provider, model="silent"), Target(provider, model="quick"), delay=0.05)
        async with Stack(Timeout(total=20), hedge).build() as executor:
            response = await answered(executor, stream=stream)
            assert response.text == "one two three"
            assert [each.outcome for each in response.attempts] == [Outcome.CANCELLED, Outcome.COMPLETED]
            for _ in range(200):
                if all(each.outcome is not None for each in simulator.requests):
                    break
                await asyncio.sleep(0.01)
            assert all(each.outcome is not None for each in simulator.requests)

    rules = {"silent": Silence(), "quick": Answer(chunks=("one ", "two ", "three"))}
    with ProviderSimulator(rules=rules) as simulator:
        asyncio.run(main(simulator))


def fresh() -> None:
    raise ExecutorError("server_error", "no")


async def fail() -> None:
    fresh()


@pytest.mark.parametrize("composite", [Hedge, Balance, lambda *leaves: Route({"m": leaves[0]})])
def test_an_error_leaves_nothing_alive(composite: object) -> None:
    async def main() -> None:
        leaves = [leaf(name, Scripted((), (fail,))) for name in "ab"]
        async with Stack(composite(*leaves)).build() as executor:
            gc.disable()
            try:
                error = None
                try:
                    await answered(executor, stream=True)
                except ExecutorError as caught:
                    error = ref(caught)
                assert error is not None
                await asyncio.sleep(0)
                assert error() is None, "nothing but the collector of cycles would let go of it"
            finally:
                gc.enable()

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
def test_each_racer_is_a_span_under_the_calls(stream: bool) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    async def main() -> None:
        hedge = Hedge(leaf("a", SILENT), leaf("b"), delay=1)
        async with Stack(Tracing(tracer_provider=provider, metrics=False), Route({"*": hedge})).build() as executor:
            assert (await answered(executor, stream=stream)).provider == "b"

    run_virtual(main())
    spans = {span.attributes.get("lamellar.attempt.target"): span for span in exporter.get_finished_spans()}
    assert set(spans) == {"*/a", "*/b", None}
    call = spans.pop(None)
    assert (call.attributes["lamellar.hedge.fired"], call.attributes["lamellar.route.name"]) == (True, "*")
    assert all(span.parent.span_id == call.context.span_id for span in spans.values())
    assert call.attributes["gen_ai.usage.output_tokens"] == 2
