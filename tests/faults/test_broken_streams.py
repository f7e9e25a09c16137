"""Failures 1 to 6: streams that break, lie about their end, come too late or hold nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.faults.bench import PIECES, REQUEST, SPARE, TEXT, WHOLE, Held, ask, counts, pair, read, stack

from lamellar import ErrorKind, ExecutorError, Stack, StreamInterruptedError, StreamTruncatedError
from lamellar.middleware import Retry, Timeout
from lamellar.testing.simulator import (
    Answer,
    BadChunk,
    Cut,
    Empty,
    Garbage,
    Gate,
    Heartbeats,
    InBandError,
    ProviderSimulator,
    Reply,
    Stall,
    context_overflow,
    overloaded,
    quota_exhausted,
    rate_limited,
)
from lamellar.testing.simulator.steps import EndOfBody, Scene, Step

LIMITS = Timeout(total=20, first_content=5, idle=0.2)
AT_ONCE = Retry(attempts=2, initial=0, overloaded_initial=0)

BROKEN: dict[str, Callable[[Reply], Reply]] = {
    "cut": lambda answer: Cut(answer, after=2),
    "reset": lambda answer: Cut(answer, after=2, how="reset"),
    "no finish": lambda answer: Cut(answer, after=2, how="clean"),
    "bad chunk": lambda answer: BadChunk(answer, after=2),
    "not JSON": lambda answer: Garbage(answer, at=3),
    "error in band": lambda answer: InBandError(answer, after=2),
    "stalled": lambda answer: Stall(answer, after=2),
}


@contextmanager
def breaking(name: str) -> Iterator[tuple[ProviderSimulator, Held]]:
    """A primary whose stream breaks after two pieces, not before the consumer has the first; and the consumer."""
    gate = Gate()
    gate.step()
    primary = BROKEN[name](Answer(chunks=PIECES, chunk_gate=gate))
    with ProviderSimulator(rules={"primary": primary, "spare": SPARE}) as simulator:
        yield simulator, Held(on_chunk=gate.open)


@dataclass(frozen=True, slots=True)
class DoneWithoutFinish(Reply):
    """An answer that ends in good order, `[DONE]` and all, but never says why it stopped."""

    def steps(self, scene: Scene) -> Iterator[Step]:
        for step in Cut(WHOLE, after=2, how="clean").steps(scene):
            mark = scene.wire.render_done(scene.request)
            if isinstance(step, EndOfBody) and mark is not None and scene.request.stream:
                yield mark
            yield step


@pytest.mark.failure(1)
@pytest.mark.parametrize("name", BROKEN)
async def test_a_stream_that_breaks_reaches_the_fallback(engine: str, name: str) -> None:
    with breaking(name) as (simulator, held):
        async with Stack(LIMITS, pair(simulator, engine, on_interrupt="restart")).build() as executor:
            await read(executor, held=held)
    assert (held.text, held.model) == (SPARE.text, "spare"), "the whole answer, and nothing of the broken one"
    assert (held.starts, held.restarts) == (1, 1)
    assert held.usage is not None
    assert counts(simulator, "primary", "spare") == (1, 1)


@pytest.mark.failure(1)
@pytest.mark.parametrize("name", BROKEN)
async def test_a_stream_that_breaks_is_told_where_nobody_is_asked_to_mend_it(engine: str, name: str) -> None:
    with breaking(name) as (simulator, held):
        async with Stack(LIMITS, pair(simulator, engine, AT_ONCE)).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError) as caught:
                async for event in events:
                    held.take(event)
            assert [event async for event in events] == [], "after an error the iteration stops"
    assert caught.value.text == held.text
    assert TEXT.startswith(held.text)
    assert held.text
    assert held.end is None
    assert (caught.value.retryable, caught.value.failover) == (False, False)
    assert counts(simulator, "primary", "spare") == (1, 0), "nobody runs it again behind the consumer's back"


@pytest.mark.failure(2)
@pytest.mark.parametrize(
    ("reply", "pieces", "kind"),
    [
        (Cut(WHOLE, after=2, how="clean"), 2, ErrorKind.TRUNCATED),
        (DoneWithoutFinish(), 2, ErrorKind.TRUNCATED),
        (Cut(WHOLE, after=4, how="clean"), 4, ErrorKind.TRUNCATED),
        (Cut(WHOLE, after=2), 2, ErrorKind.CONNECTION),
    ],
    ids=["clean end", "[DONE]", "all the text", "connection closed"],
)
async def test_a_truncated_stream_is_no_success(engine: str, reply: Reply, pieces: int, kind: ErrorKind) -> None:
    with ProviderSimulator(reply) as simulator:
        async with stack(simulator, engine).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamInterruptedError) as caught:
                await events.collect()
    assert caught.value.kind is caught.value.attempts[0].kind is kind
    assert caught.value.text == "".join(PIECES[:pieces])
    assert isinstance(caught.value, StreamTruncatedError) == (kind is ErrorKind.TRUNCATED)


@pytest.mark.failure(2)
@pytest.mark.parametrize("how", ["eof", "reset", "clean"])
async def test_half_a_body_is_no_success(engine: str, how: str) -> None:
    with ProviderSimulator([Cut(WHOLE, after=1, how=how), WHOLE]) as simulator:
        async with stack(simulator, engine, AT_ONCE).build() as executor:
            response = await executor.exec_chat_response("m", REQUEST)
    assert response.text == TEXT
    assert response.attempts[0].kind in (ErrorKind.TRUNCATED, ErrorKind.MALFORMED, ErrorKind.CONNECTION)
    assert simulator.request_count == 2


@pytest.mark.failure(3)
async def test_the_provider_is_asked_by_the_call_and_not_by_the_first_read(engine: str) -> None:
    with ProviderSimulator([overloaded(), InBandError(), Cut(WHOLE, after=0), WHOLE]) as simulator:
        async with stack(simulator, engine, AT_ONCE.model_copy(update={"attempts": 4})).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            assert simulator.request_count == 4, "asked, and asked again, before anything is read"
            assert [attempt.kind for attempt in events.attempts] == ["overloaded", "overloaded", "connection", None]
            assert (await events.collect()).text == TEXT


@pytest.mark.failure(3)
async def test_a_stream_that_cannot_be_had_fails_the_call(engine: str) -> None:
    with ProviderSimulator(overloaded()) as simulator:
        async with stack(simulator, engine, AT_ONCE).build() as executor:
            with pytest.raises(ExecutorError, match="overloaded"):
                await executor.exec_chat_stream_events("m", REQUEST)
    assert simulator.request_count == 2


@pytest.mark.failure(4)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    "status", [overloaded(), rate_limited(), quota_exhausted(), context_overflow()], ids=lambda reply: reply.kind
)
async def test_an_error_under_200_is_the_same_error(engine: str, status: Reply, streaming: bool) -> None:
    """It begins a stream, or is its body; what the layers read of it is what they read of the status."""
    errors = []
    for reply in (status, InBandError(kind=status.kind)):
        with ProviderSimulator(reply) as simulator:
            async with stack(simulator, engine).build() as executor:
                call = executor.exec_chat_stream_events if streaming else executor.exec_chat_response
                with pytest.raises(ExecutorError) as caught:
                    await call("m", REQUEST)
                errors.append(caught.value)
    assert [error.kind for error in errors] == [status.kind, status.kind]
    by_status, in_band = [(each.retryable, each.failover, each.counts_against_health) for each in errors]
    assert in_band == by_status
    assert errors[1].status == 200


@pytest.mark.failure(5)
@pytest.mark.parametrize(
    "nothing",
    [
        Cut(WHOLE, after=0),
        Heartbeats(Cut(WHOLE, after=0), seconds=0.03, every=0.01, kind="role"),
        Heartbeats(Cut(WHOLE, after=0), seconds=0.03, every=0.01, kind="comment"),
        InBandError(Heartbeats(WHOLE, seconds=0.03, every=0.01, kind="role"), after=0),
    ],
    ids=["role", "roles", "comments", "in band"],
)
async def test_what_holds_no_content_commits_nothing(engine: str, nothing: Reply) -> None:
    with ProviderSimulator([nothing, WHOLE]) as simulator:
        async with stack(simulator, engine, AT_ONCE).build() as executor:
            held = await read(executor)
    assert simulator.request_count == 2, "it could still be asked again"
    assert (held.text, held.starts, held.restarts) == (TEXT, 1, 0), "and the consumer saw nothing of it"


async def said_of_nothing(engine: str, streaming: bool, retry: str, fallback: str) -> tuple[str | None, int, int]:
    """What comes of an empty answer: the text (None for an error), and the requests at both targets."""
    layer = Retry(attempts=2, initial=0, on_empty=retry)
    with ProviderSimulator(rules={"primary": Empty(usage=False), "spare": WHOLE}) as simulator:
        async with Stack(pair(simulator, engine, layer, on_empty=fallback)).build() as executor:
            (text,) = await asyncio.gather(ask(executor, streaming), return_exceptions=True)
        if isinstance(text, ExecutorError) and text.kind is ErrorKind.EMPTY:
            text = None
        return text, *counts(simulator, "primary", "spare")


@pytest.mark.failure(6)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("retry", "fallback", "said"),
    [("accept", "accept", ("", 1, 0)), ("retry", "accept", (None, 2, 0)), ("accept", "fallback", (TEXT, 1, 1))],
)
async def test_what_an_empty_answer_is_can_be_said(
    engine: str, streaming: bool, retry: str, fallback: str, said: tuple[str | None, int, int]
) -> None:
    assert await said_of_nothing(engine, streaming, retry, fallback) == said


@pytest.mark.failure(6)
@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
async def test_an_empty_answer_is_asked_for_again_and_then_elsewhere(engine: str, streaming: bool) -> None:
    assert await said_of_nothing(engine, streaming, "retry", "fallback") == (TEXT, 2, 1)
