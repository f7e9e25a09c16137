"""The key: whatever may change an answer changes it, and nothing else does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.middleware.cache.asking import REQUEST

from lamellar import (
    Binary,
    CallContext,
    ChatMessage,
    ChatOptions,
    ChatRequest,
    Custom,
    JsonSchemaFormat,
    ReasoningContent,
    Text,
    ThoughtSignature,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResponse,
)
from lamellar_middleware.cache.key import KeyMaker

KEYS = KeyMaker("", ["inside"])
TOOL = Tool(name="search", description="d", schema={"type": "object", "properties": {"a": {}, "b": {}}})


def key(request: ChatRequest = REQUEST, options: ChatOptions | None = None, model: str = "m", maker=KEYS) -> str:
    found = maker.key(model, request, options)
    assert found is not None
    assert len(found) == 64
    return found


REQUESTS = {
    "system": ("Be brief.", "Be long."),
    "messages": (
        (ChatMessage.user("a"),),
        (ChatMessage.user("b"),),
        (ChatMessage.user("a"), ChatMessage.assistant("b")),
        (ChatMessage.assistant("a"),),
        (ChatMessage.user(["a", "b"]),),
        (ChatMessage.user("ab"),),
        (ChatMessage(role="user", content="a", cache_control="5m"),),
        (ChatMessage.assistant(ReasoningContent(text="a")),),
        (ChatMessage.assistant(ThoughtSignature(signature="a")),),
        (ChatMessage.user(Binary.from_url("image/png", "https://example.com/a")),),
        (ChatMessage.user(Binary.from_base64("image/png", "aaaa")),),
        (ChatMessage.assistant(ToolCall(call_id="1", fn_name="f", fn_arguments={"x": 1})),),
        (ChatMessage.assistant(ToolCall(call_id="1", fn_name="f", fn_arguments={"x": "1"})),),
        (ChatMessage.assistant(ToolCall(call_id="1", fn_name="f", fn_arguments={"x": None})),),
        (ChatMessage.assistant(ToolCall(call_id="1", fn_name="f", fn_arguments={"x": float("inf")})),),
        (ChatMessage.tool(ToolResponse(call_id="1", content="a")),),
        (ChatMessage.tool(ToolResponse(call_id="1", content=["a"])),),
        (ChatMessage.user(Custom(data={"a": 1})),),
        (ChatMessage.user(Custom(data=None)),),
    ),
    "tools": (
        (TOOL,),
        (TOOL, TOOL),
        (TOOL.model_copy(update={"description": "e"}),),
        (TOOL.model_copy(update={"schema": {"type": "object"}}),),
        (TOOL.model_copy(update={"strict": True}),),
        (TOOL.model_copy(update={"config": {"max_uses": 1}}),),
        (TOOL.model_copy(update={"cache_control": "1h"}),),
    ),
    "previous_response_id": ("a", "b"),
    "store": (True, False),
}

OPTIONS = {
    "temperature": (0.0, 1.0),
    "max_tokens": (1, 2),
    "top_p": (0.5, 1.0),
    "frequency_penalty": (0.0, 0.1),
    "presence_penalty": (0.0, 0.1),
    "stop_sequences": ((), ("a",), ("a", "b")),
    "seed": (1, 2),
    "response_format": (
        "json",
        JsonSchemaFormat(name="a", schema={}),
        JsonSchemaFormat(name="b", schema={}),
        JsonSchemaFormat(name="a", schema={"type": "object"}),
    ),
    "tool_choice": ("auto", "none", ToolChoice.tool("a"), ToolChoice.tool("b")),
    "parallel_tool_calls": (True, False),
    "reasoning_effort": ("low", "high", 1, 2),
    "verbosity": ("low", "high"),
    "service_tier": ("flex", "auto"),
    "cache_control": ("5m", "1h"),
    "prompt_cache_key": ("a", "b"),
    "normalize_reasoning_content": (True, False),
    "extra_headers": ({"x-team": "a"}, {"x-team": "b"}, {"x-other": "a"}),
    "extra_body": ({"a": 1}, {"a": 2}, {"a": None}, {"b": 1}, {"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}),
}
NOT_SENT = {"call", "capture_raw_body"}


def test_every_field_has_a_case() -> None:
    assert REQUESTS.keys() == ChatRequest.model_fields.keys()
    assert OPTIONS.keys() | NOT_SENT == ChatOptions.model_fields.keys()


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.failure(24)
def test_every_field_of_a_request_changes_the_key(name: str) -> None:
    keys = [key(ChatRequest()), *[key(ChatRequest(**{name: value})) for value in REQUESTS[name]]]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.failure(24)
def test_every_option_that_is_sent_changes_the_key(name: str) -> None:
    keys = [key(), *[key(options=ChatOptions(**{name: value})) for value in OPTIONS[name]]]
    assert len(set(keys)) == len(keys)


def test_model_namespace_and_what_is_inside_change_the_key() -> None:
    others = [
        key(model="n"),
        key(maker=KeyMaker("team", ["inside"])),
        key(maker=KeyMaker("", ["else"])),
        key(maker=KeyMaker("", "inside")),
    ]
    assert len({key(), *others}) == 5


@pytest.mark.parametrize(
    "options",
    [
        ChatOptions(),
        ChatOptions(temperature=None),
        ChatOptions(capture_raw_body=True),
        ChatOptions(call=CallContext(timeout=3, tags={"a": "b"}, conversation_id="c", cache="refresh", priority=9)),
        ChatOptions(extra_headers={"Authorization": "Bearer secret-of-one-user"}),
        ChatOptions(extra_headers={"x-api-key": "secret-of-another"}),
    ],
    ids=["none", "unset", "capture", "call", "authorization", "api-key"],
)
def test_what_is_not_sent_and_credentials_do_not_change_the_key(options: ChatOptions) -> None:
    assert key(options=options) == key()


def test_the_order_of_names_does_not_change_the_key() -> None:
    def turned(value: object) -> object:
        return dict(reversed(value.items())) if isinstance(value, dict) else value

    schema = {"type": "object", "properties": {"a": 1, "b": 2}}
    call = ToolCall(call_id="1", fn_name="f", fn_arguments={"a": 1, "b": 2})
    one, other = (
        ChatRequest(
            messages=(
                ChatMessage.assistant(call.model_copy(update={"fn_arguments": change(call.fn_arguments)})),
                ChatMessage.tool(ToolResponse(call_id="1", content=change({"x": 1, "y": 2}))),
                ChatMessage.user(Custom(data=change({"p": 1, "q": 2}))),
            ),
            tools=(Tool(name="t", schema=change(schema), config=change({"a": 1, "b": 2})),),
        )
        for change in (dict, turned)
    )
    assert json.dumps(one.model_dump()) != json.dumps(other.model_dump())
    assert key(one) == key(other)
    body, headers = {"a": 1, "b": {"c": 1, "d": 2}}, {"x-a": "1", "x-b": "2"}
    options = [
        ChatOptions(
            extra_body=change({**body, "b": change(body["b"])}),
            extra_headers=change(headers),
            response_format=JsonSchemaFormat(name="n", schema=change(schema)),
        )
        for change in (dict, turned)
    ]
    assert key(options=options[0]) == key(options=options[1])


def test_the_order_of_names_in_a_tool_alone_does_not_change_the_key() -> None:
    schemas = ({"type": "object", "properties": {}}, {"properties": {}, "type": "object"})
    assert len({key(ChatRequest(tools=(Tool(name="t", schema=schema),))) for schema in schemas}) == 1


def test_the_case_of_a_headers_name_does_not_change_the_key() -> None:
    keys = {key(options=ChatOptions(extra_headers={name: "a"})) for name in ("X-Team", "x-team")}
    assert len(keys) == 1


@given(st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_two_conversations_have_one_key_only_if_they_are_equal(one: list[str], other: list[str]) -> None:
    first, second = (ChatRequest(messages=tuple(ChatMessage.user(text) for text in said)) for said in (one, other))
    assert (KEYS.key("m", first, None) == KEYS.key("m", second, None)) == (first == second)


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_no_part_of_a_key_runs_into_the_next(model: str, system: str, other_model: str, other_system: str) -> None:
    keys = [KEYS.key(m, ChatRequest(system=s), None) for m, s in ((model, system), (other_model, other_system))]
    assert (keys[0] == keys[1]) == ((model, system) == (other_model, other_system))


def test_a_request_that_is_no_json_has_no_key() -> None:
    lone = ChatRequest.model_construct(messages=(ChatMessage.user("\ud800"),))
    assert KEYS.key("m", lone, None) is None
    assert KEYS.key("\ud800", REQUEST, None) is None
    strange = ChatRequest(messages=(ChatMessage.user(Custom.model_construct(type="custom", data=object())),))
    assert KEYS.key("m", strange, None) is None


def test_text_is_keyed_the_same_whichever_way_it_is_written() -> None:
    assert key(ChatRequest(messages=[{"role": "user", "content": "hi"}])) == key(ChatRequest.from_user([Text("hi")]))
