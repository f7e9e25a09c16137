"""Conversations in the Responses dialect: messages as input items."""

from __future__ import annotations

from typing import Any

import pytest
from tests.providers.responses_events import ASK, body, items, refused, sent_back

from lamellar.chat.content import (
    Binary,
    ContentPart,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
)
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.providers.catalog import CATALOG
from lamellar.providers.dialects import dialect_named
from lamellar.providers.wire import Endpoint

ME = "openai_resp"
HMM = ReasoningContent(text="hmm")
SIGNED = ThoughtSignature(signature="enc", provider=ME)
CALL = ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1})
SENT_CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}


def mine(**data: Any) -> Custom:
    return Custom(model=ME, data=data)


def summary(*texts: str) -> list[dict[str, str]]:
    return [{"type": "summary_text", "text": text} for text in texts]


def output(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], **more}


def refused_messages(*messages: ChatMessage, **more: Any) -> str:
    return refused(ChatRequest.from_messages(messages), **more).message


# -- users and systems ---------------------------------------------------------------------------------------------


def test_system_prompts():
    said = body(ChatRequest(system="Be brief.", messages=(ChatMessage.user("a"), ChatMessage.system("Be kind."))))
    assert said["instructions"] == "Be brief."
    assert said["input"] == [{"role": "user", "content": "a"}, {"role": "system", "content": "Be kind."}]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            Binary.from_url("image/png", "https://x.test/a.png"),
            {"type": "input_image", "image_url": "https://x.test/a.png"},
        ),
        (Binary.from_base64("image/png", "aGk="), {"type": "input_image", "image_url": "data:image/png;base64,aGk="}),
        (
            Binary.from_url("application/pdf", "https://x.test/a.pdf", "a.pdf"),
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
        ),
        (
            Binary.from_base64("application/pdf", "aGk=", "a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
        ),
        (
            Binary.from_url("text/plain", "data:text/plain;base64,aGk="),
            {"type": "input_file", "filename": "document.txt", "file_data": "data:text/plain;base64,aGk="},
        ),
        (
            mine(type="input_image", file_id="file-1", detail="high"),
            {"type": "input_image", "file_id": "file-1", "detail": "high"},
        ),
        (
            mine(type="input_text", text="b", prompt_cache_breakpoint={"mode": "explicit"}),
            {"type": "input_text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
        ),
    ],
)
def test_parts_of_a_users_message(part: ContentPart, sent: dict[str, Any]):
    assert items(ChatMessage.user(["see", part])) == [
        {"role": "user", "content": [{"type": "input_text", "text": "see"}, sent]}
    ]
    assert items(ChatMessage.user([part])) == [{"role": "user", "content": [sent]}]


def test_an_item_of_its_own_divides_a_message():
    approval = {"type": "mcp_approval_response", "approval_request_id": "m1", "approve": True}
    assert items(ChatMessage.user(["a", Custom(data=approval), "b"])) == [
        {"role": "user", "content": "a"},
        approval,
        {"role": "user", "content": "b"},
    ]
    assert items(ChatMessage.system([Custom(data={"type": "additional_tools", "role": "developer", "tools": []})])) == [
        {"type": "additional_tools", "role": "developer", "tools": []}
    ]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (ChatMessage.user(()), "messages[0].content: empty"),
        (ChatMessage.user([CALL]), "messages[0].content[0]: ToolCall"),
        (ChatMessage.user(["a", HMM]), "messages[0].content[1]: ReasoningContent"),
        (ChatMessage.user([ToolResponse(call_id="c1")]), "messages[0].content[0]: ToolResponse"),
        (ChatMessage.user([Custom(data=["x"])]), "messages[0].content[0]: Custom"),
        (ChatMessage.user([Binary.from_base64("video/mp4", "aGk=")]), "messages[0].content[0].content_type"),
        (ChatMessage.user([Binary.from_base64("audio/mpeg", "aGk=")]), "messages[0].content[0].content_type"),
        (ChatMessage.user([Binary.from_url("audio/wav", "https://x.test/a")]), "messages[0].content[0].content_type"),
        (ChatMessage.system([Binary.from_base64("image/png", "aGk=")]), "messages[0].content[0]: Binary"),
        (ChatMessage.assistant([Binary.from_base64("image/png", "aGk=")]), "messages[0].content[0]: Binary"),
        (ChatMessage.assistant([ToolResponse(call_id="c1")]), "messages[0].content[0]: ToolResponse"),
        (ChatMessage.assistant([Custom(data="x")]), "messages[0].content[0]: Custom"),
        (ChatMessage.assistant([Custom(data={"nobody": "knows"})]), "messages[0].content[0]: Custom"),
        (ChatMessage(role="tool", content="x"), "messages[0].content[0]: Text"),  # type: ignore[arg-type]
        (ChatMessage.assistant([HMM]), "messages[0].content: ReasoningContent"),
    ],
)
def test_what_cannot_be_said_is_named(message: ChatMessage, place: str):
    assert refused_messages(message).startswith(place)
    assert refused_messages(message, lenient=True).startswith(place)


# -- tools ---------------------------------------------------------------------------------------------------------


def test_calls_and_their_answers():
    image = {"type": "input_image", "image_url": "https://x.test/a.png"}
    custom = {"type": "custom_tool_call_output", "call_id": "c9", "output": "x"}
    calls = [CALL, ToolCall(call_id="c2", fn_name="g"), ToolCall(call_id="c3", fn_name="h", fn_arguments="not json")]
    answers = [
        ToolResponse(call_id="c1", content="sunny", fn_name="f"),
        ToolResponse(call_id="c2", content={"sky": "blue"}),
        ToolResponse(call_id="c3", content=[image]),
        Custom(data=custom),
    ]
    tool = ChatMessage(role="tool", content=tuple(answers))
    assert items(ChatMessage.user("hi"), ChatMessage.assistant(calls), tool)[1:] == [
        SENT_CALL,
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call", "call_id": "c3", "name": "h", "arguments": "not json"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2", "output": '{"sky":"blue"}'},
        {"type": "function_call_output", "call_id": "c3", "output": [image]},
        custom,
    ]


@pytest.mark.parametrize("call_id", ["", "x" * 65])
def test_an_id_that_the_provider_does_not_take_is_replaced_on_both_sides(call_id: str):
    parts = ToolCall(call_id=call_id, fn_name="f"), ToolResponse(call_id=call_id, content="x")
    asked, told = items(ChatMessage.assistant([parts[0]]), ChatMessage.tool(parts[1]))
    assert asked["call_id"] == told["call_id"]
    assert 0 < len(asked["call_id"]) <= 64
    (kept,) = items(ChatMessage.assistant([ToolCall(call_id="x" * 64, fn_name="f")]))
    assert kept["call_id"] == "x" * 64


@pytest.mark.parametrize("content", [[], [1], [{"type": "text", "text": "a"}], None, 7])
def test_an_answer_in_another_form_is_json_text(content: Any):
    (sent,) = items(ChatMessage.tool(ToolResponse(call_id="c1", content=content)))
    assert isinstance(sent["output"], str)


# -- assistants ----------------------------------------------------------------------------------------------------


def test_texts():
    assert sent_back((Text("a"),)) == [{"role": "assistant", "content": "a"}]
    assert sent_back((Text("a"), Text(""), Text("b"))) == [{"role": "assistant", "content": [output("a"), output("b")]}]
    assert sent_back((Text(""),)) == [{"role": "assistant", "content": ""}]


def test_a_message_with_its_fields():
    fields = mine(message={"id": "msg_1", "status": "completed", "phase": "final_answer"})
    cited = mine(annotations=[{"type": "url_citation"}])
    assert sent_back((Text("a"), cited, mine(refusal="No."), fields)) == [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "phase": "final_answer",
            "role": "assistant",
            "content": [output("a", annotations=[{"type": "url_citation"}]), {"type": "refusal", "refusal": "No."}],
        }
    ]
    assert sent_back((Text("a"), mine(message={"phase": "commentary"}))) == [
        {"role": "assistant", "phase": "commentary", "content": "a"}
    ]


def test_a_call_with_its_fields():
    assert sent_back((CALL, mine(function_call={"id": "fc_1", "namespace": "n"}))) == [
        {**SENT_CALL, "id": "fc_1", "namespace": "n"}
    ]


def test_reasoning_goes_back_in_order_with_its_id():
    parts = (HMM, ReasoningContent(text="so"), SIGNED, mine(reasoning={"id": "rs_1"}), Text("a"), CALL)
    assert sent_back(parts) == [
        {"type": "reasoning", "id": "rs_1", "summary": summary("hmm", "so"), "encrypted_content": "enc"},
        {"role": "assistant", "content": "a"},
        SENT_CALL,
    ]


def test_reasoning_that_is_only_signed():
    other = ThoughtSignature(signature="two", provider=None)
    assert sent_back((HMM, SIGNED, other, HMM, Text("a"))) == [
        {"type": "reasoning", "summary": summary("hmm"), "encrypted_content": "enc"},
        {"type": "reasoning", "summary": [], "encrypted_content": "two"},
        {"role": "assistant", "content": "a"},
    ]


def test_a_whole_reasoning_item_tells_its_texts_itself():
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "hmm"}]}
    assert sent_back((HMM, SIGNED, Custom(model=ME, data=item), Text("a"))) == [
        item,
        {"role": "assistant", "content": "a"},
    ]


def test_foreign_parts_stay_here():
    foreign: list[ContentPart] = [
        HMM,
        ThoughtSignature(signature="OF-CLAUDE", provider="anthropic"),
        HMM,
        Custom(model="openai", data={"annotations": []}),
        Custom(model="anthropic", data={"type": "server_tool_use"}),
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1}, thought_signatures=("s",), provider="gemini"),
    ]
    assert sent_back(tuple(foreign)) == [SENT_CALL]
    assert sent_back((Custom(model="openai", data={"refusal": "No."}),)) == [
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    ]


def test_fields_that_belong_to_nothing_say_nothing():
    stray = (mine(annotations=[1]), mine(function_call={"id": "x"}), mine(message={"id": "x"}), mine(other=1))
    assert sent_back((*stray, Text("a"))) == [{"role": "assistant", "content": "a"}]


def test_where_nothing_is_stored_bare_reasoning_stays_here_and_nothing_names_it():
    parts = (
        HMM,
        mine(reasoning={"id": "rs_1"}),
        Text("a"),
        mine(message={"id": "msg_1", "phase": "commentary"}),
        CALL,
        mine(function_call={"id": "fc_1"}),
    )
    assert sent_back(parts, store=False) == [{"role": "assistant", "phase": "commentary", "content": "a"}, SENT_CALL]
    bare, spoken, called = sent_back(parts)
    assert bare == {"type": "reasoning", "id": "rs_1", "summary": summary("hmm")}
    assert (spoken["id"], called["id"]) == ("msg_1", "fc_1")


def test_reasoning_without_what_followed_it_stays_here():
    cut_off = ChatMessage.assistant([HMM, SIGNED])
    assert items(ASK.messages[0], cut_off, ChatMessage.user("on")) == [
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "on"},
    ]
    assert items(ASK.messages[0], cut_off) == [{"role": "user", "content": "hi"}]
    assert len(items(ASK.messages[0], cut_off, ChatMessage.assistant([CALL]))) == 3


@pytest.mark.parametrize(
    ("namespace", "dialect"), [("openai", "chat"), ("anthropic", "anthropic"), ("gemini", "gemini")]
)
def test_nothing_opaque_goes_to_other_providers(namespace: str, dialect: str):
    parts = (
        HMM,
        SIGNED,
        mine(reasoning={"id": "rs_1"}),
        mine(type="web_search_call", id="ws_1"),
        Text("a"),
        mine(message={"id": "msg_1", "phase": "commentary"}),
        CALL,
        mine(function_call={"id": "fc_1"}),
    )
    turns = (ChatMessage.user("hi"), ChatMessage.assistant(parts), ChatMessage.tool(ToolResponse(call_id="c1")))
    endpoint = Endpoint(namespace, "https://x.test/v1", quirks=CATALOG[namespace].quirks)
    request = ChatRequest(messages=turns)
    sent = dialect_named(dialect, namespace).build_request(endpoint, "m", request, None, stream=False).body.decode()
    assert '"a"' in sent
    for own in ("enc", "rs_1", "ws_1", "msg_1", "fc_1", "commentary"):
        assert own not in sent
