"""What goes wrong in a flight: whose error it is, and whose time is over."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest
from tests.middleware.cache.asking import END, REQUEST, TEXT, after, ask, slowly, stream, within

from lamellar import (
    Chunk,
    ErrorKind,
    ExecutorError,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.middleware import Cache, Fallback, Retry, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [ask, stream])
def test_a_failure_is_everybodys_and_each_has_a_copy(way) -> None:
    leaf = ScriptedExecutor(Scripted((), (after(1), ExecutorError("overloaded", "busy", status=503))), answer("fine"))

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            errors = await asyncio.gather(*[way(executor) for _ in range(3)], return_exceptions=True)
            assert len({id(error) for error in errors}) == 3
            for error in errors:
                assert (error.kind, error.status, error.retryable) == (ErrorKind.OVERLOADED, 503, True)
                assert error.target == "scripted"
                assert [(each.number, each.kind) for each in error.attempts] == [(1, ErrorKind.OVERLOADED)]
            assert (await way(executor)).text == "fine", "an error is shared with nobody who comes later"

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_an_interruption_tells_each_reader_what_that_one_was_delivered() -> None:
    leaf = ScriptedExecutor([Chunk("Par"), after(1), Chunk("is"), after(1), ExecutorError("connection", "reset")])

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            calls = [asyncio.create_task(way(executor)) for way in (stream, stream, ask)]
            first, second, call = await asyncio.gather(*calls, return_exceptions=True)
        for error in (first, second):
            assert isinstance(error, StreamInterruptedError)
            assert (error.text, error.kind) == ("Paris", ErrorKind.CONNECTION)
            assert not error.retryable
            assert isinstance(error.__cause__, ExecutorError)
        assert first is not second
        assert not isinstance(call, StreamInterruptedError), "nothing was delivered to a call"
        assert (call.kind, call.retryable) == (ErrorKind.CONNECTION, True)
        assert [each.kind for each in call.attempts] == [ErrorKind.CONNECTION]

    run_virtual(main())


def test_an_error_that_is_none_of_ours_reaches_everybody() -> None:
    class Layer(ScriptedExecutor):
        async def exec_chat_response(self, model, chat_req, options=None):
            await asyncio.sleep(1)
            raise LookupError("a bug")

    async def main() -> None:
        built = Stack(Cache(), Layer()).build()
        built.inner.inner = Layer()  # beneath no attempt, which would classify it
        errors = await asyncio.gather(*[ask(built) for _ in range(3)], return_exceptions=True)
        assert [type(error) for error in errors] == [LookupError] * 3
        assert len({id(error) for error in errors}) == 3
        await built.aclose()

    run_virtual(main())


# -- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [ask, stream])
def test_the_leaders_deadline_is_its_own_and_the_first_who_waits_asks_again(way) -> None:
    leaf = ScriptedExecutor(Scripted((Hang(),)), slowly())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Cache(), leaf).build() as executor:
            leader, *others = [
                asyncio.create_task(way(executor, options=options)) for options in (within(3), None, None)
            ]
            with pytest.raises(RejectedError, match="no answer within the call's 3 s") as caught:
                await leader
            assert loop.time() == pytest.approx(3, abs=0.1)
            assert caught.value.kind is ErrorKind.DEADLINE
            assert [(each.kind, each.code) for each in caught.value.attempts] == [(ErrorKind.TIMEOUT, "deadline")]
            first, second = await asyncio.gather(*others)
            assert [first.cached, second.cached] == [False, True]
            assert [len(each.attempts) for each in (first, second)] == [1, 0]
            assert first.text == second.text == TEXT
            assert loop.time() == pytest.approx(8, abs=0.1)

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_who_asks_again_for_a_whole_answer_is_not_told_of_a_part_of_it() -> None:
    cut = ExecutorError(ErrorKind.CONNECTION, "reset")
    leaf = ScriptedExecutor(Scripted((Hang(),)), Scripted((Chunk("Par"), cut)))

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            asked = [stream(executor, options=within(3)), ask(executor)]
            _, told = await asyncio.gather(*asked, return_exceptions=True)
            assert told is cut, "it led a stream, and was delivered nothing of it"
            assert told.retryable

    run_virtual(main())


def test_who_asks_again_leaves_no_timer_behind() -> None:
    leaf = ScriptedExecutor(Scripted((Hang(),)), slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            await asyncio.gather(*[stream(executor, options=within(s)) for s in (3, 1000)], return_exceptions=True)
            timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
            assert [timer for timer in timers if not timer.cancelled()] == []

    run_virtual(main())
    assert len(leaf.calls) == 2


@pytest.mark.parametrize("way", [ask, stream])
@pytest.mark.failure(28)
def test_a_followers_deadline_is_its_own(way) -> None:
    leaf = ScriptedExecutor(slowly(connect=10))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Cache(), leaf).build() as executor:
            leader = asyncio.create_task(way(executor))
            await asyncio.sleep(1)
            with pytest.raises(RejectedError, match="within the call's 2 s") as caught:
                await way(executor, options=within(2))
            assert loop.time() == pytest.approx(3)
            assert caught.value.kind is ErrorKind.DEADLINE
            assert [each.target for each in caught.value.attempts] == ["scripted"], "it says who was asked"
            assert (await leader).text == TEXT

    run_virtual(main())
    assert len(leaf.calls) == 1


def test_a_deadline_mid_stream_interrupts_that_reader_alone() -> None:
    leaf = ScriptedExecutor(slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            calls = [asyncio.create_task(stream(executor, options=each)) for each in (within(3.5), None, within(2.5))]
            leader, other, third = await asyncio.gather(*calls, return_exceptions=True)
        for error, said in ((leader, "Paris is "), (third, "Paris ")):
            assert isinstance(error, StreamInterruptedError)
            assert (error.kind, error.text) == (ErrorKind.DEADLINE, said)
        assert other.text == TEXT

    run_virtual(main())
    assert len(leaf.calls) == 1


def test_a_readers_own_time_counts_for_no_limit_of_anybody() -> None:
    leaf = ScriptedExecutor(slowly(pieces=tuple("abcdefgh")))

    async def main() -> None:
        async with Stack(Timeout(total=20, idle=2, first_content=3), Cache(), leaf).build() as executor:

            async def sip() -> str:
                text = ""
                async with await executor.exec_chat_stream_events("m", REQUEST, within(15)) as events:
                    async for event in events:
                        await asyncio.sleep(100)
                        text += event.content if isinstance(event, Chunk) else ""
                return text

            quick, *slow = await asyncio.gather(stream(executor), sip(), sip())
        assert {quick.text, *slow} == {"abcdefgh"}

    run_virtual(main())
    assert len(leaf.calls) == 1


def test_a_deadline_of_a_layer_inside_is_everybodys() -> None:
    leaf = ScriptedExecutor(Scripted((Hang(),)), repeat=True)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Cache(), Timeout(total=5), leaf).build() as executor:
            callers = [ask(executor, options=options) for options in (within(60), None, within(70), None, None)]
            errors = await asyncio.gather(*callers, return_exceptions=True)
            assert [error.kind for error in errors] == [ErrorKind.DEADLINE] * 5
            assert loop.time() == pytest.approx(5, abs=0.1), "the silence is waited for once"

    run_virtual(main())
    assert len(leaf.calls) == 1


@pytest.mark.parametrize("way", [ask, stream])
def test_what_a_flight_sleeps_between_its_tries_is_time_of_its_call(way) -> None:
    fails = Scripted((), (ExecutorError("server_error", "no"),))
    patient = Retry(attempts=9, initial=4, max=60, jitter="none")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for layers, options in (((Timeout(total=10),), None), ((), within(10))):
            began = loop.time()
            async with Stack(Cache(), *layers, patient, ScriptedExecutor(fails, repeat=True)).build() as executor:
                with pytest.raises(ExecutorError, match="server_error"):
                    await way(executor, options=options)
            assert loop.time() - began == pytest.approx(4), "eight seconds more would outlast the call"

    run_virtual(main())


@pytest.mark.parametrize(
    ("refusal", "asked"),
    [("budget", 3), ("queue_full", 1), ("circuit_open", 1), ("limiter_deadline", 1)],
)
def test_what_says_something_of_the_leader_alone_is_not_shared(refusal: str, asked: int) -> None:
    leaf = ScriptedExecutor(*[Scripted((), (after(1), RejectedError(refusal, "no"))) for _ in range(3)])

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            errors = await asyncio.gather(*[ask(executor) for _ in range(3)], return_exceptions=True)
        assert [error.kind for error in errors] == [ErrorKind(refusal)] * 3

    run_virtual(main())
    assert len(leaf.calls) == asked


def test_a_limiters_refusal_of_a_leader_in_haste_is_its_own() -> None:
    refusal = Scripted((), (after(1), RejectedError("limiter_deadline", "a minute's wait")))
    leaf = ScriptedExecutor(refusal, slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            hasty, patient = await asyncio.gather(
                ask(executor, options=within(10)), ask(executor), return_exceptions=True
            )
        assert hasty.kind is ErrorKind.LIMITER_DEADLINE
        assert patient.text == TEXT

    run_virtual(main())


def test_a_leader_that_is_cancelled_from_within_is_not_everybodys_end() -> None:
    cancelled = Scripted((), (after(1), asyncio.CancelledError()))
    leaf = ScriptedExecutor(cancelled, slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            leader, other = await asyncio.gather(ask(executor), ask(executor), return_exceptions=True)
        assert isinstance(leader, asyncio.CancelledError)
        assert other.text == TEXT

    run_virtual(main())


def test_what_is_the_leaders_alone_mid_stream_interrupts_who_has_part_of_it_and_others_ask_again() -> None:
    leaf = ScriptedExecutor([Chunk("Par"), after(1), RejectedError("budget", "spent")], slowly())

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            first, second, call = await asyncio.gather(
                stream(executor), stream(executor), ask(executor), return_exceptions=True
            )
        for error in (first, second):
            assert isinstance(error, StreamInterruptedError)
            assert (error.kind, error.text) == (ErrorKind.BUDGET, "Par")
        assert (call.text, call.cached) == (TEXT, False)

    run_virtual(main())
    assert len(leaf.calls) == 2


def test_a_cancellation_from_within_mid_stream_is_an_interruption_to_the_others() -> None:
    leaf = ScriptedExecutor([Chunk("Par"), after(1), asyncio.CancelledError()])

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            leader, other = await asyncio.gather(stream(executor), stream(executor), return_exceptions=True)
        assert isinstance(leader, asyncio.CancelledError)
        assert isinstance(other, StreamInterruptedError)
        assert other.text == "Par"

    run_virtual(main())


# -- in a target -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [ask, stream])
def test_a_grant_to_a_target_holds_for_each_who_waits_and_until_there_is_content(way) -> None:
    silent, other = ScriptedExecutor(Scripted((Hang(),)), repeat=True), ScriptedExecutor("the other", repeat=True)
    targets = Fallback(Target(Cache(), silent, name="silent"), other)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Timeout(total=20), targets).build() as executor:
            first = asyncio.create_task(way(executor))
            await asyncio.sleep(2)
            second = asyncio.create_task(way(executor))
            assert (await first).text == "the other"
            assert loop.time() == pytest.approx(15, abs=0.1)
            assert (await second).text == "the other"
            assert loop.time() == pytest.approx(17, abs=0.1)

    run_virtual(main())


def test_a_grant_is_for_nothing_but_the_first_content() -> None:
    leaf, other = ScriptedExecutor(slowly(each=5)), ScriptedExecutor()

    async def main() -> None:
        async with Stack(Timeout(total=22), Fallback(Target(Cache(), leaf), other)).build() as executor:
            assert {each.text for each in await asyncio.gather(stream(executor), stream(executor))} == {TEXT}
            assert asyncio.get_running_loop().time() == pytest.approx(21)

    run_virtual(main())


def test_no_reader_leaves_a_timer_behind() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack(Cache(), ScriptedExecutor(slowly(), slowly(), repeat=True)).build() as executor:
            for way in (ask, stream):
                options = within(100).model_copy(update={"seed": id(way)})
                await asyncio.gather(*[way(executor, options=options) for _ in range(3)])
        assert not [timer for timer in loop._scheduled if not timer.cancelled()]

    run_virtual(main())


WHO: ContextVar[str] = ContextVar("who")


def test_a_flight_runs_in_the_context_of_whoever_leads_it() -> None:
    seen = []

    async def look() -> None:
        seen.append(WHO.get())

    leaf = ScriptedExecutor(Scripted((look, Hang())), Scripted((look, Chunk("a"), END)))

    async def main() -> None:
        async with Stack(Cache(), leaf).build() as executor:
            tasks = []
            for name, options in (("first", within(1)), ("second", None), ("third", None)):
                WHO.set(name)
                tasks.append(asyncio.create_task(ask(executor, options=options)))
            WHO.set("main")
            await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(main())
    assert seen == ["first", "second"]
