"""Requests of the Responses dialect: address, options and tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.providers.responses_events import ASK, BASE, body, build, refused

from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ConfigError
from lamellar.providers import OpenAIResponses
from lamellar.providers.wire import Quirks

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ENCRYPTED = ["reasoning.encrypted_content"]


def test_the_smallest_request():
    request = build()
    assert request.url == f"{BASE}/responses"
    assert json.loads(request.body) == {"model": "gpt-9", "input": [{"role": "user", "content": "hi"}]}
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer k",
    }


def test_a_stream_is_asked_for_in_the_body():
    request = build(stream=True)
    assert json.loads(request.body)["stream"] is True
    assert request.headers["accept"] == "text/event-stream"


def test_a_query_of_the_base_url_stays_at_the_end():
    assert build(base_url="https://x.test/openai/?api-version=1").url == "https://x.test/openai/responses?api-version=1"


def test_options():
    said = body(
        ASK,
        ChatOptions(
            temperature=0.0,
            top_p=0.5,
            max_tokens=100,
            parallel_tool_calls=False,
            service_tier="flex",
            prompt_cache_key="k",
            verbosity="low",
            cache_control="24h",
        ),
    )
    del said["model"], said["input"]
    assert said == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_output_tokens": 100,
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "text": {"verbosity": "low"},
        "prompt_cache_retention": "24h",
    }


@pytest.mark.parametrize(
    ("option", "quirks"),
    [("ephemeral", None), ("5m", None), ("1h", None), ("24h", Quirks(cache="none"))],
)
def test_a_mark_for_the_cache_is_left_out_where_the_provider_caches_by_itself(option: Any, quirks: Quirks | None):
    message = ChatMessage(role="user", content="hi", cache_control="5m")
    assert body(ChatRequest(messages=(message,)), ChatOptions(cache_control=option), quirks=quirks) == body()


def test_what_the_provider_keeps():
    request = ChatRequest(messages=(ChatMessage.user("hi"),), previous_response_id="resp_0", store=True)
    said = body(request)
    assert (said["previous_response_id"], said["store"]) == ("resp_0", True)
    assert "include" not in said


@pytest.mark.parametrize("extra", [{"prompt": {"id": "pmpt_1"}}, {"conversation": "conv_1"}, {"input": "hi"}])
def test_what_stands_for_an_input(extra: dict[str, Any]):
    said = body(ChatRequest(), ChatOptions(extra_body=extra))
    assert said == {"model": "gpt-9", **extra}
    assert "input" not in body(ChatRequest(previous_response_id="resp_0"))


def test_nothing_to_send():
    error = refused(ChatRequest(system="Be brief."))
    assert (error.code, error.failover) == ("empty_messages", False)
    assert "messages" in error.message


# -- structured answers --------------------------------------------------------------------------------------------


def test_json_of_any_shape():
    assert body(ASK, ChatOptions(response_format="json"))["text"] == {"format": {"type": "json_object"}}


def test_json_of_a_schema():
    form = JsonSchemaFormat(name="place", schema=SCHEMA, description="A place.", strict=True)
    said = body(ASK, ChatOptions(response_format=form, verbosity="high"))
    assert said["text"] == {
        "format": {
            "type": "json_schema",
            "name": "place",
            "schema": SCHEMA,
            "description": "A place.",
            "strict": True,
        },
        "verbosity": "high",
    }
    brief = body(ASK, ChatOptions(response_format=JsonSchemaFormat(name="place", schema=SCHEMA)))
    assert brief["text"]["format"] == {"type": "json_schema", "name": "place", "schema": SCHEMA}


# -- reasoning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effort", "word"),
    [("minimal", "minimal"), ("low", "low"), ("high", "high"), ("xhigh", "xhigh"), ("max", "max")],
)
def test_an_effort_brings_the_reasoning_in_the_form_that_goes_back(effort: Any, word: str):
    said = body(ASK, ChatOptions(reasoning_effort=effort))
    assert said["reasoning"] == {"effort": word}
    assert said["include"] == ENCRYPTED


@pytest.mark.parametrize("effort", ["zero", 0])
def test_no_effort_is_a_word_too(effort: Any):
    said = body(ASK, ChatOptions(reasoning_effort=effort), quirks=Quirks(reasoning_summary="auto"))
    assert said["reasoning"] == {"effort": "none"}
    assert "include" not in said


def test_a_summary_is_asked_for_with_the_effort():
    said = body(ASK, ChatOptions(reasoning_effort="low"), quirks=Quirks(reasoning_summary="detailed"))
    assert said["reasoning"] == {"effort": "low", "summary": "detailed"}
    assert "reasoning" not in body(ASK, quirks=Quirks(reasoning_summary="detailed"))


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("gpt-5-mini", True),
        ("o3", True),
        ("openai/gpt-5.2", True),
        ("openai.gpt-oss-120b", True),
        ("codex-mini-latest", True),
        ("gpt-4o", False),
        ("gpt-5-chat-latest", False),
        ("gpt-5.1-chat-latest", False),
        ("my-model", False),
    ],
)
def test_where_nothing_is_stored_reasoning_models_are_asked_for_its_encrypted_form(model: str, reasons: bool):
    unstored = ChatRequest(messages=(ChatMessage.user("hi"),), store=False)
    assert ("include" in body(unstored, model=model)) is reasons
    assert "include" not in body(ASK, model=model)
    assert "include" not in body(unstored, model=model, quirks=Quirks(encrypted_reasoning=False))


# -- what has no field here ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop_sequences", ("a",)),
        ("seed", 7),
        ("frequency_penalty", 0.5),
        ("presence_penalty", 0.0),
        ("reasoning_effort", 2000),
    ],
)
def test_what_only_steers_is_refused_or_left_out(name: str, value: Any):
    options = ChatOptions(**{name: value})
    assert refused(ASK, options).message.startswith(f"{name}: ")
    assert body(ASK, options, lenient=True) == body()


def test_no_stop_sequences_are_none():
    assert body(ASK, ChatOptions(stop_sequences=())) == body()


def test_an_answer_that_is_fetched_later():
    background = ChatOptions(extra_body={"background": True})
    assert refused(ASK, background).message.startswith("extra_body.background: ")
    assert body(ASK, background, stream=True)["background"] is True


def test_extra_body_wins_object_by_object():
    options = ChatOptions(
        reasoning_effort="low",
        verbosity="low",
        extra_body={"reasoning": {"summary": "auto"}, "text": {"verbosity": "high"}, "include": [], "user": "u"},
    )
    said = body(ASK, options)
    assert said["reasoning"] == {"effort": "low", "summary": "auto"}
    assert (said["text"], said["include"], said["user"]) == ({"verbosity": "high"}, [], "u")


def test_extra_headers_win():
    assert build(ASK, ChatOptions(extra_headers={"X-A": "1", "Accept": "b"})).headers["accept"] == "b"


# -- tools ---------------------------------------------------------------------------------------------------------


def test_functions_are_flat():
    tools = (
        Tool(name="f", description="d", schema=SCHEMA, strict=False),
        Tool(name="g"),
        Tool(name="h", schema=SCHEMA, config={"defer_loading": True}, cache_control="5m"),
    )
    assert body(ASK.with_tools(*tools))["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False},
        {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "function", "name": "h", "parameters": SCHEMA, "strict": False, "defer_loading": True},
    ]
    (strict,) = body(ASK.with_tools(Tool(name="f", schema=SCHEMA, strict=True)))["tools"]
    assert strict["strict"] is True


SEARCH = Tool(name="web_search", config={"search_context_size": "low"})
GRAMMAR = Tool(name="sql", config={"type": "custom", "name": "sql", "format": {"type": "text"}})
SERVER = Tool(name="docs", config={"type": "mcp", "server_label": "docs", "server_url": "https://x.test"})


def test_tools_of_the_providers_own():
    assert body(ASK.with_tools(SEARCH, GRAMMAR, SERVER))["tools"] == [
        {"type": "web_search", "search_context_size": "low"},
        {"type": "custom", "name": "sql", "format": {"type": "text"}},
        {"type": "mcp", "server_label": "docs", "server_url": "https://x.test"},
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (ToolChoice.tool("f"), {"type": "function", "name": "f"}),
        (ToolChoice.tool("unknown"), {"type": "function", "name": "unknown"}),
        (ToolChoice.tool("web_search"), {"type": "web_search"}),
        (ToolChoice.tool("sql"), {"type": "custom", "name": "sql"}),
        (ToolChoice.tool("docs"), {"type": "mcp", "server_label": "docs"}),
    ],
)
def test_a_choice_of_tools(choice: Any, sent: Any):
    request = ASK.with_tools(Tool(name="f", schema=SCHEMA), SEARCH, GRAMMAR, SERVER)
    assert body(request, ChatOptions(tool_choice=choice))["tool_choice"] == sent


# -- the spec ------------------------------------------------------------------------------------------------------


def test_the_endpoint_is_shared_with_chat_completions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert OpenAIResponses().endpoint().base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://both.test/v1/")
    assert OpenAIResponses().endpoint().base_url == "https://both.test/v1"
    monkeypatch.setenv("OPENAI_RESP_BASE_URL", "https://one.test/v1")
    assert OpenAIResponses().endpoint().base_url == "https://one.test/v1"
    assert OpenAIResponses(base_url="https://mine.test/v1").endpoint().base_url == "https://mine.test/v1"
    monkeypatch.delenv("OPENAI_RESP_BASE_URL")
    monkeypatch.setenv("OPENAI_BASE_URL", "both.test")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        OpenAIResponses().endpoint()


def test_a_summary_is_a_provider_of_its_own():
    plain, told = (
        OpenAIResponses(base_url="https://x.test/v1", organization="org", **more)  # type: ignore[arg-type]
        for more in ({}, {"reasoning_summary": "auto"})
    )
    assert plain.identity() != told.identity()
    assert told.endpoint().quirks == Quirks(idempotency_header="idempotency-key", reasoning_summary="auto")
    assert plain.endpoint().headers == {"openai-organization": "org"}
