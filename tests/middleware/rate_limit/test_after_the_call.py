"""What comes back after the call, and what that means to those who wait."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from lamellar import (
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Usage,
)
from lamellar.clock import LoopClock
from lamellar.middleware import RateLimit, RateLimiter
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar_middleware.rate_limit import RateLimitExecutor

from .support import REQUEST, USAGE, timed, used

# -- after the call ----------------------------------------------------------------------------------------------

STREAMS = {
    "completed": ([Chunk("a"), End(usage=USAGE)], 42),
    "completed-unknown": ([Chunk("a"), End()], 1004),
    "total-alone": ([Chunk("a"), End(usage=Usage(total_tokens=50))], 50),
    "cut": ([Chunk("a")], 1004),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_settled_at_its_end(name: str) -> None:
    steps, expected = STREAMS[name]

    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, default_output_tokens=999, burst=1)
        async with Stack(layer, ScriptedExecutor(steps)).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert used(executor, "10000 tokens per minute") == 1004, "the estimate holds while it is open"
            if name == "cut":
                with pytest.raises(StreamInterruptedError):
                    await stream.collect()
            else:
                await stream.collect()
            assert used(executor, "10000 tokens per minute") == expected

    run_virtual(main())


def test_a_whole_answer_is_settled_at_once() -> None:
    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, tokens_per_day=10_000, burst=1)
        async with Stack(layer, ScriptedExecutor(answer(usage=USAGE), answer(usage=None))).build() as executor:
            await timed(executor)
            assert used(executor, "10000 tokens per minute") == used(executor, "10000 tokens per day") == 42
            await timed(executor)
            assert used(executor, "10000 tokens per day") == 42 + 505, "unknown usage keeps the estimate"

    run_virtual(main())


@pytest.mark.parametrize(
    ("error", "requests", "tokens"),
    [
        (ExecutorError("connection", "no", code="connect_timeout"), 0, 0),
        (ExecutorError("connection", "no", code="refused"), 0, 0),
        (ExecutorError("connection", "no", code="dns"), 0, 0),
        (ExecutorError("connection", "no", code="reset"), 1, 505),
        (ExecutorError("server_error", "no", status=500), 1, 505),
        (ExecutorError("timeout", "no"), 1, 505),
        (RejectedError("circuit_open", "no"), 0, 0),
        (RejectedError("pool_exhausted", "no"), 0, 0),
        (RejectedError("deadline", "no"), 1, 505),
    ],
)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.failure(22)
def test_only_what_never_left_us_is_given_back(error: Exception, requests: int, tokens: int, streaming: bool) -> None:
    async def main() -> None:
        layer = RateLimit(requests_per_minute=10, tokens_per_minute=10_000, burst=1)
        async with Stack(layer, ScriptedExecutor(error)).build() as executor:
            with pytest.raises(type(error)):
                await (executor.exec_chat_stream_events if streaming else executor.exec_chat_response)("m", REQUEST)
            assert used(executor, "10 requests per minute") == requests
            assert used(executor, "10000 tokens per minute") == tokens

    run_virtual(main())


def test_what_comes_out_of_a_cache_below_was_never_sent() -> None:
    from dataclasses import replace

    from lamellar.executor import ExecutorWrapper
    from lamellar.source import InnerSource
    from lamellar.stream import LlmEventStream

    class Cached(ExecutorWrapper):
        async def exec_chat_response(self, model: str, chat_req: object, options: object = None) -> object:
            response = await self.inner.exec_chat_response(model, chat_req, options)
            return response.model_copy(update={"cached": True})

        async def exec_chat_stream_events(self, model: str, chat_req: object, options: object = None) -> object:
            stream = LlmEventStream(Marked(await self.inner.exec_chat_stream_events(model, chat_req, options)))
            await stream.ready()
            return stream

    class Marked(InnerSource):
        async def read(self) -> object:
            from lamellar import Start

            return [replace(e, cached=True) if isinstance(e, Start) else e for e in await self.inner.read_batch()]

    async def main() -> None:
        layer = RateLimit(requests_per_minute=10, tokens_per_minute=10_000, burst=1)
        stack = Stack(ScriptedExecutor("fine", "fine"))
        async with stack.build() as inner:
            limiter = RateLimiter(layer, inner._clock)
            executor = RateLimitExecutor(Cached(inner), layer, limiter, None)
            await executor.exec_chat_response("m", REQUEST)
            await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert {each["used"] for each in limiter.levels()[""]["limits"].values()} == {0}

    run_virtual(main())


def test_a_stream_that_is_left_or_cut_is_settled_with_what_is_known() -> None:
    from lamellar.source import EventSource
    from lamellar.stream import LlmEventStream

    class Source(EventSource):
        def __init__(self) -> None:
            self.batches = [[Chunk("a")]]

        async def read(self) -> object:
            if self.batches:
                return self.batches.pop()
            raise ExecutorError("connection", "gone", code="reset")

        def finish(self, finish: object) -> None: ...

        @property
        def usage(self) -> Usage:
            return USAGE

    class Leaf:
        name = "leaf"

        async def exec_chat_stream_events(self, model: str, chat_req: object, options: object = None) -> object:
            return LlmEventStream(Source())

        async def exec_chat_response(self, model: str, chat_req: object, options: object = None) -> object:
            raise NotImplementedError

    async def main() -> None:
        async with Stack(RateLimit(tokens_per_minute=10_000, burst=1), Leaf()).build() as executor:
            async with await executor.exec_chat_stream_events("m", REQUEST):
                pass
            assert used(executor, "10000 tokens per minute") == 42, "left"
            with pytest.raises(StreamInterruptedError):
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert used(executor, "10000 tokens per minute") == 84, "cut"

    run_virtual(main())


def test_a_cancelled_call_keeps_its_estimate() -> None:
    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, burst=1)
        async with Stack(layer, ScriptedExecutor(Scripted((), (Hang(),)))).build() as executor:
            task = asyncio.create_task(timed(executor))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert used(executor, "10000 tokens per minute") == 505

    run_virtual(main())


def test_the_reservation_does_not_keep_a_forgotten_stream_alive() -> None:
    async def main() -> None:
        layer = RateLimit(tokens_per_minute=10_000, burst=1)
        async with Stack(layer, ScriptedExecutor([Chunk("a"), Hang()])).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            gone = weakref.ref(stream)
            del stream
            gc.collect()
            assert gone() is None

    run_virtual(main())


def test_what_a_call_did_not_use_lets_the_next_go() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(tokens_per_minute=600, burst=1), LoopClock())
        first = await limiter.reserve(600)
        waiting = asyncio.create_task(limiter.reserve(500))
        await asyncio.sleep(1)
        first.settle(90)
        first.settle(600)
        first.refund()
        await waiting
        assert asyncio.get_running_loop().time() == 1
        assert limiter.levels()[""]["limits"]["600 tokens per minute"]["used"] == 590, "settled once"

    run_virtual(main())


def test_a_call_that_used_more_than_it_reserved_makes_the_others_wait() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(tokens_per_minute=600, burst=0.1), LoopClock())
        loop = asyncio.get_running_loop()
        first = await limiter.reserve(60)
        waiting = asyncio.create_task(limiter.reserve(60))
        await asyncio.sleep(1)
        with pytest.raises(RejectedError, match="for 11 s"):
            await limiter.reserve(60, within=10)
        first.settle(300)
        with pytest.raises(RejectedError, match="for 35 s"):
            await limiter.reserve(60, within=20)
        await waiting
        assert loop.time() == pytest.approx(30)

    run_virtual(main())


@pytest.mark.parametrize(("ahead", "refused_at"), [(0, 1), (1, 20)], ids=["the next at once", "others in time"])
def test_whoever_must_wait_for_too_long_after_all_is_refused(ahead: int, refused_at: float) -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(tokens_per_minute=600, burst=0.1), LoopClock())
        first = await limiter.reserve(60)
        others = [asyncio.create_task(limiter.reserve(60)) for _ in range(ahead)]
        await asyncio.sleep(0)
        bounded = asyncio.create_task(limiter.reserve(60, within=20))
        await asyncio.sleep(1)
        first.settle(300)
        with pytest.raises(RejectedError) as caught:
            await bounded
        assert caught.value.kind is ErrorKind.LIMITER_DEADLINE
        assert asyncio.get_running_loop().time() == refused_at
        await asyncio.gather(*others)

    run_virtual(main())


def test_a_forecast_that_has_come_too_late_is_worked_out_anew_before_anyone_is_refused() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(requests_per_second=1), LoopClock())
        await limiter.reserve()
        tasks = [asyncio.create_task(limiter.reserve(within=100)) for _ in range(5)]
        await asyncio.sleep(0.5)
        for task in tasks[:4]:
            task.cancel()
        await asyncio.sleep(0)
        await limiter.reserve(within=2)
        assert asyncio.get_running_loop().time() == pytest.approx(2, abs=1e-3)
        await tasks[4]

    run_virtual(main())
