"""Conversations in the form of Converse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar.chat.content import (
    Binary,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
)
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.errors import ExecutorError
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.wire import Endpoint

HI = ChatMessage.user("hi")
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def body(*messages: ChatMessage, system: str | None = None, options: ChatOptions | None = None) -> dict[str, Any]:
    request = ChatRequest(system=system, messages=messages)
    endpoint = Endpoint("bedrock", "https://bedrock.example")
    return json.loads(BEDROCK_CONVERSE.build_request(endpoint, "m", request, options, stream=False).body)


def blocks(*parts: Any, role: str = "user") -> list[Any]:
    """The last message's blocks."""
    messages = (
        (HI, ChatMessage(role="assistant", content=parts))
        if role == "assistant"
        else (ChatMessage(role=role, content=parts),)
    )
    return body(*messages)["messages"][-1]["content"]


def refused(*messages: ChatMessage, **more: Any) -> str:
    with pytest.raises(ExecutorError) as caught:
        body(*messages, **more)
    assert (caught.value.kind, caught.value.code) == ("invalid_request", "unsupported")
    return caught.value.message


def test_system_prompts():
    sent = body(ChatMessage.system("Two."), ChatMessage.system(Custom(data={"guardContent": {}})), HI, system="One.")
    assert sent["system"] == [{"text": "One."}, {"text": "Two."}, {"guardContent": {}}]
    assert "system" not in body(HI, system="")
    assert "system" not in body(ChatMessage.system(" "), HI, system=" ")
    assert "messages[1].role" in refused(HI, ChatMessage.system("late"))
    assert "messages[0].content[0]" in refused(ChatMessage.system(Binary.from_bytes("image/png", b"x")), HI)


def test_there_is_something_to_say():
    with pytest.raises(ExecutorError) as caught:
        body()
    assert (caught.value.code, caught.value.failover) == ("empty_messages", False)
    assert "messages" in refused(ChatMessage.system("alone"))
    assert "messages[0].content" in refused(ChatMessage.user([]))


def test_turns_of_one_role_are_joined():
    call = ToolCall(call_id="t", fn_name="f", fn_arguments={"a": 1})
    sent = body(
        HI,
        ChatMessage.user("again"),
        ChatMessage.assistant([call, ToolCall(call_id="u", fn_name="g")]),
        ChatMessage.tool(ToolResponse(call_id="t", content="one")),
        ChatMessage.tool(ToolResponse(call_id="u", content={"b": 2})),
        ChatMessage.user("and?"),
        ChatMessage.assistant("Well"),
        ChatMessage.assistant(", yes."),
    )["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user", "assistant"]
    assert sent[0]["content"] == [{"text": "hi"}, {"text": "again"}]
    assert sent[1]["content"] == [
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "u", "name": "g", "input": {}}},
    ]
    assert sent[2]["content"] == [
        {"toolResult": {"toolUseId": "t", "content": [{"text": "one"}]}},
        {"toolResult": {"toolUseId": "u", "content": [{"json": {"b": 2}}]}},
        {"text": "and?"},
    ]
    assert sent[3]["content"] == [{"text": "Well"}, {"text": ", yes."}]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ([{"text": "a"}, {"image": {"format": "png"}}], [{"text": "a"}, {"image": {"format": "png"}}]),
        ([], [{"text": "[]"}]),
        ([1, "a"], [{"text": '[1,"a"]'}]),
        ([{"text": "a", "more": 1}], [{"text": '[{"text":"a","more":1}]'}]),
        (None, [{"text": "null"}]),
        (1.5, [{"text": "1.5"}]),
    ],
)
def test_a_tools_answer(content: Any, sent: list[Any]):
    assert blocks(ToolResponse(call_id="t", content=content), role="tool") == [
        {"toolResult": {"toolUseId": "t", "content": sent}}
    ]


def test_ids_that_others_made():
    odd, long = "c/1", "x" * 70
    calls = [ToolCall(call_id=name, fn_name="f") for name in (odd, "", long, "same", "same", "y" * 64, "y" * 64)]
    answers = [ToolResponse(call_id=call.call_id, content=str(at)) for at, call in enumerate(calls)]
    sent = body(HI, ChatMessage.assistant(calls), ChatMessage.tool(answers))["messages"]
    called = [block["toolUse"]["toolUseId"] for block in sent[1]["content"]]
    answered = [block["toolResult"]["toolUseId"] for block in sent[2]["content"]]
    assert called == answered
    assert len(set(called)) == len(called)
    assert all(0 < len(name) <= 64 and name.replace("_", "").isalnum() for name in called)
    assert called[3:5] == ["same", "same_2"]


@pytest.mark.parametrize("arguments", ["not json", [1], 5, "[1]"])
def test_arguments_that_are_no_object(arguments: Any):
    call = ToolCall(call_id="t", fn_name="f", fn_arguments=arguments)
    assert "messages[1].content[0].fn_arguments" in refused(HI, ChatMessage.assistant(call))
    whole = ToolCall(call_id="t", fn_name="f", fn_arguments='{"a": 1}')
    assert blocks(whole, role="assistant")[0]["toolUse"]["input"] == {"a": 1}


@pytest.mark.parametrize(
    ("media", "kind", "name"),
    [
        ("image/png", "image", "png"),
        ("image/jpg", "image", "jpeg"),
        ("IMAGE/JPEG; q=1", "image", "jpeg"),
        ("video/quicktime", "video", "mov"),
        ("video/3gpp", "video", "three_gp"),
        ("audio/mpeg", "audio", "mp3"),
        ("audio/wav", "audio", "wav"),
        ("application/pdf", "document", "pdf"),
        ("text/markdown", "document", "md"),
        ("text/x-python", "document", "txt"),
        ("application/json", "document", "txt"),
        (WORD, "document", "docx"),
    ],
)
def test_bytes_and_places_in_s3(media: str, kind: str, name: str):
    named = {"name": "Document 1"} if kind == "document" else {}
    for part, source in (
        (Binary.from_base64(media, "YQ=="), {"bytes": "YQ=="}),
        (Binary.from_url(media, "data:x/y;base64,Yg=="), {"bytes": "Yg=="}),
        (Binary.from_url(media, "s3://bucket/key"), {"s3Location": {"uri": "s3://bucket/key"}}),
    ):
        assert blocks("see", part) == [{"text": "see"}, {kind: {**named, "format": name, "source": source}}]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (Binary.from_url("image/png", "https://x.example/a.png"), "source.url"),
        (Binary.from_url("application/pdf", "http://x.example/a.pdf"), "source.url"),
        (Binary.from_url("image/png", "data:image/png,raw"), "source.url"),
        (Binary.from_base64("image/bmp", "YQ=="), "content_type"),
        (Binary.from_base64("application/zip", "YQ=="), "content_type"),
        (Binary.from_base64("", "YQ=="), "content_type"),
    ],
)
def test_what_cannot_be_sent_from_where_it_is(part: Binary, field: str):
    message = refused(ChatMessage.user(part))
    assert message.startswith(f"messages[0].content[0].{field}")
    assert "x.example" not in message


def test_names_of_documents():
    wanted = [
        "annual_report.v2.pdf",
        None,
        "Notes (1) [a]-b",
        "a  b\n\tc",
        "../..",
        "été.pdf",
        "x" * 300,
        "x" * 300,
        None,
    ]
    parts = [Binary.from_base64("application/pdf", "YQ==", name) for name in wanted]
    names = [block["document"]["name"] for block in blocks(*parts, "see")[:-1]]
    assert names[:6] == ["annual-report-v2", "Document 1", "Notes (1) [a]-b", "a b c", "Document 2", "-t-"]
    assert [len(name) for name in names[6:8]] == [200, 200]
    assert names[8] == "Document 3"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("mark", "point"),
    [
        ("ephemeral", {"type": "default"}),
        ("5m", {"type": "default", "ttl": "5m"}),
        ("1h", {"type": "default", "ttl": "1h"}),
        ("24h", {"type": "default", "ttl": "1h"}),
    ],
)
def test_marks_of_cacheable_prefixes(mark: Any, point: dict[str, str]):
    marked = ChatMessage(role="user", content="a", cache_control=mark)
    system = ChatMessage(role="system", content="s", cache_control=mark)
    sent = body(system, marked, ChatMessage.user("b"))
    assert sent["system"] == [{"text": "s"}, {"cachePoint": point}]
    assert sent["messages"][0]["content"] == [{"text": "a"}, {"cachePoint": point}, {"text": "b"}]
    whole = body(HI, options=ChatOptions(cache_control=mark))
    assert whole["messages"][0]["content"] == [{"text": "hi"}, {"cachePoint": point}]


def test_blank_texts():
    assert blocks("", Binary.from_bytes("image/png", b"a"), " \n")[0].keys() == {"image"}
    assert blocks("", " ") == [{"text": ""}]
    assert body(HI, ChatMessage.assistant(["", ToolCall(call_id="t", fn_name="f")]))["messages"][1]["content"] == [
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}
    ]


def test_what_another_made_stays_here():
    parts = [
        ReasoningContent(text="unsigned"),
        Text("said"),
        ReasoningContent(text="signed elsewhere"),
        ThoughtSignature(signature="s", provider="gemini"),
        Custom(model="openai", data={"x": 1}),
        ToolCall(call_id="t", fn_name="f", thought_signatures=("g",), provider="gemini"),
    ]
    assert blocks(*parts, role="assistant") == [
        {"text": "said"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}},
    ]
    assert "messages[1].content" in refused(HI, ChatMessage.assistant(parts[0]))


def test_a_signature_whose_maker_is_not_known_goes_along():
    assert blocks(ThoughtSignature(signature="s"), role="assistant") == [
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}}
    ]


def test_the_providers_own_form():
    own = {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}}
    assert blocks("a", Custom(data=own)) == [{"text": "a"}, own]
    failed = {"toolResult": {"toolUseId": "t", "content": [{"text": "no"}], "status": "error"}}
    assert blocks(Custom(data=failed), role="tool") == [failed]


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        (ChatMessage(role="user", content=(ToolCall(call_id="t", fn_name="f"),)), "'assistant'"),
        (ChatMessage(role="user", content=(ReasoningContent(text="x"),)), "'assistant'"),
        (ChatMessage(role="user", content=(ThoughtSignature(signature="x"),)), "'assistant'"),
        (ChatMessage(role="tool", content=(Text("x"),)), "'user'"),
        (ChatMessage(role="assistant", content=(ToolResponse(call_id="t"),)), "'tool'"),
    ],
)
def test_parts_in_the_wrong_role(message: ChatMessage, mend: str):
    assert mend in refused(HI, message)


def test_a_tools_answer_within_the_users_words():
    answer = ToolResponse(call_id="t", content="x")
    assert blocks(answer, "and?") == [{"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}, {"text": "and?"}]


@pytest.mark.parametrize("own", ["5m", None])
def test_a_message_ends_with_one_mark_of_a_cacheable_prefix(own: Any):
    message = ChatMessage(role="user", content=(Text("hi"),), cache_control=own)
    point = {"type": "default", "ttl": own or "1h"}
    sent = body(message, options=ChatOptions(cache_control="1h"))
    assert sent["messages"][-1]["content"] == [{"text": "hi"}, {"cachePoint": point}]


PDF = Binary.from_base64("application/pdf", "aGk=")


def test_a_document_without_a_text_beside_it_is_refused_by_name():
    assert refused(ChatMessage.user([PDF])).startswith("messages[0].content[0]: Binary")
    assert "messages[2].content[1]" in refused(HI, ChatMessage.assistant("yes?"), ChatMessage.user([" ", PDF]))
    answer = ChatMessage.tool(ToolResponse(call_id="t", content="x"))
    assert "messages[2].content[0]" in refused(HI, ChatMessage.assistant("a"), ChatMessage.user([PDF]), answer)


def test_a_text_of_the_same_turn_is_enough():
    assert [list(block) for block in blocks(PDF, "read it")] == [["document"], ["text"]]
    joined = body(ChatMessage.user([PDF]), ChatMessage.user("read it"))["messages"]
    assert [list(block) for block in joined[0]["content"]] == [["document"], ["text"]]
    guarded = Custom(data={"guardContent": {"text": {"text": "read it"}}})
    assert len(blocks(PDF, guarded)) == 2
