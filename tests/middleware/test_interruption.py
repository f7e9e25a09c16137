"""What Retry and Fallback do when a stream breaks after part of it was delivered (`on_interrupt`)."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from lamellar import (
    CallContext,
    ChatOptions,
    ChatRequest,
    Chunk,
    End,
    ErrorKind,
    ExecutorError,
    JsonSchemaFormat,
    Outcome,
    ReasoningChunk,
    Restart,
    Stack,
    Start,
    StopReason,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
    Target,
    ThoughtSignatureChunk,
    ToolCallChunk,
    Usage,
)
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.testing import Hang, Scripted, ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")


def busy(kind: str = "overloaded", **known: object) -> ExecutorError:
    return ExecutorError(kind, "no", **known)


def end(tokens: int = 1, reason: str = "completed") -> End:
    return End(stop_reason=StopReason(reason), usage=Usage(completion_tokens=tokens))


def chunks(*texts: str) -> list[Chunk]:
    return [Chunk(text) for text in texts]


def cut(*events: object, by: ExecutorError | None = None) -> Scripted:
    return Scripted((*events, by or busy("connection")))


def whole(*events: object, tokens: int = 1) -> Scripted:
    return Scripted((*events, end(tokens)))


class Seen:
    """What a consumer saw of one call, in virtual time."""

    def __init__(self, stack: Stack, options: ChatOptions | None = None) -> None:
        self.events: list[object] = []
        self.error: BaseException | None = None
        run_virtual(self._run(stack, options))

    async def _run(self, stack: Stack, options: ChatOptions | None) -> None:
        async with stack.build(rng=Random(0)) as executor:
            try:
                self.stream = stream = await executor.exec_chat_stream_events("m", REQUEST, options)
                async with stream:
                    async for event in stream:
                        self.events.append(event)
            except Exception as error:
                self.error = error
        self.attempts = [(each.outcome, each.kind) for each in self.stream.attempts]

    @property
    def said(self) -> list[object]:
        """The texts, and the names of the other events."""
        return [each.content if isinstance(each, Chunk) else type(each).__name__ for each in self.events]

    @property
    def text(self) -> str:
        """What a consumer that obeys `Restart` holds in the end."""
        held = ""
        for event in self.events:
            held = "" if isinstance(event, Restart) else held + event.content if isinstance(event, Chunk) else held
        return held


def retried(*script: Scripted, on_interrupt: str = "restart", **options: object) -> Stack:
    return Stack(Retry(on_interrupt=on_interrupt, **options), ScriptedExecutor(*script))


def fallen(*script: Scripted, on_interrupt: str = "restart", prefill: bool = False) -> Stack:
    targets = [
        Target(ScriptedExecutor(each), model=f"m{place}", name=f"t{place}", prefill=prefill)
        for place, each in enumerate(script)
    ]
    return Stack(Fallback(*targets, on_interrupt=on_interrupt))


BOTH = pytest.mark.parametrize("made", [retried, fallen])


class TestRaise:
    @BOTH
    def test_is_the_default(self, made):
        stack = made(cut(*chunks("a", "b")), whole(*chunks("a", "b", "c")), on_interrupt="raise")
        seen = Seen(stack)
        assert seen.said == ["Start", "a", "b"]
        assert isinstance(seen.error, StreamInterruptedError)
        assert Retry().on_interrupt == Fallback(ScriptedExecutor()).on_interrupt == "raise"


class TestRestart:
    @BOTH
    def test_what_repeats_is_not_sent_twice(self, made):
        seen = Seen(made(cut(*chunks("The sky ", "is bl")), whole(*chunks("The ", "sky is", " blue", "."), tokens=9)))
        assert seen.said == ["Start", "The sky ", "is bl", "ue", ".", "End"]
        assert seen.error is None
        assert seen.events[-1].usage.completion_tokens == 9
        assert seen.events[-1].content[0].text == "The sky is blue."
        assert seen.attempts == [("failed", "connection"), ("completed", None)]
        assert seen.stream.outcome is Outcome.COMPLETED

    @BOTH
    @pytest.mark.failure(1)
    def test_the_first_difference_tells_the_consumer_to_drop_what_it_has(self, made):
        seen = Seen(made(cut(*chunks("The sky ", "is gr")), whole(*chunks("The sky", " is blue", "."))))
        assert seen.said == ["Start", "The sky ", "is gr", "Restart", "The sky", " is blue", ".", "End"]
        assert seen.text == "The sky is blue."
        restart = seen.events[3]
        assert restart.reason is ErrorKind.CONNECTION
        assert restart.model == ("m" if made is retried else "m1")
        assert restart.target == seen.stream.attempts[-1].target

    @BOTH
    def test_a_new_answer_that_ends_early_replaces_the_old_one(self, made):
        seen = Seen(made(cut(*chunks("one two three")), whole(*chunks("one ", "two"))))
        assert seen.said == ["Start", "one two three", "Restart", "one ", "two", "End"]

    @BOTH
    def test_a_new_answer_of_nothing_replaces_it_too(self, made):
        assert Seen(made(cut(*chunks("one")), whole())).said == ["Start", "one", "Restart", "End"]

    @BOTH
    def test_reasoning_and_text_are_compared_each_for_itself(self, made):
        first = cut(ReasoningChunk("hm"), Chunk("a"))
        seen = Seen(made(first, whole(ReasoningChunk("h"), ReasoningChunk("mm"), Chunk("ab"))))
        assert [type(each) for each in seen.events] == [Start, ReasoningChunk, Chunk, ReasoningChunk, Chunk, End]
        assert [each.content for each in seen.events[1:-1]] == ["hm", "a", "m", "b"]
        other = Seen(made(first, whole(ReasoningChunk("ha"), Chunk("ab"))))
        assert [type(each) for each in other.events[3:]] == [Restart, ReasoningChunk, Chunk, End]

    @BOTH
    @pytest.mark.parametrize("delivered", [ToolCallChunk(0, "c1", "f", "{"), ThoughtSignatureChunk("s")])
    def test_after_a_tool_call_or_a_signature_it_starts_over_at_once(self, made, delivered):
        answer = [Chunk("a"), ToolCallChunk(0, "c2", "f", "{}")]
        seen = Seen(made(cut(Chunk("a"), delivered), whole(*answer)))
        assert [type(each) for each in seen.events[3:]] == [Restart, Chunk, ToolCallChunk, End]
        assert seen.events[-1].tool_calls[0].call_id == "c2"

    @BOTH
    def test_a_tool_call_where_text_was_to_be_repeated_is_a_difference(self, made):
        seen = Seen(made(cut(*chunks("Let me look")), whole(Chunk("Let"), ToolCallChunk(0, "c", "f", "{}"))))
        assert seen.said == ["Start", "Let me look", "Restart", "Let", "ToolCallChunk", "End"]

    def test_several_breaks_in_a_row(self):
        script = [cut(*chunks("ab")), cut(*chunks("a")), cut(*chunks("abc")), whole(*chunks("abcd"))]
        seen = Seen(retried(*script, attempts=4))
        assert seen.said == ["Start", "ab", "c", "d", "End"]
        assert [kind for _, kind in seen.attempts] == ["connection"] * 3 + [None]

    def test_failures_before_the_content_of_the_new_answer_are_tries_too(self):
        script = [cut(*chunks("ab")), Scripted((), (busy(),)), Scripted((Chunk(""), busy())), whole(*chunks("abc"))]
        seen = Seen(retried(*script, attempts=4))
        assert seen.said == ["Start", "ab", "c", "End"]

    @pytest.mark.failure(10)
    def test_attempts_are_bounded_over_the_whole_call(self):
        seen = Seen(retried(*[cut(*chunks("ab"))] * 9, attempts=3))
        assert len(seen.attempts) == 3
        assert isinstance(seen.error, StreamInterruptedError)
        assert (seen.error.text, seen.said) == ("ab", ["Start", "ab"])
        assert len(seen.error.attempts) == 3

    def test_the_retry_acts_first_then_the_fallback(self):
        target = ScriptedExecutor(*[cut(*chunks("ab"))] * 9)
        other = ScriptedExecutor(whole(*chunks("abc")))
        fallback = Fallback(
            Target(Retry(attempts=2, on_interrupt="restart"), target, name="a"),
            Target(other, name="b"),
            on_interrupt="restart",
        )
        seen = Seen(Stack(fallback))
        assert seen.said == ["Start", "ab", "c", "End"]
        assert [each.target for each in seen.stream.attempts] == ["a", "a", "b"]

    def test_an_outer_layer_counts_from_the_inner_ones_restart(self):
        target = ScriptedExecutor(cut(*chunks("old")), cut(*chunks("new")))
        other = ScriptedExecutor(whole(*chunks("newer")))
        fallback = Fallback(
            Target(Retry(attempts=2, on_interrupt="restart"), target), Target(other), on_interrupt="restart"
        )
        assert Seen(Stack(fallback)).said == ["Start", "old", "Restart", "new", "er", "End"]

    def test_the_partial_of_the_final_error_is_what_the_consumer_holds(self):
        script = [cut(*chunks("old")), cut(*chunks("new", "er")), cut(*chunks("newe"), by=None)]
        seen = Seen(retried(*script, attempts=3))
        assert seen.text == seen.error.text == "newer"

    @BOTH
    @pytest.mark.failure(1)
    def test_a_stream_that_just_stops_is_asked_for_again_like_any_other(self, made):
        seen = Seen(made(Scripted(tuple(chunks("ab"))), whole(*chunks("abc"))))
        assert seen.said == ["Start", "ab", "c", "End"]
        last = Seen(made(*[Scripted(tuple(chunks("ab")))] * 3))
        assert isinstance(last.error, StreamTruncatedError)
        assert last.error.text == "ab"

    def test_what_may_not_be_retried_is_not(self):
        assert len(Seen(retried(cut(*chunks("a"), by=busy("content_filtered")), whole())).attempts) == 1
        assert len(Seen(fallen(cut(*chunks("a"), by=busy("content_filtered")), whole())).attempts) == 1
        silent = Scripted((Chunk("a"), Hang()))
        limits = Timeout(idle=5)
        seen = Seen(Stack(limits, Retry(on_interrupt="restart"), ScriptedExecutor(silent, whole(Chunk("ab")))))
        assert seen.attempts == [("failed", "timeout")]
        fallback = Fallback(
            Target(ScriptedExecutor(silent)), Target(ScriptedExecutor(whole(*chunks("ab")))), on_interrupt="restart"
        )
        assert Seen(Stack(limits, fallback)).said == ["Start", "a", "b", "End"]

    def test_a_permanent_error_of_the_next_target_does_not_mask_the_break(self):
        seen = Seen(
            fallen(cut(*chunks("a"), by=busy("overloaded")), Scripted((), (busy("invalid_request", status=400),)))
        )
        assert (seen.error.kind, seen.error.text) == (ErrorKind.OVERLOADED, "a")
        seen = Seen(fallen(cut(*chunks("a")), Scripted((), (busy("server_error"),))))
        assert (seen.error.kind, seen.error.text) == (ErrorKind.SERVER_ERROR, "a")

    def test_it_keeps_to_the_deadline_of_the_call(self):
        script = [cut(*chunks("a"), by=busy(retry_after=7)), whole(*chunks("ab"))]
        options = ChatOptions(call=CallContext(timeout=5))
        seen = Seen(retried(*script), options)
        assert (seen.said, len(seen.attempts)) == (["Start", "a"], 1)
        slow = [cut(*chunks("a")), Scripted((Hang(),))]
        seen = Seen(retried(*slow), options)
        assert isinstance(seen.error, StreamInterruptedError)
        assert seen.error.kind in (ErrorKind.DEADLINE, ErrorKind.TIMEOUT)

    def test_a_whole_answer_is_not_concerned(self):
        async def main():
            async with retried(busy(), "fine").build(rng=Random(0)) as executor:
                return await executor.exec_chat_response("m", REQUEST)

        assert run_virtual(main()).text == "fine"


class TestContinue:
    def test_a_target_that_can_goes_on_from_the_partial_text(self):
        seen = Seen(
            fallen(cut(*chunks("The sky")), whole(*chunks(" is ", "blue.")), on_interrupt="continue", prefill=True)
        )
        assert seen.said == ["Start", "The sky", " is ", "blue.", "End"]
        assert seen.events[-1].content[0].text == "The sky is blue."

    def test_the_target_is_shown_the_partial_text(self):
        second = ScriptedExecutor(whole(*chunks("b")))
        targets = Target(ScriptedExecutor(cut(*chunks("a")))), Target(second, prefill=True)
        Seen(Stack(Fallback(*targets, on_interrupt="continue")))
        *before, last = second.calls[0].chat_req.messages
        assert tuple(before) == REQUEST.messages
        assert (last.role, last.content[0].text) == ("assistant", "a")

    def test_retry_goes_on_in_a_target_that_declares_it(self):
        leaf = ScriptedExecutor(cut(*chunks("a")), whole(*chunks("b")))
        retry = Retry(on_interrupt="continue")
        assert Seen(Stack(Fallback(Target(retry, leaf, prefill=True)))).said == ["Start", "a", "b", "End"]
        leaf = ScriptedExecutor(cut(*chunks("a")), whole(*chunks("b")))
        assert Seen(Stack(Fallback(Target(retry, leaf)))).said == ["Start", "a", "Restart", "b", "End"]

    @pytest.mark.parametrize(
        ("delivered", "options"),
        [
            ([Chunk("a ")], None),
            ([Chunk("a\n")], None),
            ([ReasoningChunk("hm"), Chunk("a")], None),
            ([Chunk("a"), ThoughtSignatureChunk("s")], None),
            ([Chunk("a"), ToolCallChunk(0, "c", "f", "{}")], None),
            ([Chunk("a")], ChatOptions(reasoning_effort="high")),
            ([Chunk("a")], ChatOptions(response_format=JsonSchemaFormat(name="n", schema={}))),
        ],
    )
    def test_where_it_cannot_be_asked_for_it_restarts(self, delivered, options):
        second = ScriptedExecutor(whole(*chunks("new")))
        targets = Target(ScriptedExecutor(cut(*delivered))), Target(second, prefill=True)
        seen = Seen(Stack(Fallback(*targets, on_interrupt="continue")), options)
        assert "Restart" in seen.said
        assert second.calls[0].chat_req == REQUEST

    @pytest.mark.failure(19)
    def test_a_target_that_refuses_the_prefill_is_asked_the_whole_question(self):
        second = ScriptedExecutor(Scripted((), (busy("invalid_request", status=400),)), whole(*chunks("ab")))
        targets = Target(ScriptedExecutor(cut(*chunks("a")))), Target(second, prefill=True)
        seen = Seen(Stack(Fallback(*targets, on_interrupt="continue")))
        assert (seen.said, seen.error) == (["Start", "a", "b", "End"], None)
        assert second.calls[1].chat_req == REQUEST

    def test_a_continuation_with_nothing_in_it_does_not_make_a_part_the_whole(self):
        second = ScriptedExecutor(Scripted((End(),)), whole(*chunks("ab")))
        targets = Target(ScriptedExecutor(cut(*chunks("a")))), Target(second, prefill=True)
        assert Seen(Stack(Fallback(*targets, on_interrupt="continue"))).said == ["Start", "a", "b", "End"]
        assert second.calls[1].chat_req == REQUEST
        leaf = ScriptedExecutor(cut(*chunks("a")), Scripted((End(),)), whole(*chunks("ab")))
        retried = Fallback(Target(Retry(on_interrupt="continue"), leaf, prefill=True))
        assert Seen(Stack(retried)).said == ["Start", "a", "b", "End"]
        assert leaf.calls[2].chat_req == REQUEST

    def test_a_model_that_has_nothing_to_add_and_says_so_has_ended(self):
        leaf = ScriptedExecutor(cut(*chunks("a")), Scripted((End(usage=Usage(prompt_tokens=3)),)))
        seen = Seen(Stack(Fallback(Target(Retry(on_interrupt="continue"), leaf, prefill=True))))
        assert seen.said == ["Start", "a", "End"]
        assert seen.events[-1].content[0].text == "a"

    def test_a_break_of_the_continuation_is_continued_too(self):
        leaf = ScriptedExecutor(cut(*chunks("a")), cut(*chunks("b")), whole(*chunks("c")))
        seen = Seen(Stack(Fallback(Target(Retry(on_interrupt="continue"), leaf, prefill=True))))
        assert seen.said == ["Start", "a", "b", "c", "End"]
        assert seen.events[-1].content[0].text == "abc"
        assert leaf.calls[2].chat_req.messages[-1].content[0].text == "ab"


class TestTheConsumer:
    def collected(self, stack):
        async def main():
            async with stack.build(rng=Random(0)) as executor:
                return await (await executor.exec_chat_stream_events("m", REQUEST)).collect()

        return run_virtual(main())

    def test_collect_gives_the_answer_that_was_whole(self):
        assert self.collected(fallen(cut(*chunks("ab")), whole(*chunks("abc")))).text == "abc"
        response = self.collected(fallen(cut(*chunks("ab")), whole(*chunks("xyz"))))
        assert (response.text, response.model) == ("xyz", "m1")
        assert len(response.attempts) == 2

    def test_pieces_of_text_cannot_be_taken_back(self):
        async def main(stack):
            pieces = []
            executor = stack.build(rng=Random(0))
            async with executor, await executor.exec_chat_stream_events("m", REQUEST) as stream:
                try:
                    async for piece in stream.text():
                        pieces.append(piece)
                except StreamInterruptedError as error:
                    return pieces, error.kind, len(error.attempts)
            return pieces, None, len(stream.attempts)

        assert run_virtual(main(fallen(cut(*chunks("ab")), whole(*chunks("abc"))))) == (["ab", "c"], None, 2)
        assert run_virtual(main(fallen(cut(*chunks("ab")), whole(*chunks("x"))))) == (["ab"], ErrorKind.CONNECTION, 2)

    @pytest.mark.parametrize("how", ["close", "cancel"])
    @pytest.mark.parametrize("after", [0.2, 3], ids=["in the backoff", "while the next one is silent"])
    def test_leaving_while_it_is_asked_for_again_closes_everything(self, how, after):
        async def main():
            leaf = ScriptedExecutor(cut(*chunks("a")), Scripted((Hang(),)))
            async with Stack(Retry(on_interrupt="restart", initial=1), leaf).build(rng=Random(0)) as executor:
                stream = await executor.exec_chat_stream_events("m", REQUEST)

                async def consume():
                    async with stream:
                        async for _ in stream:
                            pass

                task = asyncio.create_task(consume())
                await asyncio.sleep(after)
                if how == "close":
                    await stream.aclose()
                    with pytest.raises(StreamClosedError):
                        await task
                else:
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                assert stream.outcome is (Outcome.ABANDONED if how == "close" else Outcome.CANCELLED)
                await asyncio.sleep(0.1)
                assert leaf.open_streams == 0

        run_virtual(main())
