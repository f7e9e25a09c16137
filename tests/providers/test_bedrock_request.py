"""Requests of the Converse dialect: the URL, options, tools and reasoning. Messages are in `test_bedrock_messages`."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ExecutorError
from lamellar.providers.bedrock_converse import BEDROCK_CONVERSE
from lamellar.providers.wire import Endpoint, WireRequest

ASK = ChatRequest.from_user("hi")
NOVA = "amazon.nova-lite-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TOOL = Tool(name="f", schema={"type": "object"})


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = NOVA,
    stream: bool = False,
    base_url: str = "https://bedrock.example",
    key: str | None = "k",
    lenient: bool = False,
) -> WireRequest:
    endpoint = Endpoint("bedrock", base_url, key, lenient=lenient)
    return BEDROCK_CONVERSE.build_request(endpoint, model, request, options, stream=stream)


def body(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> dict[str, Any]:
    return json.loads(build(request, options, **more).body)


def said(model: str = NOVA, *, lenient: bool = False, **options: Any) -> dict[str, Any]:
    """What options add to the body."""
    sent = body(options=ChatOptions(**options), model=model, lenient=lenient)
    return {key: value for key, value in sent.items() if key != "messages"}


def refused(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> str:
    with pytest.raises(ExecutorError) as caught:
        build(request, options, **more)
    assert caught.value.kind == "invalid_request"
    assert caught.value.code == "unsupported"
    assert caught.value.failover
    return caught.value.message


def test_the_smallest_request():
    request = build()
    assert request.url == "https://bedrock.example/model/amazon.nova-lite-v1%3A0/converse"
    assert json.loads(request.body) == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer k",
    }
    assert "authorization" not in build(key=None).headers


def test_a_stream():
    request = build(stream=True)
    assert request.url.endswith("/model/amazon.nova-lite-v1%3A0/converse-stream")
    assert request.headers["accept"] == "application/vnd.amazon.eventstream"
    assert request.body == build().body


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("anthropic.claude-v2", "anthropic.claude-v2"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arb_-~",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2F1arb_-~",
        ),
        ("a b/../c?d#e", "a%20b%2F..%2Fc%3Fd%23e"),
    ],
)
def test_the_model_is_one_segment(model: str, segment: str):
    assert build(model=model).url == f"https://bedrock.example/model/{segment}/converse"


def test_the_base_url():
    assert build(base_url="https://x/p/").url.startswith("https://x/p/model/")
    assert build(base_url="https://x/p?q=1").url == "https://x/p/model/amazon.nova-lite-v1%3A0/converse?q=1"
    assert "model" in refused(model="..")


def test_options_that_keep_their_meaning():
    assert said(temperature=0.5, top_p=0.9, stop_sequences=("a", "b"), max_tokens=5, service_tier="flex") == {
        "inferenceConfig": {"temperature": 0.5, "topP": 0.9, "stopSequences": ["a", "b"], "maxTokens": 5},
        "serviceTier": {"type": "flex"},
    }
    assert said(service_tier="auto") == {}
    assert said(service_tier="default")["serviceTier"] == {"type": "default"}
    assert said(prompt_cache_key="k") == {}
    assert body(ChatRequest(messages=ASK.messages, store=True)).keys() == {"messages"}


STEERING: list[tuple[str, Any]] = [
    ("seed", 1),
    ("frequency_penalty", 0.5),
    ("presence_penalty", 0.5),
    ("verbosity", "low"),
    ("parallel_tool_calls", False),
    ("reasoning_effort", "low"),
]


@pytest.mark.parametrize(("name", "value"), STEERING)
def test_what_only_steers_is_refused_or_left_out(name: str, value: Any, caplog: pytest.LogCaptureFixture):
    assert refused(options=ChatOptions(**{name: value})).startswith(f"{name}: ")
    with caplog.at_level(logging.INFO, "lamellar.providers"):
        assert said(lenient=True, **{name: value}) == {}
    assert name in caplog.text
    assert said(parallel_tool_calls=True) == {}


def test_a_conversation_that_the_provider_would_keep():
    kept = ChatRequest(messages=ASK.messages, previous_response_id="r")
    assert "previous_response_id" in refused(kept)
    assert "previous_response_id" in refused(kept, lenient=True)


def test_newer_claude_takes_no_sampling():
    newer = "global.anthropic.claude-opus-4-8-v1:0"
    assert "temperature" in refused(options=ChatOptions(temperature=0.2), model=newer)
    assert said(newer, temperature=1) == {"inferenceConfig": {"temperature": 1.0}}
    assert said(newer, lenient=True, temperature=0.2) == {}
    assert said(SONNET, temperature=0.2) == {"inferenceConfig": {"temperature": 0.2}}


EFFORTS: list[tuple[str, Any, dict[str, Any]]] = [
    (SONNET, 2000, {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}),
    (SONNET, "low", {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2048}}}),
    (SONNET, "zero", {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
    (
        "anthropic.claude-opus-4-6-v1",
        "max",
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}, "outputConfig": {"effort": "max"}},
    ),
    (
        "us.amazon.nova-2-lite-v1:0",
        "minimal",
        {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}},
    ),
    (
        "us.amazon.nova-2-lite-v1:0",
        "xhigh",
        {"additionalModelRequestFields": {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}},
    ),
    ("us.amazon.nova-2-lite-v1:0", 0, {"additionalModelRequestFields": {"reasoningConfig": {"type": "disabled"}}}),
    ("openai.gpt-oss-120b-1:0", "medium", {"additionalModelRequestFields": {"reasoning_effort": "medium"}}),
    ("openai.gpt-oss-120b-1:0", "max", {"additionalModelRequestFields": {"reasoning_effort": "high"}}),
    (NOVA, "zero", {}),
    ("meta.llama3-8b-instruct-v1:0", 0, {}),
]


@pytest.mark.parametrize(("model", "effort", "sent"), EFFORTS)
def test_a_reasoning_effort(model: str, effort: Any, sent: dict[str, Any]):
    assert said(model, reasoning_effort=effort) == sent


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("us.amazon.nova-2-lite-v1:0", 1000),
        ("openai.gpt-oss-120b-1:0", 1000),
        ("openai.gpt-oss-120b-1:0", "zero"),
        (NOVA, "high"),
        ("anthropic.claude-v2", "high"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "low"),
    ],
)
def test_a_reasoning_effort_that_the_model_does_not_take(model: str, effort: Any):
    assert "reasoning_effort" in refused(options=ChatOptions(reasoning_effort=effort), model=model)
    assert said(model, lenient=True, reasoning_effort=effort) == {}


def test_a_schema_travels_as_text_and_is_closed():
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
    sent = said(response_format=JsonSchemaFormat(name="n", description="d", schema=schema))["outputConfig"][
        "textFormat"
    ]
    told = sent["structure"]["jsonSchema"]
    assert (sent["type"], told["name"], told["description"]) == ("json_schema", "n", "d")
    assert json.loads(told["schema"]) == {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
        "additionalProperties": False,
    }
    effort = said(
        "anthropic.claude-opus-4-6-v1",
        response_format=JsonSchemaFormat(name="n", schema=schema),
        reasoning_effort="low",
    )
    assert effort["outputConfig"].keys() == {"effort", "textFormat"}
    assert "response_format" in refused(options=ChatOptions(response_format="json"))


def test_tools():
    tools = (
        Tool(name="f", description="d", schema={"type": "object"}, strict=True, cache_control="1h"),
        Tool(name="g", description=""),
        Tool(name="nova_grounding", config={}),
    )
    assert body(ASK.with_tools(*tools))["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "f",
                    "description": "d",
                    "inputSchema": {"json": {"type": "object"}},
                    "strict": True,
                }
            },
            {"cachePoint": {"type": "default", "ttl": "1h"}},
            {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            {"systemTool": {"name": "nova_grounding"}},
        ]
    }
    assert "tools[0].config.type" in refused(ASK.with_tools(Tool(name="bash", config={"type": "bash_20250124"})))


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        (ToolChoice.tool("f"), {"tool": {"name": "f"}}),
    ],
)
def test_a_choice_among_tools(choice: Any, sent: dict[str, Any]):
    assert body(ASK.with_tools(TOOL), ChatOptions(tool_choice=choice))["toolConfig"]["toolChoice"] == sent


def test_no_tool_at_all():
    from lamellar.chat.content import ToolCall, ToolResponse

    none = ChatOptions(tool_choice="none")
    assert "toolConfig" not in body(ASK.with_tools(TOOL), none)
    assert "toolConfig" not in body(ASK, ChatOptions(tool_choice="auto"))
    assert "tool_choice" in refused(ASK, ChatOptions(tool_choice="required"))
    called = ASK.append_message(
        ChatMessage.assistant(ToolCall(call_id="t", fn_name="f")), ChatMessage.tool(ToolResponse(call_id="t"))
    )
    assert "tool_choice" in refused(called.with_tools(TOOL), none)


def test_what_is_extra_is_merged_last_object_by_object():
    options = ChatOptions(
        temperature=0.5,
        reasoning_effort=2000,
        extra_headers={"X-Team": "t"},
        extra_body={
            "inferenceConfig": {"topP": 0.1, "temperature": 0.1},
            "additionalModelRequestFields": {"top_k": 5},
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            "messages": [],
        },
    )
    sent = body(options=options, model=SONNET)
    assert sent["inferenceConfig"] == {"temperature": 0.1, "topP": 0.1}
    assert sent["additionalModelRequestFields"].keys() == {"thinking", "top_k"}
    assert sent["guardrailConfig"]["guardrailIdentifier"] == "g"
    assert sent["messages"] == []
    assert build(options=options, model=SONNET).headers["x-team"] == "t"
