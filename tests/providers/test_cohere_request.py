"""Requests in Cohere's form."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.providers.cohere_events import ASK, answer, body, build, call, messages, parse, refused, sent_back, text
from tests.providers.cohere_events import thinking as thought

from lamellar.chat.content import (
    Binary,
    Custom,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
)
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
F = Tool(name="f", description="d", schema=SCHEMA)
PLANNED = Custom(model="cohere", data={"type": "tool_plan"})
CALL = ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1})
SENT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def test_the_address_and_the_headers():
    assert build().url == "https://api.example/v2/chat"
    assert build(base_url="https://gateway/cohere/v2/?team=a").url == "https://gateway/cohere/v2/chat?team=a"
    sent = build(stream=True, headers={"X-Client-Name": "me"}, options=ChatOptions(extra_headers={"X-Call": "b"}))
    assert sent.headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "authorization": "Bearer k",
        "x-client-name": "me",
        "x-call": "b",
    }
    assert build(key=None).headers == {"content-type": "application/json", "accept": "application/json"}


def test_a_request_says_whether_it_streams():
    assert body() == {"model": "command-a", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    assert body(stream=True)["stream"] is True


def test_system_prompts_stand_where_they_were():
    request = ChatRequest.from_messages([ChatMessage.user("a"), ChatMessage.system(["b", "c"])]).with_system("s")
    assert body(request)["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "system", "content": [text("b"), text("c")]},
    ]


def test_pictures_are_parts():
    parts = [
        "What?",
        Binary.from_base64("image/png", "aGk=", "a.png"),
        Binary.from_url("image/jpeg", "https://example.com/a.jpg"),
        Custom(data={"type": "image_url", "image_url": {"url": "https://example.com/b", "detail": "high"}}),
    ]
    assert messages(ChatMessage.user(parts)) == [
        {
            "role": "user",
            "content": [
                text("What?"),
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/b", "detail": "high"}},
            ],
        }
    ]


def test_a_conversation_with_tools():
    documents = [{"type": "document", "document": {"data": '{"a": 1}'}}, text("b")]
    sent = messages(
        ChatMessage.user("hi"),
        ChatMessage.assistant(
            [ReasoningContent(text="plan"), PLANNED, CALL, ToolCall(call_id="c2", fn_name="g", fn_arguments='{"b": 2}')]
        ),
        ChatMessage.tool(
            [ToolResponse(call_id="c1", fn_name="f", content="one"), ToolResponse(call_id="c2", content={"x": [1]})]
        ),
        ChatMessage.tool(ToolResponse(call_id="c3", content=documents)),
        ChatMessage.tool(ToolResponse(call_id="c4", content=[*documents, {"type": "document"}])),
        ChatMessage.tool(ToolResponse(call_id="c5", content=[])),
    )
    assert sent[1:4] == [
        {
            "role": "assistant",
            "tool_calls": [
                SENT_CALL,
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"b": 2}'}},
            ],
            "tool_plan": "plan",
        },
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": '{"x":[1]}'},
    ]
    assert [message["content"] for message in sent[4:]] == [
        documents,
        '[{"type":"document","document":{"data":"{\\"a\\": 1}"}},{"type":"text","text":"b"},{"type":"document"}]',
        "[]",
    ]


@pytest.mark.parametrize(
    ("parts", "sent"),
    [
        ((Text("a"), Text("b")), {"content": "ab"}),
        ((ReasoningContent(text="hm"), Text("a")), {"content": [thought("hm"), text("a")]}),
        ((ReasoningContent(text="hm"),), {"content": [thought("hm")]}),
        (
            (ReasoningContent(text="hm"), CALL),
            {"content": [thought("hm")], "tool_calls": [SENT_CALL]},
        ),
        (
            (ReasoningContent(text="p"), PLANNED, CALL),
            {"tool_plan": "p", "tool_calls": [SENT_CALL]},
        ),
        (
            (ReasoningContent(text="hm"), Text("a"), ReasoningContent(text="p"), PLANNED, CALL),
            {"content": [thought("hm"), text("a")], "tool_plan": "p", "tool_calls": [SENT_CALL]},
        ),
        (
            (ReasoningContent(text="hm"), ReasoningContent(text="p"), PLANNED, CALL),
            {"content": [thought("hm")], "tool_plan": "p", "tool_calls": [SENT_CALL]},
        ),
        ((PLANNED, Text("a"), PLANNED), {"content": "a"}),
        (
            (ReasoningContent(text="p"), Custom(model="other", data={"type": "tool_plan"}), CALL),
            {"content": [thought("p")], "tool_calls": [SENT_CALL]},
        ),
    ],
)
def test_where_reasoning_goes_back(parts: tuple[Any, ...], sent: dict[str, Any]):
    assert sent_back(parts) == {"role": "assistant", **sent}


def test_an_answer_goes_back_as_it_came():
    cited = [{"start": 0, "end": 2, "text": "So", "sources": [{"type": "tool", "id": "c0:0"}]}]
    message = {
        "content": [thought("hm"), text("So"), {"type": "new", "a": 1}],
        "tool_plan": "first f",
        "tool_calls": [call("c1", "f", '{"a":1}')],
        "citations": cited,
    }
    found = parse({**answer(**message, finish="TOOL_CALL"), "logprobs": [{"token_ids": [1]}]})
    assert sent_back(found.content) == {"role": "assistant", **message}


def test_what_belongs_to_others_stays_here():
    parts = (
        Text("a"),
        ThoughtSignature(signature="s"),
        Custom(model="openai", data={"annotations": [1]}),
        Custom(model="openai", data={"type": "image", "x": 1}),
        Custom(model="cohere", data={"logprobs": [1]}),
    )
    assert sent_back(parts) == {"role": "assistant", "content": "a"}


def test_options():
    options = ChatOptions(
        temperature=0.5,
        top_p=0.9,
        max_tokens=10,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stop_sequences=("END",),
        parallel_tool_calls=True,
        service_tier="default",
        prompt_cache_key="k",
        cache_control="1h",
        extra_body={"k": 3, "safety_mode": "STRICT", "seed": 8},
    )
    assert body(ASK.model_copy(update={"store": True}), options) == {
        "model": "command-a",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "temperature": 0.5,
        "max_tokens": 10,
        "p": 0.9,
        "frequency_penalty": 0.2,
        "presence_penalty": 0.1,
        "seed": 8,
        "stop_sequences": ["END"],
        "k": 3,
        "safety_mode": "STRICT",
    }


def test_formats():
    assert body(options=ChatOptions(response_format="json"))["response_format"] == {"type": "json_object"}
    form = JsonSchemaFormat(name="n", schema=SCHEMA, description="what", strict=True)
    assert body(options=ChatOptions(response_format=form))["response_format"] == {
        "type": "json_object",
        "json_schema": {**SCHEMA, "description": "what"},
    }


@pytest.mark.parametrize(
    ("effort", "sent"),
    [
        ("zero", {"type": "disabled"}),
        (0, {"type": "disabled"}),
        ("minimal", {"type": "enabled", "token_budget": 512}),
        ("low", {"type": "enabled", "token_budget": 1024}),
        ("medium", {"type": "enabled", "token_budget": 8192}),
        ("high", {"type": "enabled", "token_budget": 24576}),
        ("max", {"type": "enabled"}),
        (77, {"type": "enabled", "token_budget": 77}),
    ],
)
def test_thinking(effort: Any, sent: dict[str, Any]):
    assert body(options=ChatOptions(reasoning_effort=effort))["thinking"] == sent


def test_tools():
    request = ASK.with_tools(F, Tool(name="g"))
    one = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
    two = {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}
    assert body(request)["tools"] == [one, two]
    assert "strict_tools" not in body(request)
    loose = Tool(name="g", strict=False)
    assert "strict_tools" not in body(ASK.with_tools(F, loose))
    strict = Tool(name="h", strict=True)
    assert body(ASK.with_tools(F, strict))["strict_tools"] is True
    alone = body(ASK.with_tools(loose, strict), ChatOptions(tool_choice=ToolChoice.tool("g")))
    assert "strict_tools" not in alone


@pytest.mark.parametrize(("kind", "sent"), [("auto", None), ("none", "NONE"), ("required", "REQUIRED")])
def test_the_choice_of_a_tool(kind: Any, sent: str | None):
    said = body(ASK.with_tools(F), ChatOptions(tool_choice=ToolChoice(kind=kind)))
    assert said.get("tool_choice") == sent
    assert len(said["tools"]) == 1


def test_one_tool_that_must_be_called_is_sent_alone():
    said = body(ASK.with_tools(Tool(name="g"), F), ChatOptions(tool_choice=ToolChoice.tool("f")))
    assert said["tool_choice"] == "REQUIRED"
    assert [tool["function"]["name"] for tool in said["tools"]] == ["f"]


STEERS: list[tuple[str, ChatOptions]] = [
    ("parallel_tool_calls", ChatOptions(parallel_tool_calls=False)),
    ("verbosity", ChatOptions(verbosity="low")),
    ("service_tier", ChatOptions(service_tier="flex")),
]


@pytest.mark.parametrize(("field", "options"), STEERS)
def test_what_only_steers_is_refused_or_left_out(field: str, options: ChatOptions, caplog: pytest.LogCaptureFixture):
    assert f"(unsupported): {field}: " in str(refused(options=options))
    with caplog.at_level(logging.INFO, "lamellar.providers"):
        sent = body(options=options, lenient=True)
    assert field in caplog.text
    assert sent == body()


REFUSALS: list[tuple[str, ChatRequest, ChatOptions | None]] = [
    ("previous_response_id", ASK.model_copy(update={"previous_response_id": "r"}), None),
    ("tool_choice", ASK.with_tools(F), ChatOptions(tool_choice=ToolChoice.tool("g"))),
    ("tools[0].config", ASK.with_tools(Tool(name="web_search", config={})), None),
    ("tools[1].strict", ASK.with_tools(Tool(name="f", strict=True), Tool(name="g", strict=False)), None),
    ("messages[0].content", ChatRequest(messages=(ChatMessage(role="user", content=()),)), None),
    ("messages[0].content[0].content_type", ChatRequest.from_user(Binary.from_base64("application/pdf", "aGk=")), None),
    ("messages[0].content[0].content_type", ChatRequest.from_user(Binary.from_base64("audio/wav", "aGk=")), None),
    ("messages[0].content[0]", ChatRequest.from_user(Custom(model="openai", data={"type": "new"})), None),
    ("messages[0].content[0]", ChatRequest.from_user(CALL), None),
    ("messages[0].content[0]", ChatRequest.from_user(ReasoningContent(text="hm")), None),
    (
        "messages[0].content[0]",
        ChatRequest.from_messages([ChatMessage.system(Binary.from_base64("image/png", "aGk="))]),
        None,
    ),
    ("messages[0].content[0]", ChatRequest(messages=(ChatMessage(role="tool", content=(Text("x"),)),)), None),
    (
        "messages[0].content[0]",
        ChatRequest.from_messages([ChatMessage.assistant(Binary.from_base64("image/png", "aGk="))]),
        None,
    ),
    (
        "messages[0].content",
        ChatRequest.from_messages([ChatMessage.assistant(Custom(model="openai", data={"annotations": []}))]),
        None,
    ),
]


@pytest.mark.parametrize(("field", "request_", "options"), REFUSALS)
@pytest.mark.parametrize("lenient", [False, True])
def test_what_carries_meaning_is_refused_by_name(
    field: str, request_: ChatRequest, options: ChatOptions | None, lenient: bool
):
    error = refused(request_, options, lenient=lenient)
    assert error.code == "unsupported"
    assert error.failover
    assert f"(unsupported): {field}: " in str(error)


def test_nothing_to_answer():
    error = refused(ChatRequest.from_system("s"))
    assert error.code == "empty_messages"
    assert not error.failover
