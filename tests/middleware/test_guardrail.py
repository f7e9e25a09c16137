"""Guardrail: what checks see, what they may answer, and what that does to answers and streams."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar import (
    ChatRequest,
    ChatResponse,
    Chunk,
    ConfigError,
    End,
    ErrorKind,
    ExecutorError,
    LamellarError,
    LlmEventStream,
    Outcome,
    ReasoningChunk,
    RejectedError,
    Stack,
    Start,
    StopReason,
    StreamInterruptedError,
    StreamTruncatedError,
    Target,
    ThoughtSignatureChunk,
    ToolCallChunk,
    Usage,
)
from lamellar.chat.content import Text
from lamellar.middleware import Cache, Fallback, Guardrail, Retry
from lamellar.source import EventSource
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual
from lamellar_middleware.guardrail.checks import Checks
from lamellar_middleware.guardrail.source import CheckedSource

REQUEST = ChatRequest.from_user("the question")


def no_secrets(text: str) -> bool:
    """A check with an importable name."""
    return "secret" not in text


def ask(stack: Stack, *, streaming: bool) -> tuple[object, list[object]]:
    """The answer, or the error; and the events that were delivered."""
    seen: list[object] = []

    async def main() -> object:
        async with stack.build() as executor:
            try:
                if not streaming:
                    return await executor.exec_chat_response("m", REQUEST)
                async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                    async for event in stream:
                        seen.append(event)
                return stream
            except LamellarError as error:
                return error

    return run_virtual(main()), seen


class Batches(EventSource):
    """Events in batches of these sizes."""

    def __init__(self, events: list[object], sizes: list[int]) -> None:
        self.events = events
        self.sizes = sizes

    async def read(self) -> list[object]:
        size = self.sizes.pop(0)
        batch, self.events = self.events[:size], self.events[size:]
        return batch

    def finish(self, finish: object) -> None:
        pass


def text_of(events: list[object]) -> str:
    return "".join(event.content for event in events if isinstance(event, Chunk))


both = pytest.mark.parametrize("streaming", [False, True])


# -- requests ----------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("verdict", [None, True])
def test_a_request_that_is_fine_goes_on_as_it_is(verdict: object, streaming: bool) -> None:
    leaf = ScriptedExecutor("fine")
    ask(Stack(Guardrail(on_request=lambda request: verdict), leaf), streaming=streaming)
    assert leaf.calls[0].chat_req is REQUEST


@both
@pytest.mark.parametrize(("verdict", "said"), [(False, "gave no reason"), ("no politics", "refused it: no politics")])
def test_a_request_that_is_refused_asks_nobody_and_is_on_the_record(
    verdict: object, said: str, streaming: bool
) -> None:
    leaf = ScriptedExecutor("never")
    error, _ = ask(Stack(Guardrail(on_request=lambda request: verdict), leaf), streaming=streaming)
    assert isinstance(error, RejectedError)
    assert (error.kind, error.retryable, error.failover) == (ErrorKind.GUARDRAIL, False, False)
    assert said in error.message
    assert "question" not in str(error)
    assert not leaf.calls
    assert [(each.outcome, each.kind) for each in error.attempts] == [("refused", "guardrail")]


def test_a_request_may_be_changed_and_the_next_check_sees_that() -> None:
    async def shorten(request: ChatRequest) -> ChatRequest:
        await asyncio.sleep(1)
        return ChatRequest.from_user("short")

    leaf, seen = ScriptedExecutor("fine"), []
    ask(Stack(Guardrail(on_request=[shorten, seen.append]), leaf), streaming=False)
    assert leaf.calls[0].chat_req == seen[0] == ChatRequest.from_user("short")


def test_a_check_may_refuse_in_its_own_words() -> None:
    def refuse(request: ChatRequest) -> None:
        raise RejectedError(ErrorKind.GUARDRAIL, "in these words", retry_after=3)

    error, _ = ask(Stack(Guardrail(on_request=refuse, fail_open=True), ScriptedExecutor("never")), streaming=False)
    assert (error.message, error.retry_after) == ("in these words", 3)


def test_a_reason_shows_no_key() -> None:
    layer = Guardrail(on_request=lambda request: "found sk-abcdefgh12345678")
    error, _ = ask(Stack(layer, ScriptedExecutor("never")), streaming=False)
    assert "abcdefgh" not in str(error)


# -- whole answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["on_response", "on_text"])
def test_an_answer_that_is_refused_is_not_told_and_its_try_is_blamed(option: str) -> None:
    layer = Guardrail(**{option: lambda answered: "no secrets"})
    error, _ = ask(Stack(layer, ScriptedExecutor("the secret")), streaming=False)
    assert error.kind is ErrorKind.GUARDRAIL
    assert "no secrets" in error.message
    assert "the secret" not in str(error)
    (attempt,) = error.attempts
    assert (attempt.outcome, attempt.kind) == (Outcome.COMPLETED, ErrorKind.GUARDRAIL)
    assert attempt.usage.total_tokens == 5, "it was paid for"


def test_an_answer_may_be_changed_and_keeps_its_attempts() -> None:
    def soften(response: ChatResponse) -> ChatResponse:
        return response.model_copy(update={"content": (Text("softer"),)})

    response, _ = ask(
        Stack(Guardrail(on_response=soften, on_text=no_secrets), ScriptedExecutor("hard")), streaming=False
    )
    assert response.text == "softer"
    assert len(response.attempts) == 1


# -- streams -----------------------------------------------------------------------------------------------------


def test_a_response_check_sees_the_beginning_of_a_stream_before_anything_is_delivered() -> None:
    seen: list[str] = []
    layer = Guardrail(on_response=lambda response: seen.append(response.text))
    stream, events = ask(Stack(layer, ScriptedExecutor(answer(["Pa", "ris"]))), streaming=True)
    assert seen == ["Pa"]
    assert text_of(events) == "Paris"
    leaf = ScriptedExecutor(answer(["Pa", "ris"]))
    error, events = ask(Stack(Guardrail(on_response=lambda response: False), leaf), streaming=True)
    assert isinstance(error, RejectedError)
    assert events == []
    assert leaf.open_streams == 0
    assert error.attempts[0].kind is ErrorKind.GUARDRAIL


def test_changing_a_stream_of_which_only_the_beginning_is_known_is_refused() -> None:
    leaf = ScriptedExecutor(answer(["Pa", "ris"]))
    layer = Guardrail(on_response=lambda response: response.model_copy())
    error, events = ask(Stack(layer, leaf), streaming=True)
    assert "say buffer=True" in error.message
    assert events == []
    assert leaf.open_streams == 0


def test_text_is_checked_before_the_characters_that_complete_it_are_delivered() -> None:
    seen: list[str] = []
    layer = Guardrail(on_text=seen.append, every=4)
    stream, events = ask(Stack(layer, ScriptedExecutor(answer(["ab", "cd", "e", "fgh", "i"]))), streaming=True)
    assert seen == ["abcd", "abcdefgh", "abcdefghi"]
    assert text_of(events) == "abcdefghi"
    assert stream.outcome is Outcome.COMPLETED


def test_a_text_that_is_refused_breaks_the_stream_off() -> None:
    leaf = ScriptedExecutor([Chunk("The "), Chunk("secret"), Hang()])
    error, events = ask(
        Stack(Retry(on_interrupt="restart"), Guardrail(on_text=no_secrets, every=1), leaf), streaming=True
    )
    assert isinstance(error, StreamInterruptedError)
    assert (error.kind, error.text, text_of(events)) == (ErrorKind.GUARDRAIL, "The ", "The ")
    assert isinstance(error.cause, RejectedError)
    assert not error.counts_against_health
    assert len(leaf.calls) == 1, "asking again is no answer to a refusal"
    assert leaf.open_streams == 0
    assert (error.attempts[0].outcome, error.attempts[0].kind) == (Outcome.FAILED, ErrorKind.GUARDRAIL)


def test_a_text_that_is_refused_before_anything_was_delivered_is_raised_by_the_call() -> None:
    leaf = ScriptedExecutor([Chunk("secret"), Hang()])
    error, events = ask(Stack(Guardrail(on_text=no_secrets, every=1), leaf), streaming=True)
    assert isinstance(error, RejectedError)
    assert events == []
    assert leaf.open_streams == 0


@pytest.mark.parametrize("batches", [[3], [1, 2], [2, 1], [1, 1, 1]])
def test_how_events_come_in_batches_makes_no_difference(batches: list[int]) -> None:
    async def main() -> None:
        source = Batches([Chunk("a "), Chunk("very "), Chunk("secret")], batches)
        stream = LlmEventStream(CheckedSource(LlmEventStream(source), Checks(Guardrail(on_text=no_secrets), None), 1))
        text = ""
        with pytest.raises(StreamInterruptedError) as caught:
            async for event in stream:
                text += event.content
        assert text == caught.value.text == "a very "

    run_virtual(main())


def test_the_last_characters_are_checked_before_the_end() -> None:
    error, events = ask(Stack(Guardrail(on_text=no_secrets, every=1000), ScriptedExecutor("a secret")), streaming=True)
    assert isinstance(error, StreamInterruptedError)
    assert not any(isinstance(event, End) for event in events)


def test_only_text_counts_and_a_restart_begins_it_anew() -> None:
    seen: list[str] = []
    steps = [
        ReasoningChunk("thinking"),
        Chunk("aaaa"),
        ToolCallChunk(0, "1", "f", "{}"),
        ExecutorError("overloaded", "no"),
    ]
    inner = Fallback(ScriptedExecutor(steps), ScriptedExecutor(answer(["bbbb"])), on_interrupt="restart")
    ask(Stack(Guardrail(on_text=seen.append, every=4), inner), streaming=True)
    assert seen == ["aaaa", "bbbb"]


@given(st.lists(st.text("abc", max_size=6), max_size=12), st.integers(1, 12))
def test_what_is_delivered_unseen_is_less_than_every(pieces: list[str], every: int) -> None:
    checked = [""]
    ahead: list[int] = []

    async def main() -> None:
        layer = Guardrail(on_text=checked.append, every=every)
        async with Stack(layer, ScriptedExecutor(answer(pieces))).build() as executor:
            text = ""
            async with await executor.exec_chat_stream_events("m", REQUEST) as stream:
                async for event in stream:
                    text += event.content if isinstance(event, Chunk) else ""
                    ahead.append(len(text) - len(checked[-1]))
            assert checked[-1] == text, "at the end all of it has been seen"

    run_virtual(main())
    assert max(ahead) < every


def test_closing_from_another_task_ends_the_wait_for_a_check() -> None:
    async def main() -> None:
        async def slow(text: str) -> None:
            await asyncio.sleep(100)

        leaf = ScriptedExecutor(Scripted((Chunk("a"), Chunk("bcd"), Hang())))
        async with Stack(Guardrail(on_text=slow, every=3), leaf).build() as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            reader = asyncio.create_task(stream.collect())
            await asyncio.sleep(1)
            await stream.aclose()
            with pytest.raises(LamellarError, match="closed"):
                await reader
            assert leaf.open_streams == 0

    run_virtual(main())


# -- the whole of a stream ---------------------------------------------------------------------------------------


def test_a_buffered_stream_is_checked_and_changed_as_a_whole() -> None:
    seen: list[str] = []

    def sign(response: ChatResponse) -> ChatResponse:
        seen.append(response.text)
        return response.model_copy(update={"content": (*response.content, Text(" (checked)"))})

    usage = Usage(prompt_tokens=1, completion_tokens=2)
    leaf = ScriptedExecutor([Chunk("Pa"), Chunk("ris"), End(StopReason("max_tokens"), usage, response_id="r1")])
    stream, events = ask(
        Stack(Guardrail(on_response=sign, buffer=True), Target(leaf, name="t").executor), streaming=True
    )
    assert seen == ["Paris"]
    assert text_of(events) == "Paris (checked)"
    assert isinstance(events[0], Start)
    assert events[0].target == "scripted"
    assert (events[-1].stop_reason, events[-1].usage, events[-1].response_id) == ("max_tokens", usage, "r1")
    assert "".join(part.text for part in events[-1].content) == "Paris (checked)"
    assert [attempt.outcome for attempt in stream.attempts] == [Outcome.COMPLETED]


@pytest.mark.parametrize("option", ["on_response", "on_text"])
def test_a_buffered_stream_that_is_refused_delivers_nothing(option: str) -> None:
    leaf = ScriptedExecutor(answer(["the ", "secret"]))
    error, events = ask(Stack(Guardrail(**{option: lambda all_of_it: False}, buffer=True), leaf), streaming=True)
    assert isinstance(error, RejectedError)
    assert events == []


def test_a_buffered_stream_that_breaks_has_delivered_nothing_so_another_may_answer() -> None:
    layer = Guardrail(on_response=lambda response: None, buffer=True)
    first = ScriptedExecutor([Chunk("Par"), ExecutorError("overloaded", "no")])
    stack = Stack(Fallback(Target(layer, first), ScriptedExecutor("Paris")))
    _, events = ask(stack, streaming=True)
    assert text_of(events) == "Paris"
    error, _ = ask(Stack(layer, ScriptedExecutor([Chunk("Par")])), streaming=True)
    assert isinstance(error, StreamTruncatedError)
    assert (error.retryable, error.failover, error.partial) == (True, True, ())


def test_a_buffered_stream_names_the_target_that_took_over() -> None:
    broken = ScriptedExecutor([Chunk("Par"), ExecutorError("overloaded", "no")])
    targets = Fallback(Target(broken, name="a"), Target(ScriptedExecutor("Rome"), name="b"), on_interrupt="restart")
    _, events = ask(Stack(Guardrail(on_text=no_secrets, buffer=True), targets), streaming=True)
    assert (events[0].target, text_of(events)) == ("b", "Rome")


def test_cancelling_while_it_is_collected_closes_the_provider() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor([Chunk("Par"), Hang()])
        async with Stack(Guardrail(on_text=no_secrets, buffer=True), leaf).build() as executor:
            task = asyncio.create_task(executor.exec_chat_stream_events("m", REQUEST))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert leaf.open_streams == 0
            assert leaf.calls[0].finish.outcome is Outcome.CANCELLED

    run_virtual(main())


# -- checks that fail --------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("option", ["on_request", "on_response", "on_text"])
@pytest.mark.parametrize("check", [lambda seen: 1 // 0, lambda seen: 7], ids=["raises", "returns nonsense"])
def test_a_check_that_fails_refuses_and_with_fail_open_lets_through(
    option: str, check: object, streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    error, _ = ask(Stack(Guardrail(**{option: check}), ScriptedExecutor("fine")), streaming=streaming)
    assert error.kind is ErrorKind.GUARDRAIL
    assert f"`{option}`" in str(error)
    assert "ZeroDivisionError" in str(error) or "int" in str(error)
    assert caplog.records
    stack = Stack(Guardrail(**{option: check}, fail_open=True), ScriptedExecutor("fine"))
    found, events = ask(stack, streaming=streaming)
    assert (text_of(events) if streaming else found.text) == "fine"


# -- options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "a guardrail needs a check"),
        ({"on_request": no_secrets, "buffer": True}, "buffer: it can never act"),
        ({"on_response": no_secrets, "every": 5}, "every: it can never act, because on_text is not given"),
        ({"on_text": no_secrets, "every": 5, "buffer": True}, "every: it can never act, because buffer=True"),
        ({"on_text": no_secrets, "every": 0}, "every"),
        ({"on_request": 3}, "on_request"),
        ({"on_request": "nowhere"}, "package.module:name"),
        ({"on_reqest": no_secrets}, "did you mean 'on_request'"),
    ],
)
def test_wrong_options_are_named(wrong: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Guardrail(**wrong)


def test_the_identity_is_that_of_the_checks_that_may_change_something() -> None:
    assert Guardrail(on_text=no_secrets).identity() is None
    assert Guardrail(on_request="os.path:join").identity() == {"guardrail": {"on_request": ["posixpath:join"]}}
    with pytest.raises(ConfigError, match=r"guardrail\.on_request: .* no importable name.*fingerprint='...'"):
        Stack(Cache(), Guardrail(on_request=lambda request: None), ScriptedExecutor()).build()
    named = Guardrail(on_request=lambda request: None, identity="v1")
    assert named.identity() == {"guardrail": "v1"}
    Stack(Cache(), named, ScriptedExecutor()).build()


def test_checks_are_named_in_files() -> None:
    stack = Stack.loads("layers: [{guardrail: {on_request: 'os.path:join'}}]\nexecutor: openai")
    assert Stack.loads(stack.dump()) == stack


def test_a_text_that_is_refused_after_a_signature_alone_is_refused_by_the_call():
    async def main():
        end = End(stop_reason=StopReason("completed"))
        leaf = ScriptedExecutor(Scripted((ThoughtSignatureChunk("s"), Chunk("bad"), end)))
        async with Stack(Guardrail(on_text=lambda text: "bad" not in text, every=1), leaf).build() as executor:
            with pytest.raises(RejectedError):
                await executor.exec_chat_stream_events("m", ChatRequest.from_user("hi"))

    run_virtual(main())
