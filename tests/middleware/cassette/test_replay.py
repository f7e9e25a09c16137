"""Replay: how a request is known again, and what is said of one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.middleware.cassette.tapes import REQUEST, lines, outcome, record, replay, run

from lamellar import CallContext, ChatOptions, ChatRequest, ConfigError, ExecutorError, Outcome, Stack, Target
from lamellar.middleware import Fallback, Record, Replay, Retry
from lamellar.testing import ScriptedExecutor, answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def ask(path: Path, *questions: str, **options: object):
    """What a replay says to these questions."""

    async def scenario(executor) -> list[object]:
        found = []
        for question in questions:
            each = await outcome(executor, stream=False, chat_req=ChatRequest.from_user(question))
            found.append(each if isinstance(each, Exception) else each.text)
        return found

    return run(Stack(Replay(path=path, **options)), scenario)


def tape(path: Path, *questions: str) -> None:
    """A cassette with an answer to each of these, in order."""

    async def scenario(executor) -> None:
        for question in questions:
            await outcome(executor, stream=False, chat_req=ChatRequest.from_user(question))

    run(Stack(Record(path=path), ScriptedExecutor(*[f"{each}!" for each in questions])), scenario)


def test_a_recording_is_found_wherever_it_stands(path: Path) -> None:
    tape(path, "a", "b", "c")
    assert ask(path, "c", "a", "b") == ["c!", "a!", "b!"]


def test_several_recordings_of_one_request_come_in_their_order(path: Path) -> None:
    record(path, "one", "two", "three", stream=False)
    assert [each.text for each in replay(path, stream=False, count=3)] == ["one", "two", "three"]


def test_those_of_the_same_kind_of_call_come_first(path: Path) -> None:
    record(path, "whole", stream=False)
    record(path, answer(["str", "eam"]))

    async def scenario(executor) -> tuple[object, object]:
        return await outcome(executor, stream=True), await outcome(executor, stream=False)

    events, response = run(Stack(Replay(path=path)), scenario)
    assert [event.content for _, event in events[:-1]] == ["str", "eam"]
    assert response.text == "whole"


def test_each_is_played_once_and_a_reset_winds_back(path: Path) -> None:
    tape(path, "a")

    async def scenario(executor) -> None:
        question = ChatRequest.from_user("a")
        assert (await outcome(executor, stream=False, chat_req=question)).text == "a!"
        assert executor.snapshot()["stack"]["replay"] == {"recordings": 1, "played": 1}
        error = await outcome(executor, stream=False, chat_req=question)
        assert isinstance(error, ConfigError)
        assert "recordings of this request are on lines 2, and each is played once" in str(error)
        executor.reset("stack")
        assert executor.snapshot()["stack"]["replay"] == {"recordings": 1, "played": 0}
        assert (await outcome(executor, stream=False, chat_req=question)).text == "a!"

    run(Stack(Replay(path=path)), scenario)


def test_an_unknown_request_is_told_with_the_nearest_and_what_is_different(path: Path) -> None:
    tape(path, "What is the capital of France?", "Who was Ada Lovelace?")
    (error,) = ask(path, "What is the capital of Spain?")
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"the cassette {path} has no recording of this request; the nearest is on line 2: "
        "request.messages.0.content.0.text: recorded ...'apital of France?', asked ...'apital of Spain?'"
    )
    assert error.attempts[0].outcome is Outcome.FAILED


def test_everything_that_is_sent_counts_and_nothing_else(path: Path) -> None:
    async def scenario(executor) -> list[object]:
        found = []
        for options in (
            ChatOptions(seed=2, temperature=0.5),
            None,
            ChatOptions(seed=1, call=CallContext(timeout=9), capture_raw_body=True, extra_headers={"x-api-key": "k"}),
        ):
            each = await outcome(executor, stream=False, options=options)
            found.append(str(each) if isinstance(each, Exception) else each.text)
        return found

    stack = Stack(Record(path=path), ScriptedExecutor("Paris"))
    run(stack, lambda executor: outcome(executor, stream=False, options=ChatOptions(seed=1)))
    first, second, third = run(Stack(Replay(path=path)), scenario)
    assert "options.seed: recorded 1, asked 2; options.temperature: asked 0.5, not recorded" in first
    assert "options.seed: recorded 1, not asked" in second
    assert third == "Paris"


def test_neither_retry_nor_fallback_goes_on_from_an_unknown_request(path: Path) -> None:
    tape(path, "a")
    spare = ScriptedExecutor("spare")
    stack = Stack(Fallback(Target(Retry(), Replay(path=path)), spare))
    error = run(stack, lambda executor: outcome(executor, stream=True))
    assert isinstance(error, ConfigError)
    assert spare.calls == []


def test_in_the_order_of_the_lines(path: Path) -> None:
    tape(path, "a", "b", "b")
    assert ask(path, "a", "b", "b", order="recorded") == ["a!", "b!", "b!"]
    first, second = ask(path, "b", "a", order="recorded")
    assert "has another request next, on line 2: request.messages.0.content.0.text: recorded 'a', asked 'b'" in str(
        first
    )
    assert second == "a!", "a request out of order uses nothing up"
    *_, over = ask(path, "a", "b", "b", "a", order="recorded")
    assert "has been played" in str(over)


def test_recorded_failures_drive_the_layers_as_the_real_ones_did(path: Path) -> None:
    leaf = ScriptedExecutor(ExecutorError("rate_limited", "slow", retry_after=2), "Paris", name="openai")
    inside = Stack(Retry(jitter="none"), Record(path=path), leaf)
    before = run(inside, lambda executor: outcome(executor, stream=True))
    again = Stack(Retry(jitter="none"), Replay(path=path, name="openai"))
    assert run(again, lambda executor: outcome(executor, stream=True)) == before


def test_it_stands_in_targets_under_its_name(path: Path) -> None:
    tape(path, "hi")
    stack = Stack(Fallback(Target(Replay(path=path, name="openai"), model="m")))
    response = run(stack, lambda executor: outcome(executor, stream=False))
    assert (response.provider, response.attempts[0].target) == ("openai", "openai/m")


# -- cassettes that are none ------------------------------------------------------------------------------------


def test_a_missing_file_is_told_when_the_stack_is_built(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file .*; record it with Record"):
        Stack(Replay(path=path)).build()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "line 3 of the cassette .* is no recording"),
        ("[]", "line 3 .*a line is a JSON object"),
        ("{}", "line 3 .*'request' is missing"),
        ('{"model": "m", "request": {}}', "line 3 .*there is neither a `response`"),
        ('{"model": "m", "request": {}, "outcome": "completed", "events": []}', "line 3 .* has an `end`"),
        ('{"model": "m", "request": {}, "outcome": "odd", "events": []}', "line 3 .*'odd'"),
        ('{"model": "m", "request": {}, "outcome": "failed", "events": [{"odd": 1}]}', "line 3 .*no event 'odd'"),
        ('{"model": "m", "request": {}, "outcome": "failed", "events": [{"text": 1}]}', "line 3 .*'text' is a text"),
        ('{"model": "m", "request": {}, "error": {"kind": "odd", "message": ""}}', "line 3 .*'odd'"),
        ('{"model": "m", "request": {}, "response": {"content": 1}}', "line 3 of the cassette"),
        ('{"lamellar_cassette": 2}', "has version 2, and this Lamellar reads version 1"),
    ],
)
def test_a_line_that_is_no_recording_is_named(path: Path, line: str, message: str) -> None:
    tape(path, "a")
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match=message):
        Stack(Replay(path=path)).build()


def test_an_empty_cassette_says_so(path: Path) -> None:
    path.write_text("\n")
    (error,) = ask(path, "a")
    assert "is empty; record it" in str(error)


def test_a_cassette_may_be_written_by_hand(path: Path) -> None:
    asked = {"model": "m", "request": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}}
    events = [{"text": "Par"}, {"text": "is"}, {"end": {"stop_reason": "completed"}}]
    path.write_text(json.dumps({**asked, "streaming": True, "outcome": "completed", "events": events}))
    (found,) = replay(path)
    assert found[-1][1].content[0].text == "Paris"
    assert REQUEST.messages[0].content[0].text == "hi"


def test_recording_a_replay_gives_the_same_cassette(path: Path, tmp_path: Path) -> None:
    record(path, "a", ExecutorError("overloaded", "no"), answer(["b", "c"]), timing=False)
    again = tmp_path / "again.jsonl"

    async def scenario(executor) -> None:
        for _ in range(3):
            await outcome(executor, stream=True)

    run(Stack(Record(path=again, timing=False), Replay(path=path, name="scripted")), scenario)
    assert lines(again) == lines(path)
