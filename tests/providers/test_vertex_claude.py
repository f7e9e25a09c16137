"""Claude on Vertex AI: Anthropic's Messages at another address. No recording exists, so these bodies are synthetic."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from tests.providers.anthropic_events import PING, STOP, begin, closes, delta, ends, opens, says

from lamellar import ChatMessage, ChatOptions, ChatRequest, ChatResponse, Tool, ToolCall, ToolResponse
from lamellar.chat.content import Custom, ReasoningContent, Text, ThoughtSignature
from lamellar.chat.events import Chunk, End, Start
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.dialects import dialect_named
from lamellar.providers.generate_content import GENERATE_CONTENT
from lamellar.providers.vertex_models import VERTEX
from lamellar.providers.wire import Endpoint, Exchange

CLAUDE = "claude-sonnet-4-5@20250929"
BASE = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
HELLO = ChatRequest.from_user("hi")
EXCHANGE = Exchange("vertex", CLAUDE)


def endpoint(**more: Any) -> Endpoint:
    return Endpoint("vertex", BASE, "ya29.token-01", key_header="authorization", **more)


def sent(
    request: ChatRequest = HELLO,
    options: ChatOptions | None = None,
    *,
    stream: bool = False,
    model: str = CLAUDE,
    lenient: bool = False,
) -> tuple[dict[str, str], Any]:
    made = VERTEX.build_request(endpoint(lenient=lenient), model, request, options, stream=stream)
    return made.headers, json.loads(made.body)


class TestSyntheticRequest:
    @pytest.mark.parametrize("stream", [False, True])
    def test_is_anthropics_with_the_version_in_the_body_and_the_model_in_the_path(self, stream: bool):
        request = ChatRequest.from_system("Be brief.").append_message(ChatMessage.user("hi"))
        request = request.with_tools(Tool(name="f", schema={"type": "object", "properties": {}}))
        options = ChatOptions(max_tokens=9000, temperature=0.5, reasoning_effort=2048, stop_sequences=("x",))
        headers, body = sent(request, options, stream=stream)
        theirs = ANTHROPIC_MESSAGES.build_request(
            Endpoint("anthropic", "https://api.anthropic.com"), CLAUDE, request, options, stream=stream
        )
        expected = json.loads(theirs.body)
        del expected["model"]
        assert body == {"anthropic_version": "vertex-2023-10-16", **expected}
        assert headers["authorization"] == "Bearer ya29.token-01"
        assert headers["accept"] == ("text/event-stream" if stream else "application/json")
        assert not {"x-api-key", "anthropic-version"} & set(headers)

    def test_takes_betas_in_the_header(self):
        options = ChatOptions(extra_headers={"Anthropic-Beta": "context-1m-2025-08-07"})
        assert sent(options=options)[0]["anthropic-beta"] == "context-1m-2025-08-07"

    def test_takes_a_body_of_ones_own_last(self):
        extra = {"anthropic_version": "vertex-2099-01-01", "top_k": 5}
        body = sent(options=ChatOptions(extra_body=extra))[1]
        assert (body["anthropic_version"], body["top_k"]) == ("vertex-2099-01-01", 5)

    def test_has_no_tiers(self):
        assert "service_tier" not in sent(options=ChatOptions(service_tier="auto"))[1]
        with pytest.raises(ExecutorError, match=r"service_tier: .*Vertex AI has no tiers for Claude") as caught:
            sent(options=ChatOptions(service_tier="default"))
        assert (caught.value.provider, caught.value.kind) == ("vertex", "invalid_request")
        assert "service_tier" not in sent(options=ChatOptions(service_tier="default"), lenient=True)[1]

    def test_refuses_what_anthropic_cannot_say_in_vertexs_name(self):
        with pytest.raises(ExecutorError, match="previous_response_id") as caught:
            sent(HELLO.model_copy(update={"previous_response_id": "r"}))
        assert caught.value.provider == "vertex"

    @pytest.mark.parametrize("model", ["", ".", "a/b"])
    def test_refuses_what_is_no_name(self, model: str):
        alone = dialect_named("anthropic_vertex", "vertex")
        with pytest.raises(ExecutorError, match="give the model's name"):
            alone.build_request(endpoint(), model, HELLO, None, stream=False)

    def test_keeps_a_query_at_the_end(self):
        alone = dialect_named("anthropic_vertex", "vertex")
        made = alone.build_request(Endpoint("vertex", "https://gw.test/x?team=a"), "claude-x", HELLO, None, stream=True)
        assert made.url == "https://gw.test/x/models/claude-x:streamRawPredict?team=a"


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig-claude"}
ANSWER: dict[str, Any] = {
    "id": "msg_vrtx_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        THOUGHT,
        {"type": "text", "text": "Let me see."},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "p"}},
        {"type": "tool_use", "id": "toolu_vrtx_1", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4},
}


def answered() -> ChatResponse:
    return VERTEX.parse_response(EXCHANGE, 200, {}, json.dumps(ANSWER).encode())


class TestSyntheticAnswer:
    def test_is_anthropics_and_the_provider_is_vertex(self):
        response = answered()
        assert (response.provider, response.model, response.provider_model) == ("vertex", CLAUDE, ANSWER["model"])
        assert (response.text, response.reasoning_content, response.stop_reason) == ("Let me see.", "hm", "tool_call")
        assert response.response_id == "msg_vrtx_1"
        assert response.usage
        assert (response.usage.prompt_tokens, response.usage.total_tokens) == (6, 10)

    def test_goes_back_as_it_came(self):
        answer = ChatMessage.tool(ToolResponse(call_id="toolu_vrtx_1", content="ok"))
        body = sent(HELLO.append_message(ChatMessage.assistant(answered().content), answer))[1]
        assert body["messages"][1]["content"] == ANSWER["content"]

    def test_goes_back_to_anthropic_itself_and_its_own_comes_here(self):
        """Signatures hold on every platform that serves Claude."""
        request = HELLO.append_message(ChatMessage.assistant(answered().content), ChatMessage.user("and?"))
        made = ANTHROPIC_MESSAGES.build_request(
            Endpoint("anthropic", "https://x.test"), "claude-x", request, None, stream=False
        )
        assert json.loads(made.body)["messages"][1]["content"][0] == THOUGHT
        direct = ANTHROPIC_MESSAGES.parse_response(Exchange("anthropic", "m"), 200, {}, json.dumps(ANSWER).encode())
        request = HELLO.append_message(ChatMessage.assistant(direct.content), ChatMessage.user("and?"))
        assert sent(request)[1]["messages"][1]["content"][0] == THOUGHT

    def test_and_a_geminis_do_not_mix_though_both_are_vertexs(self):
        gemini = [
            ReasoningContent(text="hm"),
            Text("Paris."),
            ThoughtSignature(signature="sig-gemini", provider="vertex"),
            Custom(model="vertex", data={"executableCode": {"code": "1"}}),
        ]
        request = HELLO.append_message(ChatMessage.assistant(gemini), ChatMessage.user("and?"))
        assert sent(request)[1]["messages"][1]["content"] == "Paris."
        request = HELLO.append_message(ChatMessage.assistant(answered().content[:3]), ChatMessage.user("and?"))
        made = VERTEX.build_request(endpoint(), "gemini-2.5-pro", request, None, stream=False)
        assert "sig-claude" not in made.body.decode()
        assert "srvtoolu_1" not in made.body.decode()


STREAM = [
    begin(),
    PING,
    opens({"type": "thinking", "thinking": "", "signature": ""}),
    delta("thinking_delta", thinking="hm"),
    delta("signature_delta", signature="sig-claude"),
    closes(),
    says("Paris.", 1),
    opens({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}, 2),
    delta("input_json_delta", 2, partial_json='{"a":1}'),
    closes(2),
    ends("tool_use"),
    STOP,
]
PLATFORM = [{"error": {"code": 429, "message": "Quota exceeded for base model.", "status": "RESOURCE_EXHAUSTED"}}]


def streamed(data: bytes, size: int = 4096) -> tuple[list[Any], ExecutorError | None]:
    parser = VERTEX.open_stream(EXCHANGE, {})
    events = [event for at in range(0, len(data), size) for event in parser.feed(data[at : at + size])]
    return [*events, *parser.finish()], parser.error


class TestSyntheticStream:
    @pytest.mark.parametrize("size", [1, 7, 4096])
    @pytest.mark.parametrize("line", [b"\n", b"\r\n"])
    def test_is_anthropics(self, size: int, line: bytes):
        events, error = streamed(b"".join(STREAM).replace(b"\n", line), size)
        assert error is None
        start, end = events[0], events[-1]
        assert isinstance(start, Start)
        assert (start.provider, start.model) == ("vertex", CLAUDE)
        assert isinstance(end, End)
        assert [event.content for event in events if isinstance(event, Chunk)] == ["Paris."]
        assert end.content == (
            ReasoningContent(text="hm"),
            ThoughtSignature(signature="sig-claude", provider="anthropic"),
            Text("Paris."),
            ToolCall(call_id="toolu_1", fn_name="f", fn_arguments={"a": 1}),
        )

    @pytest.mark.parametrize("size", [1, 5, 4096])
    @pytest.mark.parametrize("indent", [None, 2])
    @pytest.mark.parametrize("listed", [True, False])
    def test_that_the_platform_breaks_into_says_why(self, size: int, indent: int | None, listed: bool):
        told = json.dumps(PLATFORM if listed else PLATFORM[0], indent=indent).encode()
        for before in (b"", b"".join(STREAM[:4])):
            events, error = streamed(before + told, size)
            assert error is not None
            assert (error.kind, error.code, error.provider) == ("rate_limited", "429", "vertex")
            assert not [event for event in events if isinstance(event, End)]

    def test_that_anthropic_breaks_into_says_why(self):
        told = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
        assert streamed(STREAM[0] + told)[1].kind == "overloaded"

    def test_that_is_cut_is_no_answer(self):
        for at in range(1, len(STREAM) - 1):
            events, error = streamed(b"".join(STREAM[:at]))
            assert error is None if at > 10 else error.kind == "truncated"
            assert (events[-1:] != [] and isinstance(events[-1], End)) is (at > 10)

    def test_holds_whatever_it_holds(self):
        dice = random.Random(20261123)
        pieces = [
            *STREAM,
            json.dumps(PLATFORM).encode() + b"\n\n",
            b"[[[\n\n",
            b"[null]\n\n",
            b'data: [{"error":1}]\n\n',
        ]
        for _ in range(1500):
            data = bytearray(b"".join(dice.sample(pieces, dice.randint(1, len(pieces)))))
            for _ in range(dice.randint(0, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            events, error = streamed(bytes(data), dice.randint(1, 300))
            assert (error is None) is (bool(events) and isinstance(events[-1], End))


ERRORS: list[tuple[int, Any, str, str | None]] = [
    (401, {"error": {"code": 401, "message": "Bad credentials.", "status": "UNAUTHENTICATED"}}, "unauthorized", "401"),
    (
        403,
        [
            {
                "error": {
                    "code": 403,
                    "message": "Permission 'aiplatform.endpoints.predict' denied",
                    "status": "PERMISSION_DENIED",
                }
            }
        ],
        "permission_denied",
        "403",
    ),
    (
        404,
        [
            {
                "error": {
                    "code": 404,
                    "message": "Publisher Model `x` was not found or your project has no access.",
                    "status": "NOT_FOUND",
                }
            }
        ],
        "model_not_found",
        "404",
    ),
    (429, PLATFORM, "rate_limited", "429"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded", None),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000"},
        },
        "context_overflow",
        None,
    ),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit"},
        },
        "context_overflow",
        None,
    ),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
        },
        "content_filtered",
        None,
    ),
    (
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"},
            "request_id": "req_vrtx_1",
        },
        "invalid_request",
        None,
    ),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), ERRORS, ids=[f"{e[0]}-{e[2]}" for e in ERRORS])
def test_synthetic_errors_of_both_kinds(status: int, body: Any, kind: str, code: str | None):
    error = VERTEX.parse_error(EXCHANGE, status, {}, json.dumps(body).encode())
    assert (error.kind, error.code, error.provider, error.model) == (kind, code, "vertex", CLAUDE)
    if isinstance(body, dict) and "request_id" in body:
        assert error.request_id == "req_vrtx_1"


@pytest.mark.parametrize("body", [PLATFORM, PLATFORM[0]])
def test_synthetic_error_in_a_success_is_an_error(body: Any):
    with pytest.raises(ExecutorError) as caught:
        VERTEX.parse_response(EXCHANGE, 200, {}, json.dumps(body).encode())
    assert caught.value.kind == "rate_limited"


def test_each_model_is_read_in_its_own_dialect():
    gemini = {"candidates": [{"content": {"parts": [{"text": "Paris."}]}, "finishReason": "STOP"}]}
    told = json.dumps(gemini).encode()
    assert VERTEX.parse_response(Exchange("vertex", "gemini-x"), 200, {}, told).text == "Paris."
    with pytest.raises(ExecutorError, match="no content"):
        VERTEX.parse_response(EXCHANGE, 200, {}, told)
    assert VERTEX.parse_error(Exchange("vertex", "m"), 500, {}, b"").kind == "server_error"
    assert type(VERTEX.open_stream(Exchange("vertex", "m"), {})) is GENERATE_CONTENT.open_stream
