"""Requests in Ollama's own form."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.providers.ollama_lines import ASK, body, build, call, messages, parse, payload, refused, sent_back

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
PNG = Binary.from_base64("image/png", "aGk=")
F = Tool(name="f", description="d", schema=SCHEMA)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://localhost:11434", "http://localhost:11434/api/chat"),
        ("http://localhost:11434/", "http://localhost:11434/api/chat"),
        ("https://ollama.com/api", "https://ollama.com/api/chat"),
        ("https://gateway/ollama/api/?team=a", "https://gateway/ollama/api/chat?team=a"),
    ],
)
def test_the_address(base_url: str, url: str):
    assert build(base_url=base_url).url == url


def test_headers():
    assert build(stream=True).headers == {"content-type": "application/json", "accept": "application/x-ndjson"}
    sent = build(key="k", headers={"X-Team": "a"}, options=ChatOptions(extra_headers={"X-Call": "b"})).headers
    assert sent == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer k",
        "x-team": "a",
        "x-call": "b",
    }


def test_a_request_says_whether_it_streams():
    assert body() == {"model": "qwen3", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    assert body(stream=True)["stream"] is True


def test_system_prompts_stand_where_they_were():
    request = ChatRequest.from_messages([ChatMessage.user("a"), ChatMessage.system("b")]).with_system("s")
    assert body(request)["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
    ]


def test_pictures_go_beside_the_text():
    url = Binary.from_url("image/jpeg", "data:image/jpeg;base64,aG8=")
    own = Custom(data={"images": ["aGE="], "new": 1})
    assert messages(ChatMessage.user(["What is", "this?", PNG, url, own])) == [
        {"role": "user", "content": "What is\nthis?", "images": ["aGk=", "aG8=", "aGE="], "new": 1}
    ]


def test_a_conversation_with_tools():
    calls = [
        ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1}),
        ToolCall(call_id="ollama_call_1_x", fn_name="g", fn_arguments=None),
        ToolCall(call_id="c3", fn_name="h", fn_arguments='{"b": 2}'),
    ]
    sent = messages(
        ChatMessage.user("hi"),
        ChatMessage.assistant([ReasoningContent(text="hm"), Text("a"), Text("b"), *calls]),
        ChatMessage.tool(ToolResponse(call_id="c3", content={"x": [1]})),
        ChatMessage.tool(
            [ToolResponse(call_id="ollama_call_1_x", content="two"), ToolResponse(call_id="c1", content="one")]
        ),
        ChatMessage.user("so?"),
    )
    assert sent[1:] == [
        {
            "role": "assistant",
            "content": "ab",
            "thinking": "hm",
            "tool_calls": [
                {"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}},
                {"function": {"name": "g", "arguments": {}}},
                {"id": "c3", "function": {"name": "h", "arguments": {"b": 2}}},
            ],
        },
        {"role": "tool", "content": "one", "tool_name": "f", "tool_call_id": "c1"},
        {"role": "tool", "content": "two", "tool_name": "g"},
        {"role": "tool", "content": '{"x":[1]}', "tool_name": "h", "tool_call_id": "c3"},
        {"role": "user", "content": "so?"},
    ]


def test_an_answer_to_an_unknown_call_goes_without_a_name():
    assert messages(ChatMessage.tool(ToolResponse(call_id="c9", content="x"))) == [
        {"role": "tool", "content": "x", "tool_call_id": "c9"}
    ]
    named = ToolResponse(call_id="", fn_name="f", content="x")
    assert messages(ChatMessage.tool(named)) == [{"role": "tool", "content": "x", "tool_name": "f"}]


def test_an_answer_goes_back_as_it_came():
    answer = parse(
        payload("So", thinking="hm", tool_calls=[call("f", {"a": 1}), call("g", id="c2")], images=["iVBORw"], new=[1])
    )
    assert sent_back(answer.content) == {
        "role": "assistant",
        "content": "So",
        "thinking": "hm",
        "images": ["iVBORw"],
        "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "c2", "function": {"name": "g", "arguments": {}}},
        ],
        "new": [1],
    }


def test_what_belongs_to_others_stays_here():
    parts = (
        Text("a"),
        ThoughtSignature(signature="s", provider="anthropic"),
        Custom(model="openai", data={"annotations": [1]}),
        Custom(model="ollama", data={"logprobs": [1]}),
        Custom(model="ollama_cloud", data={"kept": 1}),
    )
    assert sent_back(parts) == {"role": "assistant", "content": "a", "kept": 1}


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
        service_tier="auto",
        prompt_cache_key="k",
        cache_control="1h",
        extra_body={"keep_alive": "10m", "options": {"num_ctx": 8192, "seed": 8}},
    )
    sent = body(ASK.model_copy(update={"store": False}), options)
    assert sent == {
        "model": "qwen3",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "options": {
            "temperature": 0.5,
            "top_p": 0.9,
            "num_predict": 10,
            "seed": 8,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "stop": ["END"],
            "num_ctx": 8192,
        },
        "keep_alive": "10m",
    }


def test_formats():
    assert body(options=ChatOptions(response_format="json"))["format"] == "json"
    form = JsonSchemaFormat(name="n", schema=SCHEMA, description="what", strict=True)
    assert body(options=ChatOptions(response_format=form))["format"] == {**SCHEMA, "description": "what"}
    plain = JsonSchemaFormat(name="n", schema={**SCHEMA, "description": "own"}, description="what")
    assert body(options=ChatOptions(response_format=plain))["format"]["description"] == "own"


@pytest.mark.parametrize(
    ("model", "effort", "think"),
    [
        ("qwen3", "zero", False),
        ("qwen3", 0, False),
        ("qwen3", "low", True),
        ("deepseek-r1:8b", "max", True),
        ("gpt-oss:20b", "minimal", "low"),
        ("gpt-oss:20b", "medium", "medium"),
        ("hf.co/unsloth/GPT-OSS-20b", "xhigh", "high"),
    ],
)
def test_thinking(model: str, effort: Any, think: object):
    sent = body(options=ChatOptions(reasoning_effort=effort), model=model)["think"]
    assert (type(sent), sent) == (type(think), think)


def test_tools():
    request = ASK.with_tools(F, Tool(name="g", strict=False))
    declared = [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert body(request)["tools"] == declared
    assert body(request, ChatOptions(tool_choice=ToolChoice(kind="auto")))["tools"] == declared
    assert "tools" not in body(request, ChatOptions(tool_choice=ToolChoice(kind="none")))


STEERS: list[tuple[str, ChatOptions, ChatRequest, str]] = [
    ("parallel_tool_calls", ChatOptions(parallel_tool_calls=False), ASK, "qwen3"),
    ("verbosity", ChatOptions(verbosity="low"), ASK, "qwen3"),
    ("service_tier", ChatOptions(service_tier="flex"), ASK, "qwen3"),
    ("reasoning_effort", ChatOptions(reasoning_effort=1000), ASK, "qwen3"),
    ("reasoning_effort", ChatOptions(reasoning_effort="zero"), ASK, "gpt-oss"),
    ("tools[0].strict", ChatOptions(), ASK.with_tools(Tool(name="f", strict=True)), "qwen3"),
]


@pytest.mark.parametrize(
    ("field", "options", "request_", "model"), STEERS, ids=[f"{row[0]}-{row[3]}" for row in STEERS]
)
def test_what_only_steers_is_refused_or_left_out(
    field: str, options: ChatOptions, request_: ChatRequest, model: str, caplog: pytest.LogCaptureFixture
):
    assert str(refused(request_, options, model=model)).partition(": ")[2].startswith(field)
    with caplog.at_level(logging.INFO, "lamellar.providers"):
        sent = body(request_, options, model=model, lenient=True)
    assert field in caplog.text
    assert sent.keys() - {"tools"} == {"model", "messages", "stream"}


REFUSALS: list[tuple[str, ChatRequest, ChatOptions | None]] = [
    ("previous_response_id", ASK.model_copy(update={"previous_response_id": "r"}), None),
    ("tool_choice", ASK.with_tools(F), ChatOptions(tool_choice=ToolChoice(kind="required"))),
    ("tool_choice", ASK.with_tools(F), ChatOptions(tool_choice=ToolChoice.tool("f"))),
    ("tools[0].config", ASK.with_tools(Tool(name="web_search", config={})), None),
    ("messages[0].content", ChatRequest(messages=(ChatMessage(role="user", content=()),)), None),
    ("messages[0].content[0].source.url", ChatRequest.from_user(Binary.from_url("image/png", "https://x/y")), None),
    ("messages[0].content[0].content_type", ChatRequest.from_user(Binary.from_base64("application/pdf", "aGk=")), None),
    ("messages[0].content[0].content_type", ChatRequest.from_user(Binary.from_base64("audio/wav", "aGk=")), None),
    ("messages[0].content[0].data", ChatRequest.from_user(Custom(data={"type": "image_url"})), None),
    ("messages[0].content[0].data", ChatRequest.from_user(Custom(data={"content": "x"})), None),
    ("messages[0].content[0].data", ChatRequest.from_user(Custom(data=[1])), None),
    ("messages[0].content[0]", ChatRequest.from_user(Custom(model="openai", data={"new": 1})), None),
    ("messages[0].content[0]", ChatRequest.from_user(ToolCall(call_id="c", fn_name="f")), None),
    ("messages[0].content[0]", ChatRequest.from_user(ReasoningContent(text="hm")), None),
    ("messages[0].content[0]", ChatRequest.from_messages([ChatMessage.system(PNG)]), None),
    ("messages[0].content[0]", ChatRequest(messages=(ChatMessage(role="tool", content=(Text("x"),)),)), None),
    (
        "messages[0].content[0]",
        ChatRequest.from_messages([ChatMessage.assistant(ToolResponse(call_id="c", content="x"))]),
        None,
    ),
    (
        "messages[0].content[0].fn_arguments",
        ChatRequest.from_messages([ChatMessage.assistant(ToolCall(call_id="c", fn_name="f", fn_arguments="no"))]),
        None,
    ),
    (
        "messages[0].content",
        ChatRequest.from_messages([ChatMessage.assistant(ThoughtSignature(signature="s"))]),
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
