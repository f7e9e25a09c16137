"""Record: what is written to a cassette, and what never is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.middleware.cassette.tapes import REQUEST, lines, outcome, record, replay, run

from lamellar import (
    Binary,
    CallContext,
    ChatMessage,
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    Custom,
    End,
    ExecutorError,
    Outcome,
    Stack,
    StreamInterruptedError,
    Text,
    ThoughtSignatureChunk,
    Tool,
    ToolCall,
    ToolCallChunk,
)
from lamellar.middleware import Fallback, Record, Replay, Transform
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer

KEY = "sk-live-abcdefgh12345678"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def test_a_line_tells_what_was_asked_and_what_came_of_it(path: Path) -> None:
    record(path, "Paris", stream=False)
    record(path, answer(["Par", "is"], usage=None))
    head, first, second = path.read_text().splitlines()
    assert head == '{"lamellar_cassette": 1}'
    assert first == (
        '{"model": "m", "request": {"messages": [{"content": [{"text": "hi", "type": "text"}], "role": "user"}]}, '
        '"options": {}, "streaming": false, "took": 0.0, "response": {"content": [{"text": "Paris", "type": "text"}], '
        '"stop_reason": "completed", "usage": {"completion_tokens": 2, "prompt_tokens": 3, "total_tokens": 5}}}'
    )
    assert json.loads(second)["events"] == [
        {"at": 0.0, "start": {"model": "m", "provider": "scripted", "target": "scripted"}},
        {"at": 0.0, "text": "Par"},
        {"at": 0.0, "text": "is"},
        {"at": 0.0, "end": {"stop_reason": "completed"}},
    ]


def test_what_the_caller_says_to_the_stack_is_not_written(path: Path) -> None:
    options = ChatOptions(seed=1, capture_raw_body=True, call=CallContext(tags={"team": "a"}, timeout=5))
    stack = Stack(Record(path=path), ScriptedExecutor("a"))
    run(stack, lambda executor: outcome(executor, stream=False, options=options))
    assert lines(path)[0]["options"] == {"seed": 1}


def test_equal_calls_are_equal_lines_whatever_the_order_of_names(path: Path) -> None:
    async def scenario(executor) -> None:
        for body in ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}):
            await outcome(executor, stream=False, options=ChatOptions(extra_body=body))

    run(Stack(Record(path=path, timing=False), ScriptedExecutor("a", repeat=True)), scenario)
    _, first, second = path.read_text().splitlines()
    assert first == second


# -- secrets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_no_secret_is_written(path: Path, stream: bool) -> None:
    chat_req = ChatRequest(
        system=f"The key is {KEY}.",
        messages=(
            ChatMessage.user([f"use {KEY}", Binary.from_url("image/png", f"https://a.test/x?sig={KEY}")]),
            ChatMessage.assistant([ToolCall(call_id="c", fn_name="f", fn_arguments={"password": "hunter2"})]),
        ),
        tools=(Tool(name="mcp", config={"authorization_token": "hunter2", "url": "https://a.test"}),),
    )
    options = ChatOptions(
        extra_headers={"authorization": f"Bearer {KEY}", "x-note": f"see {KEY}"}, extra_body={"secret": "hunter2"}
    )
    said = Scripted(
        (
            Chunk("your key sk-li"),
            Chunk("ve-abcdefgh"),
            Chunk("12345678 is"),
            ToolCallChunk(0, "c", "f", '{"api_key": "hun'),
            ToolCallChunk(0, arguments='ter2"}'),
            End(
                content=(
                    Text(f"your key {KEY} is"),
                    ToolCall(call_id="c", fn_name="f", fn_arguments={"api_key": "hunter2"}),
                    Custom(data={"token": "hunter2"}),
                ),
                raw={"key": "hunter2", "said": KEY},
            ),
        )
    )
    stack = Stack(Record(path=path), ScriptedExecutor(said))
    run(stack, lambda executor: outcome(executor, stream=stream, chat_req=chat_req, options=options))
    written = path.read_text()
    assert "hunter2" not in written
    assert "sk-" not in written
    assert "abcdefgh" not in written
    again = run(
        Stack(Replay(path=path)), lambda executor: outcome(executor, stream=stream, chat_req=chat_req, options=options)
    )
    if stream:
        assert again[0][1] == Chunk("your key ********** is"), "the run with the secret is one event"
        assert [event.arguments for _, event in again[1:3]] == ['{"api_key": "**********"}', ""]
    else:
        assert again.text == "your key ********** is"


def test_no_secret_of_an_error_is_written(path: Path) -> None:
    record(path, ExecutorError("unauthorized", f"bad key {KEY}"))
    record(path, [Chunk("a"), ExecutorError("unauthorized", f"bad key {KEY}")])
    assert "sk-" not in path.read_text()


def test_patterns_of_ones_own_are_masked_everywhere(path: Path) -> None:
    chat_req = ChatRequest.from_user("I am Ada Lovelace, born 1815-12-10")
    patterns = (r"Ada \w+", r"\d{4}-\d\d-\d\d")
    stack = Stack(Record(path=path, scrub=patterns), ScriptedExecutor(answer(["Hello Ada Lo", "velace!"])))
    run(stack, lambda executor: outcome(executor, stream=True, chat_req=chat_req))
    assert "Ada" not in path.read_text()
    other = ChatRequest.from_user("I am Ada Byron, born 1999-01-01")
    found = run(
        Stack(Replay(path=path, scrub=patterns)), lambda executor: outcome(executor, stream=False, chat_req=other)
    )
    assert found.text == "Hello **********!", "the patterns make the two requests one"


def test_a_pattern_touches_texts_and_not_the_form(path: Path) -> None:
    record(path, "text", scrub=("text|user|content|completed",))
    (events,) = replay(path, scrub=("text|user|content|completed",))
    assert events[0][1] == Chunk("**********")
    assert events[-1][1].stop_reason == "completed"


def test_what_is_opaque_is_kept_and_bytes_that_were_sent_are_told_by_their_digest(path: Path) -> None:
    opaque = f"{KEY}=="
    chat_req = ChatRequest.from_user([Binary.from_base64("image/png", "A" * 4000)])
    stack = Stack(Record(path=path), ScriptedExecutor(Scripted((ThoughtSignatureChunk(opaque), Chunk("a"), End()))))
    run(stack, lambda executor: outcome(executor, stream=True, chat_req=chat_req))
    assert "AAAA" not in path.read_text()
    assert lines(path)[0]["request"]["messages"][0]["content"][0]["source"]["base64"].startswith("sha256:")
    found = run(Stack(Replay(path=path)), lambda executor: outcome(executor, stream=True, chat_req=chat_req))
    assert found[0][1] == ThoughtSignatureChunk(opaque)
    other = ChatRequest.from_user([Binary.from_base64("image/png", "B" * 4000)])
    error = run(Stack(Replay(path=path)), lambda executor: outcome(executor, stream=True, chat_req=other))
    assert "source.base64: recorded 'sha256:" in str(error)


# -- the file ---------------------------------------------------------------------------------------------------


def test_lines_are_added_unless_the_file_is_to_begin_anew(path: Path) -> None:
    record(path, "a")
    record(path, "b", "c")
    assert len(lines(path)) == 3
    record(path, "d", "e", overwrite=True)
    assert len(lines(path)) == 2


def test_folders_are_made_and_nothing_before_the_first_call(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "calls.jsonl"
    executor = Stack(Record(path=path), ScriptedExecutor("a")).build()
    assert not path.parent.exists()
    asyncio.run(executor.exec_chat_response("m", REQUEST))
    assert len(lines(path)) == 1


def test_many_at_a_time_write_whole_lines(path: Path) -> None:
    async def scenario(executor) -> None:
        await asyncio.gather(*[outcome(executor, stream=number % 2 == 0) for number in range(40)])

    leaf = ScriptedExecutor(answer("x" * 9000), repeat=True)
    for _ in range(2):
        run(Stack(Record(path=path), leaf), scenario)
    assert len(lines(path)) == 80


def test_two_layers_with_one_file_share_its_writer(path: Path) -> None:
    down = ScriptedExecutor(ExecutorError("overloaded", "no"), name="one")
    plate = Record(path=path, overwrite=True)
    stack = Stack(Fallback(Stack(plate, down), Stack(plate, ScriptedExecutor("a", name="two"))))
    run(stack, lambda executor: outcome(executor, stream=False))
    assert ["error" in each for each in lines(path)] == [True, False]


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_that_cannot_be_written_changes_nothing(
    tmp_path: Path, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    (found,) = record(tmp_path, "Paris", stream=stream)  # a folder
    assert found[0][1] == Chunk("Paris") if stream else found.text == "Paris"
    assert "could not be written to its cassette" in caplog.text


def test_half_a_character_is_written_too(path: Path) -> None:
    record(path, Scripted((Chunk("\ud83e"), End(content=()))))
    (events,) = replay(path)
    assert events[0][1] == Chunk("\ud83e")


def test_a_failure_of_a_layer_outside_is_not_recorded_as_the_providers(path: Path) -> None:
    def boom(event: Chunk) -> Chunk:
        if event.content == "b":
            raise ValueError("no")
        return event

    stack = Stack(Transform(event=boom), Record(path=path), ScriptedExecutor([Chunk("a"), Chunk("b"), Hang()]))
    found = run(stack, lambda executor: outcome(executor, stream=True))
    assert isinstance(found[-1][1], StreamInterruptedError)
    (line,) = lines(path)
    assert (line["outcome"], "error" in line) == (Outcome.ABANDONED, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": " "}, "path: the path of a file, got an empty one"),
        ({"path": "a", "scrub": ("(",)}, "scrub: str '[(]' is no regular expression"),
        ({}, "path: required"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    for plate in (Record, Replay):
        with pytest.raises(ConfigError, match=message):
            plate(**options)


def test_it_goes_to_a_file_and_changes_no_answer(path: Path) -> None:
    stack = Stack(Record(path=path, scrub=("a+",)), Replay(path="other.jsonl", order="recorded"))
    assert Stack.loads(stack.dump()) == stack
    assert Record(path=path) == Record(path=str(path))
    assert Record(path=path).identity() is None
    assert Replay(path=path).identity() is not None
