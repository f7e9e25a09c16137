"""Failures 24 to 29: keys that leave something out, answers not worth keeping, stampedes, hits that are billed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.faults.bench import PIECES, REQUEST, SPARE, TEXT, WHOLE, ask, counts, pair, stack

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    End,
    ExecutorError,
    LamellarError,
    ReasoningChunk,
    Stack,
    Start,
    Tool,
    ToolCall,
    ToolCallChunk,
)
from lamellar.middleware import Budget, Cache, Retry
from lamellar.testing import Gate
from lamellar.testing.simulator import (
    Answer,
    Cut,
    InBandError,
    ProviderSimulator,
    Reply,
    content_policy,
    overloaded,
)

STREAMING = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
TOOL = Tool(name="look", schema={"type": "object", "properties": {"where": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}}

DIFFERENT: dict[str, tuple[ChatRequest, ChatOptions | None]] = {
    "plain": (REQUEST, None),
    "system": (REQUEST.model_copy(update={"system": "Be brief."}), None),
    "tools": (REQUEST.model_copy(update={"tools": (TOOL,)}), None),
    "schema": (REQUEST, ChatOptions(response_format={"name": "word", "schema": SCHEMA})),
    "temperature": (REQUEST, ChatOptions(temperature=0)),
    "seed": (REQUEST, ChatOptions(seed=1)),
    "extra": (REQUEST, ChatOptions(extra_body={"reasoning": {"effort": "low"}})),
    "other extra": (REQUEST, ChatOptions(extra_body={"reasoning": {"effort": "high"}})),
    "longer": (ChatRequest(messages=(*REQUEST.messages, *REQUEST.messages)), None),
}


@pytest.mark.failure(24)
@STREAMING
async def test_whatever_changes_the_answer_is_another_key(engine: str, streaming: bool) -> None:
    with ProviderSimulator(lambda request: Answer(f"answer {request.number}")) as simulator:
        async with stack(simulator, engine, Cache()).build() as executor:
            for again in range(2):
                texts = []
                for request, options in DIFFERENT.values():
                    if streaming:
                        events = await executor.exec_chat_stream_events("m", request, options)
                        texts.append((await events.collect()).text)
                    else:
                        texts.append((await executor.exec_chat_response("m", request, options)).text)
                assert len(set(texts)) == len(DIFFERENT), again
                assert simulator.request_count == len(DIFFERENT), again
            await executor.exec_chat_response("another model", REQUEST)
        assert simulator.request_count == len(DIFFERENT) + 1


@pytest.mark.failure(25)
@STREAMING
async def test_the_answer_of_the_fallback_is_not_the_primarys(engine: str, streaming: bool) -> None:
    with ProviderSimulator(rules={"primary": [overloaded(), WHOLE], "spare": SPARE}) as simulator:
        async with Stack(Cache(), pair(simulator, engine)).build() as executor:
            assert [await ask(executor, streaming) for _ in range(3)] == [SPARE.text, TEXT, TEXT]
        assert counts(simulator, "primary", "spare") == (2, 1)


@pytest.mark.failure(26)
@STREAMING
@pytest.mark.parametrize(
    "bad",
    [
        overloaded(),
        content_policy(),
        InBandError(),
        Cut(WHOLE, after=2),
        Cut(WHOLE, after=2, how="clean"),
        Answer(chunks=PIECES[:2], stop_reason="content_filter"),
        Answer(chunks=PIECES[:2], stop_reason="max_tokens"),
    ],
    ids=["503", "refused", "in band", "cut", "no finish", "filtered", "too long"],
)
async def test_only_a_good_answer_is_kept(engine: str, streaming: bool, bad: Reply) -> None:
    with ProviderSimulator([bad, WHOLE]) as simulator:
        async with stack(simulator, engine, Cache()).build() as executor:
            with contextlib.suppress(ExecutorError):
                assert await ask(executor, streaming) != TEXT
            assert [await ask(executor, streaming) for _ in range(2)] == [TEXT, TEXT]
        assert simulator.request_count == 2


@pytest.mark.failure(27)
@pytest.mark.parametrize("first", ["streamed", "whole"])
async def test_a_kept_answer_streams_with_all_its_parts(engine: str, first: str) -> None:
    calls = (ToolCall(call_id="call_1", fn_name="look", fn_arguments={"where": "north"}),)
    rich = Answer(chunks=PIECES, reasoning="First things first.", tool_calls=calls)
    with ProviderSimulator(rich) as simulator:
        async with stack(simulator, engine, Cache()).build() as executor:
            if first == "whole":
                kept = await executor.exec_chat_response("m", REQUEST)
            else:
                kept = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            events = [event async for event in await executor.exec_chat_stream_events("m", REQUEST)]
            again = await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
        assert simulator.request_count == 1
    kinds = [type(event) for event in events]
    assert kinds[0] is Start
    assert kinds[-1] is End
    assert {Chunk, ReasoningChunk, ToolCallChunk} <= set(kinds)
    assert kinds.index(ReasoningChunk) < kinds.index(Chunk) < kinds.index(ToolCallChunk)
    assert (again.content, again.reasoning_content, again.usage) == (kept.content, kept.reasoning_content, kept.usage)
    assert again.tool_calls == calls
    assert again.text == TEXT
    assert again.reasoning_content == "First things first."


@pytest.mark.failure(28)
@STREAMING
async def test_fifty_equal_calls_are_one_request_though_the_first_is_cancelled(engine: str, streaming: bool) -> None:
    gate = Gate()
    with ProviderSimulator(Answer(chunks=PIECES, gate=gate)) as simulator:
        async with stack(simulator, engine, Cache()).build() as executor:
            leader = asyncio.create_task(ask(executor, streaming))
            await simulator.wait_for_async(lambda _: gate.waiting == 1)
            hasty = asyncio.create_task(ask(executor, streaming, options=ChatOptions(call=CallContext(timeout=0.05))))
            followers = [asyncio.create_task(ask(executor, streaming)) for _ in range(48)]
            (own,) = await asyncio.gather(hasty, return_exceptions=True)
            assert isinstance(own, LamellarError)
            assert own.kind == "deadline", "a follower keeps its own deadline"
            leader.cancel()
            await asyncio.sleep(0.01)
            gate.open()
            assert set(await asyncio.gather(*followers)) == {TEXT}
            assert leader.cancelled()
        assert simulator.request_count == 1


@pytest.mark.failure(28)
@STREAMING
async def test_an_error_is_shared_by_those_who_waited_and_by_nobody_later(engine: str, streaming: bool) -> None:
    gate = Gate()
    with ProviderSimulator([overloaded(gate=gate), WHOLE]) as simulator:
        async with stack(simulator, engine, Cache()).build() as executor:
            calls = [asyncio.create_task(ask(executor, streaming)) for _ in range(20)]
            await simulator.wait_for_async(lambda _: gate.waiting == 1)
            gate.open()
            errors = await asyncio.gather(*calls, return_exceptions=True)
            assert {each.kind for each in errors} == {"overloaded"}
            assert len(set(map(id, errors))) == 20, "each has a copy of its own"
            assert await ask(executor, streaming) == TEXT
        assert simulator.request_count == 2


@pytest.mark.failure(29)
@STREAMING
async def test_a_hit_costs_nothing(engine: str, streaming: bool) -> None:
    """A budget for one call serves a hundred that hit; the usage that was saved is told, and no attempt."""
    spent = []
    budget = Budget(tokens=1000, estimate=len_of_nothing, on_spend=spent.append)
    with ProviderSimulator(WHOLE) as simulator:
        async with stack(simulator, engine, budget, Cache(), Retry()).build() as executor:
            responses = []
            for _ in range(10):
                if streaming:
                    responses.append(await (await executor.exec_chat_stream_events("m", REQUEST)).collect())
                else:
                    responses.append(await executor.exec_chat_response("m", REQUEST))
        assert simulator.request_count == 1
    first, *hits = responses
    assert not first.cached
    assert first.usage is not None
    for hit in hits:
        assert (hit.cached, hit.attempts, hit.cost, hit.usage) == (True, (), 0, first.usage)
    assert sum(event.tokens for event in spent) == first.usage.total_tokens


def len_of_nothing(model: str, request: ChatRequest, options: ChatOptions | None) -> int:
    """An estimate, so that what is spent is what the provider told."""
    return 0
