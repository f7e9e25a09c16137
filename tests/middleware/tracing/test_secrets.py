"""With capture off, neither content nor a credential is in anything that is exported, or logged."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lamellar import CallContext, ChatMessage, ChatOptions, ChatRequest, Chunk, End, ExecutorError, Stack, Target, Tool
from lamellar.errors import LamellarError
from lamellar.middleware import Fallback, Retry, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ScriptedExecutor, run_virtual
from lamellar.testing.simulator import Answer, Cut, ProviderSimulator, Status

from .telemetry import Telemetry

HUSH = "sentinel-of-the-prompt"
SAID = "sentinel-of-the-answer"
KEY = "sk-sentinel-of-the-key-0123456789"
HEADER = "sentinel-of-a-header"
SENTINELS = (HUSH, SAID, KEY, HEADER, "sentinel-of-a-tag")

REQUEST = ChatRequest(
    system=f"system {HUSH}",
    messages=(ChatMessage.user(f"user {HUSH}"),),
    tools=(Tool(name="look", description=HUSH, schema={"title": HUSH}),),
)
OPTIONS = ChatOptions(
    extra_headers={"x-note": HEADER},
    extra_body={"metadata": {"note": HUSH}},
    call=CallContext(tags={"tag": "sentinel-of-a-tag"}),
)


async def provoke(stack: Stack) -> None:
    """Both calls, to whatever end."""
    async with stack.build() as executor:
        for call in (executor.exec_chat_response, executor.exec_chat_stream_events):
            try:
                result = await call("m", REQUEST, OPTIONS)
                if call == executor.exec_chat_stream_events:
                    await result.collect()
            except LamellarError:
                pass


def assert_nothing_is_told(told: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    exported = told.everything() + caplog.text
    assert told.spans
    for sentinel in SENTINELS:
        assert sentinel not in exported


@pytest.mark.parametrize("mode", ["call", "attempts"])
@pytest.mark.failure(34)
def test_real_http_that_fails_and_answers(told: Telemetry, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="lamellar.tracing")
    words = f"{HUSH} at https://example.com/?key={KEY} was refused for {KEY}"
    failing = [
        Status(400, message=words, code=HUSH),
        Status(503, message=words),
        Cut(Answer(chunks=[SAID, SAID]), after=1),
    ]
    with ProviderSimulator(failing) as first, ProviderSimulator(Answer(chunks=[SAID])) as second:
        stack = Stack(
            told.tracing(mode=mode, per_chunk_metrics=True),
            Timeout(total=20),
            Fallback(
                Target(Retry(attempts=2, initial=0.001), OpenAI(base_url=first.base_url, api_key=KEY), name="one"),
                Target(OpenAI(base_url=second.base_url, api_key=KEY), name="two"),
            ),
        )
        asyncio.run(provoke(stack))
        asyncio.run(provoke(stack))
    assert_nothing_is_told(told, caplog)


def test_the_sentinels_would_be_seen(told: Telemetry) -> None:
    run_virtual(provoke(Stack(told.tracing(capture_content=True), ScriptedExecutor(SAID, SAID))))
    assert HUSH in told.everything()
    assert SAID in told.everything()


@pytest.mark.parametrize("mode", ["call", "attempts"])
def test_an_exception_whose_text_is_the_prompt(told: Telemetry, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    def error() -> ExecutorError:
        return ExecutorError("invalid_request", f"{HUSH} {KEY}", code=HUSH, request_id="req-1")

    leaf = ScriptedExecutor(error(), [Chunk(SAID), error()], ValueError(HUSH), [Chunk(SAID), ValueError(HUSH), End()])
    for _ in range(2):
        run_virtual(provoke(Stack(told.tracing(mode=mode), leaf)))
    assert_nothing_is_told(told, caplog)
    assert {span.attributes["error.type"] for span in told.spans if "error.type" in span.attributes} == {
        "invalid_request",
        "server_error",
    }
    assert all(not span.events for span in told.spans)
