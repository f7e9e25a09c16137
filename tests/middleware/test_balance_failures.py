"""Balance: what happens when a target fails."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from tests.middleware.composites import REQUEST, balanced, failing, leaf

from lamellar import (
    ChatOptions,
    Chunk,
    ErrorKind,
    ExecutorError,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.middleware import Balance, Cache, Ejection, Fallback, Timeout
from lamellar.root import StackExecutor
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual


async def call(executor: StackExecutor, options: ChatOptions | None = None) -> str:
    """Who answered, or the kind of the error."""
    try:
        return (await executor.exec_chat_response("m", REQUEST, options)).provider
    except (ExecutorError, RejectedError) as error:
        return error.kind.value


def picks(balance: Balance, calls: int, *, seed: int = 1) -> list[str]:
    """Who answers a number of calls, one after the other."""

    async def main() -> list[str]:
        async with Stack(balance).build(rng=Random(seed)) as executor:
            return [await call(executor) for _ in range(calls)]

    return run_virtual(main())


# -- failover ---------------------------------------------------------------------------------------------------


def test_the_next_best_is_asked_each_at_most_once() -> None:
    bad, worse, fine = leaf("bad", failing()), leaf("worse", failing("overloaded")), leaf("fine")

    async def main() -> None:
        async with Stack(Balance(bad, worse, fine)).build() as executor:
            response = await executor.exec_chat_response("m", REQUEST)
            assert [(each.target, each.kind) for each in response.attempts] == [
                ("bad", ErrorKind.SERVER_ERROR),
                ("worse", ErrorKind.OVERLOADED),
                ("fine", None),
            ]

    run_virtual(main())
    assert (len(bad.calls), len(worse.calls)) == (1, 1)


@pytest.mark.parametrize(
    ("options", "kind", "found"),
    [
        ({}, "server_error", "b"),
        ({}, "invalid_request", "invalid_request"),
        ({}, "content_filtered", "content_filtered"),
        ({"rules": {"content_filtered": True}}, "content_filtered", "b"),
        ({"rules": {"server_error": False}}, "server_error", "server_error"),
        ({"failover": False}, "server_error", "server_error"),
    ],
)
def test_whether_another_is_asked(options: dict, kind: str, found: str) -> None:
    assert picks(Balance(leaf("a", failing(kind)), leaf("b"), **options), 1) == [found]


def test_the_decisive_error_is_raised() -> None:
    assert picks(Balance(leaf("a", failing("overloaded")), leaf("b", failing("unauthorized"))), 1) == ["overloaded"]


def test_an_overflow_goes_on_to_larger_windows_only() -> None:
    smaller = leaf("smaller")
    balance = Balance(
        Target(leaf("small", failing("context_overflow")), context_window=8000),
        Target(smaller, context_window=4000),
        Target(leaf("large"), context_window=9000),
    )
    assert picks(balance, 1) == ["large"]
    assert not smaller.calls


def test_a_silent_target_leaves_time_for_the_others() -> None:
    silent = leaf("silent", Scripted((), (Hang(),)))

    async def main() -> None:
        async with Stack(Timeout(total=100), Balance(silent, leaf("b"))).build() as executor:
            response = await executor.exec_chat_response("m", REQUEST)
            assert response.provider == "b"
            assert response.attempts[0].latency == pytest.approx(75)
            assert response.attempts[0].code == "reserve"

    run_virtual(main())


def test_every_target_is_a_primary_whose_answer_may_be_cached() -> None:
    async def main() -> list[bool]:
        async with Stack(Cache(ttl="1h"), Balance(leaf("a", failing()), leaf("b"))).build() as executor:
            return [(await executor.exec_chat_response("m", REQUEST)).cached for _ in range(2)]

    assert run_virtual(main()) == [False, True]


def test_an_isolated_target_is_not_chosen() -> None:
    async def main() -> None:
        async with Stack(Balance(leaf("a"), leaf("b"))).build() as executor:
            executor.isolate("a")
            responses = [await executor.exec_chat_response("m", REQUEST) for _ in range(3)]
            assert [(each.provider, len(each.attempts)) for each in responses] == [("b", 1)] * 3
            executor.isolate("b")
            assert await call(executor) == "circuit_open"

    run_virtual(main())


# -- ejection ---------------------------------------------------------------------------------------------------


def test_failures_in_a_row_eject_a_target_for_longer_each_time() -> None:
    bad = ScriptedExecutor(*[failing()] * 4, "well", "well", *[failing()] * 3, name="bad", repeat=True)
    balance = Balance(bad, leaf("b"), ejection=Ejection(failures=2, duration=10, max_duration=25))

    async def main() -> None:
        async with Stack(balance).build() as executor:

            async def ejected_after(calls: int) -> object:
                for _ in range(calls):
                    await call(executor)
                return balanced("bad", executor)["ejected_for"]

            assert await ejected_after(2) is None, "one failure (a call in two)"
            assert await ejected_after(1) == pytest.approx(10)
            before = len(bad.calls)
            assert await ejected_after(5) == pytest.approx(10)
            assert len(bad.calls) == before, "it is left alone"
            await asyncio.sleep(10)
            assert await ejected_after(2) == pytest.approx(20), "the next failure of its probation ejects it again"
            await asyncio.sleep(20)
            assert await ejected_after(2) == pytest.approx(25), "bounded"
            await asyncio.sleep(25)
            assert await ejected_after(4) is None
            assert balanced("bad", executor)["failures"] == 0, "an answer clears it"
            assert await ejected_after(4) == pytest.approx(10)
            executor.reset("bad")
            assert balanced("bad", executor)["ejected_for"] is None

    run_virtual(main())


@pytest.mark.parametrize("kind", ["invalid_request", "rate_limited", "unauthorized", "content_filtered"])
def test_errors_that_say_nothing_of_health_eject_nobody(kind: str) -> None:
    async def main() -> None:
        stack = Stack(Balance(leaf("a", failing(kind)), leaf("b"), ejection=Ejection(failures=1)))
        async with stack.build() as executor:
            for _ in range(4):
                await call(executor)
            assert (balanced("a", executor)["failures"], balanced("a", executor)["ejected_for"]) == (0, None)

    run_virtual(main())


def test_a_stream_that_breaks_counts_and_one_that_is_left_does_not() -> None:
    cut = leaf("a", Scripted((Chunk("a"), failing())))

    async def main() -> None:
        async with Stack(Balance(cut, leaf("b"), ejection=Ejection(failures=2))).build() as executor:
            for number in (1, 2):
                async with await executor.exec_chat_stream_events("m", REQUEST):
                    pass
                await call(executor)  # the other's turn
                assert balanced("a", executor)["failures"] == number - 1
                with pytest.raises(StreamInterruptedError):
                    await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
                await call(executor) if number == 1 else None
            assert balanced("a", executor)["ejected_for"] == pytest.approx(30)

    run_virtual(main())


@pytest.mark.parametrize(("targets", "share", "most"), [(1, 1, 0), (2, 0.5, 1), (3, 0.5, 1), (4, 0.5, 2), (4, 1, 3)])
def test_at_most_a_share_is_out_and_one_always_stays(targets: int, share: float, most: int) -> None:
    assert Ejection(max_share=share).most(targets) == most

    async def main() -> None:
        leaves = [leaf(f"t{number}", failing()) for number in range(targets)]
        ejection = Ejection(failures=1, max_share=share)
        async with Stack(Balance(*leaves, ejection=ejection, failover=False)).build() as executor:
            for _ in range(20):
                await call(executor)
            states = [state["balance"] for name, state in executor.snapshot().items() if name != "stack"]
            assert sum(state["ejected_for"] is not None for state in states) == most

    run_virtual(main())


def test_a_failure_of_a_call_from_before_the_ejection_says_nothing_new() -> None:
    late = Scripted((), (lambda: asyncio.sleep(15), failing()))
    a = ScriptedExecutor(late, failing(), "well", name="a", repeat=True)

    async def main() -> None:
        ejection = Ejection(failures=1, duration=10)
        async with Stack(Balance(a, leaf("b"), ejection=ejection, failover=False)).build() as executor:
            pending = asyncio.create_task(call(executor))
            await asyncio.sleep(1)
            assert await call(executor) == "b"
            assert await call(executor) == "server_error"
            assert balanced("a", executor)["ejected_for"] == pytest.approx(10)
            assert await pending == "server_error"
            assert balanced("a", executor)["ejected_for"] is None, "it came back meanwhile, and stays"

    run_virtual(main())


def test_ejected_targets_are_the_last_resort() -> None:
    a = ScriptedExecutor(failing(), "well", name="a", repeat=True)
    b = ScriptedExecutor("b", failing(), name="b", repeat=True)

    async def main() -> None:
        async with Stack(Balance(a, b, ejection=Ejection(failures=1))).build() as executor:
            assert [await call(executor), await call(executor)] == ["b", "a"]

    run_virtual(main())


def test_it_stands_in_a_fallback_under_names_of_its_own() -> None:
    async def main() -> None:
        inner = Target(Balance(leaf("a", failing()), leaf("b", failing())), name="pool")
        async with Stack(Fallback(inner, leaf("spare"))).build() as executor:
            response = await executor.exec_chat_response("m", REQUEST)
            assert [each.target for each in response.attempts] == ["pool/a", "pool/b", "spare"]

    run_virtual(main())
