"""ExtractReasoning: reasoning between tags is told as reasoning, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar import (
    ChatRequest,
    ChatResponse,
    Chunk,
    ConfigError,
    Custom,
    End,
    ExecutorError,
    ReasoningChunk,
    ReasoningContent,
    Restart,
    Stack,
    StreamEvent,
    StreamInterruptedError,
    StreamTruncatedError,
    Text,
    ThoughtSignature,
    ThoughtSignatureChunk,
    ToolCall,
    ToolCallChunk,
)
from lamellar.chat.content import reasoning_of, text_of
from lamellar.middleware import ExtractReasoning, Retry
from lamellar.testing import Scripted, ScriptedExecutor, answer, run_virtual

REQUEST = ChatRequest.from_user("hi")


def whole(said: str | Scripted, **options: object) -> ChatResponse:
    async def main() -> ChatResponse:
        async with Stack(ExtractReasoning(**options), ScriptedExecutor(said)).build() as executor:
            return await executor.exec_chat_response("m", REQUEST)

    return run_virtual(main())


def streamed(said: Scripted, **options: object) -> list[StreamEvent]:
    """The events after `Start`."""

    async def main() -> list[StreamEvent]:
        stack = Stack(ExtractReasoning(**options), ScriptedExecutor(said))
        async with stack.build() as executor, await executor.exec_chat_stream_events("m", REQUEST) as events:
            return [event async for event in events][1:]

    return run_virtual(main())


def channels(events: list[StreamEvent]) -> tuple[str, str]:
    """The text and the reasoning that the events tell."""
    text = "".join(event.content for event in events if isinstance(event, Chunk))
    return text, "".join(event.content for event in events if isinstance(event, ReasoningChunk))


@pytest.mark.parametrize(
    ("said", "options", "text", "reasoning"),
    [
        ("<think>hm</think>\n\nParis.", {}, "Paris.", "hm"),
        ("<think>\n hm \n</think>Paris.", {}, "Paris.", "hm"),
        ("Well. <think>hm</think> Paris.", {}, "Well. Paris.", "hm"),
        ("Well.<think>hm</think>\nParis.", {}, "Well.\nParis.", "hm"),
        ("<think>a</think>b<think>c</think>d", {}, "bd", "a\nc"),
        ("<think>a</think>b<think>c</think>d", {"separator": " | "}, "bd", "a | c"),
        ("<think>a</think><think> </think><think>c</think>", {}, "", "a\nc"),
        ("Paris, <think>I be", {}, "Paris, ", "I be"),
        ("1 < 2 <b>and</b> <thin", {}, "1 < 2 <b>and</b> <thin", ""),
        ("<Think>a</Think>", {}, "<Think>a</Think>", ""),
        ("[THINK]a[/THINK]b", {"tags": "[THINK]"}, "b", "a"),
        ("<r>a</think></r>b<think>c</think>", {"tags": ("r", "think")}, "b", "a</think>\nc"),
        ("a</think>b", {"starts_with_reasoning": True}, "b", "a"),
        (" <think>a</think>b", {"starts_with_reasoning": True}, "b", "a"),
        ("no tag", {"starts_with_reasoning": True}, "", "no tag"),
        ("a</think>b<think>c</think>", {"starts_with_reasoning": True}, "b", "a\nc"),
        ("", {}, "", ""),
    ],
)
def test_what_is_text_and_what_is_reasoning(said: str, options: dict[str, object], text: str, reasoning: str) -> None:
    response = whole(said, **options)
    assert (response.text, response.reasoning_content or "") == (text, reasoning)
    for pieces in ([said], list(said)):
        events = streamed(answer(pieces), **options)
        assert channels(events) == (text, reasoning)
        assert text_of(events[-1].content) == text
        assert (reasoning_of(events[-1].content) or "") == reasoning


WORDS = st.sampled_from(
    ["<think>", "</think>", "[T]", "[/T]", "<", "<th", "ink>", "[", "[/", " ", "\n", "a", "</", "b c"]
)


@given(
    st.lists(WORDS, max_size=15),
    st.lists(st.integers(1, 4), min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from(["", "\n", "--"]),
)
def test_how_the_text_is_cut_makes_no_difference(
    words: list[str], sizes: list[int], inside: bool, separator: str
) -> None:
    said = "".join(words)
    options = {"tags": ("think", "[T]"), "starts_with_reasoning": inside, "separator": separator}
    pieces, at = [], 0
    while at < len(said):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(said[at : at + size])
        at += size
    response = whole(said, **options)
    assert "<think>" not in response.text
    assert "[T]" not in response.text
    for cut in (pieces, words, [said]):
        events = streamed(answer(cut), **options)
        assert channels(events) == (response.text, response.reasoning_content or "")
        assert events[-1].content == response.content


def test_text_without_tags_passes_as_it_is() -> None:
    chunk = Chunk("Paris is nice")
    custom = Custom(data={"a": 1})
    end = End(content=(Text("Paris "), Text("is nice"), custom))
    events = streamed(Scripted((chunk, end)))
    assert events[0] is chunk
    assert events[-1].content == end.content


def test_a_tool_call_ends_a_block_and_its_later_deltas_do_not() -> None:
    said = Scripted(
        (
            Chunk("<think>a"),
            ToolCallChunk(0, "c", "f", '{"x"'),
            Chunk("b <th"),
            ToolCallChunk(0, arguments=":1}"),
            Chunk("ink>c</think>"),
            End(),
        )
    )
    events = streamed(said)
    assert [type(event) for event in events] == [
        ReasoningChunk,
        ToolCallChunk,
        Chunk,
        ToolCallChunk,
        ReasoningChunk,
        End,
    ]
    assert events[-1].content == (
        ReasoningContent(text="a"),
        ToolCall(call_id="c", fn_name="f", fn_arguments={"x": 1}),
        Text("b "),
        ReasoningContent(text="\nc"),
    )
    assert whole(said).content == events[-1].content


def test_what_was_held_back_comes_before_what_follows() -> None:
    events = streamed(Scripted((Chunk("a <th"), ThoughtSignatureChunk("sig"), Chunk("ink>"), End())))
    assert events[:-1] == [Chunk("a "), Chunk("<th"), ThoughtSignatureChunk("sig"), Chunk("ink>")]
    assert events[-1].content == (Text("a <th"), ThoughtSignature(signature="sig"), Text("ink>"))


def test_reasoning_of_the_providers_own_is_kept() -> None:
    events = streamed(Scripted((ReasoningChunk("own"), Chunk("<think>more</think>Paris"), End())))
    assert channels(events) == ("Paris", "ownmore")
    assert events[-1].content == (ReasoningContent(text="own"), ReasoningContent(text="more"), Text("Paris"))


def test_an_interruption_tells_what_was_delivered() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor([Chunk("<think>hm"), Chunk("</think>Par"), Chunk("is <th")])
        async with Stack(ExtractReasoning(), leaf).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            with pytest.raises(StreamTruncatedError) as caught:
                await events.collect()
        assert caught.value.partial == (ReasoningContent(text="hm"), Text("Paris "))
        assert leaf.open_streams == 0

    run_virtual(main())


@pytest.mark.parametrize("cut", [None, ExecutorError("connection", "reset")])
def test_a_stream_that_breaks_before_anything_came_out_is_an_ordinary_failure(cut: ExecutorError | None) -> None:
    broken = Scripted((Chunk("<think>"), *([cut] if cut else [])))

    async def main() -> None:
        leaf = ScriptedExecutor(broken, "Paris", broken, broken)
        async with Stack(Retry(attempts=2), ExtractReasoning(), leaf).build() as executor:
            events = await executor.exec_chat_stream_events("m", REQUEST)
            assert (await events.collect()).text == "Paris"
            with pytest.raises(ExecutorError) as caught:
                await executor.exec_chat_stream_events("m", REQUEST)
        assert caught.value.retryable
        assert not (isinstance(caught.value, StreamInterruptedError) and caught.value.partial)
        assert leaf.open_streams == 0

    run_virtual(main())


def test_a_restart_begins_anew() -> None:
    async def main() -> None:
        leaf = ScriptedExecutor(
            [Chunk("<think>hm"), Chunk(" so"), ExecutorError("connection", "reset")],
            answer(["Par", "is"]),
        )
        stack = Stack(ExtractReasoning(), Retry(on_interrupt="restart", initial=0), leaf)
        async with stack.build() as executor, await executor.exec_chat_stream_events("m", REQUEST) as events:
            seen = [event async for event in events][1:]
        assert [type(event) for event in seen] == [ReasoningChunk, ReasoningChunk, Restart, Chunk, Chunk, End]
        assert seen[-1].content == (Text("Paris"),)

    run_virtual(main())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": ("<think>",)}, "tags: expected the name of a tag, such as 'think'"),
        ({"tags": ()}, "tags: at least one tag"),
        ({"tags": ("a b",)}, "tags: expected the name of a tag"),
    ],
)
def test_a_tag_is_a_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ExtractReasoning(**options)


def test_it_is_a_part_of_the_identity() -> None:
    assert ExtractReasoning().identity() != ExtractReasoning(tags="reason").identity()
