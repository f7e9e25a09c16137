"""An answer of one provider in a conversation that goes on at another: what is opaque stays with whom it is of."""

import json

import pytest

from lamellar import ChatMessage, ChatRequest, ToolResponse
from lamellar.providers.catalog import CATALOG
from lamellar.providers.dialects import dialect_named
from lamellar.providers.wire import Endpoint, Exchange


def answer(dialect, namespace, *events):
    """The content of a streamed answer."""
    parser = dialect_named(dialect, namespace).open_stream(Exchange(namespace, "m"), {})
    found = parser.feed(b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))
    return (found + parser.finish())[-1].content


def block(index, **said):
    return {"type": "content_block_start", "index": index, "content_block": said}


CLAUDE = answer(
    "anthropic",
    "anthropic",
    {"type": "message_start", "message": {"id": "m1"}},
    block(0, type="thinking", thinking="let me see", signature="OF-CLAUDE"),
    block(1, type="redacted_thinking", data="SECRET"),
    block(2, type="server_tool_use", id="srv_1", name="web_search", input={"query": "q"}),
    block(3, type="web_search_tool_result", tool_use_id="srv_1", content=[]),
    block(4, type="text", text="calling"),
    block(5, type="tool_use", id="toolu_1", name="f", input={"a": 1}),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
)
GEMINI = answer(
    "gemini",
    "gemini",
    {
        "responseId": "R1",
        "candidates": [
            {
                "finishReason": "STOP",
                "content": {
                    "parts": [
                        {"text": "hello", "thoughtSignature": "OF-GEMINI"},
                        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "OF-THE-CALL"},
                    ]
                },
            }
        ],
    },
)


def sent(content, namespace, dialect):
    """The assistant's turn as it goes out."""
    call = next(part for part in content if hasattr(part, "call_id"))
    request = ChatRequest(
        messages=[
            ChatMessage.user("q"),
            ChatMessage.assistant(content),
            ChatMessage.tool(ToolResponse(call_id=call.call_id, content="42")),
        ]
    )
    endpoint = Endpoint(namespace, "https://x.test/v1", quirks=CATALOG[namespace].quirks)
    body = dialect_named(dialect, namespace).build_request(endpoint, "m", request, None, stream=True).body
    return json.dumps((json.loads(body).get("messages") or json.loads(body)["contents"])[1])


@pytest.mark.parametrize(("namespace", "dialect"), [("openai", "chat"), ("deepseek", "chat"), ("gemini", "gemini")])
def test_of_claude(namespace, dialect):
    turn = sent(CLAUDE, namespace, dialect)
    assert "calling" in turn
    for foreign in ("OF-CLAUDE", "SECRET", "web_search"):
        assert foreign not in turn


@pytest.mark.parametrize(("namespace", "dialect"), [("openai", "chat"), ("anthropic", "anthropic")])
def test_of_gemini(namespace, dialect):
    turn = sent(GEMINI, namespace, dialect)
    assert "hello" in turn
    assert "OF-" not in turn
    assert '"thinking"' not in turn


def test_its_own_goes_back_to_each():
    own = sent(CLAUDE, "anthropic", "anthropic")
    assert "OF-CLAUDE" in own
    assert "SECRET" in own
    own = sent(GEMINI, "gemini", "gemini")
    assert "OF-GEMINI" in own
    assert "OF-THE-CALL" in own


@pytest.mark.parametrize("part", [{"thought": True}, {"text": None}, {"text": None, "thought": False}])
def test_a_part_of_geminis_with_nothing_in_it_is_none(part):
    event = {"responseId": "R", "candidates": [{"finishReason": "STOP", "content": {"parts": [part, {"text": "a"}]}}]}
    assert [part.text for part in answer("gemini", "gemini", event)] == ["a"]
