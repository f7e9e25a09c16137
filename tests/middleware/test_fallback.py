"""Fallback: when the next target is asked, what it is asked, and which error is told in the end."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    RejectedError,
    Stack,
    StreamInterruptedError,
    Target,
)
from lamellar.middleware import Fallback, FallbackEvent, Retry, Timeout
from lamellar.providers import Auto
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar.verdicts import VERDICTS

REQUEST = ChatRequest.from_user("hi")
REFUSALS = frozenset(list(ErrorKind)[list(ErrorKind).index(ErrorKind.CIRCUIT_OPEN) :])


def failing(kind: str, **known: object) -> ExecutorError | RejectedError:
    return RejectedError(kind, "no") if kind in REFUSALS else ExecutorError(kind, "no", **known)


def ask(stack: Stack, options: ChatOptions | None = None) -> object:
    """The response, or the error."""

    async def main() -> object:
        async with stack.build() as executor:
            try:
                return await executor.exec_chat_response("asked", REQUEST, options)
            except (ExecutorError, RejectedError) as error:
                return error

    return run_virtual(main())


def two(*errors: object, **options: object) -> tuple[ScriptedExecutor, ScriptedExecutor, Stack]:
    first, second = ScriptedExecutor(*errors, name="first"), ScriptedExecutor("from second", name="second")
    return first, second, Stack(Fallback(first, second, **options))


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if VERDICTS[kind].failover])
def test_what_another_target_may_do_better_goes_on(kind: ErrorKind) -> None:
    first, second, stack = two(failing(kind))
    response = ask(stack)
    assert response.text == "from second"
    assert response.provider == "second"
    assert [(each.target, each.kind) for each in response.attempts] == [("first", kind), ("second", None)]


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not VERDICTS[kind].failover and kind != "deadline"])
def test_what_no_target_would_do_better_is_raised_as_it_is(kind: ErrorKind) -> None:
    error = failing(kind)
    first, second, stack = two(error)
    assert ask(stack) is error
    assert not second.calls
    assert len(error.attempts) == 1


@pytest.mark.parametrize(
    ("rules", "kind", "goes_on"),
    [
        ({"content_filtered": True}, "content_filtered", True),
        ({"invalid_request": True}, "invalid_request", True),
        ({"rate_limited": False}, "rate_limited", False),
    ],
)
def test_a_rule_per_kind_overrules_the_verdict(rules: dict, kind: str, goes_on: bool) -> None:
    _, second, stack = two(failing(kind), rules=rules)
    ask(stack)
    assert bool(second.calls) is goes_on


@pytest.mark.failure(17)
def test_a_target_gets_its_own_model_and_options() -> None:
    first, second = ScriptedExecutor(failing("overloaded")), ScriptedExecutor("fine")
    stack = Stack(
        Fallback(
            first,
            Target(second, model="theirs", options=ChatOptions(temperature=0, top_p=0.5), unset=("seed", "max_tokens")),
        )
    )
    said = ChatOptions(temperature=1, seed=7, max_tokens=10, verbosity="low", call=CallContext(tags={"a": "b"}))
    response = ask(stack, said)
    assert first.calls[0].model == "asked", "without a model of its own the caller's passes through"
    assert first.calls[0].options == said
    assert second.calls[0].model == "theirs"
    got = second.calls[0].options
    assert (got.temperature, got.top_p, got.verbosity) == (0, 0.5, "low")
    assert (got.seed, got.max_tokens) == (None, None)
    assert got.call is said.call
    assert response.model == "theirs"
    assert said == ChatOptions(
        temperature=1, seed=7, max_tokens=10, verbosity="low", call=CallContext(tags={"a": "b"})
    ), "nobody changed what the caller gave"


@pytest.mark.failure(15)
def test_an_overflow_goes_on_to_larger_windows_only() -> None:
    small, smaller, larger = (ScriptedExecutor(name=name) for name in ("small", "smaller", "larger"))
    small, larger = ScriptedExecutor(failing("context_overflow")), ScriptedExecutor("room")
    stack = Stack(
        Fallback(
            Target(small, context_window=8000),
            Target(smaller, context_window=4000),
            Target(larger, context_window=128_000),
        )
    )
    assert ask(stack).text == "room"
    assert not smaller.calls


def test_an_overflow_with_no_larger_window_is_raised() -> None:
    small, smaller = ScriptedExecutor(failing("context_overflow")), ScriptedExecutor("never")
    error = ask(Stack(Fallback(Target(small, context_window=8000), Target(smaller, context_window=8000))))
    assert error.kind is ErrorKind.CONTEXT_OVERFLOW
    assert not smaller.calls


def test_an_overflow_goes_on_where_windows_are_not_declared() -> None:
    _, second, stack = two(failing("context_overflow"))
    assert ask(stack).text == "from second"


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (("server_error", "overloaded"), 1),
        (("overloaded", "unauthorized"), 0),
        (("overloaded", "timeout", "invalid_request"), 1),
        (("timeout", "context_overflow"), 0),
        (("unauthorized", "model_not_found"), 1),
        (("server_error", "circuit_open"), 0),
        (("circuit_open", "queue_full"), 1),
        (("circuit_open", "overloaded", "queue_full"), 1),
    ],
)
@pytest.mark.failure(18)
def test_the_decisive_error_is_raised_with_the_record_of_all(kinds: tuple[str, ...], told: int) -> None:
    errors = [failing(kind) for kind in kinds]
    error = ask(Stack(Fallback(*[ScriptedExecutor(each, name=f"t{at}") for at, each in enumerate(errors)])))
    assert error is errors[told]
    assert [each.kind for each in error.attempts] == list(kinds)
    assert [each.target for each in error.attempts] == [f"t{at}" for at in range(len(kinds))]


def test_a_refusal_in_front_of_the_attempt_is_on_the_record() -> None:
    from lamellar import ExecutorWrapper, LayerSpec

    class Refusing(ExecutorWrapper):
        async def _exec(self, operation, model, chat_req, options):
            raise RejectedError("circuit_open", "resting", target="first")

    class Refuse(LayerSpec):
        kind = "refuse"

        def wrap(self, inner, context):
            return Refusing(inner)

    response = ask(Stack(Fallback(Target(Refuse(), ScriptedExecutor(), name="first"), ScriptedExecutor("fine"))))
    assert [(each.target, each.outcome, each.kind) for each in response.attempts] == [
        ("first", Outcome.REFUSED, ErrorKind.CIRCUIT_OPEN),
        ("scripted", Outcome.COMPLETED, None),
    ]


@pytest.mark.failure(6)
def test_an_empty_answer_falls_back_only_if_asked() -> None:
    empty = Scripted((End(),))
    _, second, stack = two(empty)
    assert ask(stack).is_empty
    _, second, stack = two(empty, on_empty="fallback")
    assert ask(stack).text == "from second"


def test_a_predicate_may_turn_an_answer_down() -> None:
    refusing = answer("I cannot help with that.")
    first, second, stack = two(refusing, accept=lambda response: "cannot" not in response.text)
    response = ask(stack)
    assert response.text == "from second"
    assert [each.outcome for each in response.attempts] == [Outcome.COMPLETED, Outcome.COMPLETED]
    last = ask(Stack(Fallback(ScriptedExecutor(refusing), accept=lambda response: False)))
    assert last.kind is ErrorKind.ANSWER_REJECTED


def test_a_predicate_sees_the_prefix_of_a_stream_and_its_refusal_closes_it() -> None:
    seen = []
    first = ScriptedExecutor([Chunk("I can"), Chunk("not"), Hang()])
    stack = Stack(Fallback(first, ScriptedExecutor("fine"), accept=lambda r: seen.append(r.text) or r.text != "I can"))

    async def main() -> None:
        async with stack.build() as executor:
            assert (await (await executor.exec_chat_stream_events("m", REQUEST)).collect()).text == "fine"
            assert first.open_streams == 0

    run_virtual(main())
    assert seen[0] == "I can"


def test_a_broken_predicate_turns_the_answer_down_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = ask(Stack(Fallback(ScriptedExecutor("x"), accept=lambda response: response.nothing)))
    assert "AttributeError" in error.message
    assert "predicate failed" in caplog.text


def test_a_hook_hears_of_each_target_given_up() -> None:
    told: list[FallbackEvent] = []
    error = failing("overloaded")
    _, _, stack = two(error, on_fallback=told.append)
    ask(stack)
    assert told == [FallbackEvent("first", "second", error)]


def test_sticky_begins_at_the_target_that_took_over_until_its_time_is_up() -> None:
    first = ScriptedExecutor(failing("overloaded"), "first again")
    second = ScriptedExecutor("second", repeat=True)

    async def main() -> list[str]:
        texts = []
        async with Stack(Fallback(first, second, sticky="30s")).build() as executor:
            for wait in (0, 10, 25):
                await asyncio.sleep(wait)
                texts.append((await executor.exec_chat_response("m", REQUEST)).text)
        return texts

    assert run_virtual(main()) == ["second", "second", "first again"]


def test_a_stream_that_broke_after_content_does_not_fall_over_by_itself() -> None:
    first, second, stack = two([Chunk("par"), failing("overloaded")])

    async def main() -> None:
        async with stack.build() as executor:
            with pytest.raises(StreamInterruptedError) as caught:
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            assert caught.value.text == "par"

    run_virtual(main())
    assert not second.calls


@pytest.mark.parametrize(
    ("targets", "total", "grants"),
    [(2, 100, [75, 25]), (3, 100, [50, 25, 25]), (5, 100, [50, 6.25, 14.58, 14.58, 14.58])],
)
@pytest.mark.failure(11)
def test_each_target_leaves_a_reserve_for_those_after_it(targets: int, total: float, grants: list[float]) -> None:
    silent = [ScriptedExecutor(Scripted((), (Hang(),)), name=f"t{at}") for at in range(targets)]
    error = ask(Stack(Timeout(total=total), Fallback(*silent)))
    spent = [each.latency for each in error.attempts]
    assert spent[0] == pytest.approx(grants[0])
    assert sum(spent) == pytest.approx(total)
    assert all(each > 0 for each in spent), "every target got a chance"
    if targets < 5:
        assert spent == pytest.approx(grants)


def test_a_share_used_up_is_a_timeout_and_the_last_target_has_the_rest() -> None:
    silent, other = ScriptedExecutor(Scripted((), (Hang(),)), name="silent"), ScriptedExecutor("fine")
    response = ask(Stack(Timeout(total=40), Fallback(Target(Retry(attempts=3), silent), other)))
    assert response.text == "fine"
    assert len(silent.calls) == 1
    share = response.attempts[0]
    assert (share.outcome, share.kind, share.code) == (Outcome.FAILED, ErrorKind.TIMEOUT, "reserve")


def test_the_callers_timeout_leaves_the_reserve_that_the_stack_asks_for() -> None:
    silent, other = ScriptedExecutor(Scripted((), (Hang(),))), ScriptedExecutor("fine")
    stack = Stack(Timeout(total=300, reserve=0.1), Fallback(silent, other))
    response = ask(stack, ChatOptions(call=CallContext(timeout=20)))
    assert response.attempts[0].latency == pytest.approx(18)


def test_the_grant_of_a_target_does_not_cut_its_stream() -> None:
    steps = [Chunk("a"), *[lambda: asyncio.sleep(10), Chunk("b")] * 8, End()]

    async def main() -> None:
        async with Stack(
            Timeout(total=100), Fallback(ScriptedExecutor(steps), ScriptedExecutor("never"))
        ).build() as ex:
            assert (await (await ex.exec_chat_stream_events("m", REQUEST)).collect()).text == "a" + "b" * 8

    run_virtual(main())


@pytest.mark.failure(14)
def test_a_cancellation_never_falls_over() -> None:
    first, second = ScriptedExecutor(Scripted((), (Hang(),))), ScriptedExecutor("never")

    async def main() -> None:
        async with Stack(Fallback(first, second)).build() as executor:
            task = asyncio.create_task(executor.exec_chat_response("m", REQUEST))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run_virtual(main())
    assert not second.calls


def test_equal_targets_have_names_that_tell_them_apart() -> None:
    leaf = ScriptedExecutor(failing("overloaded"), repeat=True)
    error = ask(Stack(Fallback(leaf, leaf, Target(leaf, model="m"), Fallback(leaf, leaf, name="inner"))))
    names = [each.target for each in error.attempts]
    assert len(set(names)) == len(names) == 5
    assert names[:2] == ["scripted", "scripted#2"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Fallback, "at least one target"),
        (lambda: Fallback(Target(ScriptedExecutor(), name="a"), Target(ScriptedExecutor(), name="a")), "named 'a'"),
        (lambda: Fallback(Retry()), "is a layer"),
        (lambda: Fallback("nonsense"), "unknown executor 'nonsense'"),
        (lambda: Fallback(3), "got int"),
        (lambda: Fallback(ScriptedExecutor(), rules={"overloadd": True}), "did you mean 'overloaded'"),
        (lambda: Fallback(ScriptedExecutor(), stiky=3), "did you mean 'sticky'"),
        (lambda: Target(ScriptedExecutor(), unset=("temprature",)), "did you mean 'temperature'"),
        (lambda: Target(ScriptedExecutor(), context_window=0), "context_window"),
    ],
)
def test_wrong_options_are_named(make: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


async def test_a_later_target_that_is_wrongly_configured_does_not_hide_the_failure(caplog):
    down = ScriptedExecutor(ExecutorError("overloaded", "busy"), repeat=True)
    stack = Stack(
        Fallback(Target(down, name="a"), Target(Auto(), name="b"), Target(ScriptedExecutor("spare"), name="c"))
    )
    async with stack.build() as executor:
        assert (await executor.exec_chat_response("nope::m", ChatRequest.from_user("q"))).text == "spare"
    assert "the target 'b' cannot be asked: model: unknown namespace 'nope'" in caplog.text
    async with Stack(Fallback(Target(down, name="a"), Target(Auto(), name="b"))).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.exec_chat_response("nope::m", ChatRequest.from_user("q"))
    assert caught.value.kind is ErrorKind.OVERLOADED
