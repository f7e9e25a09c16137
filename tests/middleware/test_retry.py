"""Retry: when, how often, how long, and what it costs the call that succeeds."""

from __future__ import annotations

import asyncio
import sys
from random import Random

import pytest
import tenacity

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    RejectedError,
    Stack,
    StreamInterruptedError,
)
from lamellar.middleware import KindPolicy, Retry, RetryBudget, RetryEvent, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.verdicts import VERDICTS

REQUEST = ChatRequest.from_user("hi")
REFUSALS = ("circuit_open", "limiter_deadline", "queue_full", "pool_exhausted", "answer_rejected", "budget", "deadline")


def failing(kind: str, **known: object) -> ExecutorError:
    return ExecutorError(kind, "no", **known)


class Run:
    """One call through a stack over a script, in virtual time."""

    def __init__(self, *layers: object, script: list[object], repeat: bool = False, options: ChatOptions | None = None):
        self.leaf = ScriptedExecutor(*script, repeat=repeat)
        self.stack = Stack(*layers, self.leaf)
        self.options = options
        self.response = self.error = None
        self.seconds = run_virtual(self._run())

    async def _run(self) -> float:
        loop = asyncio.get_running_loop()
        async with self.stack.build(rng=Random(1)) as executor:
            began = loop.time()
            try:
                self.response = await executor.exec_chat_response("m", REQUEST, self.options)
            except (ExecutorError, RejectedError) as error:
                self.error = error
            return loop.time() - began

    @property
    def asked(self) -> int:
        return len(self.leaf.calls)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if VERDICTS[kind].retryable])
def test_what_may_do_better_is_asked_again(kind: ErrorKind) -> None:
    run = Run(Retry(), script=[failing(kind), "fine"])
    assert run.response.text == "fine"
    assert [attempt.kind for attempt in run.response.attempts] == [kind, None]


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not VERDICTS[kind].retryable])
def test_what_may_not_is_raised_as_it_is(kind: ErrorKind) -> None:
    error = RejectedError(kind, "no") if kind in REFUSALS else failing(kind)
    run = Run(Retry(attempts=5), script=[error, "never"])
    assert run.error is error
    assert run.asked == 1
    assert run.seconds == 0


def test_attempts_bound_the_calls_and_the_last_error_is_raised() -> None:
    errors = [failing("server_error", code=str(number)) for number in range(3)]
    run = Run(Retry(attempts=3), script=[*errors, "never"])
    assert run.error is errors[2]
    assert [attempt.code for attempt in run.error.attempts] == ["0", "1", "2"]


def test_a_permanent_error_is_not_masked_by_an_earlier_one_of_the_same_target() -> None:
    run = Run(Retry(), script=[failing("server_error"), failing("context_overflow"), "never"])
    assert run.error.kind is ErrorKind.CONTEXT_OVERFLOW


def test_the_backoff_doubles_up_to_its_bound_and_is_recorded() -> None:
    run = Run(Retry(attempts=5, initial=1, max=3, jitter="none"), script=[failing("server_error")], repeat=True)
    assert [attempt.backoff for attempt in run.error.attempts] == pytest.approx([0, 1, 2, 3, 3])
    assert run.seconds == pytest.approx(9)


@pytest.mark.parametrize(("jitter", "low"), [("full", 0.0), ("equal", 0.5)])
def test_jitter_draws_from_the_injected_generator(jitter: str, low: float) -> None:
    waits = [
        Run(Retry(attempts=2, initial=1, jitter=jitter), script=[failing("server_error")], repeat=True).seconds
        for _ in range(3)
    ]
    assert waits[0] == waits[1] == waits[2], "the same seed, the same waits"
    assert low <= waits[0] <= 1


def test_overload_begins_with_a_longer_wait() -> None:
    retry = Retry(attempts=2, initial=0.5, overloaded_initial=4, jitter="none")
    assert Run(retry, script=[failing("overloaded"), "fine"]).seconds == 4
    assert Run(retry, script=[failing("server_error"), "fine"]).seconds == 0.5


@pytest.mark.parametrize("hint", [0.0, 0.2, 2.0, 59.9])
@pytest.mark.failure(12)
def test_a_hint_is_a_floor(hint: float) -> None:
    run = Run(Retry(initial=0.1, max=0.1), script=[failing("rate_limited", retry_after=hint), "fine"])
    assert run.seconds >= hint
    assert run.seconds <= max(0.1, hint * 1.1) + 1e-9


def test_a_hint_above_the_cap_gives_the_target_up_now() -> None:
    run = Run(Retry(retry_after_cap=60), script=[failing("rate_limited", retry_after=60.1), "never"])
    assert run.error.kind is ErrorKind.RATE_LIMITED
    assert (run.asked, run.seconds) == (1, 0)


@pytest.mark.failure(12)
def test_a_hint_above_what_remains_of_the_call_gives_the_target_up_now() -> None:
    run = Run(Timeout(total=10), Retry(), script=[failing("rate_limited", retry_after=11), "never"])
    assert run.error.kind is ErrorKind.RATE_LIMITED, "the provider's own error, not the deadline"
    assert (run.asked, run.seconds) == (1, 0)


def test_a_backoff_that_would_outlast_the_callers_timeout_is_not_begun() -> None:
    options = ChatOptions(call=CallContext(timeout=3))
    run = Run(
        Retry(attempts=9, initial=2, jitter="none"), script=[failing("server_error")], repeat=True, options=options
    )
    assert run.error.kind is ErrorKind.SERVER_ERROR
    assert run.seconds == 2


def test_the_window_bounds_the_time_until_the_last_attempt_begins() -> None:
    run = Run(
        Retry(attempts=99, initial=1, max=1, jitter="none", window=4.5), script=[failing("server_error")], repeat=True
    )
    assert run.asked == 5
    assert run.seconds == 4


def test_a_connect_timeout_is_tried_once_more() -> None:
    run = Run(Retry(attempts=9), script=[failing("connection", code="connect_timeout")], repeat=True)
    assert run.asked == 2


@pytest.mark.parametrize(
    ("kinds", "kind", "asked"),
    [
        ({"timeout": True}, "timeout", 3),
        ({"server_error": False}, "server_error", 1),
        ({"rate_limited": {"attempts": 5}}, "rate_limited", 5),
        ({"timeout": KindPolicy(attempts=2)}, "timeout", 2),
        ({"overloaded": {"attempts": 1}}, "overloaded", 1),
        ({"overloaded": {"initial": 0.1}}, "overloaded", 3),
    ],
)
def test_a_policy_per_kind_overrules_the_verdict(kinds: dict, kind: str, asked: int) -> None:
    assert Run(Retry(attempts=3, kinds=kinds), script=[failing(kind)], repeat=True).asked == asked


def test_a_leafs_own_verdict_beats_the_table() -> None:
    assert Run(Retry(), script=[failing("server_error", retryable=False), "never"]).asked == 1
    assert Run(Retry(), script=[failing("invalid_request", retryable=True), "fine"]).asked == 2


@pytest.mark.failure(6)
def test_an_empty_answer_is_accepted_unless_told_otherwise() -> None:
    empty = Scripted((End(),))
    assert Run(Retry(), script=[empty, "never"]).response.is_empty
    run = Run(Retry(on_empty="retry"), script=[empty, "fine"])
    assert run.response.text == "fine"
    assert Run(Retry(on_empty="retry", attempts=2), script=[empty], repeat=True).error.kind is ErrorKind.EMPTY


def test_an_empty_stream_is_ended_before_the_next_try() -> None:
    leaf = ScriptedExecutor(Scripted((End(),)), "fine")

    async def main() -> None:
        async with Stack(Retry(on_empty="retry", initial=0, max=0), leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            assert leaf.open_streams == 1
            assert (await stream.collect()).text == "fine"
            assert [(each.outcome, each.kind) for each in stream.attempts] == [
                ("completed", ErrorKind.EMPTY),
                ("completed", None),
            ]

    run_virtual(main())


def test_an_answer_without_text_that_was_billed_is_not_empty() -> None:
    assert Run(Retry(on_empty="retry"), script=[answer(""), "never"]).asked == 1


def test_a_hook_is_told_before_each_wait_and_its_errors_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[RetryEvent] = []

    def hook(event: RetryEvent) -> None:
        told.append(event)
        raise ValueError("broken hook")

    error = failing("server_error")
    run = Run(Retry(initial=1, jitter="none", on_retry=hook), script=[error, "fine"])
    assert run.response.text == "fine"
    assert told == [RetryEvent(1, error, 1.0, "m", "scripted")]
    assert "on_retry hook failed" in caplog.text


def test_a_budget_bounds_retries_over_all_calls() -> None:
    leaf = ScriptedExecutor(failing("server_error"), repeat=True)
    stack = Stack(Retry(attempts=3, initial=0.01, budget=RetryBudget(ratio=0.1, min_per_second=0.2, window=10)), leaf)

    async def main() -> int:
        async with stack.build() as executor:
            for _ in range(100):
                with pytest.raises(ExecutorError):
                    await executor.exec_chat_response("m", REQUEST)
            first = len(leaf.calls)
            await asyncio.sleep(20)
            with pytest.raises(ExecutorError):
                await executor.exec_chat_response("m", REQUEST)
            assert len(leaf.calls) == first + 3, "the window has moved on"
            return first

    asked = run_virtual(main())
    assert 100 + 11 <= asked <= 100 + 13, "a tenth of the calls, and two for the window"


def test_tenacity_objects_of_ones_own_decide_but_a_hint_stays_a_floor() -> None:
    retry = Retry(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_fixed(1))
    assert Run(retry, script=[failing("server_error")], repeat=True).seconds == 3
    assert Run(retry, script=[failing("rate_limited", retry_after=5), "fine"]).seconds >= 5


def test_a_stream_is_retried_until_its_commit_point_and_not_after() -> None:
    before = Scripted((Chunk(""), failing("overloaded")))
    after = Scripted((Chunk("par"), failing("overloaded")))
    leaf = ScriptedExecutor(before, after, "never")

    async def main() -> None:
        async with Stack(Retry(attempts=5), leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError):
                await stream.collect()

    run_virtual(main())
    assert len(leaf.calls) == 2


@pytest.mark.failure(14)
def test_a_cancellation_is_never_retried_and_ends_the_wait() -> None:
    leaf = ScriptedExecutor(Scripted((), (Hang(),)), failing("server_error"), "never")

    async def main() -> None:
        async with Stack(Retry(initial=100, max=100), leaf).build() as executor:
            for expected in (1, 2):
                task = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
                await asyncio.sleep(1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert len(leaf.calls) == expected

    run_virtual(main())


def test_a_call_that_succeeds_loads_no_tenacity() -> None:
    saved = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("tenacity")}
    backoff = sys.modules.pop("lamellar_middleware.retry.backoff", None)
    try:
        assert Run(Retry(), script=["fine"]).response.text == "fine"
        assert "tenacity" not in sys.modules
        assert Run(Retry(), script=[failing("server_error"), "fine"]).response.text == "fine"
        assert "tenacity" in sys.modules
    finally:
        sys.modules.update(saved)
        if backoff is not None:
            sys.modules["lamellar_middleware.retry.backoff"] = backoff


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attempts": 0}, "attempts"),
        ({"initial": 9, "max": 1}, "longer than max"),
        ({"jitter": "lots"}, "jitter"),
        ({"kinds": {"rate_limitd": True}}, "did you mean 'rate_limited'"),
        ({"window": 0}, "window"),
        ({"initial": "1 fortnight"}, "expected a duration"),
        ({"atempts": 3}, "did you mean 'attempts'"),
        ({"budget": {"ratio": 2}}, "ratio"),
        ({"on_retry": "nowhere:nothing"}, "cannot be imported"),
    ],
)
def test_wrong_options_are_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Retry(**options)
