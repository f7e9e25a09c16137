"""Options of the generateContent dialect, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from tests.providers.gemini_chunks import ASK, body, refused

from lamellar.chat.content import Text
from lamellar.chat.options import ChatOptions, JsonSchemaFormat
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool


def config(options: ChatOptions, **more: Any) -> dict[str, Any]:
    return body(ASK, options, **more)["generationConfig"]


def test_options_in_the_generation_config():
    options = ChatOptions(
        temperature=0.5,
        max_tokens=9,
        top_p=0.9,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stop_sequences="END",
    )
    assert config(options) == {
        "temperature": 0.5,
        "maxOutputTokens": 9,
        "topP": 0.9,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "stopSequences": ["END"],
    }


def test_an_option_that_is_unset_is_not_sent_and_an_empty_one_is():
    assert "generationConfig" not in body(ASK, ChatOptions())
    assert config(ChatOptions(stop_sequences=())) == {"stopSequences": []}
    assert config(ChatOptions(temperature=0.0)) == {"temperature": 0.0}


def test_answers_in_json():
    assert config(ChatOptions(response_format="json")) == {"responseMimeType": "application/json"}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    form = JsonSchemaFormat(name="n", schema=schema, strict=True)
    assert config(ChatOptions(response_format=form)) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    told = JsonSchemaFormat(name="n", schema=schema, description="d")
    assert config(ChatOptions(response_format=told))["responseJsonSchema"] == {**schema, "description": "d"}
    own = JsonSchemaFormat(name="n", schema={"description": "own"}, description="d")
    assert config(ChatOptions(response_format=own))["responseJsonSchema"] == {"description": "own"}


EFFORTS = [
    ("gemini-2.5-flash", "zero", {"thinkingBudget": 0}),
    ("gemini-2.5-flash", "minimal", {"thinkingBudget": 512, "includeThoughts": True}),
    ("gemini-2.5-flash", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
    ("models/gemini-2.5-flash", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
    ("gemini-2.5-pro", "high", {"thinkingBudget": 24576, "includeThoughts": True}),
    ("gemini-2.5-flash-lite", "max", {"thinkingBudget": 24576, "includeThoughts": True}),
    ("gemini-2.5-pro", "max", {"thinkingBudget": 32768, "includeThoughts": True}),
    ("gemini-robotics-er-1.5-preview", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
    ("gemini-3-flash-preview", "zero", {"thinkingBudget": 0}),
    ("gemini-2.5-pro", 300, {"thinkingBudget": 300, "includeThoughts": True}),
    ("gemini-3-pro", 300, {"thinkingBudget": 300, "includeThoughts": True}),
    ("gemini-2.0-pro-exp", "zero", {"thinkingBudget": 0}),
    ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
    ("gemini-3-pro-preview", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
    ("gemini-3-pro-preview", "medium", {"thinkingLevel": "HIGH", "includeThoughts": True}),
    ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW", "includeThoughts": True}),
    ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
    ("gemini-3.5-flash", "low", {"thinkingLevel": "LOW", "includeThoughts": True}),
    ("Gemini-3.5-Flash", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
    ("gemini-10-ultra", "high", {"thinkingLevel": "HIGH", "includeThoughts": True}),
    ("gemini-flash-latest", "xhigh", {"thinkingLevel": "HIGH", "includeThoughts": True}),
    ("gemini-exp-1206", "low", {"thinkingLevel": "LOW", "includeThoughts": True}),
    ("tunedModels/mine", "max", {"thinkingLevel": "HIGH", "includeThoughts": True}),
]


@pytest.mark.parametrize(("model", "effort", "sent"), EFFORTS)
def test_how_a_model_is_asked_to_think(model: str, effort: Any, sent: dict[str, Any]):
    assert config(ChatOptions(reasoning_effort=effort), model=model) == {"thinkingConfig": sent}


@pytest.mark.parametrize(
    ("tier", "sent"), [("flex", "flex"), ("default", "standard"), ("auto", None), ("priority", "priority")]
)
def test_service_tiers(tier: str, sent: str | None):
    assert body(ASK, ChatOptions(service_tier=tier)).get("serviceTier") == sent


def test_whether_it_may_be_stored():
    assert "store" not in body()
    assert body(ChatRequest(messages=ASK.messages, store=False))["store"] is False


def test_what_loses_nothing_is_left_out():
    marked = ChatRequest(
        messages=(ChatMessage(role="user", content=(Text("hi"),), cache_control="1h"),),
        tools=(Tool(name="t", cache_control="5m"),),
    )
    options = ChatOptions(prompt_cache_key="k", cache_control="24h", parallel_tool_calls=True)
    assert body(marked, options) == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "t"}]}],
    }


@pytest.mark.parametrize(
    ("field", "request_", "options"),
    [
        ("previous_response_id", ChatRequest(messages=ASK.messages, previous_response_id="r"), None),
        ("parallel_tool_calls", ASK, ChatOptions(parallel_tool_calls=False)),
        ("verbosity", ASK, ChatOptions(verbosity="low")),
        ("reasoning_effort", ASK, ChatOptions(reasoning_effort="zero")),
        ("reasoning_effort", ASK, ChatOptions(reasoning_effort=0)),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(field: str, request_: ChatRequest, options: ChatOptions | None):
    error = refused(request_, options, model="gemini-2.5-pro")
    assert error.message.startswith(f"{field}: ")
    assert (error.code, error.provider, error.model) == ("unsupported", "gemini", "gemini-2.5-pro")
    assert error.failover
    assert not error.retryable


def test_extra_body_is_merged_last_and_object_by_object():
    options = ChatOptions(
        temperature=0.5,
        reasoning_effort="low",
        extra_body={
            "generationConfig": {"topK": 3, "temperature": 1.0, "thinkingConfig": {"includeThoughts": False}},
            "safetySettings": [{"category": "c", "threshold": "BLOCK_NONE"}],
            "contents": [],
        },
    )
    assert body(ASK, options) == {
        "contents": [],
        "generationConfig": {
            "temperature": 1.0,
            "topK": 3,
            "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": False},
        },
        "safetySettings": [{"category": "c", "threshold": "BLOCK_NONE"}],
    }
    assert options.extra_body is not None
    assert "thinkingBudget" not in str(options.extra_body)


def test_our_own_context_never_goes_out():
    options = ChatOptions(normalize_reasoning_content=True, capture_raw_body=True)
    assert body(ASK, options) == body()
