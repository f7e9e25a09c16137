"""Circuits apart and shared, what is told of them, and what is done by hand."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref

import pytest
from tests.middleware.circuit_breaker.bench import REQUEST, Bench, failing, run, slowly

from lamellar import CallContext, ChatOptions, ConfigError, ExecutorWrapper, RejectedError, Stack, Target
from lamellar.middleware import CircuitBreaker, CircuitEvent, Fallback, Retry
from lamellar.scope import current_scope, use_scope
from lamellar.testing import ScriptedExecutor
from lamellar_middleware.circuit_breaker.executor import CircuitBreakerExecutor

BUSY = failing()


def tagged(**tags: str) -> ChatOptions:
    return ChatOptions(call=CallContext(tags=tags))


# -- keys ------------------------------------------------------------------------------------------------------------


def test_each_model_has_a_circuit_of_its_own():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), BUSY, "ok")
        await bench.ask("bad")
        assert await bench.ask("good") == "ok"
        assert await bench.ask("bad") == "circuit_open"
        assert (await bench.refusal("bad")).message.startswith("the circuit of 'leaf (bad)' is open")
        shown = bench.executor.snapshot()["stack"]["circuit_breaker"]
        assert shown["state"] == "open", "the worst of them"
        assert {name: each["state"] for name, each in shown["circuits"].items()} == {"bad": "open", "good": "closed"}

    run(scenario)


def test_one_circuit_for_all():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1, per=()), BUSY)
        await bench.ask("one")
        assert await bench.ask("other") == "circuit_open"
        assert bench.circuit("all")["state"] == "open"

    run(scenario)


def test_a_circuit_for_each_tag():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1, per=("tag:team", "model")), BUSY, "ok", "ok")
        await bench.ask(options=tagged(team="a"))
        assert await bench.ask(options=tagged(team="a")) == "circuit_open"
        assert await bench.ask(options=tagged(team="b")) == "ok"
        assert await bench.ask() == "ok"
        shown = bench.executor.snapshot()["stack"]["circuit_breaker"]["circuits"]
        assert sorted(shown) == ["team=(none), model=m", "team=a, model=m", "team=b, model=m"]

    run(scenario)


@pytest.mark.failure(31)
def test_the_map_of_circuits_is_bounded():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), BUSY, *["ok"] * 3000)
        await bench.ask("bad")
        for number in range(2500):
            await bench.ask(f"model-{number}")
        shown = bench.executor.snapshot()["stack"]["circuit_breaker"]["circuits"]
        assert len(shown) <= 1000
        assert shown["bad"]["state"] == "open", "those that are as good as new go first"

    run(scenario)


def test_a_map_full_of_open_circuits_drops_the_oldest():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), *[BUSY] * 1001)
        for number in range(1001):
            await bench.ask(f"model-{number}")
        shown = bench.executor.snapshot()["stack"]["circuit_breaker"]["circuits"]
        assert len(shown) == 1000
        assert "model-0" not in shown

    run(scenario)


# -- sharing ---------------------------------------------------------------------------------------------------------


def test_those_who_share_a_name_share_their_circuits():
    async def scenario():
        first, second = ScriptedExecutor(BUSY), ScriptedExecutor("never")
        spec = CircuitBreaker(consecutive_failures=1, share="openai")
        shared: dict[str, object] = {}
        one, two = Stack(spec, first).build(shared=shared), Stack(spec, second).build(shared=shared)
        with pytest.raises(Exception, match="overloaded"):
            await one.exec_chat_response("m", REQUEST)
        with pytest.raises(RejectedError, match="circuit_open"):
            await two.exec_chat_response("m", REQUEST)
        assert not second.calls

    run(scenario)


def test_those_who_share_must_say_the_same():
    shared: dict[str, object] = {}
    Stack(CircuitBreaker(share="a", on_state_change=print), ScriptedExecutor()).build(shared=shared)
    Stack(CircuitBreaker(share="a"), ScriptedExecutor()).build(shared=shared)
    with pytest.raises(ConfigError, match=r"share: 'a' is shared by .*probes=2.* which differ; give both the same"):
        Stack(CircuitBreaker(share="a", probes=2), ScriptedExecutor()).build(shared=shared)


# -- what is told ----------------------------------------------------------------------------------------------------


def test_each_change_is_told():
    async def scenario():
        told: list[CircuitEvent] = []
        breaker = CircuitBreaker(consecutive_failures=1, on_state_change=told.append)
        bench = Bench(breaker, BUSY, failing("server_error"), "ok", target=True)
        for _ in range(3):
            await bench.ask()
            await asyncio.sleep(15)
        assert [(each.before, each.after, each.open_for) for each in told] == [
            ("closed", "open", 15),
            ("open", "half_open", None),
            ("half_open", "open", 15),
            ("open", "half_open", None),
            ("half_open", "closed", None),
        ]
        assert {(each.target, each.key) for each in told} == {("here", "own")}
        assert [each.error and str(each.error.kind) for each in told] == [
            "overloaded",
            None,
            "server_error",
            None,
            None,
        ]

    run(scenario)


def test_a_hook_that_fails_changes_nothing(caplog):
    def broken(event: CircuitEvent) -> None:
        raise ValueError("of the hook")

    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1, on_state_change=broken), failing())
        assert await bench.ask() == "overloaded"
        assert bench.state == "open"

    with caplog.at_level(logging.INFO, logger="lamellar.circuit_breaker"):
        run(scenario)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the circuit of 'leaf (m)' is open for 15 s: overloaded from leaf/m: no"),
        ("ERROR", "the on_state_change hook failed"),
    ]


class Watching(ExecutorWrapper):
    """Watches the notes of a call."""

    def __init__(self, inner, told):
        super().__init__(inner)
        self.told = told

    async def _exec(self, operation, model, chat_req, options):
        with use_scope(current_scope().observed_by(self)):
            return await operation(self.inner, model, chat_req, options)

    def note(self, name, value):
        self.told.append((name, value))

    def attempt_began(self, *_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def ended(self, *_):
        return None


def test_the_state_is_noted_where_it_says_something():
    told: list[tuple[str, object]] = []

    async def scenario():
        watching = Watching(Bench(CircuitBreaker(consecutive_failures=1), BUSY, "ok", "ok").executor.inner, told)
        executor = Stack(watching).build()

        async def ask():
            try:
                await executor.exec_chat_response("m", REQUEST)
            except Exception:
                told.append(("raised", True))
            seen = [value for name, value in told if name == "lamellar.breaker.state"]
            told.clear()
            return seen

        assert await ask() == ["open"]
        assert await ask() == ["open"]
        await asyncio.sleep(15)
        assert await ask() == ["half_open", "half_open", "closed"]
        assert await ask() == [], "a call through a closed circuit says nothing"

    run(scenario)


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_reset_closes_it_and_forgets():
    async def scenario():
        told: list[CircuitEvent] = []
        breaker = CircuitBreaker(consecutive_failures=1, on_state_change=told.append)
        bench = Bench(breaker, BUSY, "ok", target=True)
        await bench.ask()
        bench.executor.reset("here")
        assert bench.circuit("own")["state"] == "closed"
        assert (told[-1].before, told[-1].after) == ("open", "closed")
        assert await bench.ask() == "ok"

    run(scenario)


def test_what_is_under_way_at_a_reset_says_nothing():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), slowly(5, BUSY))
        call = bench.start()
        await asyncio.sleep(1)
        bench.executor.reset("stack")
        assert await call == "overloaded"
        assert bench.state == "closed"

    run(scenario)


def test_a_breaker_in_no_target_is_isolated_by_itself():
    async def scenario():
        bench = Bench(CircuitBreaker(), "ok")
        plate = bench.executor.find(CircuitBreakerExecutor)
        plate.isolate()
        error = await bench.refusal()
        assert error.message == "the circuit of 'leaf (m)' is isolated by hand; reset() puts it back to work"
        assert error.retry_after is None
        assert bench.executor.snapshot()["stack"]["circuit_breaker"]["state"] == "isolated"
        bench.executor.reset("stack")
        assert await bench.ask() == "ok"

    run(scenario)


# -- in a stack ------------------------------------------------------------------------------------------------------


def test_a_retry_outside_of_it_stops_at_the_open_circuit():
    async def scenario():
        leaf = ScriptedExecutor(BUSY, repeat=True)
        stack = Stack(Retry(attempts=5), CircuitBreaker(consecutive_failures=2), leaf)
        with pytest.raises(Exception, match="overloaded") as caught:
            await stack.build().exec_chat_response("m", REQUEST)
        assert [str(each.kind) for each in caught.value.attempts] == ["overloaded", "overloaded", "circuit_open"]
        assert len(leaf.calls) == 2

    run(scenario)


def test_a_refusal_is_on_the_record_once():
    async def scenario():
        primary, spare = ScriptedExecutor(BUSY), ScriptedExecutor("one", "two")
        breaker = CircuitBreaker(consecutive_failures=1)
        stack = Stack(Fallback(Target(breaker, primary, name="primary"), Target(spare, name="spare")))
        executor = stack.build()
        await executor.exec_chat_response("m", REQUEST)
        answer = await executor.exec_chat_response("m", REQUEST)
        assert [(each.target, each.outcome) for each in answer.attempts] == [
            ("primary", "refused"),
            ("spare", "completed"),
        ]

    run(scenario)


def test_loops_in_several_threads_share_it():
    spec = CircuitBreaker(consecutive_failures=None, failure_ratio=1, min_calls=10**6, per=())
    executor = Stack(spec, ScriptedExecutor(BUSY, repeat=True)).build()

    async def calls():
        for _ in range(200):
            with pytest.raises(Exception, match="overloaded"):
                await executor.exec_chat_response("m", REQUEST)

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = executor.snapshot()["stack"]["circuit_breaker"]["circuits"]["all"]
    assert (shown["calls"], shown["failures"], shown["in_a_row"]) == (800, 800, 800)


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"open_for": 0}, "open_for: more than zero seconds"),
        ({"probe_lease": 0}, "probe_lease: more than zero seconds"),
        ({"open_max": 5}, "open_max=5 is shorter than open_for=15; raise open_max"),
        ({"failure_ratio": None, "min_calls": 3}, "min_calls: it is for failure_ratio, which is None"),
        ({"failure_ratio": 1.5}, "failure_ratio: expected less than or equal to 1"),
        ({"per": "modle"}, "per: 'modle' is nothing that can be kept apart; did you mean 'model'"),
        ({"per": ("model", "model")}, "per: 'model' is named twice"),
        (
            {"failure_ratio": None, "consecutive_failures": None, "quota_open_for": None},
            "failure_ratio: nothing would ever open the circuit; give consecutive_failures",
        ),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        CircuitBreaker(**options)


def test_it_changes_no_answer():
    assert CircuitBreaker().identity() is None


def test_a_refusal_is_freed_by_whoever_caught_it():
    async def scenario():
        bench = Bench(CircuitBreaker(consecutive_failures=1), failing())
        await bench.ask()
        gc.collect()
        gc.disable()
        try:
            try:
                await bench.executor.inner.exec_chat_response("m", REQUEST)
            except RejectedError as error:
                freed = weakref.ref(error)
            assert freed() is None, "no frame holds it"
        finally:
            gc.enable()

    run(scenario)
