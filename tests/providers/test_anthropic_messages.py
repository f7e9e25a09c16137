"""Requests of the Anthropic dialect: the conversation."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.wire import Endpoint

USER = ChatMessage.user("q")
ENDPOINT = Endpoint("anthropic", "https://api.example", "k")


def body(*messages: ChatMessage, system: str | None = None) -> dict[str, Any]:
    request = ChatRequest(system=system, messages=messages)
    return json.loads(ANTHROPIC_MESSAGES.build_request(ENDPOINT, "claude-x", request, None, stream=False).body)


def sent(*messages: ChatMessage) -> list[dict[str, Any]]:
    return body(*messages)["messages"]


def user(*parts: Any, **more: Any) -> Any:
    return sent(ChatMessage(role="user", content=parts, **more))[0]["content"]


def assistant(*parts: Any, **more: Any) -> Any:
    return sent(USER, ChatMessage(role="assistant", content=parts, **more))[1]["content"]


def refused(*messages: ChatMessage) -> str:
    with pytest.raises(ExecutorError) as caught:
        body(*messages)
    assert (caught.value.kind, caught.value.code) == ("invalid_request", "unsupported")
    return caught.value.message


def call(call_id: str, arguments: Any = None, **more: Any) -> ToolCall:
    return ToolCall(call_id=call_id, fn_name="f", fn_arguments=arguments, **more)


def result(call_id: str, content: Any = "ok") -> ToolResponse:
    return ToolResponse(call_id=call_id, content=content)


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


# -- the system prompt ------------------------------------------------------------------------------------------


def test_one_system_prompt_is_a_text():
    assert body(USER, system="s")["system"] == "s"
    assert body(ChatMessage.system("s"), USER)["system"] == "s"
    assert "system" not in body(USER)
    assert "system" not in body(ChatMessage.system(""), USER, system="")


def test_several_are_blocks_in_their_order_with_their_marks():
    marked = ChatMessage(role="system", content=(Text("b"), Text("c")), cache_control="1h")
    sent_body = body(marked, ChatMessage.system(Custom(data={"type": "text", "text": "d"})), USER, system="a")
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert sent_body["system"] == [text("a"), text("b"), {**text("c"), **mark}, text("d")]
    assert sent_body["messages"] == [{"role": "user", "content": "q"}]


def test_a_system_message_within_the_conversation_is_named():
    message = refused(USER, ChatMessage.assistant("a"), ChatMessage.system("s"), USER)
    assert message.startswith("messages[2].role: str 'system' cannot be sent")
    image = Binary.from_url("image/png", "https://example.com/a.png")
    assert refused(ChatMessage.system(image), USER).startswith("messages[0].content[0]: Binary")


def midway(*messages: ChatMessage, model: str = "claude-opus-4-8") -> Any:
    """The roles and contents of the turns, for a model that takes a system message within them."""
    request = ChatRequest.from_messages(list(messages))
    sent = json.loads(ANTHROPIC_MESSAGES.build_request(ENDPOINT, model, request, None, stream=False).body)["messages"]
    return [(turn["role"], turn["content"]) for turn in sent]


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-opus-5", "claude-sonnet-5-5", "claude-fable-5"])
def test_newer_models_take_a_system_message_within_the_conversation(model: str):
    said = ChatMessage.system("s")
    assert midway(USER, said, model=model) == [("user", "q"), ("system", "s")]
    assert midway(USER, said, ChatMessage.assistant("a"), USER, model=model) == [
        ("user", "q"),
        ("system", "s"),
        ("assistant", "a"),
        ("user", "q"),
    ]


def test_system_messages_that_stand_together_are_one_turn_with_their_marks():
    marked = ChatMessage(role="system", content=(Text("t"),), cache_control="5m")
    mark = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
    assert midway(USER, ChatMessage.system("s"), marked)[1:] == [("system", [text("s"), {**text("t"), **mark}])]


def test_a_system_message_after_a_tools_answer_leaves_the_answer_alone():
    call = ChatMessage.assistant(ToolCall(call_id="c", fn_name="f"))
    result = ChatMessage.tool(ToolResponse(call_id="c", content="r"))
    turns = midway(USER, call, result, ChatMessage.system("s"))
    assert [role for role, _ in turns] == ["user", "assistant", "user", "system"]


def test_a_system_message_in_a_place_where_no_model_takes_it_is_named():
    said, answer = ChatMessage.system("s"), ChatMessage.assistant("a")
    for messages, field in (
        ((USER, answer, said), "messages[2].role: str 'system'"),
        ((USER, said, USER), "messages[2].role: str 'user'"),
        ((USER, ChatMessage.system("")), "messages[1].content"),
    ):
        with pytest.raises(ExecutorError) as caught:
            midway(*messages)
        assert caught.value.message.startswith(field)


def test_a_data_url_is_sent_as_the_bytes_it_holds():
    image = Binary.from_url("image/png", "data:image/png;base64,QUJD")
    assert user(image)[0]["source"] == {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    document = Binary.from_url("application/pdf", "data:application/pdf;base64,QUJD", "a.pdf")
    assert user(document)[0]["title"] == "a.pdf"
    assert user(document)[0]["source"]["type"] == "base64"


# -- what a user says -------------------------------------------------------------------------------------------


def test_texts():
    assert user(Text("a")) == "a"
    assert user(Text("a"), Text(""), Text("b")) == [text("a"), text("b")]
    assert user(Text("")) == ""
    assert user(Text("a"), cache_control="ephemeral") == [{**text("a"), "cache_control": {"type": "ephemeral"}}]


def test_images_and_documents():
    data = base64.b64encode(b"x").decode()
    blocks = user(
        Binary.from_base64("image/jpg", data),
        Binary.from_url("image/png", "https://example.com/a.png"),
        Binary.from_base64("application/pdf", data, "a.pdf"),
        Binary.from_url("application/pdf", "https://example.com/a.pdf"),
        Binary.from_bytes("text/markdown; charset=utf-8", "# Größe".encode(), "a.md"),
        Custom(data={"type": "container_upload", "file_id": "f"}),
    )
    assert blocks == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": data},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "# Größe"},
            "title": "a.md",
        },
        {"type": "container_upload", "file_id": "f"},
    ]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Binary.from_url("audio/mpeg", "https://example.com/a.mp3"), "messages[0].content[0].content_type"),
        (Binary.from_url("video/mp4", "https://example.com/a.mp4"), "messages[0].content[0].content_type"),
        (Binary.from_bytes("application/zip", b"x"), "messages[0].content[0].content_type"),
        (Binary.from_url("text/plain", "https://example.com/a.txt?key=abc"), "messages[0].content[0].source.url"),
        (Binary.from_bytes("text/plain", b"\xff"), "messages[0].content[0].source.base64"),
        (call("c"), "messages[0].content[0]: ToolCall"),
        (ReasoningContent(text="t"), "messages[0].content[0]: ReasoningContent"),
        (ThoughtSignature(signature="s"), "messages[0].content[0]: ThoughtSignature"),
    ],
)
def test_parts_that_a_user_cannot_say(part, message):
    told = refused(ChatMessage.user(part))
    assert told.startswith(message)
    assert "key=abc" not in told


def test_messages_without_parts():
    assert refused(ChatMessage(role="user", content=())).startswith("messages[0].content: empty")


def test_neighbors_stay_apart_where_the_provider_joins_them():
    assert sent(ChatMessage.user("a"), ChatMessage.user("b")) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


# -- tools ------------------------------------------------------------------------------------------------------


def test_results_of_one_round_are_one_turn_and_what_the_user_says_next_belongs_to_it():
    messages = sent(
        USER,
        ChatMessage.assistant([call("c1", {"a": 1}), call("c2", '{"b": 2}'), call("c3")]),
        ChatMessage.tool([result("c1"), result("c2", {"x": [1]})]),
        ChatMessage(role="tool", content=(result("c3", [text("t")]),), cache_control="5m"),
        ChatMessage.user("and?"),
        ChatMessage.user("well?"),
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "user"]
    assert [block["input"] for block in messages[1]["content"]] == [{"a": 1}, {"b": 2}, {}]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "ok"},
        {"type": "tool_result", "tool_use_id": "c2", "content": '{"x":[1]}'},
        {
            "type": "tool_result",
            "tool_use_id": "c3",
            "content": [text("t")],
            "cache_control": {"type": "ephemeral", "ttl": "5m"},
        },
        text("and?"),
    ]
    assert messages[3]["content"] == "well?"


def test_a_users_turn_may_hold_results_itself():
    failed = Custom(data={"type": "tool_result", "tool_use_id": "c2", "content": "no", "is_error": True})
    messages = sent(USER, ChatMessage.assistant([call("c1"), call("c2")]), ChatMessage.user([result("c1"), "so"]))
    assert [block["type"] for block in messages[2]["content"]] == ["tool_result", "text"]
    assert sent(USER, ChatMessage(role="tool", content=(failed,)))[1] == {"role": "user", "content": [failed.data]}


@pytest.mark.parametrize("content", [[1, 2], [], [{"type": "chart"}], {"type": "text"}, 7, None, True])
def test_a_result_that_is_no_list_of_blocks_is_json_text(content):
    (block,) = sent(ChatMessage.tool(result("c", content)))[0]["content"]
    assert json.loads(block["content"]) == content


def test_what_a_tool_message_and_a_call_cannot_hold():
    assert refused(USER, ChatMessage(role="tool", content=(Text("t"),))).startswith("messages[1].content[0]: Text")
    for arguments in ('{"a": ', [1], 5, "text"):
        told = refused(USER, ChatMessage.assistant(call("c", arguments)))
        assert told.startswith("messages[1].content[0].fn_arguments")
    assert refused(USER, ChatMessage.assistant(result("c"))).startswith("messages[1].content[0]: ToolResponse")


def ids(*messages: ChatMessage) -> list[tuple[str, str]]:
    found = []
    for message in sent(*messages):
        for block in message["content"] if isinstance(message["content"], list) else ():
            found += [(kind, block[key]) for kind, key in (("call", "id"), ("result", "tool_use_id")) if key in block]
    return found


def test_ids_of_other_providers_are_replaced_on_call_and_result_alike():
    strange = ["call.1|fc_2", "", "größe", "a" * 90 + "/"]
    conversation = (
        USER,
        ChatMessage.assistant([call(name) for name in strange]),
        ChatMessage.tool([result(name) for name in reversed(strange)]),
    )
    found = ids(*conversation)
    calls = [name for kind, name in found if kind == "call"]
    assert [name for kind, name in found if kind == "result"] == calls[::-1]
    assert len(set(calls)) == 4
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in calls)
    assert ids(*conversation) == found
    assert ids(USER, ChatMessage.assistant(call("toolu_1-a"))) == [("call", "toolu_1-a")]


def test_ids_that_start_again_with_every_answer_stay_apart():
    turn = (ChatMessage.assistant([call("call_0"), call("call_0")]), ChatMessage.tool([result("call_0")] * 2))
    found = ids(USER, *turn, *turn)
    calls = [name for kind, name in found if kind == "call"]
    assert calls == ["call_0", "call_0_2", "call_0_3", "call_0_4"]
    assert [name for kind, name in found if kind == "result"] == calls
    assert ids(ChatMessage.tool(result("lost"))) == [("result", "lost")]


# -- what the assistant said ------------------------------------------------------------------------------------


def test_thinking_goes_back_signed_and_in_its_order():
    redacted: Any = {"type": "redacted_thinking", "data": "xyz"}
    blocks = assistant(
        ReasoningContent(text="first"),
        ThoughtSignature(signature="s1"),
        Custom(model="anthropic", data=redacted),
        ThoughtSignature(signature="s2"),
        Text("a"),
        call("c", thought_signatures=("gemini",)),
        cache_control="1h",
    )
    assert blocks == [
        {"type": "thinking", "thinking": "first", "signature": "s1"},
        redacted,
        {"type": "thinking", "thinking": "", "signature": "s2"},
        text("a"),
        {
            "type": "tool_use",
            "id": "c",
            "name": "f",
            "input": {},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
    ]


def test_what_other_providers_said_about_themselves_stays_here():
    assert assistant(ReasoningContent(text="hm"), Text("a")) == "a"
    foreign: Any = {"type": "reasoning", "encrypted_content": "x"}
    assert assistant(Custom(model="openai", data=foreign), Text("a"), Text("")) == "a"
    assert assistant(Text("a"), Custom(model="openai", data={"citations": [1]})) == "a"
    assert assistant(Text("a"), Custom(model="anthropic", data={"stop_details": {}, "container": {"id": "c"}})) == "a"
    assert refused(USER, ChatMessage.assistant(ReasoningContent(text="hm"))).endswith("leave the message out")


def test_fields_of_a_block_go_back_to_it():
    citations: Any = [{"type": "char_location", "cited_text": "a"}]
    caller: Any = {"type": "code_execution_20250825", "tool_id": "s"}
    blocks = assistant(
        Text("a"),
        Custom(model="anthropic", data={"citations": citations}),
        call("c"),
        Custom(data={"caller": caller}),
        Custom(data={"citations": citations}),
    )
    assert blocks == [
        {**text("a"), "citations": citations},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}, "caller": caller},
    ]


def test_nothing_that_was_handed_in_is_changed():
    block: Any = {"type": "text", "text": "a"}
    given = (Custom(data=block), Custom(data={"citations": [1]}))
    assistant(*given, cache_control="5m")
    assert given[0].data == {"type": "text", "text": "a"}


def test_the_mark_passes_over_thinking():
    blocks = assistant(Text("a"), ThoughtSignature(signature="s"), cache_control="ephemeral")
    assert "cache_control" in blocks[0]
    assert "cache_control" not in blocks[1]
