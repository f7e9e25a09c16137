"""Requests of the generateContent dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.gemini_chunks import ASK, BASE, body, build, contents, refused, sent_back

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ExecutorError

SEARCH = Tool(name="search", description="finds", schema={"type": "object"})


def refused_messages(*messages: ChatMessage) -> ExecutorError:
    return refused(ChatRequest.from_messages(messages))


def asked(call_id: str, name: str = "search", arguments: Any = None, **more: Any) -> ToolCall:
    return ToolCall(call_id=call_id, fn_name=name, fn_arguments=arguments, **more)


def answered(call_id: str, content: Any = "found", name: str | None = None) -> ToolResponse:
    return ToolResponse(call_id=call_id, fn_name=name, content=content)


# -- the address --------------------------------------------------------------------------------------------------


def test_the_smallest_request():
    request = build()
    assert request.url == f"{BASE}/models/gemini-2.5-flash:generateContent"
    assert json.loads(request.body) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "x-goog-api-key": "k",
    }


def test_a_stream_is_another_method():
    request = build(stream=True)
    assert request.url == f"{BASE}/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert request.headers["accept"] == "text/event-stream"
    assert request.body == build().body


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/x", "models/x"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("endpoints/42", "endpoints/42"),
        ("we ird?k=1#y:z", "models/we%20ird%3Fk%3D1%23y%3Az"),
    ],
)
def test_names_of_models(model: str, path: str):
    assert build(model=model).url == f"{BASE}/{path}:generateContent"


@pytest.mark.parametrize("model", ["", "models/", "../files", "models/../files", "a//b"])
def test_what_is_no_name_of_a_model(model: str):
    assert "model: " in refused(model=model).message


def test_vertex_has_its_project_in_the_base_url_and_a_bearer_token():
    base = "https://aiplatform.example/v1/projects/p/locations/global/publishers/google"
    request = build(base_url=f"{base}?$alt=json", key=None, headers={"Authorization": "Bearer t"}, namespace="vertex")
    assert request.url == f"{base}/models/gemini-2.5-flash:generateContent?$alt=json"
    assert request.headers["authorization"] == "Bearer t"
    assert "x-goog-api-key" not in request.headers
    assert build(base_url=f"{BASE}/?a=b", stream=True).url.endswith(
        "v1beta/models/gemini-2.5-flash:streamGenerateContent?a=b&alt=sse"
    )


def test_the_key_is_nowhere_but_in_its_header():
    request = build(key="s3cr3t", stream=True)
    assert "s3cr3t" not in request.url
    assert "s3cr3t" not in repr(request)
    assert b"s3cr3t" not in request.body


def test_extra_headers_win():
    options = ChatOptions(extra_headers={"X-Goog-Api-Key": "other", "x-more": "1"})
    headers = build(ASK, options, headers={"x-more": "0"}).headers
    assert (headers["x-goog-api-key"], headers["x-more"]) == ("other", "1")


# -- the system instruction and the turns -------------------------------------------------------------------------


def test_system_messages_at_the_beginning_join_the_system_prompt():
    request = ChatRequest.from_messages(
        [ChatMessage.system("b"), ChatMessage.system(["c", "d"]), ChatMessage.user("hi")]
    ).with_system("a")
    sent = body(request)
    assert sent["systemInstruction"] == {"parts": [{"text": word} for word in "abcd"]}
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def test_a_system_message_in_the_middle_is_named():
    error = refused_messages(ChatMessage.user("hi"), ChatMessage.system("late"))
    assert "messages[1].role" in error.message
    assert error.code == "unsupported"


def test_nothing_to_answer():
    for request in (ChatRequest(), ChatRequest.from_system("a"), ChatRequest(messages=(ChatMessage.system("a"),))):
        error = refused(request)
        assert (error.code, error.failover) == ("empty_messages", False)
    assert "messages[0].content" in refused_messages(ChatMessage(role="user", content=())).message


def test_turns_of_one_kind_are_one_turn():
    sent = contents(
        ChatMessage.user("a"),
        ChatMessage.user("b"),
        ChatMessage.assistant("c"),
        ChatMessage.assistant(asked("1")),
        ChatMessage.tool(answered("1")),
        ChatMessage.user("d"),
    )
    assert [turn["role"] for turn in sent] == ["user", "model", "user", "user"]
    assert sent[0]["parts"] == [{"text": "a"}, {"text": "b"}]
    assert len(sent[1]["parts"]) == 2
    assert "functionResponse" in sent[2]["parts"][0]
    assert sent[3]["parts"] == [{"text": "d"}]


# -- bytes --------------------------------------------------------------------------------------------------------


def test_bytes_and_urls():
    (turn,) = contents(
        ChatMessage.user(
            [
                Binary.from_base64("image/png", "aGk="),
                Binary.from_bytes("audio/wav", b"hi", "a.wav"),
                Binary.from_url("video/mp4", "https://youtu.be/x"),
                Binary.from_url("application/pdf", "gs://bucket/a.pdf"),
                Binary.from_url("image/png", "data:image/png;base64,aGk="),
            ]
        )
    )
    assert turn["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/x"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
    ]


@pytest.mark.parametrize("kind", ["", "image", "image/"])
def test_bytes_without_a_media_type_are_refused(kind: str):
    error = refused_messages(ChatMessage.user(["x", Binary.from_url(kind, "https://example.com/a")]))
    assert "messages[0].content[1].content_type" in error.message


def test_a_data_url_that_is_not_base64_is_refused_without_being_shown():
    error = refused_messages(ChatMessage.user(Binary.from_url("text/plain", "data:text/plain,s3cr3t")))
    assert "source.url" in error.message
    assert "s3cr3t" not in error.message


# -- calls and answers --------------------------------------------------------------------------------------------


def test_calls_and_answers_with_their_ids():
    _, model, user = contents(
        ChatMessage.user("hi"),
        ChatMessage.assistant([asked("c1", arguments={"q": 1}), asked("c2")]),
        ChatMessage.tool([answered("c1", {"n": 1}), answered("c2", [1, 2])]),
    )
    assert model["parts"] == [
        {"functionCall": {"name": "search", "args": {"q": 1}, "id": "c1"}},
        {"functionCall": {"name": "search", "args": {}, "id": "c2"}},
    ]
    assert user["parts"] == [
        {"functionResponse": {"name": "search", "response": {"n": 1}, "id": "c1"}},
        {"functionResponse": {"name": "search", "response": {"result": [1, 2]}, "id": "c2"}},
    ]


def test_made_ids_stay_here_and_answers_come_in_the_order_of_the_calls():
    made = ["gemini_call_0_r1", "gemini_call_1_r1", "gemini_call_2_r1"]
    _, model, user, *_ = contents(
        ChatMessage.user("hi"),
        ChatMessage.assistant([asked(made[0], "a"), asked(made[1], "a"), asked(made[2], "b")]),
        ChatMessage.tool(answered(made[2], "third")),
        ChatMessage.tool([answered(made[1], "second"), answered(made[0], "first")]),
        ChatMessage.user("so?"),
    )
    assert all("id" not in part["functionCall"] for part in model["parts"])
    assert [part["functionResponse"] for part in user["parts"]] == [
        {"name": "a", "response": {"result": "first"}},
        {"name": "a", "response": {"result": "second"}},
        {"name": "b", "response": {"result": "third"}},
    ]


def test_an_answer_takes_the_name_of_the_latest_call_with_its_id():
    turns = contents(
        ChatMessage.user("hi"),
        ChatMessage.assistant(asked("gemini_call_0", "old")),
        ChatMessage.tool(answered("gemini_call_0")),
        ChatMessage.assistant(asked("gemini_call_0", "new")),
        ChatMessage.tool(answered("gemini_call_0")),
    )
    names = [part["functionResponse"]["name"] for turn in turns for part in turn["parts"] if "functionResponse" in part]
    assert names == ["old", "new"]


def test_an_answers_own_name_wins():
    _, _, user = contents(
        ChatMessage.user("hi"), ChatMessage.assistant(asked("1")), ChatMessage.tool(answered("1", name="mine"))
    )
    assert user["parts"][0]["functionResponse"]["name"] == "mine"


def test_an_answer_that_nobody_can_name_is_refused():
    error = refused_messages(ChatMessage.user("hi"), ChatMessage.tool(answered("nobody")))
    assert "messages[1].content[0].fn_name" in error.message


def test_an_answer_in_googles_own_form_keeps_its_place():
    own = {"functionResponse": {"name": "look", "response": {}, "parts": [{"fileData": {"fileUri": "gs://a"}}]}}
    _, _, user = contents(
        ChatMessage.user("hi"),
        ChatMessage.assistant([asked("gemini_call_0", "a"), asked("x", "look"), asked("gemini_call_1", "b")]),
        ChatMessage(role="tool", content=(answered("gemini_call_1"), Custom(data=own), answered("gemini_call_0"))),
    )
    assert [part["functionResponse"]["name"] for part in user["parts"]] == ["a", "look", "b"]
    assert user["parts"][1] == own


@pytest.mark.parametrize(("arguments", "sent"), [(None, {}), ("", {}), ('{"a": 1}', {"a": 1}), ({"b": []}, {"b": []})])
def test_arguments_are_an_object(arguments: Any, sent: Any):
    assert sent_back((asked("1", arguments=arguments),))[0]["functionCall"]["args"] == sent


@pytest.mark.parametrize("arguments", ["not json", "[1]", [1], 3, "null and void"])
def test_other_arguments_are_refused(arguments: Any):
    error = refused_messages(ChatMessage.user("hi"), ChatMessage.assistant(asked("1", arguments=arguments)))
    assert "messages[1].content[0].fn_arguments" in error.message


# -- what the model said ------------------------------------------------------------------------------------------


def test_signatures_ride_on_the_part_before_them():
    sent = sent_back(
        (
            ReasoningContent(text="hm"),
            ThoughtSignature(signature="s1"),
            Text("a"),
            ThoughtSignature(signature="s2"),
            Text("b"),
            Binary.from_base64("image/png", "aGk="),
            ThoughtSignature(signature="s3"),
            asked("1", thought_signatures=("s4",)),
            Text(""),
            ThoughtSignature(signature="s5"),
        )
    )
    assert sent == [
        {"text": "hm", "thought": True, "thoughtSignature": "s1"},
        {"text": "a", "thoughtSignature": "s2"},
        {"text": "b"},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "s3"},
        {"functionCall": {"name": "search", "args": {}, "id": "1"}, "thoughtSignature": "s4"},
        {"text": "", "thoughtSignature": "s5"},
    ]


def test_a_loose_signature_goes_to_the_call_after_it_or_stands_alone():
    assert sent_back((ThoughtSignature(signature="s"), asked("1")))[0]["thoughtSignature"] == "s"
    signed = sent_back((ThoughtSignature(signature="s"), asked("1", thought_signatures=("own",))))
    assert signed[0] == {"text": "", "thoughtSignature": "s"}
    assert signed[1]["thoughtSignature"] == "own"
    assert sent_back((asked("1"), ThoughtSignature(signature="s")))[1] == {"text": "", "thoughtSignature": "s"}
    two = sent_back((Text("a"), ThoughtSignature(signature="s"), ThoughtSignature(signature="t")))
    assert two == [{"text": "a", "thoughtSignature": "s"}, {"text": "", "thoughtSignature": "t"}]


def test_a_call_with_two_signatures_is_refused():
    signed = ChatMessage.assistant(asked("1", thought_signatures=("a", "b")))
    assert "messages[1].content[0].thought_signatures" in refused_messages(ChatMessage.user("hi"), signed).message


def test_parts_in_googles_form_go_back_and_reports_and_others_stay_here():
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "s"}
    sent = sent_back(
        (
            Custom(model="gemini", data=code),
            Custom(model="vertex", data={"codeExecutionResult": {}}),
            Custom(data={"mine": 1}),
            Custom(model="gemini", data={"groundingMetadata": {"a": 1}}),
            Custom(model="anthropic", data={"type": "server_tool_use"}),
        )
    )
    assert sent == [code, {"codeExecutionResult": {}}, {"mine": 1}]
    reported = ChatMessage.assistant(Custom(model="gemini", data={"groundingMetadata": {}}))
    assert "leave the message out" in refused_messages(ChatMessage.user("hi"), reported).message


@pytest.mark.parametrize(
    ("role", "part"),
    [
        ("user", asked("1")),
        ("user", answered("1")),
        ("user", ReasoningContent(text="x")),
        ("user", ThoughtSignature(signature="x")),
        ("assistant", answered("1")),
        ("tool", Text("x")),
        ("system", Binary.from_base64("image/png", "aGk=")),
        ("user", Custom(data="text")),
        ("assistant", Custom(data=[])),
    ],
)
def test_parts_that_a_role_cannot_say(role: Any, part: Any):
    first = [] if role == "system" else [ChatMessage.user("hi")]
    error = refused_messages(*first, ChatMessage(role=role, content=(part,)))
    assert f"messages[{len(first)}].content[0]" in error.message
    assert error.code == "unsupported"
    assert error.failover


# -- tools --------------------------------------------------------------------------------------------------------


def test_functions_stand_together_and_built_ins_alone():
    tools = (
        Tool(name="googleSearch", config={}),
        SEARCH,
        Tool(name="codeExecution", config={}),
        Tool(name="bare", cache_control="5m"),
    )
    assert body(ASK.with_tools(*tools))["tools"] == [
        {"googleSearch": {}},
        {
            "functionDeclarations": [
                {"name": "search", "description": "finds", "parametersJsonSchema": {"type": "object"}},
                {"name": "bare"},
            ]
        },
        {"codeExecution": {}},
    ]


@pytest.mark.parametrize(
    ("choice", "strict", "sent"),
    [
        (None, None, None),
        (None, True, {"mode": "VALIDATED"}),
        ("auto", None, {"mode": "AUTO"}),
        ("auto", True, {"mode": "VALIDATED"}),
        ("none", True, {"mode": "NONE"}),
        ("required", None, {"mode": "ANY"}),
        (ToolChoice.tool("search"), True, {"mode": "ANY", "allowedFunctionNames": ["search"]}),
    ],
)
def test_how_tools_are_called(choice: Any, strict: bool | None, sent: Any):
    request = ASK.with_tools(Tool(name="search", strict=strict))
    found = body(request, ChatOptions(tool_choice=choice)).get("toolConfig")
    assert found == (None if sent is None else {"functionCallingConfig": sent})


def test_a_built_in_cannot_be_chosen():
    request = ASK.with_tools(Tool(name="googleSearch", config={}))
    assert "tool_choice" in refused(request, ChatOptions(tool_choice=ToolChoice.tool("googleSearch"))).message
