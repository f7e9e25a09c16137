"""Opt-in content: what turns it on, the JSON it becomes, and the hook that sees it first."""

from __future__ import annotations

import base64
import contextlib
import logging

import pytest

from lamellar import (
    Binary,
    ChatMessage,
    ChatRequest,
    Chunk,
    Custom,
    End,
    ExecutorError,
    ReasoningChunk,
    ReasoningContent,
    Restart,
    Stack,
    StopReason,
    Text,
    ThoughtSignature,
    Tool,
    ToolCall,
    ToolResponse,
)
from lamellar.errors import ErrorKind, LamellarError
from lamellar.testing import ScriptedExecutor, answer, run_virtual
from lamellar_middleware.tracing.content import CAPTURE_VARIABLE

from .telemetry import Telemetry, content

REQUEST = ChatRequest(
    system="Be brief.",
    messages=(
        ChatMessage.user(["What is this?", Binary.from_bytes("image/png", b"\x00\x01")]),
        ChatMessage.assistant(
            [
                ReasoningContent(text="hm"),
                ThoughtSignature(signature="opaque"),
                ToolCall(call_id="c1", fn_name="look", fn_arguments={"at": [1, None]}),
            ]
        ),
        ChatMessage.tool(ToolResponse(call_id="c1", content={"seen": True})),
    ),
    tools=(
        Tool(name="look", description="Looks.", schema={"type": "object"}),
        Tool(name="web_search", config={"authorization": "sk-hush-hush-1234"}),
    ),
)
NAMES = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")


def call(stack: Stack, request: ChatRequest = REQUEST, *, streaming: bool = False, read: int = 99) -> None:
    async def main() -> None:
        async with stack.build() as executor:
            if not streaming:
                await executor.exec_chat_response("m", request)
                return
            async with await executor.exec_chat_stream_events("m", request) as stream:
                with contextlib.suppress(LamellarError, StopAsyncIteration):
                    for _ in range(read):
                        await anext(stream)

    run_virtual(main())


def captured(told: Telemetry) -> list[str]:
    return [name for name in NAMES if name in told.span("chat m").attributes]


# -- what turns it on -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "on"),
    [
        (None, False),
        ("", False),
        ("NO_CONTENT", False),
        ("false", False),
        ("EVENT_ONLY", False),
        ("SPAN_ONLY", True),
        ("span_only", True),
        ("SPAN_AND_EVENT", True),
        ("true", True),
        (" True ", True),
    ],
)
def test_the_environment_decides(told: Telemetry, monkeypatch: pytest.MonkeyPatch, said: str | None, on: bool) -> None:
    monkeypatch.delenv(CAPTURE_VARIABLE, raising=False)
    if said is not None:
        monkeypatch.setenv(CAPTURE_VARIABLE, said)
    call(Stack(told.tracing(), ScriptedExecutor("x")))
    assert captured(told) == (list(NAMES) if on else [])


@pytest.mark.parametrize(("said", "option"), [("true", False), ("NO_CONTENT", True)])
def test_the_option_beats_it(told: Telemetry, monkeypatch: pytest.MonkeyPatch, said: str, option: bool) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, said)
    call(Stack(told.tracing(capture_content=option), ScriptedExecutor("x")))
    assert bool(captured(told)) is option


def test_a_bad_value_warns_once_and_stays_off(
    told: Telemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, "YES_PLEASE")

    async def main() -> None:
        async with Stack(told.tracing(), ScriptedExecutor("x", "y")).build() as executor:
            await executor.exec_chat_response("m", REQUEST)
            await executor.exec_chat_response("m", REQUEST)

    run_virtual(main())
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert CAPTURE_VARIABLE in warned[0].getMessage()
    warned[0].expected = True
    assert not any(name in span.attributes for span in told.spans for name in NAMES)


# -- what it becomes --------------------------------------------------------------------------------------------


def test_the_request(told: Telemetry) -> None:
    call(Stack(told.tracing(capture_content=True), ScriptedExecutor("x")))
    span = told.span("chat m")
    assert content(span, "gen_ai.system_instructions") == [{"type": "text", "content": "Be brief."}]
    assert content(span, "gen_ai.input.messages") == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is this?"},
                {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AAE="},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": [1, None]}},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"seen": True}}]},
    ]
    assert content(span, "gen_ai.tool.definitions") == [
        {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}},
        {"type": "custom", "name": "web_search"},
    ]


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        (
            Binary.from_url("image/jpeg", "https://example.com/a.jpg?size=2"),
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.jpg?size=2"},
        ),
        (
            Binary.from_url("audio/wav", "data:audio/wav;base64,AAAA"),
            {"type": "blob", "modality": "audio", "content": "AAAA"},
        ),
        (
            Binary.from_url("text/plain", "data:text/plain,a%20b"),
            {"type": "blob", "modality": "document", "content": base64.b64encode(b"a b").decode()},
        ),
        (
            Binary.from_url("application/pdf", "file-123"),
            {"type": "file", "modality": "document", "file_id": "file-123"},
        ),
    ],
    ids=["uri", "data", "data-text", "file"],
)
def test_binary_parts(told: Telemetry, part: Binary, becomes: dict) -> None:
    call(Stack(told.tracing(capture_content=True), ScriptedExecutor("x")), ChatRequest.from_user(part))
    [message] = content(told.span("chat m"), "gen_ai.input.messages")
    assert message["parts"] == [{**becomes, "mime_type": part.content_type}]


@pytest.mark.parametrize("streaming", [True, False])
def test_the_answer(told: Telemetry, streaming: bool) -> None:
    parts = (Text("Hi."), ReasoningContent(text="hm"), Custom(data={"cites": 1}), ToolCall(call_id="c", fn_name="f"))
    steps = [Chunk("Hi."), End(stop_reason=StopReason("tool_call"), content=parts)]
    call(Stack(told.tracing(capture_content=True), ScriptedExecutor(steps)), streaming=streaming)
    assert content(told.span("chat m"), "gen_ai.output.messages") == [
        {
            "role": "assistant",
            "parts": [
                {"type": "text", "content": "Hi."},
                {"type": "reasoning", "content": "hm"},
                {"type": "custom", "content": {"cites": 1}},
                {"type": "tool_call", "id": "c", "name": "f", "arguments": None},
            ],
            "finish_reason": "tool_call",
        }
    ]


@pytest.mark.parametrize("how", ["failed", "abandoned"])
def test_an_answer_that_was_not_finished_is_told_as_far_as_it_came(told: Telemetry, how: str) -> None:
    steps = [ReasoningChunk("so"), Chunk("Hel"), Chunk("lo"), ExecutorError(ErrorKind.CONNECTION, "cut")]
    leaf = ScriptedExecutor(steps)
    call(Stack(told.tracing(capture_content=True), leaf), streaming=True, read=99 if how == "failed" else 3)
    [message] = content(told.span("chat m"), "gen_ai.output.messages")
    assert message["finish_reason"] == "error"
    texts = [part["content"] for part in message["parts"]]
    assert texts == ["so", "Hello"] if how == "failed" else texts == ["so", "Hel"]


def test_a_restart_drops_what_was_gathered(told: Telemetry) -> None:
    from lamellar import LlmEventStream
    from lamellar_middleware.tracing.executor import TracingExecutor

    class Restarting:
        name = "restarting"

        async def exec_chat_response(self, model, chat_req, options=None):
            raise NotImplementedError

        async def exec_chat_stream_events(self, model, chat_req, options=None):
            async def events():
                yield Chunk("wrong")
                yield Restart(target="two", model="b", reason=ErrorKind.CONNECTION)
                yield Chunk("right")
                yield End()

            return LlmEventStream.of(events())

    async def main() -> None:
        executor = TracingExecutor(Restarting(), told.tracing(capture_content=True))
        await (await executor.exec_chat_stream_events("m", REQUEST)).collect()

    run_virtual(main())
    [message] = content(told.span("chat m"), "gen_ai.output.messages")
    assert [part["content"] for part in message["parts"]] == ["right"]


def test_attempts_mode_records_it_on_each_attempt(told: Telemetry) -> None:
    call(Stack(told.tracing(capture_content=True, mode="attempts"), ScriptedExecutor("x")), streaming=True)
    assert captured(told) == list(NAMES)
    assert not any(name in told.span("call m").attributes for name in NAMES)


# -- the hook ---------------------------------------------------------------------------------------------------


def test_the_hook_sees_it_before_it_is_recorded(told: Telemetry) -> None:
    def redact(name: str, said: object) -> object:
        return None if name == "gen_ai.tool.definitions" else [{"was": type(said).__name__}]

    call(Stack(told.tracing(capture_content=True, redact=redact), ScriptedExecutor("x")), streaming=True)
    assert captured(told) == [name for name in NAMES if name != "gen_ai.tool.definitions"]
    assert content(told.span("chat m"), "gen_ai.output.messages") == [{"was": "list"}]
    assert "Be brief" not in told.everything()


def test_a_hook_that_fails_records_nothing_and_fails_nothing(told: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    def redact(name: str, said: object) -> object:
        raise ValueError(f"cannot redact {said}")

    call(Stack(told.tracing(capture_content=True, redact=redact), ScriptedExecutor("x")))
    assert captured(told) == []
    assert len(told.spans) == 2
    records = [record for record in caplog.records if record.name == "lamellar.tracing"]
    assert len(records) == len(NAMES)
    assert "Be brief" not in caplog.text
    for record in records:
        record.expected = True


def test_text_that_is_no_unicode_is_left_out(told: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    call(Stack(told.tracing(capture_content=True), ScriptedExecutor(answer("\ud800"))))
    assert "gen_ai.output.messages" not in told.span("chat m").attributes
    for record in caplog.records:
        record.expected = True
