"""Failures 15 to 19: where a call goes when its target will not do, with what, and what is told of it."""

from __future__ import annotations

import pytest
from tests.faults.bench import KEY, PIECES, REQUEST, SPARE, TEXT, WHOLE, ask, asked, counts, leaf, pair, read, stack

from lamellar import CallContext, ChatOptions, ErrorKind, ExecutorError, LamellarError, Outcome, Stack, Target
from lamellar.middleware import Fallback, Retry
from lamellar.testing.simulator import (
    Answer,
    Cut,
    InBandError,
    ProviderSimulator,
    Reply,
    Silence,
    content_policy,
    context_overflow,
    overloaded,
    refuses_prefill,
    server_error,
    unauthorized,
)

STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
AT_ONCE = Retry(attempts=3, initial=0, max=0, overloaded_initial=0)
FILTERED = Answer(chunks=PIECES[:2], stop_reason="content_filter")


@pytest.mark.failure(15)
@STREAMING
@pytest.mark.parametrize(
    "overflow", [context_overflow(), InBandError(kind=ErrorKind.CONTEXT_OVERFLOW)], ids=["status", "in band"]
)
async def test_an_overflow_goes_to_a_larger_window_and_nowhere_else(
    engine: str, streaming: bool, overflow: Reply
) -> None:
    windows = {"primary": 8_000, "small": 4_000, "same": 8_000, "large": 128_000}
    with ProviderSimulator(rules={"primary": overflow, "large": WHOLE}) as simulator:
        provider = leaf(simulator, engine)
        targets = [Target(AT_ONCE, provider, model=name, context_window=size) for name, size in windows.items()]
        async with Stack(Fallback(*targets)).build() as executor:
            assert await ask(executor, streaming) == TEXT
        assert counts(simulator, *windows) == (1, 0, 0, 1)


@pytest.mark.failure(16)
async def test_a_filtered_answer_says_so_whole_and_streamed(engine: str) -> None:
    with ProviderSimulator(FILTERED) as simulator:
        async with stack(simulator, engine).build() as executor:
            held = await read(executor)
            response = await executor.exec_chat_response("m", REQUEST)
    assert held.end is not None
    assert held.end.stop_reason == response.stop_reason == "content_filter"
    assert held.text == response.text == "".join(PIECES[:2])


@pytest.mark.failure(16)
@STREAMING
async def test_a_refused_prompt_is_told_and_routed_round_only_where_that_is_asked(engine: str, streaming: bool) -> None:
    rules = {"primary": content_policy(message="The prompt is against the policy."), "spare": SPARE}
    with ProviderSimulator(rules=rules) as simulator:
        async with Stack(pair(simulator, engine, AT_ONCE)).build() as executor:
            with pytest.raises(ExecutorError, match="against the policy") as caught:
                await ask(executor, streaming)
        assert caught.value.kind is ErrorKind.CONTENT_FILTERED
        assert counts(simulator, "primary", "spare") == (1, 0)
    with ProviderSimulator(rules=rules) as simulator:
        async with Stack(pair(simulator, engine, AT_ONCE, rules={"content_filtered": True})).build() as executor:
            assert await ask(executor, streaming) == SPARE.text
        assert counts(simulator, "primary", "spare") == (1, 1)


@pytest.mark.failure(17)
@STREAMING
async def test_each_target_gets_its_own_parameters(engine: str, streaming: bool) -> None:
    with ProviderSimulator(rules={"primary": overloaded(), "spare": WHOLE}) as simulator:
        provider = leaf(simulator, engine)
        targets = (
            Target(provider, model="primary", options=ChatOptions(seed=7)),
            Target(provider, model="spare", unset=("temperature", "extra_body"), options=ChatOptions(max_tokens=9)),
        )
        options = ChatOptions(temperature=0.2, top_p=0.9, extra_body={"reasoning": {"effort": "low"}})
        async with Stack(Fallback(*targets)).build() as executor:
            assert await ask(executor, streaming, options=options) == TEXT
        (first,), (second,) = asked(simulator, "primary"), asked(simulator, "spare")
    sent = [
        {name: each.json.get(name) for name in ("temperature", "top_p", "seed", "reasoning")}
        for each in (first, second)
    ]
    assert sent[0] == {"temperature": 0.2, "top_p": 0.9, "seed": 7, "reasoning": {"effort": "low"}}
    assert sent[1] == {"temperature": None, "top_p": 0.9, "seed": None, "reasoning": None}
    assert not {"temperature", "seed", "reasoning"} & second.json.keys(), "absent, not null"
    assert 9 in second.json.values()
    assert 9 not in first.json.values()
    assert options == ChatOptions(temperature=0.2, top_p=0.9, extra_body={"reasoning": {"effort": "low"}})


@pytest.mark.failure(18)
@STREAMING
async def test_the_answer_says_which_targets_failed_and_why(engine: str, streaming: bool) -> None:
    rules = {"primary": [overloaded(), server_error()], "spare": WHOLE}
    with ProviderSimulator(rules=rules) as simulator:
        targets = pair(simulator, engine, AT_ONCE.model_copy(update={"attempts": 2}))
        async with Stack(targets).build() as executor:
            if streaming:
                events = await executor.exec_chat_stream_events("m", REQUEST)
                response = await events.collect()
                assert response.attempts == events.attempts
            else:
                response = await executor.exec_chat_response("m", REQUEST)
    told = [(each.number, each.target, each.model, each.outcome, each.kind, each.status) for each in response.attempts]
    assert told == [
        (1, "primary", "primary", Outcome.FAILED, ErrorKind.OVERLOADED, 503),
        (2, "primary", "primary", Outcome.FAILED, ErrorKind.SERVER_ERROR, 500),
        (3, "spare", "spare", Outcome.COMPLETED, None, 200),
    ]
    assert response.attempts[2].usage == response.usage is not None
    assert all(each.latency > 0 and each.message for each in response.attempts[:2])


@pytest.mark.failure(18)
@STREAMING
async def test_the_error_says_it_too_and_is_the_one_that_matters(engine: str, streaming: bool) -> None:
    """The spare's wrong key is not what ails the user: the primary's outage is."""
    with ProviderSimulator(rules={"primary": overloaded(), "spare": unauthorized()}) as simulator:
        async with Stack(pair(simulator, engine)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await ask(executor, streaming)
    assert caught.value.kind is ErrorKind.OVERLOADED
    assert [(each.target, each.kind, each.status) for each in caught.value.attempts] == [
        ("primary", "overloaded", 503),
        ("spare", "unauthorized", 401),
    ]
    assert "primary" in str(caught.value)
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.attempts}"


@pytest.mark.failure(18)
@STREAMING
async def test_a_deadline_names_what_was_tried_before_it(engine: str, streaming: bool) -> None:
    options = ChatOptions(call=CallContext(timeout=0.4))
    with ProviderSimulator(rules={"primary": server_error(), "spare": Silence()}) as simulator:
        async with Stack(pair(simulator, engine)).build() as executor:
            with pytest.raises(LamellarError) as caught:
                await ask(executor, streaming, options=options)
    assert [each.target for each in caught.value.attempts] == ["primary", "spare"]
    assert caught.value.attempts[0].status == 500


SPOKEN = Answer(chunks=("one", " two", " three"))


def onward(simulator: ProviderSimulator, engine: str, *, prefill: bool) -> Fallback:
    """A fallback that goes on from the partial text where the spare declares that it can."""
    provider = leaf(simulator, engine)
    spare = Target(provider, model="spare", prefill=prefill)
    return Fallback(Target(provider, model="primary"), spare, on_interrupt="continue")


@pytest.mark.failure(19)
@pytest.mark.parametrize(
    ("prefill", "spare", "roles", "text"),
    [
        (True, Answer(chunks=(" three",)), ["assistant"], "one two three"),
        (True, refuses_prefill(SPARE), ["assistant", "user"], SPARE.text),
        (False, refuses_prefill(SPARE), ["user"], SPARE.text),
    ],
    ids=["takes it", "says so and refuses", "does not say so"],
)
async def test_a_prefill_is_for_models_that_take_one(
    engine: str, prefill: bool, spare: Reply, roles: list[str], text: str
) -> None:
    with ProviderSimulator(rules={"primary": Cut(SPOKEN, after=2), "spare": spare}) as simulator:
        async with Stack(onward(simulator, engine, prefill=prefill)).build() as executor:
            assert (await read(executor)).text == text
        assert [each.messages[-1]["role"] for each in asked(simulator, "spare")] == roles


@pytest.mark.failure(19)
@pytest.mark.parametrize("prefill", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("failing", [overloaded(), Cut(SPARE, after=1)], ids=["503", "cut"])
async def test_the_refusal_of_a_prefill_is_never_the_error_that_is_told(
    engine: str, prefill: bool, failing: Reply
) -> None:
    rules = {"primary": Cut(SPOKEN, after=2), "spare": refuses_prefill(failing)}
    with ProviderSimulator(rules=rules) as simulator:
        async with Stack(onward(simulator, engine, prefill=prefill)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await read(executor)
    assert caught.value.kind in (ErrorKind.OVERLOADED, ErrorKind.CONNECTION)
    assert caught.value.status != 400
