"""Streams of the Responses dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.responses_events import (
    ANSWER,
    CALLED,
    SAID,
    START,
    THOUGHT,
    added,
    call,
    created,
    delta,
    done,
    end_of,
    ends,
    event,
    failed,
    message,
    opened,
    parse,
    response,
    run,
    sent_back,
    text,
    thought,
    whole,
)

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall
from lamellar.chat.events import (
    PROGRESS,
    Chunk,
    End,
    Progress,
    ReasoningChunk,
    Start,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.usage import Usage

ME = "openai_resp"
CONTENT = (
    ReasoningContent(text="hm, so"),
    ThoughtSignature(signature="enc-2", provider=ME),
    Custom(model=ME, data={"reasoning": {"id": "rs_1"}}),
    Text("Hello wörld"),
    Custom(model=ME, data={"message": {"id": "msg_1", "status": "completed", "phase": "final_answer"}}),
    ToolCall(call_id="call_1", fn_name="f", fn_arguments={"q": "ü"}),
    Custom(model=ME, data={"function_call": {"id": "fc_1", "status": "completed"}}),
)


def told(*pieces: bytes, **more: Any) -> list[Any]:
    """The events without signs of life and the end."""
    return [found for found in whole(*pieces, **more)[:-1] if not isinstance(found, Progress)]


def test_an_answer():
    events = whole(*ANSWER)
    assert events[:-1] == [
        START,
        PROGRESS,
        PROGRESS,
        ReasoningChunk("hm, "),
        ReasoningChunk("so"),
        PROGRESS,
        ThoughtSignatureChunk("enc-2"),
        PROGRESS,
        PROGRESS,
        Chunk("Hel"),
        Chunk("lo wörld"),
        PROGRESS,
        ToolCallChunk(0, "call_1", "f", ""),
        ToolCallChunk(0, None, None, '{"q":'),
        ToolCallChunk(0, None, None, '"ü"}'),
        PROGRESS,
    ]
    end = events[-1]
    assert isinstance(end, End)
    assert end.content == CONTENT
    assert (end.stop_reason, end.response_id, end.provider_model, end.raw) == ("tool_call", "resp_1", "gpt-9-001", None)
    assert end.usage
    assert (end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.total_tokens) == (7, 5, 12)
    assert [item.get("id") for item in sent_back(end.content)] == ["rs_1", "msg_1", "fc_1"]


def test_the_whole_answer_is_the_same():
    assert parse(response(THOUGHT, SAID, CALLED)).content == CONTENT


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_pieces_of_any_size_tell_the_same(size: int):
    assert whole(*ANSWER, size=size) == whole(*ANSWER)
    crlf = b"".join(ANSWER).replace(b"\n", b"\r\n")
    assert whole(crlf, size=size) == whole(*ANSWER)


def test_events_without_names():
    bare = b"\n".join(line for line in b"".join(ANSWER).split(b"\n") if not line.startswith(b"event:"))
    assert whole(bare) == whole(*ANSWER)


def test_names_without_types():
    data = [{**json.loads(line[6:]), "type": None} for line in b"".join(ANSWER).split(b"\n") if line[:5] == b"data:"]
    names = [line for line in b"".join(ANSWER).split(b"\n") if line[:6] == b"event:"]
    pairs = zip(names, data, strict=True)
    assert whole(b"".join(name + b"\ndata: " + json.dumps(said).encode() + b"\n\n" for name, said in pairs)) == whole(
        *ANSWER
    )


def test_a_mark_of_the_end_after_the_answer():
    assert whole(*ANSWER, b"data: [DONE]\n\n") == whole(*ANSWER)


def test_the_last_payload_when_it_is_asked_for():
    raw = end_of(*ANSWER, options=ChatOptions(capture_raw_body=True)).raw
    assert isinstance(raw, dict)
    assert (raw["type"], raw["response"]) == ("response.completed", response(THOUGHT, SAID, CALLED))


@pytest.mark.parametrize("output", [(), (THOUGHT, SAID, CALLED)])
def test_the_last_event_may_list_the_items_or_none(output: tuple[Any, ...]):
    assert end_of(*ANSWER[:-1], ends("completed", *output)).content == CONTENT


def test_the_last_event_alone_is_an_answer():
    assert told(ends("completed", THOUGHT, SAID, CALLED)) == [
        START,
        ReasoningChunk("hm, so"),
        ThoughtSignatureChunk("enc-2"),
        Chunk("Hello wörld"),
        ToolCallChunk(0, "call_1", "f", ""),
        ToolCallChunk(0, None, None, '{"q":"ü"}'),
    ]
    assert end_of(ends("completed", THOUGHT, SAID, CALLED)).content == CONTENT


def test_whole_items_without_deltas():
    assert told(created(), done(SAID), done(CALLED, 1), ends()) == [
        START,
        Chunk("Hello wörld"),
        ToolCallChunk(0, "call_1", "f", ""),
        ToolCallChunk(0, None, None, '{"q":"ü"}'),
    ]


def test_the_end_of_an_item_brings_what_its_deltas_did_not():
    pieces = (created(), added(message()), delta("output_text", "Hello"), done(SAID), ends())
    assert told(*pieces)[1:] == [Chunk("Hello"), Chunk(" wörld")]
    other = (created(), added(message()), delta("output_text", "Bye"), done(SAID), ends())
    assert told(*other)[1:] == [Chunk("Bye")]
    late = (created(), added(message()), delta("output_text", "Hello"), ends("completed", SAID))
    assert told(*late)[1:] == [Chunk("Hello"), Chunk(" wörld")]


def test_deltas_of_items_that_were_never_opened():
    pieces = (
        created(),
        event("response.reasoning_text.delta", delta="hm"),
        delta("output_text", "a", item_id="m"),
        delta("function_call_arguments", "{}", 1),
        ends(),
    )
    assert told(*pieces)[1:] == [ReasoningChunk("hm"), Chunk("a"), ToolCallChunk(0, "call_0", "", "{}")]


def test_a_call_is_told_once_its_name_is_there():
    pieces = (created(), added({"type": "function_call", "id": "fc_1"}), delta("function_call_arguments", '{"q":'))
    events = told(*pieces, done(CALLED), ends())
    assert events[1:] == [ToolCallChunk(0, "call_1", "f", '{"q":'), ToolCallChunk(0, None, None, '"ü"}')]


def test_parallel_calls_that_arrive_in_turns():
    one, two = call("f", '{"a":1}', "c1"), call("g", '{"b":2}', "c2", id="fc_2")
    pieces = (
        created(),
        added({**one, "arguments": ""}),
        added({**two, "arguments": ""}, 1),
        delta("function_call_arguments", '{"a"', 0),
        delta("function_call_arguments", '{"b"', 1),
        delta("function_call_arguments", ":1}", 0),
        delta("function_call_arguments", ":2}", 1),
        done(one),
        done(two, 1),
        ends("completed", one, two),
    )
    assert [found.index for found in told(*pieces)[1:]] == [0, 1, 0, 1, 0, 1]
    assert [each.fn_arguments for each in end_of(*pieces).tool_calls] == [{"a": 1}, {"b": 2}]


def test_several_summaries_are_parts_of_their_own():
    pieces = (
        created(),
        added(thought()),
        delta("reasoning_summary_text", "a", summary_index=0),
        delta("reasoning_summary_text", "b", summary_index=1),
        done(thought("a", "bc")),
        ends(),
    )
    assert told(*pieces)[1:] == [ReasoningChunk("a"), ReasoningChunk("b"), ReasoningChunk("c")]
    content = end_of(*pieces).content
    assert content == (
        ReasoningContent(text="a"),
        ReasoningContent(text="bc"),
        Custom(model=ME, data={"reasoning": {"id": "rs_1"}}),
    )


def test_reasoning_itself():
    item = thought(content=[{"type": "reasoning_text", "text": "hmm"}])
    pieces = (created(), added(thought()), delta("reasoning_text", "hmm", content_index=0))
    assert end_of(*pieces, done(item), ends()).content == (
        ReasoningContent(text="hmm"),
        Custom(model=ME, data=item),
    )
    assert end_of(*pieces, ends()).content == (ReasoningContent(text="hmm"), Custom(model=ME, data=item))


def test_the_providers_tools_are_signs_of_life():
    begun = {"id": "ci_1", "type": "code_interpreter_call", "status": "in_progress", "code": ""}
    finished = {**begun, "status": "completed", "code": "1+1", "outputs": None}
    pieces = (
        created(),
        added(begun),
        event("response.code_interpreter_call.in_progress", output_index=0, item_id="ci_1"),
        delta("code_interpreter_call_code", "1+1"),
        event("response.code_interpreter_call.completed", output_index=0, item_id="ci_1"),
        done(finished),
        done(message(text("2")), 1),
        ends(),
    )
    assert whole(*pieces)[:-1] == [START, *[PROGRESS] * 5, Chunk("2")]
    assert end_of(*pieces).content == (Custom(model=ME, data=finished), Text("2"))
    assert sent_back(end_of(*pieces).content or ())[0] == finished


def test_annotations_and_refusals():
    cited = {"type": "url_citation", "url": "https://x.test"}
    pieces = (
        created(),
        added(message()),
        delta("output_text", "a", content_index=0),
        event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=cited),
        delta("refusal", "No", content_index=1),
        delta("refusal", "pe.", content_index=1),
    )
    content = (
        Text("a"),
        Custom(model=ME, data={"annotations": [cited]}),
        Custom(model=ME, data={"refusal": "Nope."}),
    )
    assert end_of(*pieces, ends()).content == content
    finished = message(text("a", annotations=[cited]), {"type": "refusal", "refusal": "Nope."})
    assert end_of(*pieces, done(finished), ends()).content == content
    assert whole(*pieces, done(finished), ends())[:-1] == [START, PROGRESS, Chunk("a"), *[PROGRESS] * 3]


def test_inline_thoughts_are_lifted_in_whatever_pieces():
    pieces = (created(), added(message()), *[delta("output_text", each) for each in "<think>hm</think>so"])
    options = ChatOptions(normalize_reasoning_content=True)
    for last in (ends(), done(message(text("<think>hm</think>so"))) + ends()):
        assert end_of(*pieces, last, options=options).content == (ReasoningContent(text="hm"), Text("so"))


def test_what_nobody_knows_says_nothing():
    unknown = (
        event("response.rate_limits.updated", limits=[1]),
        event("keepalive", sequence_number=3),
        b'data: {"hello": 1}\n\n',
        b'event: ping\ndata: {"type": "ping"}\n\n',
        event("response.queued", response=response(status="queued")),
    )
    assert told(*ANSWER[:1], *unknown, *ANSWER[1:]) == told(*ANSWER)
    assert whole(created(), *unknown, ends())[:-1] == [START]


def test_a_stream_that_begins_late_starts_all_the_same():
    assert whole(delta("output_text", "a"), ends())[0] == Start(model="gpt-9", provider=ME)
    assert end_of(delta("output_text", "a"), ends()).response_id == "resp_1"


@pytest.mark.parametrize(
    ("last", "kind", "raw"),
    [
        (ends("incomplete", incomplete_details={"reason": "max_output_tokens"}), "max_tokens", "max_output_tokens"),
        (ends("incomplete", incomplete_details={"reason": "content_filter"}), "content_filter", "content_filter"),
        (ends("incomplete"), "other", "incomplete"),
        (event("response.done", response=response(status="completed")), "completed", "completed"),
        (event("response.completed", response=response(status=None)), "completed", "completed"),
        (event("response.done", response=response(status=None)), None, None),
    ],
)
def test_stop_reasons(last: bytes, kind: str | None, raw: str | None):
    reason = end_of(created(), delta("output_text", "a"), last).stop_reason
    assert reason == kind
    assert reason is None or reason.raw == raw


def test_an_answer_in_one_piece_where_a_stream_was_asked_for():
    body = json.dumps(response(SAID, CALLED)).encode()
    events, parser = run(body, size=10)
    assert parser.ended
    assert [type(found) for found in events] == [Start, Chunk, ToolCallChunk, End]
    assert isinstance(parser.usage, Usage)
    queued = json.dumps(response(status="queued")).encode()
    assert failed(queued).kind == "invalid_request"


def test_an_empty_answer():
    assert whole(created(), ends())[:-1] == [START]
    assert end_of(created(), ends()).content == ()


def test_a_parser_that_is_asked_early_knows_nothing():
    parser = opened()
    assert (parser.usage, parser.ended, parser.finishing, parser.error) == (None, False, False, None)
