"""Architecture section 4 over every subject: each scenario, each way a provider may behave."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from lamellar import (
    ChatRequest,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    Start,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from lamellar.scope import current_scope

from .benches import PIECES, TEXT, USAGE, Bench, HttpBench, Scenario, ScriptedBench
from .subjects import IN_A_FILE, SUBJECTS, Subject

REQUEST = ChatRequest.from_user("What is the capital of France?")

# Every subject over a scripted leaf; every provider alone and under everything at once, the first on each engine.
CASES = [
    pytest.param((partial(HttpBench, "aiohttp", "openai"), IN_A_FILE), id=f"openai-aiohttp-{IN_A_FILE}"),
    *[pytest.param((ScriptedBench, subject), id=f"scripted-{subject}") for subject in SUBJECTS],
    *[
        pytest.param((partial(HttpBench, engine, provider), subject), id=f"{provider}-{engine}-{subject}")
        for provider in HttpBench.PROVIDERS
        for engine in ("aiohttp", "httpx")
        for subject in (SUBJECTS[0], SUBJECTS[-1])
        if engine == "aiohttp" or provider == "openai"
        if provider != "auto" or subject is SUBJECTS[0]  # under everything the targets name models of their own
    ],
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject that writes a file writes it there."""
    monkeypatch.chdir(tmp_path)


def _subject(case) -> Subject:
    return case.values[0][1]


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.fixture(params=[each for each in CASES if not _subject(each).whole])
def flowing(request):
    """A case whose subject delivers an answer as it comes."""
    return request.param


@pytest.fixture(params=[each for each in CASES if _subject(each).whole])
def whole(request):
    """A case whose subject delivers nothing before the answer is whole."""
    return request.param


Case = tuple[Callable[[], Bench], Subject]


def run(case: Case, behaviour: str, scenario: Scenario) -> None:
    make_bench, subject = case
    make_bench().run(subject, behaviour, scenario)


def tokens(usage):
    """The sums, without what some providers tell beside them."""
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


async def _open(bench: Bench):
    return await bench.executor.exec_chat_stream_events(bench.model, REQUEST)


def test_a_stream_is_one_start_then_content_then_one_end(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        finishes = []
        async with await _open(bench) as stream:
            stream.on_finish(finishes.append)
            events = [event async for event in stream]
            assert [event async for event in stream] == [], "after the end, iteration stops"
        assert isinstance(events[0], Start)
        assert isinstance(events[-1], End)
        assert {type(event) for event in events[1:-1]} == {Chunk}
        assert "".join(event.content for event in events[1:-1]) == TEXT
        assert events[0].target, "`Start` names the target"
        assert events[0].model == stream.attempts[-1].model, "and the model that answers"
        assert tokens(events[-1].usage) == tokens(USAGE)
        assert events[-1].stop_reason == "completed"
        assert events[-1].content[0].text == TEXT
        assert [finish.outcome for finish in finishes] == [Outcome.COMPLETED]
        assert [attempt.outcome for attempt in stream.attempts] == [Outcome.COMPLETED]
        assert tokens(stream.attempts[0].usage) == tokens(USAGE)

    run(case, "answers", scenario)


def test_an_answer_and_a_collected_stream_are_the_same(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        answer = await bench.executor.exec_chat_response(bench.model, REQUEST)
        collected = await (await _open(bench)).collect()
        for name in ("content", "text", "stop_reason", "usage", "model", "provider"):
            assert getattr(answer, name) == getattr(collected, name), name
        assert answer.text == TEXT
        assert len(answer.attempts) == 1
        assert len(collected.attempts) == (0 if collected.cached else 1), "a cached answer was billed to nobody"

    run(case, "answers", scenario)


@pytest.mark.parametrize("behaviour", ["fails-at-open", "fails-before-content", "errs-in-band"])
@pytest.mark.failure(3)
def test_an_error_before_content_is_raised_by_the_call(case: Case, behaviour: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ExecutorError) as caught:
            await _open(bench)
        error = caught.value
        assert error.kind is ErrorKind.OVERLOADED
        assert error.retryable
        assert error.failover
        assert not isinstance(error, StreamInterruptedError)
        assert error.attempts
        assert {attempt.outcome for attempt in error.attempts} == {Outcome.FAILED}
        assert {attempt.kind for attempt in error.attempts} == {ErrorKind.OVERLOADED}
        assert str(pickle.loads(pickle.dumps(error))) == str(error)

    run(case, behaviour, scenario)


def test_an_error_of_an_answer_is_raised_with_its_attempts(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ExecutorError) as caught:
            await bench.executor.exec_chat_response(bench.model, REQUEST)
        assert caught.value.kind is ErrorKind.OVERLOADED
        assert {attempt.outcome for attempt in caught.value.attempts} == {Outcome.FAILED}

    run(case, "fails-at-open", scenario)


@pytest.mark.parametrize(
    ("behaviour", "kind", "expected"),
    [
        ("fails-after-content", None, StreamInterruptedError),
        ("is-cut-after-content", ErrorKind.TRUNCATED, StreamTruncatedError),
    ],
    ids=["interrupted", "truncated"],
)
def test_an_error_after_content_interrupts_with_the_partial(
    flowing: Case, behaviour: str, kind: ErrorKind | None, expected: type
) -> None:
    async def scenario(bench: Bench) -> None:
        finishes, pieces = [], []
        async with await _open(bench) as stream:
            stream.on_finish(finishes.append)
            with pytest.raises(expected) as caught:
                async for event in stream:
                    pieces += [event.content] if isinstance(event, Chunk) else []
            assert [event async for event in stream] == [], "after an error, iteration stops"
        error = caught.value
        assert 0 < len(pieces) < len(PIECES)
        assert error.text == "".join(pieces), "the partial is what was delivered, no more and no less"
        assert error.kind is kind if kind else error.kind in (ErrorKind.OVERLOADED, ErrorKind.CONNECTION)
        assert not error.retryable
        assert not error.failover
        assert stream.outcome is Outcome.FAILED
        assert [finish.outcome for finish in finishes] == [Outcome.FAILED]
        assert finishes[0].error is error
        assert error.attempts[-1].outcome is Outcome.FAILED
        assert pickle.loads(pickle.dumps(error)).text == error.text

    run(flowing, behaviour, scenario)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [("fails-after-content", ErrorKind.OVERLOADED), ("is-cut-after-content", ErrorKind.TRUNCATED)],
    ids=["interrupted", "truncated"],
)
def test_an_error_after_content_that_was_held_back_is_raised_by_the_call(
    whole: Case, behaviour: str, kind: ErrorKind
) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ExecutorError) as caught:
            await _open(bench)
        assert caught.value.kind is kind
        assert [attempt.outcome for attempt in caught.value.attempts] == [Outcome.FAILED]
        assert [attempt.kind for attempt in caught.value.attempts] == [kind]
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")

    run(whole, behaviour, scenario)


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_giving_up_an_answer_that_is_not_whole_closes_the_provider(whole: Case, how: str) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(_open(bench))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert not task.done()
        if how == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelling() == 1, "the cancellation was neither swallowed nor converted"
        else:
            await bench.executor.aclose()
            with pytest.raises(Exception, match="closed"):
                await task
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")

    run(whole, "stalls", scenario)


@pytest.mark.failure(5)
def test_a_cut_before_content_is_a_truncated_failure_of_the_call(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ExecutorError) as caught:
            await _open(bench)
        assert caught.value.kind is ErrorKind.TRUNCATED
        assert caught.value.retryable, "nothing was delivered, so another try may do better"

    run(case, "is-cut-before-content", scenario)


def test_an_empty_answer_is_ready_at_its_end(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        async with await _open(bench) as stream:
            assert stream.is_empty
            events = [event async for event in stream]
        assert [type(event) for event in events] == [Start, End]
        assert events[-1].usage is None, "unknown usage is None, never 0"
        assert stream.outcome is Outcome.COMPLETED

    run(case, "is-empty", scenario)


def test_leaving_early_is_abandoned(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        async with await _open(bench) as stream:
            async for event in stream:
                if isinstance(event, Chunk):
                    break
        assert stream.outcome is Outcome.ABANDONED
        assert [event async for event in stream] == [], "after a close, iteration stops"
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")

    run(case, "answers", scenario)


@pytest.mark.parametrize("behaviour", ["stalls", "answers"])
@pytest.mark.failure(8)
def test_leaving_early_closes_the_provider_and_is_abandoned(flowing: Case, behaviour: str) -> None:
    async def scenario(bench: Bench) -> None:
        finishes = []
        async with await _open(bench) as stream:
            stream.on_finish(finishes.append)
            async for event in stream:
                if isinstance(event, Chunk):
                    break
        assert [finish.outcome for finish in finishes] == [Outcome.ABANDONED]
        assert stream.outcome is Outcome.ABANDONED
        assert [event async for event in stream] == [], "after a close, iteration stops"
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")
        assert stream.attempts[-1].outcome is Outcome.ABANDONED
        assert stream.attempts[-1].kind is None, "leaving is nobody's failure"

    run(flowing, behaviour, scenario)


@pytest.mark.failure(8)
def test_cancelling_the_consumer_closes_the_provider(flowing: Case) -> None:
    async def scenario(bench: Bench) -> None:
        stream = await _open(bench)
        finishes = []
        stream.on_finish(finishes.append)

        async def consume() -> None:
            async with stream:
                async for _ in stream:
                    pass

        task = asyncio.create_task(consume())
        await bench.eventually(lambda: stream._core.reading, "the consumer waits for the stalled provider")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert [finish.outcome for finish in finishes] == [Outcome.CANCELLED]
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")
        assert stream.attempts[-1].outcome is Outcome.CANCELLED

    run(flowing, "stalls", scenario)


@pytest.mark.parametrize("streaming", [True, False])
def test_cancelling_the_call_closes_the_provider(case: Case, streaming: bool) -> None:
    async def scenario(bench: Bench) -> None:
        call = bench.executor.exec_chat_stream_events if streaming else bench.executor.exec_chat_response
        task = asyncio.create_task(call(bench.model, REQUEST))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1, "the cancellation was neither swallowed nor converted"
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's call is closed")

    run(case, "is-silent", scenario)


def test_closing_from_another_task_ends_the_read_that_waits(flowing: Case) -> None:
    async def scenario(bench: Bench) -> None:
        stream = await _open(bench)
        finishes, seen = [], []
        stream.on_finish(finishes.append)

        async def consume() -> str:
            try:
                async for event in stream:
                    seen.append(event)
            except StreamClosedError:
                return "told"
            return "silence"

        task = asyncio.create_task(consume())
        await bench.eventually(lambda: stream._core.reading, "the consumer waits for the stalled provider")
        await stream.aclose()
        await stream.aclose()
        assert await task == "told"
        assert task.cancelling() == 0
        assert seen
        assert [finish.outcome for finish in finishes] == [Outcome.ABANDONED]
        assert stream.attempts[-1].kind is None

    run(flowing, "stalls", scenario)


def test_a_slow_consumer_is_nobodys_failure(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        text = ""
        async with await _open(bench) as stream:
            async for event in stream:
                await bench.pause()
                text += event.content if isinstance(event, Chunk) else ""
        assert text == TEXT
        assert stream.outcome is Outcome.COMPLETED

    run(case, "answers", scenario)


def test_a_collected_stream_is_abandoned_once(flowing: Case) -> None:
    async def scenario(bench: Bench) -> None:
        finishes = []
        stream = await _open(bench)
        stream.on_finish(finishes.append)
        async for _ in stream:
            break
        del stream, _
        gc.collect()
        await bench.eventually(lambda: bool(finishes), "the collected stream is finished")
        await bench.eventually(lambda: bench.upstream_open() == 0, "the provider's stream is closed")
        assert [finish.outcome for finish in finishes] == [Outcome.ABANDONED]

    run(flowing, "stalls", scenario)


def test_one_task_reads_at_a_time(flowing: Case) -> None:
    async def scenario(bench: Bench) -> None:
        async with await _open(bench) as stream:
            reader = asyncio.create_task(stream.collect())
            await bench.eventually(lambda: stream._core.reading, "the first task reads")
            with pytest.raises(RuntimeError, match="another task"):
                await anext(stream)
            await stream.aclose()
            with pytest.raises(StreamClosedError):
                await reader

    run(flowing, "stalls", scenario)


@pytest.mark.failure(9)
def test_nothing_is_held_across_a_yield(case: Case) -> None:
    async def scenario(bench: Bench) -> None:
        async with await _open(bench) as stream:
            assert current_scope() is None
            async for _ in stream:
                assert current_scope() is None
                assert asyncio.current_task().cancelling() == 0

    run(case, "answers", scenario)


def test_closing_the_executor_ends_open_streams_as_cancelled(flowing: Case) -> None:
    async def scenario(bench: Bench) -> None:
        stream = await _open(bench)
        finishes = []
        stream.on_finish(finishes.append)
        await bench.executor.aclose()
        await bench.executor.aclose()
        with pytest.raises(StreamClosedError, match="executor was closed"):
            await stream.collect()
        assert [finish.outcome for finish in finishes] == [Outcome.CANCELLED]
        with pytest.raises(Exception, match="closed"):
            await _open(bench)

    run(flowing, "stalls", scenario)
