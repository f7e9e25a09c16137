"""Transform: what one's own functions may change, and what becomes of one that fails."""

from __future__ import annotations

import asyncio

import pytest

from lamellar import (
    ChatOptions,
    ChatRequest,
    Chunk,
    ConfigError,
    Custom,
    End,
    ErrorKind,
    ExecutorError,
    Outcome,
    ReasoningChunk,
    RejectedError,
    Restart,
    Stack,
    Start,
    StreamInterruptedError,
    StreamTruncatedError,
    Target,
    Text,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from lamellar.executor import ExecutorWrapper
from lamellar.middleware import Fallback, Retry, Transform
from lamellar.testing import Hang, Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")


def shout(event: object) -> object:
    """A function with a name, for files."""
    return Chunk(event.content.upper()) if isinstance(event, Chunk) else event


def boom(value: object) -> object:
    raise ValueError("no good, sk-abcdefgh1234")


async def ask(stack: Stack, *, stream: bool, options: ChatOptions | None = None):
    async with stack.build() as executor:
        if not stream:
            return await executor.exec_chat_response("m", REQUEST, options)
        return await (await executor.exec_chat_stream_events("m", REQUEST, options)).collect()


async def events_of(stack: Stack) -> list[object]:
    async with stack.build() as executor, await executor.exec_chat_stream_events("m", REQUEST) as events:
        return [event async for event in events]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("later", [False, True], ids=["sync", "async"])
def test_what_goes_in_is_changed(stream: bool, later: bool) -> None:
    def function(change):
        async def coroutine(value):
            await asyncio.sleep(1)
            return change(value)

        return coroutine if later else change

    leaf = ScriptedExecutor("Hello.")
    plate = Transform(
        request=function(lambda request: request.with_system("Be brief.")),
        options=function(lambda options: options.model_copy(update={"seed": 7})),
        model=function(lambda model: model + "-mini"),
    )
    given = ChatOptions(temperature=0.5)
    response = run_virtual(ask(Stack(plate, leaf), stream=stream, options=given))
    assert response.text == "Hello."
    (call,) = leaf.calls
    assert (call.model, call.chat_req.system, call.options) == (
        "m-mini",
        "Be brief.",
        ChatOptions(temperature=0.5, seed=7),
    )
    assert (REQUEST.system, given.seed) == (None, None), "what the caller handed in stays as it is"


def test_options_are_never_none_to_a_function() -> None:
    seen = []
    plate = Transform(options=lambda options: seen.append(options) or options)
    run_virtual(ask(Stack(plate, ScriptedExecutor("a")), stream=False))
    assert seen == [ChatOptions()]


@pytest.mark.parametrize("stream", [False, True])
def test_response_changes_a_whole_answer_and_a_stream_that_is_held_back(stream: bool) -> None:
    async def change(response):
        await asyncio.sleep(1)
        return response.model_copy(update={"content": (Text(response.text.upper()),)})

    leaf = ScriptedExecutor(answer(["Par", "is"]))
    response = run_virtual(ask(Stack(Transform(response=change), leaf), stream=stream))
    assert response.text == "PARIS"
    assert response.usage.total_tokens == 5
    assert [attempt.outcome for attempt in response.attempts] == [Outcome.COMPLETED]


def test_a_stream_that_was_held_back_obeys_the_contract() -> None:
    leaf = ScriptedExecutor(answer(["Par", "is"]), name="leaf")
    seen = run_virtual(events_of(Stack(Transform(response=lambda response: response), leaf)))
    assert [type(event) for event in seen] == [Start, Chunk, End]
    assert (seen[0].target, seen[0].model, seen[0].provider) == ("leaf", "m", "leaf")
    assert seen[1].content == "Paris"
    assert leaf.open_streams == 0


@pytest.mark.parametrize("cut", [None, ExecutorError("connection", "reset")])
def test_a_stream_that_breaks_while_it_is_held_back_is_an_ordinary_failure(cut: ExecutorError | None) -> None:
    leaf = ScriptedExecutor([Chunk("Par"), *([cut] if cut else [])], "Paris")
    stack = Stack(Retry(initial=0), Transform(response=lambda response: response), leaf)
    response = run_virtual(ask(stack, stream=True))
    assert response.text == "Paris"
    assert [attempt.outcome for attempt in response.attempts] == [Outcome.FAILED, Outcome.COMPLETED]


def test_a_call_that_is_cancelled_while_a_stream_is_held_back_closes_it() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor([Chunk("Par"), Hang()])
        async with Stack(Transform(response=lambda response: response), leaf).build() as executor:
            call = asyncio.create_task(executor.exec_chat_stream_events("m", REQUEST))
            await asyncio.sleep(1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert leaf.calls[0].finish.outcome is Outcome.CANCELLED

    run_virtual(main())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("function", "content"),
    [
        (shout, (Text("PARIS"),)),
        (lambda event: None, ()),
        (lambda event: [event, ReasoningChunk("!")], None),
        (lambda event: [Chunk(""), event], (Text("Paris"),)),
        (lambda event: event, (Text("Paris"),)),
    ],
)
def test_event_changes_streams_and_whole_answers_alike(stream: bool, function, content) -> None:
    leaf = ScriptedExecutor(answer(["Paris"]))
    response = run_virtual(ask(Stack(Transform(event=function), leaf), stream=stream))
    if content is None:
        assert (response.text, response.reasoning_content) == ("Paris", "!")
    else:
        assert response.content == content


def test_each_content_event_is_offered_and_nothing_else() -> None:
    said = [ReasoningChunk("hm"), ThoughtSignatureChunk("sig"), Chunk("a"), ToolCallChunk(0, "c", "f", "{}")]
    offered = []
    leaf = ScriptedExecutor(Scripted((*said, End())))
    run_virtual(events_of(Stack(Transform(event=lambda event: offered.append(event) or event), leaf)))
    assert offered == said


def test_the_end_holds_what_was_delivered_and_what_has_no_event() -> None:
    call = ToolCall(call_id="c", fn_name="f", fn_arguments={}, thought_signatures=("s",))
    custom = Custom(data={"cites": 1})
    said = Scripted(
        (Chunk("a"), ToolCallChunk(0, "c", "f", "{}"), Chunk("b"), End(content=(Text("a"), custom, call, Text("b"))))
    )
    seen = run_virtual(events_of(Stack(Transform(event=shout), ScriptedExecutor(said))))
    assert seen[-1].content == (Text("A"), custom, call, Text("B"))


def test_an_answer_that_is_not_changed_keeps_its_parts() -> None:
    end = End(content=(Text("Par"), Text("is"), Custom(data=1)))
    seen = run_virtual(events_of(Stack(Transform(event=shout), ScriptedExecutor(Scripted((Chunk("PARIS"), end))))))
    assert seen[-1].content != end.content
    same = run_virtual(
        events_of(Stack(Transform(event=lambda e: e), ScriptedExecutor(Scripted((Chunk("Paris"), end)))))
    )
    assert same[-1].content == end.content


def test_both_act_each_on_its_own_kind_of_call() -> None:
    plate = Transform(event=shout, response=lambda response: response.model_copy(update={"content": (Text("whole"),)}))
    leaf = ScriptedExecutor("Paris", repeat=True)
    assert run_virtual(ask(Stack(plate, leaf), stream=False)).text == "whole"
    assert run_virtual(ask(Stack(plate, leaf), stream=True)).text == "PARIS"


def test_a_restart_drops_what_was_changed_before_it() -> None:
    leaf = ScriptedExecutor([Chunk("xx"), ExecutorError("connection", "reset")], answer(["Par", "is"]))
    stack = Stack(Transform(event=shout), Retry(on_interrupt="restart", initial=0), leaf)
    seen = run_virtual(events_of(stack))
    assert [type(event) for event in seen] == [Start, Chunk, Restart, Chunk, Chunk, End]
    assert seen[-1].content == (Text("PARIS"),)


def test_an_interruption_tells_what_was_delivered() -> None:
    leaf = ScriptedExecutor([Chunk("Par"), Chunk("is")])
    with pytest.raises(StreamTruncatedError) as caught:
        run_virtual(events_of(Stack(Transform(event=shout), leaf)))
    assert caught.value.text == "PARIS"


# -- functions that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["request", "options", "model"])
@pytest.mark.parametrize("function", [boom, lambda value: None], ids=["raises", "returns"])
def test_a_function_that_fails_on_the_way_in_ends_the_call(stream: bool, name: str, function) -> None:
    spare = ScriptedExecutor("spare", name="spare")
    leaf = ScriptedExecutor("never")
    stack = Stack(Fallback(Target(Transform(**{name: function}), leaf), spare))
    with pytest.raises(RejectedError, match=f"the `{name}` function of a transform") as caught:
        run_virtual(ask(stack, stream=stream))
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert "sk-" not in str(caught.value)
    assert leaf.calls == spare.calls == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["response", "event"])
@pytest.mark.parametrize("function", [boom, lambda value: 3], ids=["raises", "returns"])
def test_a_function_that_fails_on_the_way_out_turns_the_answer_down(stream: bool, name: str, function) -> None:
    spare = ScriptedExecutor("spare", name="spare")
    leaf = ScriptedExecutor("odd", name="first")
    stack = Stack(Fallback(Target(Retry(), Transform(**{name: function}), leaf), spare))
    response = run_virtual(ask(stack, stream=stream))
    assert response.text == "spare"
    first, second = response.attempts
    assert first.kind is ErrorKind.ANSWER_REJECTED
    assert f"the `{name}` function of a transform" in first.message
    assert "sk-" not in first.message
    assert second.outcome is Outcome.COMPLETED
    assert leaf.open_streams == 0


def test_an_event_function_that_fails_late_interrupts_the_stream() -> None:
    def late(event: Chunk) -> Chunk:
        if event.content == "c":
            raise KeyError("c")
        return event

    leaf = ScriptedExecutor(answer(["a", "b", "c", "d"], usage=Usage(total_tokens=1)))
    with pytest.raises(StreamInterruptedError) as caught:
        run_virtual(events_of(Stack(Transform(event=late), leaf)))
    error = caught.value
    assert (error.text, error.kind, error.failover) == ("ab", ErrorKind.ANSWER_REJECTED, False)
    assert "KeyError" in str(error)
    assert isinstance(error.cause.__cause__, KeyError)
    assert leaf.open_streams == 0


def test_an_event_function_is_no_coroutine() -> None:
    async def later(event: object) -> object:
        return event

    with pytest.raises(RejectedError, match="`event` function of a transform returned coroutine"):
        run_virtual(events_of(Stack(Transform(event=later), ScriptedExecutor("a"))))


@pytest.mark.parametrize("name", ["request", "response", "event"])
def test_an_error_of_our_own_tree_passes_as_it_is(name: str) -> None:
    refusal = RejectedError(ErrorKind.GUARDRAIL, "not with me")

    def refuse(value: object) -> object:
        raise refusal

    with pytest.raises(RejectedError) as caught:
        run_virtual(ask(Stack(Transform(**{name: refuse}), ScriptedExecutor("a")), stream=name == "event"))
    assert caught.value is refusal


# -- the declaration ------------------------------------------------------------------------------------------------


def test_it_needs_a_function() -> None:
    with pytest.raises(ConfigError, match="at least one of request, options, model, response, event"):
        Transform()
    with pytest.raises(ConfigError, match="at least one of"):
        Transform(fingerprint="x")


def test_functions_go_to_a_file_by_name() -> None:
    stack = Stack(Transform(event="os.path:join"), ScriptedExecutor("a"))
    assert stack.layers[0].model_dump(exclude_unset=True, mode="json") == {"event": "posixpath:join"}


def test_the_identity_is_the_functions_names_or_what_stands_for_them() -> None:
    assert Transform(request="os.path:join").identity() == {"transform": {"request": "posixpath:join"}}
    with pytest.raises(ConfigError, match=r"request: .* or give the transform fingerprint='...'"):
        Transform(request=lambda request: request).identity()
    named = Transform(request=lambda request: request, identity="brief-1")
    assert named.fingerprint == "brief-1"
    assert named.identity() == {"transform": "brief-1"}


def test_outside_of_a_stack_it_works_too() -> None:
    async def main() -> None:
        layer = Transform(event=shout)
        built = Stack(layer, ScriptedExecutor("x")).build()
        executor = built.find(ExecutorWrapper)
        assert executor is not None
        inner = type(built.inner)(ScriptedExecutor(answer(["Par", "is"])), layer)
        assert (await (await inner.exec_chat_stream_events("m", REQUEST)).collect()).text == "PARIS"

    run_virtual(main())
