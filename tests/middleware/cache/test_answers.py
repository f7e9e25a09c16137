"""What a cache answers with, what it keeps, and what it stands aside for."""

from __future__ import annotations

import asyncio

import pytest
from tests.middleware.cache.asking import (
    BOTH_WAYS,
    END,
    PIECES,
    REQUEST,
    RICH,
    RICH_CONTENT,
    TEXT,
    USAGE,
    Dictionary,
    ask,
    directive,
    stream,
)

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    ChatResponse,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    ExecutorWrapper,
    LayerSpec,
    LlmEventStream,
    Outcome,
    ReasoningChunk,
    RejectedError,
    Stack,
    Start,
    StopReason,
    Text,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.middleware import Cache, Retry, StoredAnswer, Timeout
from lamellar.scope import current_scope, use_scope
from lamellar.testing import ManualClock, Scripted, ScriptedExecutor, answer


def whole() -> Scripted:
    return answer(PIECES, usage=USAGE)


# -- a hit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("single_flight", [True, False])
@pytest.mark.parametrize("second", BOTH_WAYS)
@pytest.mark.parametrize("first", BOTH_WAYS)
async def test_one_entry_serves_both_kinds_of_call(first, second, single_flight: bool) -> None:
    leaf = ScriptedExecutor(RICH)
    async with Stack(Cache(single_flight=single_flight), leaf).build() as executor:
        made = await first(executor)
        kept = await second(executor)
    assert len(leaf.calls) == 1
    assert made.content == RICH_CONTENT
    assert (made.cached, len(made.attempts)) == (False, 1)
    assert (kept.cached, kept.attempts) == (True, ())
    for name in ChatResponse.model_fields.keys() - {"cached", "attempts"}:
        assert getattr(kept, name) == getattr(made, name), name
    assert kept.stop_reason.raw == "tool_calls"
    assert kept.usage == USAGE, "what the answer cost when it was made"


@pytest.mark.failure(27)
async def test_a_kept_answer_streams_as_events_by_the_contract() -> None:
    async with Stack(Cache(), ScriptedExecutor(RICH)).build() as executor:
        await ask(executor)
        finishes = []
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            events.on_finish(finishes.append)
            seen = [event async for event in events]
            assert [event async for event in events] == []
        assert events.attempts == ()
    assert seen[0] == Start("m", "scripted", "m-2026", response_id="r-1", cached=True)
    kinds = [ReasoningChunk, ThoughtSignatureChunk, Chunk, ToolCallChunk, ToolCallChunk, End]
    assert [type(event) for event in seen[1:]] == kinds
    assert [(event.index, event.call_id, event.name) for event in seen[4:6]] == [
        (0, "call-1", "search"),
        (1, "call-2", "clock"),
    ]
    assert seen[-1].content == RICH_CONTENT
    assert [finish.outcome for finish in finishes] == [Outcome.COMPLETED]


async def test_a_kept_stream_may_be_left_early() -> None:
    async with Stack(Cache(), ScriptedExecutor(whole())).build() as executor:
        await ask(executor)
        async with await executor.exec_chat_stream_events("m", REQUEST) as events:
            async for _ in events:
                break
            assert events.usage == USAGE
        assert events.outcome is Outcome.ABANDONED
        assert (await ask(executor)).cached


async def test_an_answer_without_text_pieces_is_told_apart_by_model_request_and_options() -> None:
    leaf = ScriptedExecutor("a", "b", "c", "d")
    async with Stack(Cache(), leaf).build() as executor:
        asked = [
            {},
            {"model": "n"},
            {"request": ChatRequest.from_user("Else?")},
            {"options": ChatOptions(temperature=1)},
        ]
        first = [(await ask(executor, **each)).text for each in asked]
        again = [(await ask(executor, **each)).text for each in asked]
    assert first == again == ["a", "b", "c", "d"]
    assert len(leaf.calls) == 4


async def test_a_call_right_after_another_hits_though_the_store_is_slow() -> None:
    class Slow(Dictionary):
        async def put(self, key: str, stored: StoredAnswer) -> None:
            await asyncio.sleep(0.01)
            await super().put(key, stored)

    leaf, store = ScriptedExecutor(whole()), Slow()
    executor = Stack(Cache(store=store), leaf).build()
    await stream(executor)
    assert not store.kept
    assert (await ask(executor)).cached
    await executor.aclose()
    assert len(store.kept) == 1, "a write that has begun is finished by closing"


async def test_the_raw_body_is_for_the_caller_who_asked_the_provider() -> None:
    raw = End(StopReason("completed"), USAGE, raw={"id": 1})
    async with Stack(Cache(), ScriptedExecutor([Chunk("a"), raw])).build() as executor:
        options = ChatOptions(capture_raw_body=True)
        assert (await stream(executor, options=options)).raw == {"id": 1}
        assert (await stream(executor, options=options)).raw is None
        assert (await ask(executor, options=options)).raw is None


# -- how long, and how much ------------------------------------------------------------------------------------------


async def test_an_answer_expires_when_its_time_is_over() -> None:
    clock, leaf = ManualClock(), ScriptedExecutor("a", "b")
    async with Stack(Cache(ttl="10m"), leaf).build(clock=clock) as executor:
        await ask(executor)
        await clock.advance(599)
        assert (await ask(executor)).cached
        await clock.advance(1)
        fresh = await ask(executor)
    assert (fresh.text, fresh.cached) == ("b", False)


async def test_without_a_ttl_an_answer_stays() -> None:
    clock = ManualClock()
    async with Stack(Cache(), ScriptedExecutor("a")).build(clock=clock) as executor:
        await ask(executor)
        await clock.advance(10 * 365 * 86400)
        assert (await ask(executor)).cached


async def kept_models(executor, models: str) -> str:
    """Which of these models' answers are kept."""
    kept = ""
    for model in models:
        try:
            await ask(executor, model=model, options=directive("only"))
            kept += model
        except RejectedError:
            pass
    return kept


async def test_the_least_recently_used_answer_goes_first() -> None:
    async with Stack(Cache(max_entries=3), ScriptedExecutor(whole(), repeat=True)).build() as executor:
        for model in "abc":
            await ask(executor, model=model)
        await ask(executor, model="a")
        await ask(executor, model="d")
        assert await kept_models(executor, "abcd") == "acd"


async def test_the_bytes_of_all_answers_are_bounded() -> None:
    size = StoredAnswer.of(
        ChatResponse(content=(Text("x" * 1000),), model="a", provider="scripted"), created=0, ttl=None
    ).size
    leaf = ScriptedExecutor(answer("x" * 1000), repeat=True)
    async with Stack(Cache(max_bytes=3 * size, max_entry_bytes=2 * size), leaf).build() as executor:
        for model in "abcd":
            await ask(executor, model=model)
        assert await kept_models(executor, "abcd") in ("cd", "bcd")


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    leaf = ScriptedExecutor(answer("x" * 2000), answer("y" * 100), repeat=True)
    async with Stack(Cache(max_entry_bytes="1kB"), leaf).build() as executor:
        assert len((await stream(executor)).text) == 2000
        assert not (await ask(executor)).cached
        assert (await ask(executor)).cached


async def test_caches_of_one_name_share_what_they_keep_and_namespaces_part_it() -> None:
    leaf = ScriptedExecutor("a", "b", name="same")
    shared: dict[str, object] = {}
    one = Stack(Cache(share="all"), leaf).build(shared=shared)
    two = Stack(Cache(share="all"), leaf).build(shared=shared)
    apart = Stack(Cache(share="all", namespace="team"), leaf).build(shared=shared)
    await ask(one)
    await one.aclose()
    assert (await ask(two)).cached
    assert (await ask(apart)).text == "b"
    await two.aclose()
    await apart.aclose()


# -- directives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", BOTH_WAYS)
async def test_the_directives(way) -> None:
    leaf = ScriptedExecutor("a", "b", "c")
    async with Stack(Cache(), leaf).build() as executor:
        with pytest.raises(RejectedError) as caught:
            await way(executor, options=directive("only"))
        assert caught.value.kind is ErrorKind.CACHE_MISS
        assert not leaf.calls
        await way(executor)
        assert (await way(executor, options=directive("only"))).text == "a"
        assert (await way(executor, options=directive("bypass"))).text == "b"
        assert (await way(executor, options=directive("use"))).text == "a", "nothing was written"
        refreshed = await way(executor, options=directive("refresh"))
        assert (refreshed.text, refreshed.cached) == ("c", False)
        assert (await way(executor)).text == "c"


async def test_refreshing_calls_do_not_wait_for_each_other_and_only_waits_for_nobody() -> None:
    gate = asyncio.Event()
    leaf = ScriptedExecutor(*[answer(text, opening=(gate.wait,)) for text in "abc"])
    async with Stack(Cache(), leaf).build() as executor:
        calls = [asyncio.create_task(ask(executor))]
        await asyncio.sleep(0)
        calls += [asyncio.create_task(ask(executor, options=directive("refresh"))) for _ in range(2)]
        await ManualClock.settle()
        assert len(leaf.calls) == 3
        with pytest.raises(RejectedError, match="cache_miss"):
            await ask(executor, options=directive("only"))
        gate.set()
        assert sorted([(await call).text for call in calls]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("request_", "options"),
    [
        (REQUEST.model_copy(update={"store": True}), None),
        (REQUEST.model_copy(update={"previous_response_id": "r-1"}), None),
        (REQUEST, ChatOptions(extra_body={"store": True})),
        (REQUEST, ChatOptions(extra_body={"previous_response_id": "r-1"})),
        (REQUEST, ChatOptions(extra_body={"conversation": {"id": "c-1"}})),
    ],
)
async def test_a_call_with_state_at_the_provider_passes_by(request_: ChatRequest, options: ChatOptions | None) -> None:
    leaf = ScriptedExecutor("a", "b")
    async with Stack(Cache(), leaf).build() as executor:
        texts = [(await ask(executor, request=request_, options=options)).text for _ in range(2)]
        assert texts == ["a", "b"]
        only = (options or ChatOptions()).model_copy(update={"call": CallContext(cache="only")})
        with pytest.raises(RejectedError, match="cache_miss"):
            await ask(executor, request=request_, options=only)


async def test_a_call_that_asks_for_no_state_is_cached() -> None:
    async with Stack(Cache(), ScriptedExecutor("a")).build() as executor:
        request = REQUEST.model_copy(update={"store": False})
        await ask(executor, request=request)
        assert (await ask(executor, request=request)).cached


# -- around and below ------------------------------------------------------------------------------------------------


async def test_the_layers_below_work_for_the_call_and_are_on_its_record() -> None:
    leaf = ScriptedExecutor(ExecutorError("server_error", "no"), whole())
    async with Stack(Cache(), Timeout(total=60), Retry(initial=0, max=0), leaf).build() as executor:
        made = await ask(executor)
        assert [each.outcome for each in made.attempts] == [Outcome.FAILED, Outcome.COMPLETED]
        assert (await ask(executor)).attempts == ()


async def test_a_cache_without_a_stack_works_alone() -> None:
    built = Stack(Cache(), ScriptedExecutor(whole())).build()
    alone = built.inner
    assert (await stream(alone)).text == TEXT
    assert (await ask(alone)).cached
    await built.aclose()


def test_two_loops_one_after_the_other_share_the_answers() -> None:
    leaf = ScriptedExecutor(whole())
    executor = Stack(Cache(), leaf).build()
    assert not asyncio.run(stream(executor)).cached
    assert asyncio.run(ask(executor)).cached
    asyncio.run(executor.aclose())


async def test_an_answer_that_is_read_as_it_comes_is_kept_at_its_end_and_not_before() -> None:
    leaf = ScriptedExecutor([*map(Chunk, PIECES), END], whole())
    async with Stack(Cache(single_flight=False), leaf).build() as executor:
        events: LlmEventStream = await executor.exec_chat_stream_events("m", REQUEST)
        async with events:
            async for event in events:
                if not isinstance(event, End):
                    with pytest.raises(RejectedError):
                        await ask(executor, options=directive("only"))
        assert (await ask(executor, options=directive("only"))).text == TEXT


class Notes:
    """Watches calls, and writes down the facts that layers tell of them."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def note(self, name: str, value: object) -> None:
        self.told.append((name, value))

    def attempt_began(self, live, call):
        return self

    def inside(self):
        return None

    def ended(self, live, answer) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class Watched(ExecutorWrapper):
    async def _exec(self, operation, model, chat_req, options):
        with use_scope(current_scope().observed_by(self.notes)):
            return await operation(self.inner, model, chat_req, options)


class Watch(LayerSpec):
    kind = "watch"

    def wrap(self, inner, context):
        return Watched(inner)


@pytest.mark.parametrize("way", BOTH_WAYS)
async def test_a_call_notes_whether_it_was_a_hit(way) -> None:
    async with Stack(Watch(), Cache(), ScriptedExecutor(whole(), repeat=True)).build() as executor:

        async def noted(**options: object) -> list[object]:
            executor.inner.notes = notes = Notes()
            await way(executor, **options)
            assert {name for name, _ in notes.told} <= {"lamellar.cache.hit"}
            return [value for _, value in notes.told]

        assert await noted() == [False]
        assert await noted() == [True]
        assert await noted(options=directive("refresh")) == [False]
        assert await noted(options=directive("bypass")) == []
        executor.inner.notes = both = Notes()
        await asyncio.gather(*[way(executor, model="n") for _ in range(3)])
        assert [value for _, value in both.told] == [False, True, True]
