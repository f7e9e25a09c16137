"""Chaos: faults at their rates, told like real ones, and nothing left behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ConfigError,
    ErrorKind,
    ExecutorError,
    LamellarError,
    Outcome,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.attempt import Attempt
from lamellar.executor import find
from lamellar.middleware import Chaos, Fallback, Retry, Timeout
from lamellar.testing import Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.verdicts import VERDICTS

REQUEST = ChatRequest.from_user("hi")
PIECES = ("The ", "sky ", "is ", "blue.")
LIMITS = Timeout(attempt=100, first_content=10, idle=10)


def leaf(name: str = "leaf") -> ScriptedExecutor:
    return ScriptedExecutor(answer(PIECES), repeat=True, name=name)


async def call(executor, *, stream: bool, options: ChatOptions | None = None):
    """The answer, or the error."""
    try:
        if not stream:
            return await executor.exec_chat_response("m", REQUEST, options)
        return await (await executor.exec_chat_stream_events("m", REQUEST, options)).collect()
    except LamellarError as error:
        return error


def calls(plate: Chaos, count: int, *, stream: bool, inner: ScriptedExecutor | None = None, rng: int = 0):
    """What `count` calls come to."""

    async def main():
        async with Stack(plate, LIMITS, inner or leaf()).build(rng=Random(rng)) as executor:
            found = [await call(executor, stream=stream) for _ in range(count)]
            assert not executor._streams
            return found

    return run_virtual(main())


def told(result: object) -> str:
    if isinstance(result, StreamInterruptedError):
        return f"interrupted {result.kind}"
    if isinstance(result, ExecutorError):
        return str(result.kind)
    return result.text or "empty"


@pytest.mark.parametrize("stream", [False, True])
def test_faults_come_at_their_rates(stream: bool) -> None:
    inner = leaf()
    plate = Chaos(errors={"overloaded": 0.2, "rate_limited": 0.1}, empty_rate=0.1, cut_rate=0.1, stall_rate=0.1, seed=7)
    found = Counter(map(told, calls(plate, 1000, stream=stream, inner=inner)))
    cut, stalled = ("interrupted connection", "interrupted timeout") if stream else ("connection", "timeout")
    expected = {"overloaded": 200, "rate_limited": 100, "empty": 100, cut: 100, stalled: 100, "".join(PIECES): 400}
    assert found.keys() == expected.keys()
    assert all(abs(found[name] - count) < 45 for name, count in expected.items()), found
    assert inner.open_streams == 0
    asked = 1000 - found["overloaded"] - found["rate_limited"] - found["empty"] - (0 if stream else found["timeout"])
    assert len(inner.calls) == asked, "what fails at once is not sent"


def test_a_seed_gives_the_same_faults_whatever_is_asked() -> None:
    plate = Chaos(errors={"server_error": 0.4}, seed=3)
    first = [told(each) for each in calls(plate, 40, stream=False, rng=1)]
    assert [told(each) for each in calls(plate, 40, stream=True, rng=2)] == first
    assert [told(each) for each in calls(plate.model_copy(update={"seed": 4}), 40, stream=False)] != first


def test_without_a_seed_the_stacks_own_randomness_decides() -> None:
    plate = Chaos(errors={"server_error": 0.5})
    first = [told(each) for each in calls(plate, 40, stream=False, rng=1)]
    assert [told(each) for each in calls(plate, 40, stream=False, rng=1)] == first
    assert [told(each) for each in calls(plate, 40, stream=False, rng=2)] != first


FAILURES = [kind for kind in list(ErrorKind)[: list(ErrorKind).index(ErrorKind.CIRCUIT_OPEN)] if kind != "empty"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", FAILURES)
def test_every_fault_is_an_ordinary_failure_on_the_record(kind: ErrorKind, stream: bool) -> None:
    (error,) = calls(Chaos(errors={kind: 1}), 1, stream=stream)
    assert isinstance(error, ExecutorError)
    assert (error.retryable, error.failover, error.counts_against_health) == VERDICTS[kind]
    assert (error.kind, error.code, error.provider, error.model) == (kind, "chaos", "leaf", "m")
    (attempt,) = error.attempts
    assert (attempt.outcome, attempt.kind, attempt.code, attempt.target) == (Outcome.FAILED, kind, "chaos", "leaf")
    assert attempt.status == error.status


def test_layers_outside_act_on_it() -> None:
    async def main() -> None:
        stack = Stack(
            Fallback(
                Target(Retry(attempts=2, jitter="none"), Chaos(errors={"rate_limited": 1}, retry_after=5), leaf("one")),
                Target(leaf("two")),
            )
        )
        async with stack.build(rng=Random(0)) as executor:
            response = await executor.exec_chat_response("m", REQUEST)
        assert [attempt.target for attempt in response.attempts] == ["one", "one", "two"]
        assert [attempt.status for attempt in response.attempts] == [429, 429, None]
        assert response.attempts[1].backoff >= response.attempts[0].retry_after == 5

    run_virtual(main())


def test_a_layer_outside_of_the_composite_strikes_all_its_targets() -> None:
    async def main() -> None:
        stack = Stack(Chaos(errors={"overloaded": 1}), Fallback(leaf("one"), leaf("two")))
        async with stack.build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_response("m", REQUEST)
        assert [attempt.target for attempt in caught.value.attempts] == ["one", "two"]

    run_virtual(main())


@pytest.mark.parametrize(("after", "text"), [(0, None), (1, "The "), (3, "The sky is "), (99, "".join(PIECES))])
def test_a_cut_comes_after_so_many_events_and_always_before_the_end(after: int, text: str | None) -> None:
    inner = leaf()
    (error,) = calls(Chaos(cut_rate=1, cut_after=after), 1, stream=True, inner=inner)
    assert error.kind is ErrorKind.CONNECTION
    if text is None:
        assert error.retryable
        assert not isinstance(error, StreamInterruptedError)
    else:
        assert error.text == text
    assert inner.open_streams == 0


def test_a_range_is_drawn_from_both_ends_included() -> None:
    found = calls(Chaos(cut_rate=1, cut_after=(1, 3), seed=1), 60, stream=True)
    assert {error.text for error in found} == {"The ", "The sky ", "The sky is "}


def test_a_whole_answer_that_is_cut_was_asked_for() -> None:
    inner = leaf()
    (error,) = calls(Chaos(cut_rate=1), 1, stream=False, inner=inner)
    assert (error.kind, len(inner.calls)) == (ErrorKind.CONNECTION, 1)


@pytest.mark.parametrize(("after", "limit", "seconds"), [(0, "first_content", 10), (2, "idle", 10)])
def test_a_silence_runs_into_the_limits_of_the_attempt(after: int, limit: str, seconds: float) -> None:
    (error,) = calls(Chaos(stall_rate=1, stall_after=after), 1, stream=True)
    assert (error.kind, error.code) == (ErrorKind.TIMEOUT, limit)
    assert error.attempts[0].latency == seconds


def test_a_silent_whole_answer_runs_into_the_limit_of_the_attempt() -> None:
    (error,) = calls(Chaos(stall_rate=1), 1, stream=False)
    assert (error.kind, error.code, error.attempts[0].latency) == (ErrorKind.TIMEOUT, "attempt", 100)


def test_leaving_a_silence_closes_the_provider() -> None:
    async def main() -> None:
        inner = leaf()
        async with Stack(Chaos(stall_rate=1), inner).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            task = asyncio.create_task(events.collect())
            await asyncio.sleep(1)
            await events.aclose()
            with pytest.raises(LamellarError):
                await task
            assert inner.calls[0].finish.outcome is Outcome.ABANDONED
            task = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
def test_latency_is_a_part_of_the_attempt(stream: bool) -> None:
    found = calls(Chaos(latency=("1s", "3s"), latency_rate=0.5, seed=1), 200, stream=stream)
    latencies = [response.attempts[0].latency for response in found]
    slow = [latency for latency in latencies if latency]
    assert 75 < len(slow) < 125
    assert 1 <= min(slow) < 1.2
    assert 2.8 < max(slow) <= 3
    (error,) = calls(Chaos(latency="1h"), 1, stream=True)
    assert (error.kind, error.code) == (ErrorKind.TIMEOUT, "first_content")


def test_a_game_day_begins_and_ends_while_the_program_runs() -> None:
    on = False

    async def main() -> None:
        nonlocal on
        plate = Chaos(errors={"overloaded": 1}, enabled=lambda: on)
        async with Stack(plate, leaf()).build() as executor:
            assert told(await call(executor, stream=True)) == "".join(PIECES)
            on = True
            assert told(await call(executor, stream=True)) == "overloaded"
            on = False
            assert told(await call(executor, stream=False)) == "".join(PIECES)

    run_virtual(main())


def test_a_switch_that_fails_strikes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    (found,) = calls(Chaos(errors={"overloaded": 1}, enabled=lambda: 1 / 0), 1, stream=False)
    assert told(found) == "".join(PIECES)
    assert "the `enabled` function of chaos failed" in caplog.text


def test_it_strikes_calls_with_its_tags_alone() -> None:
    async def main() -> None:
        plate = Chaos(errors={"overloaded": 1}, tags={"game": "day", "team": "a"})
        async with Stack(plate, leaf()).build() as executor:
            for tags, outcome in (
                ({"game": "day", "team": "a", "x": "y"}, "overloaded"),
                ({"game": "day"}, "".join(PIECES)),
                ({}, "".join(PIECES)),
            ):
                options = ChatOptions(call=CallContext(tags=tags))
                assert told(await call(executor, stream=False, options=options)) == outcome
            assert told(await call(executor, stream=False)) == "".join(PIECES)

    run_virtual(main())


@pytest.mark.parametrize("plate", [Chaos(), Chaos(errors={"overloaded": 1}, enabled=False)])
def test_what_cannot_strike_leaves_no_plate(plate: Chaos) -> None:
    executor = Stack(plate, leaf()).build()
    attempt = find(executor, Attempt)
    assert isinstance(attempt.inner, ScriptedExecutor)


def test_the_real_leaf_is_told_to_whoever_watches() -> None:
    inner = leaf()
    attempt = find(Stack(Chaos(cut_rate=0.5), inner).build(), Attempt)
    assert attempt.leaf is inner
    assert attempt.inner is not inner
    assert find(attempt, ScriptedExecutor) is inner


@pytest.mark.parametrize("stream", [False, True])
def test_failures_of_the_leaf_itself_pass_as_they_are(stream: bool) -> None:
    broken = ScriptedExecutor(Scripted((), (RejectedError(ErrorKind.GUARDRAIL, "no"),)))
    (error,) = calls(Chaos(cut_rate=1), 1, stream=stream, inner=broken)
    assert error.kind is ErrorKind.GUARDRAIL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"errors": {"overlaoded": 0.1}}, "errors: 'overlaoded' is no kind of error; did you mean 'overloaded'"),
        ({"errors": {"budget": 0.1}}, "errors: 'budget' is a refusal of a layer"),
        ({"errors": {"empty": 0.1}}, "errors: 'empty' is no error of a provider's own; say `empty_rate`"),
        ({"errors": {"overloaded": 1.5}}, "errors.overloaded: a rate is a share from 0 to 1, got 1.5"),
        ({"cut_rate": 0.6, "stall_rate": 0.6}, "together they make 1.2"),
        ({"cut_rate": 2}, "cut_rate: expected"),
        ({"cut_after": (3, 1)}, "cut_after: expected zero or more, and of a range the lower end first"),
        ({"stall_after": -1}, "stall_after: expected zero or more"),
        ({"latency": ("2s", "1s")}, "latency: expected zero or more"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Chaos(**options)


def test_it_reads_well_in_a_file() -> None:
    options = "{errors: {overloaded: 0.1}, latency: [1s, 5s], cut_after: [1, 9], seed: 1}"
    stack = Stack.loads(f"layers: [{{chaos: {options}}}]\nexecutor: openai")
    assert stack.layers == (Chaos(errors={"overloaded": 0.1}, latency=(1, 5), cut_after=(1, 9), seed=1),)
    assert Stack.loads(stack.dump()) == stack


def test_only_an_empty_answer_is_told_from_a_real_one() -> None:
    assert Chaos(errors={"overloaded": 0.5}, cut_rate=0.1).identity() is None
    assert Chaos(empty_rate=0.1).identity() is not None
