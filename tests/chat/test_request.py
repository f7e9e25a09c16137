"""Requests: made, extended, never changed."""

from __future__ import annotations

import pytest

from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse
from lamellar.chat.events import End
from lamellar.chat.request import ChatMessage, ChatRequest
from lamellar.chat.tools import Tool, ToolChoice
from lamellar.errors import ConfigError

CALL = ToolCall(call_id="c", fn_name="look", fn_arguments={})


@pytest.mark.parametrize("content", ["hi", Text("hi"), ["hi"], [Text("hi")], ("hi",)])
def test_content_in_every_spelling(content) -> None:
    assert ChatMessage.user(content) == ChatMessage(role="user", content=(Text("hi"),))
    assert ChatRequest.from_user(content).messages == (ChatMessage.user("hi"),)


def test_the_roles_have_their_own_constructors() -> None:
    roles = [
        ChatMessage.system("a"),
        ChatMessage.user("a"),
        ChatMessage.assistant("a"),
        ChatMessage.tool(ToolResponse(call_id="c", content="1")),
    ]
    assert [message.role for message in roles] == ["system", "user", "assistant", "tool"]


def test_a_request_is_extended_by_copies() -> None:
    empty = ChatRequest.from_system("be kind")
    full = empty.append_message(ChatMessage.user("a"), ChatMessage.assistant("b")).with_tools(Tool(name="look"))
    assert empty == ChatRequest(system="be kind")
    assert [message.role for message in full.messages] == ["user", "assistant"]
    assert full.tools == (Tool(name="look"),)
    assert full.with_tools().tools is None
    assert full.with_system(None).system is None
    assert ChatRequest.from_messages(full.messages).messages == full.messages


def test_a_turn_with_tools_goes_on_from_the_end_of_a_stream() -> None:
    kept = (
        ReasoningContent(text="hm"),
        ThoughtSignature(signature="s"),
        Text("wait"),
        CALL,
        Custom(data={"search": 1}),
    )
    end = End(content=kept)
    request = ChatRequest.from_user("q").append_tool_use_from_end(end, ToolResponse(call_id="c", content="42"))
    assert request.messages[1:] == (
        ChatMessage.assistant(kept),
        ChatMessage.tool(ToolResponse(call_id="c", content="42")),
    )


def test_a_request_goes_to_json_and_back() -> None:
    request = ChatRequest(
        system="s",
        messages=[ChatMessage.user(["a", Text("b")]), ChatMessage.assistant([CALL])],
        tools=[Tool(name="look", schema={"type": "object"}, strict=True)],
        store=False,
    )
    assert ChatRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ChatRequest.from_user(5), "content: expected text or parts such as Text and Binary, got int"),
        (lambda: ChatRequest(mesages=[]), "mesages: unknown option; did you mean 'messages'?"),
        (lambda: ChatMessage(role="human", content="a"), "role: expected 'system', 'user', 'assistant' or 'tool'"),
    ],
)
def test_what_is_no_request_is_told(make, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert said in str(caught.value)


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_tool_choice_in_one_word(choice: str) -> None:
    assert ToolChoice.model_validate(choice) == ToolChoice(kind=choice)


def test_one_tool_by_name() -> None:
    assert ToolChoice.tool("look") == ToolChoice(kind="tool", name="look")


@pytest.mark.parametrize("data", [{"kind": "tool"}, {"kind": "auto", "name": "look"}])
def test_a_name_goes_with_the_kind_tool_only(data: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="`name` goes with kind 'tool'"):
        ToolChoice(**data)


class TestCopiesThatSayMore:
    ASKED = ChatRequest.from_user("a")

    def test_take_what_the_constructor_takes(self):
        more = self.ASKED.append_message({"role": "user", "content": "b"})
        assert more == ChatRequest.from_messages([ChatMessage.user("a"), ChatMessage.user("b")])
        assert self.ASKED.with_tools({"name": "x"}).tools == (Tool(name="x"),)
        assert self.ASKED.with_tools().tools is None
        assert self.ASKED.with_system("s").with_system(None) == self.ASKED.with_system(None)

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda asked: asked.append_message("b"), "messages.1: expected a mapping or instance of ChatMessage"),
            (lambda asked: asked.with_tools([Tool(name="x")]), "tools.0: expected"),
            (lambda asked: asked.with_system(3), "system: expected a valid string, got int 3"),
            (lambda asked: ChatMessage.assistant(None), "content: expected text or parts such as Text and Binary"),
            (lambda asked: ChatMessage.user(b"x"), "content: expected text or parts, got bytes; decode it"),
            (lambda asked: Tool(name=""), "name"),
        ],
    )
    def test_refuse_what_it_refuses(self, make, said):
        with pytest.raises(ConfigError, match=said):
            make(self.ASKED)
