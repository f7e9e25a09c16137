"""Budget, whatever calls come and however they end: how much may be overspent, and that nothing is left reserved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from lamellar import (
    ChatOptions,
    ChatRequest,
    Chunk,
    End,
    ExecutorError,
    LamellarError,
    LlmEventStream,
    RejectedError,
    Stack,
    Usage,
)
from lamellar.middleware import Budget
from lamellar.source import EventSource
from lamellar.testing import run_virtual
from lamellar_middleware.budget import BudgetEvent
from lamellar_middleware.tokens import prompt_tokens

REQUEST = ChatRequest.from_user("hi")
GUESS = prompt_tokens(REQUEST)
PERIOD = 60.0
LIMIT = 200


@dataclass(frozen=True)
class Call:
    """A call: when it comes after the one before, what it says and costs, how long it takes and how it ends."""

    after: float
    max_tokens: int
    used: int | None
    lasts: float
    ending: str


CALLS = st.lists(
    st.builds(
        Call,
        after=st.sampled_from([0, 0, 0.5, 3, 20, 61]),
        max_tokens=st.integers(1, 150),
        used=st.none() | st.integers(0, 250),
        lasts=st.sampled_from([0, 1, 10, 100]),
        ending=st.sampled_from(["completes", "fails", "is cut", "is left", "is cancelled"]),
    ),
    min_size=1,
    max_size=25,
)


class Source(EventSource):
    def __init__(self, call: Call) -> None:
        self.call = call
        self.began = False

    async def read(self):
        if not self.began:
            self.began = True
            return (Chunk("a"),)
        await asyncio.sleep(self.call.lasts)
        if self.call.ending == "is cut":
            raise ExecutorError("connection", "reset")
        return (End(usage=usage(self.call)),)

    def finish(self, finish):
        pass


class Leaf:
    """Answers the call whose number stands in its `seed`."""

    name = "leaf"

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls

    async def exec_chat_response(self, model, chat_req, options=None):
        raise NotImplementedError

    async def exec_chat_stream_events(self, model, chat_req, options=None):
        call = self.calls[options.seed]
        if call.ending == "fails":
            await asyncio.sleep(call.lasts)
            raise ExecutorError("server_error", "no", status=500)
        return LlmEventStream(Source(call))


def usage(call: Call) -> Usage | None:
    return None if call.used is None else Usage(prompt_tokens=call.used, completion_tokens=0)


@given(CALLS)
@settings(deadline=None, max_examples=150)
def test_no_window_holds_more_than_the_limit_and_what_calls_cost_beyond_their_estimates(calls: list[Call]) -> None:
    booked: list[tuple[float, int]] = []
    excess: list[tuple[float, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def spent(event: BudgetEvent) -> None:
            booked.append((loop.time(), event.tokens))

        async with Stack(Budget(tokens=LIMIT, period=PERIOD, on_spend=spent), Leaf(calls)).build() as executor:

            async def make(number: int, call: Call, at: float) -> None:
                await asyncio.sleep(at)
                options = ChatOptions(max_tokens=call.max_tokens, seed=number)
                before = len(booked)
                try:
                    async with await executor.exec_chat_stream_events("m", REQUEST, options) as stream:
                        async for _ in stream:
                            if call.ending == "is left":
                                break
                except LamellarError as error:
                    if isinstance(error, RejectedError):
                        assert len(booked) == before or not call.lasts, "who is refused pays nothing"
                        return
                if call.ending == "completes":
                    excess.append((loop.time(), max(0, (call.used or 0) - call.max_tokens - GUESS)))

            starts = accumulate(call.after for call in calls)
            tasks = [
                asyncio.create_task(make(number, call, at))
                for number, (call, at) in enumerate(zip(calls, starts, strict=True))
            ]
            for task, call in zip(tasks, calls, strict=True):
                if call.ending == "is cancelled":
                    loop.call_later(call.after + call.lasts / 2, task.cancel)
            await asyncio.gather(*tasks, return_exceptions=True)
            errors = [task.exception() for task in tasks if not task.cancelled()]
            assert errors == [None] * len(errors)
            state = executor.snapshot()["stack"]["budget"]
            assert state["tokens"]["reserved"] == 0, "nothing is left reserved"
            await asyncio.sleep(PERIOD * 61 / 60)
            state = executor.snapshot()["stack"]["budget"]
            assert state == {"tokens": {"spent": 0, "reserved": 0, "left": LIMIT}, "resets_in": None}

    run_virtual(main())
    for end, _ in booked:
        window = sum(tokens for at, tokens in booked if end - PERIOD < at <= end)
        beyond = sum(tokens for at, tokens in excess if end - PERIOD < at <= end)
        assert window <= LIMIT + beyond


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), max_size=40), st.integers(1, 100))
def test_what_is_told_of_the_wait_is_true(spending: list[tuple[float, int]], wanted: int) -> None:
    """`retry_after` is when the same call would be let through, and not later than that."""

    async def main() -> None:
        calls = [Call(0, 1, used, 0, "completes") for _, used in spending] + [Call(0, wanted, 1, 0, "completes")]
        async with Stack(Budget(tokens=LIMIT, period=PERIOD), Leaf(calls)).build() as executor:

            async def ask(number: int) -> RejectedError | None:
                options = ChatOptions(max_tokens=calls[number].max_tokens, seed=number)
                try:
                    await (await executor.exec_chat_stream_events("m", REQUEST, options)).collect()
                except RejectedError as error:
                    return error
                return None

            for number, (pause, _) in enumerate(spending):
                await asyncio.sleep(pause / 20)
                await ask(number)
            refused = await ask(len(spending))
            if refused is not None:
                await asyncio.sleep(refused.retry_after * 0.99 - 0.001)
                assert await ask(len(spending)) is not None
                await asyncio.sleep(refused.retry_after * 0.01 + 0.002)
                assert await ask(len(spending)) is None

    run_virtual(main())
