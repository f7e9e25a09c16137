"""Requests of the Chat Completions dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ExecutorError
from lamellar.providers.chat_completions import CHAT_COMPLETIONS
from lamellar.providers.wire import Endpoint, Quirks, WireRequest

ASK = ChatRequest.from_user("hi")


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = "gpt-4o",
    stream: bool = False,
    base_url: str = "https://api.example/v1",
    key: str | None = "k",
    headers: dict[str, str] | None = None,
    **quirks: Any,
) -> WireRequest:
    endpoint = Endpoint("example", base_url, key, headers or {}, Quirks(**quirks))
    return CHAT_COMPLETIONS.build_request(endpoint, model, request, options, stream=stream)


def body(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> dict[str, Any]:
    return json.loads(build(request, options, **more).body)


def message(*parts: Any, role: str = "user", **more: Any) -> Any:
    sent = body(ChatRequest.from_messages([ChatMessage(role=role, content=parts)]), **more)["messages"]
    return sent[0] if len(sent) == 1 else sent


def refused(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        build(request, options, **more)
    assert caught.value.kind == "invalid_request"
    return caught.value


def refused_message(*parts: Any, role: str = "user", **more: Any) -> ExecutorError:
    return refused(ChatRequest.from_messages([ChatMessage(role=role, content=parts)]), **more)


def test_the_smallest_request():
    request = build()
    assert request.url == "https://api.example/v1/chat/completions"
    assert json.loads(request.body) == {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer k",
    }


def test_a_stream():
    request = build(stream=True)
    assert request.headers["accept"] == "text/event-stream"
    sent = json.loads(request.body)
    assert sent["stream"] is True
    assert sent["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(stream=True, include_usage=False)


def test_the_url_keeps_its_query():
    url = build(base_url="https://r.openai.azure.com/openai/deployments/d/?api-version=1").url
    assert url == "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"


def test_headers():
    assert "authorization" not in build(key=None).headers
    request = build(
        options=ChatOptions(extra_headers={"Authorization": "mine", "X-Trace": "1"}), headers={"api-key": "a"}
    )
    assert request.headers["authorization"] == "mine"
    assert request.headers["x-trace"] == "1"
    assert request.headers["api-key"] == "a"
    assert "kkkk" not in repr(build(key="k" * 20))


def test_system_prompt_comes_first():
    sent = body(ASK.with_system("Be brief."))["messages"]
    assert sent == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


def test_every_option_has_its_field():
    sent = body(
        ASK.model_copy(update={"store": False}),
        ChatOptions(
            temperature=0.0,
            max_tokens=5,
            top_p=0.5,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            stop_sequences=("a", "b"),
            seed=7,
            parallel_tool_calls=False,
            reasoning_effort="low",
            verbosity="high",
            service_tier="flex",
            prompt_cache_key="key",
            cache_control="24h",
        ),
    )
    del sent["messages"], sent["model"]
    assert sent == {
        "temperature": 0.0,
        "max_tokens": 5,
        "top_p": 0.5,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "stop": ["a", "b"],
        "seed": 7,
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "verbosity": "high",
        "service_tier": "flex",
        "prompt_cache_key": "key",
        "prompt_cache_retention": "24h",
        "store": False,
    }


def test_what_is_ours_is_never_on_the_wire():
    from lamellar.call import CallContext

    options = ChatOptions(call=CallContext(), capture_raw_body=True, normalize_reasoning_content=True)
    assert body(options=options) == body()


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-4o", "max_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5-mini", "max_completion_tokens"),
        ("openai/gpt-5.1", "max_completion_tokens"),
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("o4-mini", "max_completion_tokens"),
        ("gpt-5.6", "max_completion_tokens"),
        ("gpt-6-mini", "max_completion_tokens"),
        ("gpt-10", "max_completion_tokens"),
        ("gpt-4.1", "max_tokens"),
        ("gpt-35-turbo", "max_tokens"),
        ("olmo-2", "max_tokens"),
        ("gpt-oss-120b", "max_tokens"),
    ],
)
def test_the_name_of_the_bound_follows_the_model(model: str, field: str):
    assert body(options=ChatOptions(max_tokens=9), model=model)[field] == 9
    assert body(options=ChatOptions(max_tokens=9), model=model, max_tokens_field="limit")["limit"] == 9


def test_seed_quirk():
    assert body(options=ChatOptions(seed=1), seed_field="random_seed")["random_seed"] == 1


@pytest.mark.parametrize(
    ("quirk", "effort", "sent"),
    [
        ("effort", "zero", {"reasoning_effort": "none"}),
        ("effort", "xhigh", {"reasoning_effort": "xhigh"}),
        ("object", "high", {"reasoning": {"effort": "high"}}),
        ("object", "zero", {"reasoning": {"effort": "none"}}),
        ("object", 2000, {"reasoning": {"max_tokens": 2000}}),
        ("thinking", "high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ("thinking", "zero", {"thinking": {"type": "disabled"}}),
        ("groq", "medium", {"reasoning_effort": "medium", "reasoning_format": "parsed"}),
        ("groq", "zero", {"reasoning_effort": "none"}),
        ("effort", "max", {"reasoning_effort": "max"}),
        ("effort", 0, {"reasoning_effort": "none"}),
        ("object", 0, {"reasoning": {"effort": "none"}}),
        ("thinking", 0, {"thinking": {"type": "disabled"}}),
    ],
)
def test_reasoning(quirk: str, effort: Any, sent: dict[str, Any]):
    plain = body()
    with_effort = body(options=ChatOptions(reasoning_effort=effort), reasoning=quirk)
    assert {key: value for key, value in with_effort.items() if key not in plain} == sent


def test_a_budget_cannot_be_said_in_words():
    error = refused(options=ChatOptions(reasoning_effort=2000))
    assert error.code == "unsupported"
    assert error.failover
    assert not error.retryable
    assert "reasoning_effort" in error.message
    assert "2000" in error.message


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (ToolChoice.tool("f"), {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tool_choice(choice: Any, sent: Any):
    assert body(options=ChatOptions(tool_choice=choice))["tool_choice"] == sent


def test_response_formats():
    assert body(options=ChatOptions(response_format="json"))["response_format"] == {"type": "json_object"}
    schema = JsonSchemaFormat(name="city", schema={"type": "object"}, description="A city", strict=True)
    assert body(options=ChatOptions(response_format=schema))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": {"type": "object"}, "description": "A city", "strict": True},
    }
    bare = JsonSchemaFormat(name="city", schema={})
    assert body(options=ChatOptions(response_format=bare))["response_format"]["json_schema"] == {
        "name": "city",
        "schema": {},
    }


def test_tools():
    request = ASK.with_tools(
        Tool(name="f", description="d", schema={"type": "object"}, strict=True),
        Tool(name="g"),
        Tool(name="openrouter:web_search", config={"parameters": {"max_uses": 1}}),
    )
    assert body(request)["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
        },
        {"type": "function", "function": {"name": "g"}},
        {"type": "openrouter:web_search", "parameters": {"max_uses": 1}},
    ]


def test_extra_body_wins_and_is_not_merged_deeply():
    options = ChatOptions(temperature=1.0, extra_body={"temperature": 0, "stream_options": {"a": 1}, "x": [1]})
    sent = body(options=options, stream=True)
    assert sent["temperature"] == 0
    assert sent["stream_options"] == {"a": 1}
    assert sent["x"] == [1]


def test_images():
    assert message(Text("what?"), Binary.from_url("image/png", "https://x/y.png"))["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]
    assert message(Binary.from_base64("image/jpeg", "QUJD"))["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QUJD"}}
    ]


def test_documents():
    pdf = Binary.from_base64("application/pdf", "QUJD", "a.pdf")
    data = "data:application/pdf;base64,QUJD"
    assert message(pdf)["content"] == [{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}]
    unnamed = message(Binary.from_base64("text/plain", "QUJD"))["content"][0]["file"]
    assert unnamed == {"filename": "document.txt", "file_data": "data:text/plain;base64,QUJD"}
    assert message(pdf, documents="document_url")["content"] == [
        {"type": "document_url", "document_url": data, "document_name": "a.pdf"}
    ]
    linked = Binary.from_url("application/pdf", "https://x/y.pdf")
    assert message(linked, documents="document_url")["content"][0]["document_url"] == "https://x/y.pdf"
    assert message(linked, documents="file_url")["content"][0]["file"]["file_data"] == "https://x/y.pdf"
    error = refused_message(linked)
    assert "messages[0].content[0].source.url" in error.message
    assert "from_bytes" in error.message


def test_sound_and_video():
    for media, name in (("audio/wav", "wav"), ("audio/mpeg", "mp3"), ("audio/x-wav", "wav"), ("audio/flac", "flac")):
        assert message(Binary.from_base64(media, "QUJD"))["content"] == [
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": name}}
        ]
    assert "base64" in refused_message(Binary.from_url("audio/wav", "https://x/y.wav")).message
    assert message(Binary.from_url("audio/wav", "data:audio/wav;base64,QUJD"))["content"] == [
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
    ]
    for sound in (Binary.from_base64("audio/mpeg", "QUJD"), Binary.from_url("audio/mpeg", "https://x/y.mp3")):
        sent = message(sound, audio="text")["content"]
        assert sent == [{"type": "input_audio", "input_audio": sound.source.base64 or sound.source.url}]
    assert "Custom" in refused_message(Binary.from_base64("video/mp4", "QUJD")).message


def test_custom_parts_are_sent_as_they_are():
    part = {"type": "file", "file": {"file_id": "f"}}
    assert message(Custom(data=part))["content"] == [part]
    assert message(Text("a"), Custom(data=part), role="assistant")["content"] == [{"type": "text", "text": "a"}, part]


def test_an_assistants_turn():
    call = ToolCall(call_id="c1", fn_name="f", fn_arguments={"a": 1})
    assert message(call, role="assistant") == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    }
    sent = message(Text("I "), Text("look."), call, role="assistant")
    assert sent["content"] == "I look."
    for arguments, text in ((None, "{}"), ({}, "{}"), ("not json", "not json"), ([1], "[1]")):
        sent = message(ToolCall(call_id="c", fn_name="f", fn_arguments=arguments), role="assistant")
        assert sent["tool_calls"][0]["function"]["arguments"] == text


def test_tool_results():
    sent = message(
        ToolResponse(call_id="a", fn_name="f", content="sunny"),
        ToolResponse(call_id="b", content={"deg": 21, "name": "Zürich"}),
        role="tool",
    )
    assert sent == [
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": '{"deg":21,"name":"Zürich"}'},
    ]


@pytest.mark.parametrize(
    ("back", "sent"),
    [
        (None, {"role": "assistant", "content": "4"}),
        ("reasoning_content", {"role": "assistant", "content": "4", "reasoning_content": "2+2"}),
        ("reasoning", {"role": "assistant", "content": "4", "reasoning": "2+2"}),
        (
            "thinking",
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "4"},
                ],
            },
        ),
    ],
)
def test_reasoning_goes_back_where_it_is_taken(back: str | None, sent: dict[str, Any]):
    assert message(ReasoningContent(text="2+2"), Text("4"), role="assistant", reasoning_back=back) == sent


def test_signatures_go_back_where_they_are_taken():
    parts = (
        ThoughtSignature(signature="s"),
        ToolCall(call_id="c", fn_name="f", fn_arguments={}, thought_signatures=("t",)),
    )
    sent = message(*parts, role="assistant", signatures=True)
    assert sent["extra_content"] == {"google": {"thought_signature": "s"}}
    assert sent["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "t"}}
    assert "extra_content" not in json.dumps(message(*parts, role="assistant"))


def test_an_answers_extras_go_back_where_they_belong():
    details = Custom(model="example", data={"reasoning_details": [{"type": "reasoning.text", "text": "t"}]})
    cited = Custom(model="example", data={"annotations": [{"type": "url_citation"}]})
    parts = (ReasoningContent(text="t"), Text("x"), details, cited)
    assert message(*parts, role="assistant", reasoning_back="reasoning") == {
        "role": "assistant",
        "content": "x",
        "reasoning_details": [{"type": "reasoning.text", "text": "t"}],
    }
    assert message(*parts, role="assistant") == {"role": "assistant", "content": "x"}
    foreign = Custom(model="elsewhere", data={"audio": {"id": "a", "data": "QUJD"}})
    assert "audio" not in message(Text("x"), foreign, role="assistant")
    own = Custom(model="example", data={"audio": {"id": "a", "data": "QUJD"}})
    assert message(own, role="assistant")["audio"] == {"id": "a"}
    assert message(Custom(model="x", data={"refusal": "no"}), role="assistant")["refusal"] == "no"
    assert message(Text("The"), Custom(data={"prefix": True}), role="assistant")["prefix"] is True


def test_cache_marks():
    marked = ChatRequest.from_messages([ChatMessage(role="user", content="hi", cache_control="5m")])
    assert body(marked, cache="parts")["messages"][0]["content"] == [
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
    ]
    assert body(marked)["messages"][0]["content"] == "hi"
    whole = body(options=ChatOptions(cache_control="ephemeral"), cache="parts")["messages"][0]["content"]
    assert whole[0]["cache_control"] == {"type": "ephemeral"}
    longest = body(options=ChatOptions(cache_control="24h"), cache="parts")["messages"][0]["content"]
    assert longest[0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}  # it may be kept that long, and no longer
    assert "prompt_cache_retention" not in body(options=ChatOptions(cache_control="24h"), cache="none")


@pytest.mark.parametrize(
    ("role", "part", "mend"),
    [
        ("user", ToolResponse(call_id="c", content="x"), "role 'tool'"),
        ("user", ToolCall(call_id="c", fn_name="f"), "role 'assistant'"),
        ("user", ReasoningContent(text="x"), "role 'assistant'"),
        ("user", ThoughtSignature(signature="x"), "role 'assistant'"),
        ("system", Binary.from_url("image/png", "u"), "role 'user'"),
        ("assistant", Binary.from_url("image/png", "u"), "role 'user'"),
        ("assistant", ToolResponse(call_id="c"), "role 'tool'"),
        ("assistant", ReasoningContent(text="x"), "leave the message out"),
        ("assistant", ThoughtSignature(signature="x"), "leave the message out"),
        ("tool", Text("x"), "ToolResponse"),
    ],
)
def test_what_cannot_be_said_is_named(role: str, part: Any, mend: str):
    error = refused_message(part, role=role)
    assert error.code == "unsupported"
    assert error.failover
    assert not error.counts_against_health
    assert "messages[0].content" in error.message
    assert type(part).__name__ in error.message
    assert mend in error.message


def test_nothing_to_say():
    error = refused(ChatRequest.from_system("x"))
    assert error.code == "empty_messages"
    assert not error.failover
    error = refused(ChatRequest.from_messages([ChatMessage(role="user", content=())]))
    assert error.code == "unsupported"
    assert "messages[0].content: empty" in error.message


def test_a_conversation_kept_by_the_provider():
    error = refused(ASK.model_copy(update={"previous_response_id": "resp_1"}))
    assert "previous_response_id" in error.message
    assert error.failover


def test_the_body_is_compact_utf8():
    request = build(ChatRequest.from_user("Grüße 🦊"))
    assert "Grüße 🦊".encode() in request.body
    assert b'", "' not in request.body
