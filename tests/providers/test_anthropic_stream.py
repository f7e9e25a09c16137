"""Streams of the Anthropic dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.anthropic_events import (
    LIFT,
    PING,
    STOP,
    begin,
    closes,
    delta,
    end_of,
    ends,
    event,
    opened,
    opens,
    run,
    says,
    whole,
)

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    ReasoningChunk,
    Start,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage
from lamellar.errors import ErrorKind, ExecutorError

START = Start(model="m", provider="anthropic", provider_model="claude-x-1", response_id="msg_1")


def failed(*pieces: bytes, **more: Any) -> ExecutorError:
    events, parser = run(*pieces, **more)
    assert not any(isinstance(event, End) for event in events)
    assert not parser.ended
    assert parser.error is not None
    assert (parser.error.provider, parser.error.model, parser.error.status) == ("anthropic", "m", 200)
    return parser.error


def test_an_answer():
    events = whole(begin(), PING, says("Hel") + says("lo", 1), ends(), STOP)
    assert events[:-1] == [START, PROGRESS, Chunk("Hel"), PROGRESS, Chunk("lo")]
    end = events[-1]
    assert isinstance(end, End)
    assert end.content == (Text("Hel"), Text("lo"))
    assert end.stop_reason is not None
    assert (end.stop_reason, end.stop_reason.raw) == ("completed", "end_turn")
    assert (end.response_id, end.provider_model, end.raw) == ("msg_1", "claude-x-1", None)


def test_heartbeats_make_no_events():
    parser = opened()
    assert parser.feed(begin()) == [START]
    for beat in (PING, b": keep-alive\n\n", b"\n", b"data: \n\n", event("from_the_future", x=1), closes(9)):
        assert parser.feed(beat) == []
    assert parser.feed(ends(None)) == []
    assert not parser.finishing


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, None])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_bytes_in_any_pieces_and_lines_in_any_ending(size, ending):
    data = b"".join([begin(), PING, says("Größe 💡"), ends(), STOP]).replace(b"\n", ending)
    assert end_of(data, size=size).content == (Text("Größe 💡"),)


def test_usage_is_told_in_snapshots():
    parser = opened()
    parser.feed(begin({"input_tokens": 20, "cache_read_input_tokens": 5, "output_tokens": 1}))
    assert parser.usage
    assert (parser.usage.prompt_tokens, parser.usage.completion_tokens) == (25, 1)
    parser.feed(ends("end_turn", {"input_tokens": 30, "cache_read_input_tokens": None, "output_tokens": 9}))
    (end,) = parser.feed(STOP)
    assert isinstance(end, End)
    assert end.usage
    assert (end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.total_tokens) == (35, 9, 44)
    assert parser.usage == end.usage


@pytest.mark.failure(33)
def test_usage_that_is_not_told_is_none():
    assert end_of(begin({}), says("a"), ends(usage={}), STOP).usage is None
    assert end_of(begin({}), says("a"), ends(usage={"output_tokens": 3}), STOP).usage == Usage(completion_tokens=3)


def test_the_end_comes_with_message_stop_and_the_finish_before_it():
    parser = opened()
    parser.feed(begin() + says("a"))
    assert not parser.finishing
    assert parser.feed(ends()) == []
    assert parser.finishing
    assert not parser.ended
    assert isinstance(parser.feed(STOP)[-1], End)
    assert parser.ended
    assert parser.feed(says("more", 1)) == []
    assert parser.finish() == []


@pytest.mark.parametrize("tail", [b"", b"event: message_stop\n", b"event: message_stop\ndata: {", b"data: [DONE]\n\n"])
def test_after_the_finish_any_end_will_do(tail):
    assert end_of(begin(), says("a"), ends(), tail).content == (Text("a"),)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("end_turn", "completed"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_call"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
    ],
)
def test_stop_reasons(raw, kind):
    reason = end_of(begin(), says("a"), ends(raw), STOP).stop_reason
    assert reason is not None
    assert (reason, reason.raw) == (kind, raw)


def test_thinking_and_its_signature():
    events = whole(
        begin(),
        opens({"type": "thinking", "thinking": "", "signature": ""}),
        delta("thinking_delta", thinking="h"),
        delta("thinking_delta", thinking=""),
        delta("thinking_delta", thinking="m"),
        delta("signature_delta", signature="sig"),
        closes(),
        says("a", 1),
        ends(),
        STOP,
    )
    assert events[1:6] == [
        PROGRESS,
        ReasoningChunk("h"),
        PROGRESS,
        ReasoningChunk("m"),
        ThoughtSignatureChunk("sig"),
    ]
    assert isinstance(events[-1], End)
    assert events[-1].content == (
        ReasoningContent(text="hm"),
        ThoughtSignature(signature="sig", provider="anthropic"),
        Text("a"),
    )


def test_thinking_that_is_not_shown():
    redacted: Any = {"type": "redacted_thinking", "data": "xyz"}
    hidden = opens({"type": "thinking", "thinking": "", "signature": ""}) + delta("signature_delta", signature="s")
    events = whole(begin(), hidden, closes(), opens(redacted, 1), closes(1), says("a", 2), ends(), STOP)
    assert events[1:4] == [PROGRESS, ThoughtSignatureChunk("s"), PROGRESS]
    assert isinstance(events[-1], End)
    assert events[-1].content == (
        ThoughtSignature(signature="s", provider="anthropic"),
        Custom(model="anthropic", data=redacted),
        Text("a"),
    )


def tool(index: int, call_id: str, *pieces: str, given: Any = None) -> bytes:
    block = {"type": "tool_use", "id": call_id, "name": f"f_{call_id}", "input": given or {}}
    deltas = [delta("input_json_delta", index, partial_json=piece) for piece in pieces]
    return opens(block, index) + b"".join(deltas) + closes(index)


def test_tool_calls_come_as_deltas():
    events = whole(begin(), says("a"), tool(1, "t1", "", '{"x"', ": 1}"), tool(2, "t2"), ends("tool_use"), STOP)
    assert [event for event in events if isinstance(event, ToolCallChunk)] == [
        ToolCallChunk(0, "t1", "f_t1"),
        ToolCallChunk(0, None, None, '{"x"'),
        ToolCallChunk(0, None, None, ": 1}"),
        ToolCallChunk(1, "t2", "f_t2"),
    ]
    assert isinstance(events[-1], End)
    assert events[-1].content == (
        Text("a"),
        ToolCall(call_id="t1", fn_name="f_t1", fn_arguments={"x": 1}),
        ToolCall(call_id="t2", fn_name="f_t2", fn_arguments={}),
    )


def test_a_call_that_opens_with_its_whole_input():
    events = whole(begin(), tool(0, "t1", given={"x": 1}), ends("tool_use"), STOP)
    assert events[1:3] == [ToolCallChunk(0, "t1", "f_t1"), ToolCallChunk(0, None, None, '{"x":1}')]
    twice = end_of(begin(), tool(0, "t1", '{"y": 2}', given={"x": 1}), ends("tool_use"), STOP)
    assert twice.tool_calls[0].fn_arguments == {"y": 2}


def test_a_call_that_the_bound_cut_off_keeps_its_text():
    end = end_of(begin(), tool(0, "t1", '{"x": "lo'), ends("max_tokens"), STOP)
    assert end.tool_calls[0].fn_arguments == '{"x": "lo'


def test_the_providers_own_tools_are_a_sign_of_life_and_kept():
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]}
    events = whole(
        begin(),
        opens(search),
        delta("input_json_delta", partial_json='{"query": '),
        delta("input_json_delta", partial_json='"q"}'),
        closes(),
        opens(found, 1),
        closes(1),
        opens({"type": "text", "text": "", "citations": []}, 2),
        delta("citations_delta", 2, citation={"type": "web_search_result_location"}),
        delta("text_delta", 2, text="Sunny"),
        closes(2),
        opens({"type": "compaction", "content": "so "}, 3),
        delta("compaction_delta", 3, content="far"),
        closes(3),
        ends(container={"id": "c"}),
        STOP,
    )
    assert events[1:8] == [PROGRESS] * 6 + [Chunk("Sunny")]
    assert isinstance(events[-1], End)
    assert events[-1].content == (
        Custom(model="anthropic", data={**search, "input": {"query": "q"}}),
        Custom(model="anthropic", data=found),
        Text("Sunny"),
        Custom(model="anthropic", data={"citations": [{"type": "web_search_result_location"}]}),
        Custom(model="anthropic", data={"type": "compaction", "content": "so far"}),
        Custom(model="anthropic", data={"container": {"id": "c"}}),
    )


def test_blocks_that_come_with_the_start():
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}
    end = end_of(begin(content=[call]), ends("tool_use"), STOP)
    assert end.content == (ToolCall(call_id="t", fn_name="f", fn_arguments={"x": 1}),)


def test_what_servers_leave_out():
    bare = delta("text_delta", text="a").split(b"\n", 1)[1]  # the name of the event
    events = whole(bare, delta("text_delta", text="b"), ends(), STOP)
    assert events[:2] == [Start(model="m", provider="anthropic"), PROGRESS]
    assert isinstance(events[-1], End)
    assert events[-1].content == (Text("ab"),)
    unnumbered = end_of(
        begin(), opens({"type": "text", "text": "x"}, None), delta("text_delta", None, text="y"), ends(), STOP
    )
    assert unnumbered.content == (Text("xy"),)
    call = end_of(begin(), opens({"type": "tool_use"}), closes(), ends("tool_use"), STOP).tool_calls[0]
    assert (call.call_id, call.fn_name, call.fn_arguments) == ("call_0", "", {})


def test_inline_thinking_is_lifted_where_that_is_asked():
    pieces = [begin(), opens({"type": "text", "text": ""})]
    pieces += [delta("text_delta", text=piece) for piece in ("<thi", "nk>h", "m</th", "ink>\n\nHel", "lo <")]
    events = whole(*pieces, closes(), ends(), STOP, options=LIFT)
    assert "".join(event.content for event in events if isinstance(event, ReasoningChunk)) == "hm"
    assert "".join(event.content for event in events if isinstance(event, Chunk)) == "Hello <"
    assert isinstance(events[-1], End)
    assert events[-1].content == (ReasoningContent(text="hm"), Text("Hello <"))


def test_the_last_payload_that_says_something_is_raw():
    end = end_of(begin(), says("a"), ends(), STOP, options=ChatOptions(capture_raw_body=True))
    assert isinstance(end.raw, dict)
    assert end.raw["type"] == "message_delta"


# -- failures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [begin()], [begin(), PING, says("a")]])
@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("overloaded_error", ErrorKind.OVERLOADED),
        ("rate_limit_error", ErrorKind.RATE_LIMITED),
        ("api_error", ErrorKind.SERVER_ERROR),
        ("timeout_error", ErrorKind.TIMEOUT),
        ("invalid_request_error", ErrorKind.INVALID_REQUEST),
        ("authentication_error", ErrorKind.UNAUTHORIZED),
    ],
)
@pytest.mark.failure(4)
def test_errors_in_band(before, type_, kind):
    caught = failed(*before, event("error", error={"type": type_, "message": "sorry"}, request_id="req_7"))
    assert (caught.kind, caught.message, caught.request_id) == (kind, "sorry", "req_7")


def test_an_error_after_the_finish_is_an_error_all_the_same():
    assert failed(begin(), says("a"), ends(), event("error", error={"type": "api_error"})).kind == "server_error"


def test_events_before_an_error_come_first():
    events, parser = run(begin(), says("a"), event("error", error={"type": "overloaded_error", "message": "m"}))
    assert events == [START, PROGRESS, Chunk("a")]
    assert parser.usage
    assert parser.usage.prompt_tokens == 7


def test_an_error_in_band_takes_no_hint_from_the_headers():
    parser = opened(headers={"retry-after": "31"})
    parser.feed(event("error", error={"type": "overloaded_error", "message": "m"}))
    assert parser.error is not None
    assert parser.error.retry_after is None


@pytest.mark.parametrize(
    "data",
    [
        b"event: error\ndata: Overloaded\n\n",
        b'event: error\ndata: "Overloaded"\n\n',
        b'data: {"error": {"message": "Overloaded", "type": "api_error"}}\n\n',
    ],
)
def test_errors_in_other_forms(data):
    caught = failed(begin(), data)
    assert caught.kind == "server_error"
    assert "Overloaded" in caught.message


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"event: content_block_delta\ndata: {\n\n", "an event is not JSON"),
        (b"data: [1]\n\n", "an event is a JSON list"),
        (event("content_block_delta", index=0), "`delta` is a NoneType"),
        (event("content_block_start", index=0, content_block="text"), "a block is a str"),
        (event("message_start", message=[]), "`message` is a list"),
        (delta("text_delta", text=7), "`text` is a int"),
        (delta("input_json_delta", partial_json="{}"), "a delta belongs to no block"),
    ],
)
def test_malformed_events(data, what):
    caught = failed(begin(), data, says("more", 1), ends(), STOP)
    assert caught.kind == "malformed"
    assert caught.message.startswith(what)


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [begin()],
        [begin(), says("a")],
        [begin(), says("a"), ends(None)],
        [begin(), says("a"), ends(None), STOP],
        [begin(), says("a"), STOP],
        [begin(), says("a"), b"data: [DONE]\n\n"],
        [begin(), says("a"), ends()[:-9]],
        [b"eve"],
    ],
)
@pytest.mark.failure(2)
def test_a_stream_without_a_stop_reason_is_truncated(pieces):
    assert failed(*pieces).kind == "truncated"


def test_an_event_without_its_blank_line_counts():
    assert end_of(begin(), says("a"), ends()[:-2]).content == (Text("a"),)


def test_a_refusal_with_nothing_delivered_is_an_error():
    details: Any = {"type": "refusal", "explanation": "no recipes for that"}
    caught = failed(begin(), ends("refusal", stop_details=details), STOP)
    assert (caught.kind, caught.code) == ("content_filtered", "refusal")
    assert caught.message == "the model refused to answer: no recipes for that"
    end = end_of(begin(), says("Well"), ends("refusal", stop_details=details), STOP)
    assert end.stop_reason == "content_filter"
    assert end.content == (Text("Well"), Custom(model="anthropic", data={"stop_details": details}))


def test_an_answer_that_was_not_streamed():
    usage = {"input_tokens": 2, "output_tokens": 1}
    content = [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]
    body = json.dumps({"id": "msg_1", "type": "message", "content": content, "stop_reason": "tool_use", "usage": usage})
    events, parser = run(body.encode(), size=9)
    assert parser.ended
    assert [type(event) for event in events] == [Start, Chunk, ToolCallChunk, End]
    assert parser.usage == Usage(prompt_tokens=2, completion_tokens=1, total_tokens=3)
    assert failed(b'{"type": "error", "error": {"type": "overloaded_error"}}').kind == "overloaded"
    assert failed(b"<html><title>Sign in</title></html>").kind == "malformed"
