"""Requests of the Anthropic dialect: options, tools, headers and thinking."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.anthropic_messages.thinking import BUDGETS
from lamellar.providers.wire import Endpoint, WireRequest

ASK = ChatRequest.from_user("hi")
OLDER = "claude-sonnet-4-5"
NEWER = "claude-opus-4-8"
TOOL = Tool(name="f", schema={"type": "object"})


def build(
    request: ChatRequest = ASK,
    options: ChatOptions | None = None,
    *,
    model: str = OLDER,
    stream: bool = False,
    base_url: str = "https://api.example",
    key: str | None = "k",
    headers: dict[str, str] | None = None,
) -> WireRequest:
    endpoint = Endpoint("anthropic", base_url, key, headers or {})
    return ANTHROPIC_MESSAGES.build_request(endpoint, model, request, options, stream=stream)


def body(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> dict[str, Any]:
    return json.loads(build(request, options, **more).body)


def said(model: str = OLDER, **options: Any) -> dict[str, Any]:
    """What options add to the body."""
    sent = body(options=ChatOptions(**options), model=model)
    return {key: value for key, value in sent.items() if key not in ("model", "messages")}


def refused(request: ChatRequest = ASK, options: ChatOptions | None = None, **more: Any) -> str:
    with pytest.raises(ExecutorError) as caught:
        build(request, options, **more)
    assert caught.value.kind == "invalid_request"
    assert caught.value.code == "unsupported"
    assert caught.value.failover
    return caught.value.message


def test_the_smallest_request():
    request = build()
    assert request.url == "https://api.example/v1/messages"
    assert json.loads(request.body) == {
        "model": OLDER,
        "max_tokens": 64000,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "k",
    }


def test_a_stream():
    request = build(stream=True)
    assert request.headers["accept"] == "text/event-stream"
    assert json.loads(request.body)["stream"] is True


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://gateway.example/anthropic", "https://gateway.example/anthropic/v1/messages"),
        ("https://gateway.example/anthropic/v1beta/", "https://gateway.example/anthropic/v1beta/messages"),
        ("https://gateway.example/v1?beta=true", "https://gateway.example/v1/messages?beta=true"),
        ("https://v1.example", "https://v1.example/v1/messages"),
    ],
)
def test_the_url_has_one_version(base_url, url):
    assert build(base_url=base_url).url == url


def test_headers_of_the_endpoint_and_of_the_call_win_in_this_order():
    endpoint = {"Anthropic-Version": "2026-01-01", "anthropic-beta": "a", "x-team": "t"}
    sent = build(options=ChatOptions(extra_headers={"Anthropic-Beta": "b"}), headers=endpoint).headers
    assert (sent["anthropic-version"], sent["anthropic-beta"], sent["x-team"]) == ("2026-01-01", "b", "t")
    assert "x-api-key" not in build(key=None).headers
    assert "k" not in repr(build(key="k-secret").headers["anthropic-version"])
    assert "secret" not in repr(build(key="k-secret"))


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        ("claude-opus-4-8", 64000),
        ("claude-sonnet-4-5-20250929", 64000),
        ("claude-opus-4-5-20251101", 64000),
        ("claude-opus-4-1", 32000),
        ("claude-opus-4-20250514", 32000),
        ("claude-sonnet-4-0", 64000),
        ("claude-3-7-sonnet-latest", 64000),
        ("claude-3-5-haiku-20241022", 8192),
        ("us.anthropic.claude-3-opus-20240229-v1:0", 4096),
        ("claude-2.1", 4096),
        ("anthropic/claude-sonnet-4.5", 64000),
        ("claude-opus-latest", 64000),
        ("claude-something-new", 64000),
        ("MiniMax-M2", 64000),
        ("glm-4.6", 8192),
    ],
)
def test_every_request_has_a_bound(model, bound):
    assert said(model)["max_tokens"] == bound
    assert said(model, max_tokens=77)["max_tokens"] == 77


def test_options_that_keep_their_meaning():
    sent = said(temperature=0.5, top_p=0.9, stop_sequences=("a", "b"), max_tokens=5, service_tier="default")
    assert sent == {
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["a", "b"],
        "max_tokens": 5,
        "service_tier": "standard_only",
    }
    assert said(service_tier="auto")["service_tier"] == "auto"


def test_options_that_are_left_out():
    options = {
        "prompt_cache_key": "k",
        "parallel_tool_calls": False,  # there is no tool to call
        "tool_choice": "auto",
    }
    assert said(**options) == {"max_tokens": 64000}
    assert body(ASK.model_copy(update={"store": True})).keys() == {"model", "max_tokens", "messages"}


def test_options_that_are_refused():
    assert refused(ASK.model_copy(update={"previous_response_id": "r"})).startswith("previous_response_id: str 'r'")
    assert refused(options=ChatOptions(service_tier="flex")).startswith("service_tier: str 'flex'")
    assert refused(options=ChatOptions(service_tier="priority")).startswith("service_tier: str 'priority'")
    assert refused(options=ChatOptions(seed=1)).startswith("seed: int 1")
    assert refused(options=ChatOptions(frequency_penalty=0.5)).startswith("frequency_penalty: float 0.5")
    assert refused(options=ChatOptions(presence_penalty=0.5)).startswith("presence_penalty: float 0.5")
    assert refused(options=ChatOptions(verbosity="low")).startswith("verbosity: str 'low'")
    assert "use a JsonSchemaFormat" in refused(options=ChatOptions(response_format="json"))


def test_a_schema_is_closed_and_the_callers_stays_as_it_was():
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "object"}}}},
            "open": {"type": "object", "additionalProperties": {"type": "object"}},
            "any": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        },
        "$defs": {"d": {"type": "object"}},
        "default": {"type": "object"},
    }
    before = json.dumps(schema)
    form = JsonSchemaFormat(name="answer", description="d", schema=schema, strict=True)
    sent = said(response_format=form)["output_config"]["format"]
    assert set(sent) == {"type", "schema"}
    assert sent["type"] == "json_schema"
    closed = sent["schema"]
    assert closed["additionalProperties"] is False
    inner = closed["properties"]
    assert inner["type"] == {"type": "string"}
    assert inner["list"]["items"]["additionalProperties"] is False
    assert inner["list"]["items"]["properties"]["x"] == {"type": "object", "additionalProperties": False}
    assert inner["open"]["additionalProperties"] == {"type": "object", "additionalProperties": False}
    assert inner["any"]["anyOf"] == [{"type": "object", "additionalProperties": False}, {"type": "null"}]
    assert closed["$defs"]["d"]["additionalProperties"] is False
    assert closed["default"] == {"type": "object"}
    assert json.dumps(schema) == before


def test_what_describes_a_schema_stands_in_it():
    told = JsonSchemaFormat(name="a", description="d", schema={"type": "object"})
    assert said(response_format=told)["output_config"]["format"]["schema"]["description"] == "d"
    own = JsonSchemaFormat(name="a", description="d", schema={"type": "object", "description": "own"})
    assert said(response_format=own)["output_config"]["format"]["schema"]["description"] == "own"
    assert told.schema == {"type": "object"}


@pytest.mark.parametrize("model", ["claude-opus-4-7", NEWER, "claude-sonnet-5", "claude-haiku-5-5", "claude-fable-5"])
def test_newer_models_take_no_sampling_options(model):
    assert refused(options=ChatOptions(temperature=0.2), model=model).startswith("temperature: float 0.2")
    assert refused(options=ChatOptions(top_p=0.9), model=model).startswith("top_p: float 0.9")
    assert said(model, temperature=1.0)["temperature"] == 1.0  # the default, which is taken


@pytest.mark.parametrize("model", [OLDER, "claude-opus-4-6", "claude-haiku-4-5", "MiniMax-M2", "glm-4.6"])
def test_older_models_take_them(model):
    sent = said(model, temperature=0.2, top_p=0.9)
    assert (sent["temperature"], sent["top_p"]) == (0.2, 0.9)


@pytest.mark.parametrize(
    ("kind", "mark"),
    [
        ("ephemeral", {"type": "ephemeral"}),
        ("5m", {"type": "ephemeral", "ttl": "5m"}),
        ("1h", {"type": "ephemeral", "ttl": "1h"}),
        ("24h", {"type": "ephemeral", "ttl": "1h"}),
    ],
)
def test_the_whole_prompt_is_marked_as_cacheable(kind, mark):
    assert said(cache_control=kind)["cache_control"] == mark


def test_extra_body_wins():
    sent = said(reasoning_effort="low", extra_body={"thinking": {"type": "disabled"}, "top_k": 5, "max_tokens": 3})
    assert (sent["thinking"], sent["top_k"], sent["max_tokens"]) == ({"type": "disabled"}, 5, 3)


# -- tools ------------------------------------------------------------------------------------------------------


def tool(**fields: Any) -> dict[str, Any]:
    return body(ASK.with_tools(Tool(**fields)))["tools"][0]


def test_functions():
    schema: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert tool(name="f", description="d", schema=schema, strict=True, cache_control="1h") == {
        "name": "f",
        "description": "d",
        "input_schema": schema,
        "strict": True,
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    assert tool(name="f") == {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    deferred = tool(name="f", schema=schema, config={"defer_loading": True})
    assert deferred == {"name": "f", "input_schema": schema, "defer_loading": True}


@pytest.mark.parametrize(
    ("name", "config", "sent"),
    [
        ("web_search", {}, {"type": "web_search_20250305", "name": "web_search"}),
        (
            "web_search",
            {"type": "web_search_20260209", "max_uses": 2},
            {"type": "web_search_20260209", "name": "web_search", "max_uses": 2},
        ),
        ("web_fetch_20250910", {"max_uses": 1}, {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 1}),
        ("advisor", {"type": "advisor_20260301"}, {"type": "advisor_20260301", "name": "advisor"}),
    ],
)
def test_the_providers_own_tools(name, config, sent):
    assert tool(name=name, config=config) == sent


def test_a_built_in_that_is_not_named():
    message = refused(ASK.with_tools(Tool(name="telescope", config={"max_uses": 1})))
    assert message.startswith("tools[0].config.type: NoneType")


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", None, {"type": "auto"}),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        (ToolChoice.tool("f"), False, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_among_tools(choice, parallel, sent):
    options = ChatOptions(tool_choice=choice, parallel_tool_calls=parallel)
    assert body(ASK.with_tools(TOOL), options).get("tool_choice") == sent


@pytest.mark.parametrize("choice", ["required", ToolChoice.tool("f")])
def test_models_that_cannot_be_made_to_call_a_tool(choice):
    options = ChatOptions(tool_choice=choice)
    for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-2"):
        assert refused(ASK.with_tools(TOOL), options, model=model).startswith("tool_choice: str")
        assert body(ASK.with_tools(TOOL), ChatOptions(tool_choice="auto"), model=model)["tool_choice"]
    for model in ("claude-opus-5", "claude-sonnet-5", "claude-haiku-5-5", "claude-fable-5", OLDER):
        assert body(ASK.with_tools(TOOL), options, model=model)["tool_choice"]["type"] in ("any", "tool")


def test_a_forced_choice_without_tools_is_left_to_the_provider_to_refuse():
    assert said(tool_choice="required")["tool_choice"] == {"type": "any"}
    assert said(tool_choice="auto", extra_body={"tools": []})["tool_choice"] == {"type": "auto"}


# -- thinking ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["minimal", "low", "medium", "high", "xhigh", "max"])
def test_a_word_is_a_budget_for_older_models(word):
    sent = said(OLDER, reasoning_effort=word)
    assert sent == {"max_tokens": 64000, "thinking": {"type": "enabled", "budget_tokens": BUDGETS[word]}}


def test_budgets_grow_with_the_words():
    assert list(BUDGETS.values()) == sorted(set(BUDGETS.values()))
    assert min(BUDGETS.values()) == 1024


@pytest.mark.parametrize(
    ("model", "word", "effort", "thinking"),
    [
        ("claude-opus-4-5", "xhigh", "high", {"type": "enabled", "budget_tokens": BUDGETS["xhigh"]}),
        ("claude-opus-4-5", "minimal", "low", {"type": "enabled", "budget_tokens": BUDGETS["minimal"]}),
        ("claude-sonnet-4-6", "max", "max", {"type": "adaptive"}),
        ("claude-sonnet-4-6", "xhigh", "high", {"type": "adaptive"}),
        ("claude-opus-4-7", "xhigh", "xhigh", {"type": "adaptive", "display": "summarized"}),
        ("claude-opus-5", "minimal", "low", {"type": "adaptive", "display": "summarized"}),
        ("claude-fable-5", "medium", "medium", {"type": "adaptive", "display": "summarized"}),
    ],
)
def test_a_word_is_an_effort_for_newer_models(model, word, effort, thinking):
    sent = said(model, reasoning_effort=word)
    assert sent["output_config"] == {"effort": effort}
    assert sent["thinking"] == thinking


def test_effort_and_format_share_their_place():
    form = JsonSchemaFormat(name="a", schema={"type": "object", "additionalProperties": False})
    sent = said(NEWER, reasoning_effort="low", response_format=form)["output_config"]
    assert (sent["effort"], sent["format"]["type"]) == ("low", "json_schema")


@pytest.mark.parametrize("bound", [1025, 1500, 4096, 9000, 100_000])
@pytest.mark.parametrize("word", ["minimal", "max"])
def test_a_words_budget_stays_below_the_bound(word, bound):
    sent = said(OLDER, reasoning_effort=word, max_tokens=bound)
    assert sent["max_tokens"] == bound
    assert 1024 <= sent["thinking"]["budget_tokens"] < bound


@pytest.mark.parametrize("model", [OLDER, "claude-sonnet-4-6", "MiniMax-M2"])
def test_a_number_is_a_budget(model):
    sent = said(model, reasoning_effort=5000)
    assert sent == {"max_tokens": sent["max_tokens"], "thinking": {"type": "enabled", "budget_tokens": 5000}}
    assert said("glm-4.6", reasoning_effort=20_000)["max_tokens"] == 24_096  # room for the budget and an answer


@pytest.mark.parametrize("nothing", ["zero", 0])
def test_thinking_is_switched_off(nothing):
    for model in (OLDER, NEWER, "claude-sonnet-5", "claude-opus-5", "claude-haiku-5-5", "MiniMax-M2"):
        assert said(model, reasoning_effort=nothing)["thinking"] == {"type": "disabled"}
    assert said("claude-sonnet-5-5", reasoning_effort=nothing)["thinking"] == {"type": "between_tools"}
    assert said("claude-3-5-haiku-latest", reasoning_effort=nothing) == {"max_tokens": 8192}


@pytest.mark.parametrize(
    ("model", "effort", "bound", "message"),
    [
        ("claude-3-5-sonnet-20240620", "low", None, "this model does not think"),
        (NEWER, 5000, None, "this model takes no budget"),
        ("claude-fable-5", "zero", None, "this model cannot be kept from thinking"),
        ("claude-opus-5-5", 0, None, "this model cannot be kept from thinking"),
        (OLDER, 1000, None, "a budget is at least 1024 tokens"),
        (OLDER, 2000, 2000, "a budget is below max_tokens, which is 2000"),
        (OLDER, "low", 1024, "raise max_tokens"),
    ],
)
def test_thinking_that_cannot_be_asked_for(model, effort, bound, message):
    options = ChatOptions(reasoning_effort=effort, max_tokens=bound)
    assert message in refused(options=options, model=model)


def test_messages_come_first_in_the_way_they_are_refused():
    empty = ChatRequest()
    with pytest.raises(ExecutorError, match="messages: empty") as caught:
        build(empty)
    assert (caught.value.code, caught.value.failover) == ("empty_messages", False)
    assert "there are system messages only" in refused(ChatRequest.from_messages([ChatMessage.system("s")]))
