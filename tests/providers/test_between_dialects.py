"""What a conversation brings along from other providers: ids of calls, reasoning, parts in their form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.errors import ExecutorError
from lamellar.providers.dialects import DIALECTS, dialect_named
from lamellar.providers.wire import Endpoint, Quirks

HI = ChatMessage.user("hi")
ALL = sorted(set(DIALECTS) - {"anthropic_vertex", "vertex"})  # those two write others' requests
WITH_IDS = ("anthropic", "chat", "cohere", "converse", "responses")
"""Dialects that match an answer to its call by an id."""


def sent(dialect: str, *messages: ChatMessage, quirks: Quirks | None = None) -> dict[str, Any]:
    endpoint = Endpoint("me", "https://me.example/v1", "k", quirks=quirks or Quirks())
    request = dialect_named(dialect, "me").build_request(
        endpoint, "m", ChatRequest.from_messages(messages), None, stream=False
    )
    said: dict[str, Any] = json.loads(request.body)
    return said


def refused(dialect: str, *messages: ChatMessage) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        sent(dialect, *messages)
    return caught.value


def values(found: Any, *keys: str) -> list[Any]:
    """All that stands under these keys, in its order."""
    if isinstance(found, list):
        return [value for each in found for value in values(each, *keys)]
    if not isinstance(found, dict):
        return []
    return [
        value
        for key, each in found.items()
        for value in ([each] if key in keys and isinstance(each, str) else values(each, *keys))
    ]


def turn(*call_ids: str) -> list[ChatMessage]:
    """A turn of calls of f0, f1 and so on, and their answers r0, r1 and so on."""
    calls = [ToolCall(call_id=call_id, fn_name=f"f{at}", fn_arguments={}) for at, call_id in enumerate(call_ids)]
    answers = [ToolResponse(call_id=call_id, content=f"r{at}") for at, call_id in enumerate(call_ids)]
    return [ChatMessage.assistant(calls), *map(ChatMessage.tool, answers)]


def ids(body: dict[str, Any], dialect: str) -> tuple[list[str], list[str]]:
    """The ids of the calls, and those of the answers."""
    if dialect == "responses":
        items = body["input"]
        return (
            [item["call_id"] for item in items if item.get("type") == "function_call"],
            [item["call_id"] for item in items if item.get("type") == "function_call_output"],
        )
    if dialect == "converse":
        blocks = [block for message in body["messages"] for block in message["content"]]
        return (
            [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block],
            [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block],
        )
    calls = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
    if dialect == "anthropic":
        blocks = [b for message in body["messages"] if isinstance(message["content"], list) for b in message["content"]]
        calls = [block for block in blocks if block["type"] == "tool_use"]
    return [call["id"] for call in calls], values(body["messages"], "tool_call_id", "tool_use_id")


@pytest.mark.parametrize("dialect", WITH_IDS)
@pytest.mark.parametrize("names", [("call_0", "call_1"), ("", ""), ("same", "same", "same")])
def test_no_two_calls_of_a_conversation_share_an_id(dialect: str, names: tuple[str, ...]):
    body = sent(dialect, HI, *turn(*names), ChatMessage.user("and?"), *turn(*names))
    called, answered = ids(body, dialect)
    assert len(called) == len(set(called)) == 2 * len(names)
    assert answered == called


@pytest.mark.parametrize("dialect", WITH_IDS)
def test_an_answer_to_a_call_that_is_not_in_the_conversation_keeps_its_id(dialect: str):
    assert ids(sent(dialect, HI, ChatMessage.tool(ToolResponse(call_id="c9", content="x"))), dialect)[1] == ["c9"]


@pytest.mark.parametrize(("dialect", "key"), [("ollama", "tool_name"), ("gemini", "name")])
def test_answers_to_calls_of_one_id_have_the_names_of_their_calls(dialect: str, key: str):
    body = sent(dialect, HI, *turn("", ""), ChatMessage.user("and?"), *turn("", ""))
    answers = [message for message in body.get("messages", ()) if message["role"] == "tool"] or [
        part["functionResponse"] for turn in body["contents"] for part in turn["parts"] if "functionResponse" in part
    ]
    said = [answer["content"] if dialect == "ollama" else answer["response"]["result"] for answer in answers]
    assert [(answer[key], text) for answer, text in zip(answers, said, strict=True)] == [
        ("f0", "r0"),
        ("f1", "r1"),
        ("f0", "r0"),
        ("f1", "r1"),
    ]


@pytest.mark.parametrize("dialect", ["ollama", "gemini"])
def test_answers_to_one_id_go_to_the_calls_they_name(dialect: str):
    calls = ChatMessage.assistant([ToolCall(call_id="", fn_name=name, fn_arguments={}) for name in ("f", "g")])
    answers = [ToolResponse(call_id="", fn_name=name, content=name) for name in ("g", "f")]
    body = json.dumps(sent(dialect, HI, calls, ChatMessage.tool(answers)))
    assert body.rindex('"f"') < body.rindex('"g"')


@pytest.mark.parametrize("dialect", ALL)
def test_reasoning_that_another_signed_stays_here(dialect: str):
    foreign = (ReasoningContent(text="secret-1"), ReasoningContent(text="secret-2"))
    signature = ThoughtSignature(signature="secret-3", provider="elsewhere")
    said = ChatMessage.assistant([*foreign, signature, Text("So.")])
    for quirks in (Quirks(), Quirks(reasoning_back="reasoning_content", signatures=True)):
        body = json.dumps(sent(dialect, HI, said, HI, quirks=quirks))
        assert "So." in body
        assert "secret" not in body
    error = refused(dialect, HI, ChatMessage.assistant([*foreign, signature]))
    assert (error.code, error.failover) == ("unsupported", True)
    assert "messages[1].content" in error.message


@pytest.mark.parametrize("dialect", ["chat", "cohere", "gemini", "ollama"])
def test_reasoning_that_nobody_else_signed_goes_back(dialect: str):
    parts = [
        ReasoningContent(text="theirs"),
        ThoughtSignature(signature="s", provider="elsewhere"),
        ReasoningContent(text="unsigned"),
        Text("a"),
        ThoughtSignature(signature="t", provider="elsewhere"),
    ]
    body = json.dumps(
        sent(dialect, HI, ChatMessage.assistant(parts), HI, quirks=Quirks(reasoning_back="reasoning_content"))
    )
    assert "unsigned" in body
    assert "theirs" not in body


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("role", ["user", "system", "tool"])
def test_a_part_in_another_providers_form_is_refused_by_name(dialect: str, role: Any):
    part = Custom(model="elsewhere", data={"type": "document", "secret": 1})
    messages = [ChatMessage(role=role, content=(part,)), HI]
    error = refused(dialect, *(messages if role == "system" else reversed(messages)))
    assert (error.kind, error.code, error.failover) == ("invalid_request", "unsupported", True)
    assert f"messages[{0 if role == 'system' else 1}].content[0]" in error.message
    assert "elsewhere" in error.message or role == "tool"


@pytest.mark.parametrize("dialect", sorted(set(ALL) - {"cohere", "ollama"}))
def test_a_part_in_the_providers_own_form_goes_as_it_is(dialect: str):
    for maker in (None, "me", "m"):
        part = Custom(model=maker, data={"type": "input_text", "own": 1})
        assert '"own": 1' in json.dumps(sent(dialect, ChatMessage.user(["a", part])))
