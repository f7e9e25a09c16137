"""Failure 34: a key, a header, a query, a prompt, looked for in everything that comes out."""

from __future__ import annotations

import logging
import pickle
import traceback

import pytest
from tests.middleware.tracing.telemetry import Telemetry

from lamellar import CallContext, ChatMessage, ChatOptions, ChatRequest, LamellarError, Stack, Target
from lamellar.middleware import (
    Budget,
    Cache,
    CircuitBreaker,
    ConcurrencyLimit,
    Fallback,
    Log,
    RateLimit,
    Retry,
    Timeout,
)
from lamellar.providers import Anthropic, Bedrock, Gemini, OpenAI, OpenAIResponses
from lamellar.testing.simulator import (
    Answer,
    BadStatusLine,
    Cut,
    Garbage,
    HtmlPage,
    InBandError,
    ProviderSimulator,
    Redirect,
    Reply,
    Reset,
    Status,
)

KEY = "sk-sentinel-of-the-key-0123456789"
HEADER = "sentinel-of-an-authorization"
PASSWORD = "sentinel-of-a-password"
PROMPT = "sentinel-of-the-prompt"
ANSWER = "sentinel-of-the-answer"
AT_ONCE = Retry(attempts=2, initial=0, max=0, overloaded_initial=0)
CREDENTIALS = (KEY, HEADER, PASSWORD)
DIALECTS = {"chat": OpenAI, "anthropic": Anthropic, "gemini": Gemini, "responses": OpenAIResponses, "converse": Bedrock}

REQUEST = ChatRequest(system=f"Hush: {PROMPT}.", messages=(ChatMessage.user(f"Say {PROMPT}."),))
OPTIONS = ChatOptions(
    extra_headers={"x-gateway-authorization": f"Bearer {HEADER}", "authorization": f"Bearer {KEY}"},
    call=CallContext(tags={"user": "u"}),
)

ECHOES = f"Incorrect API key provided: {KEY}. Headers: Authorization: Bearer {HEADER}. https://user:{PASSWORD}@host/?key={KEY}"
REPLIES: dict[str, Reply] = {
    "key echoed": Status(401, message=ECHOES, code="invalid_api_key"),
    "key in the code": Status(400, message="no", code=KEY, type=KEY),
    "in band": InBandError(message=ECHOES),
    "in band, late": InBandError(Answer(chunks=(ANSWER, " and more")), after=1, message=ECHOES),
    "a page": HtmlPage(status=502, html=f"<html>{ECHOES}</html>"),
    "a header": Status(429, message=ECHOES, headers={"x-request-id": KEY, "retry-after": "0.01"}),
    "not JSON": Garbage(Answer(chunks=(ANSWER, " b")), at=2, data=f"data: {{{ECHOES}\n\n".encode()),
    "redirect": Redirect(f"http://user:{PASSWORD}@127.0.0.1:9/v1?key={KEY}"),
    "no HTTP": BadStatusLine(f"SSH {KEY}".encode()),
    "reset": Reset(),
    "cut": Cut(Answer(chunks=(ANSWER, " b")), after=1),
    "answer": Answer(ANSWER),
}


def errors_of(error: BaseException | None) -> list[BaseException]:
    """An error with all that stands behind it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def shown(value: object) -> str:
    return f"{value!r}\n{value!s}\n{vars(value) if hasattr(value, '__dict__') else ''}"


async def everything_told(stack: Stack) -> tuple[str, str]:
    """Both kinds of call, twice: what their errors show, tracebacks included, and what else there is to be seen."""
    errors, others = [], [repr(stack), stack.describe()]
    async with stack.build() as executor:
        for call in (executor.exec_chat_response, executor.exec_chat_stream_events) * 2:
            try:
                result = await call("m", REQUEST, OPTIONS)
                if call == executor.exec_chat_stream_events:
                    result = await result.collect()
                others.append(repr(result.attempts))
            except LamellarError as error:
                errors += [shown(each) for each in errors_of(error)]
                errors += ["".join(traceback.format_exception(error)), repr(error.attempts)]
                errors.append(repr(vars(pickle.loads(pickle.dumps(error)))))
        others += [repr(executor), repr(executor.children()), repr(executor.snapshot())]
    return "\n".join(errors), "\n".join(others)


@pytest.mark.failure(34)
@pytest.mark.parametrize("name", list(REPLIES))
async def test_no_credential_is_in_anything_that_comes_out(
    engine: str, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor a prompt in a log or a span, with the capture of content off."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="lamellar")
    told = Telemetry()
    with ProviderSimulator(REPLIES[name]) as simulator:
        headers = {"x-team-authorization": f"Bearer {HEADER}"}
        provider = OpenAI(base_url=simulator.base_url, api_key=KEY, engine=engine, verify=False, headers=headers)
        stack = Stack(
            told.tracing(),
            Log(),
            Cache(),
            Budget(tokens=10**6),
            Timeout(total=20, first_content=5, idle=5),
            Fallback(
                Target(AT_ONCE, CircuitBreaker(), RateLimit(), provider, model="a", name="one"),
                Target(ConcurrencyLimit(limit=2), provider, model="b", name="two"),
                on_interrupt="restart",
            ),
        )
        errors, others = await everything_told(stack)
        assert KEY in simulator.requests[0].headers["authorization"], "it was sent"
    printed = "".join(capfd.readouterr())
    records = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    told_to_all = {"logs": records, "spans and metrics": told.everything(), "output": printed, "reprs": others}
    assert told.spans
    assert errors or name == "answer"
    for where, text in {**told_to_all, "errors": errors}.items():
        for sentinel in CREDENTIALS:
            assert sentinel not in text, where
    for where, text in told_to_all.items():
        for sentinel in (PROMPT, ANSWER):
            assert sentinel not in text, where


@pytest.mark.failure(34)
async def test_the_key_is_in_no_url(engine: str) -> None:
    for dialect, provider in DIALECTS.items():
        with ProviderSimulator(Answer("fine"), dialect=dialect) as simulator:
            declared = Stack(provider(base_url=simulator.base_url, api_key=KEY, engine=engine, verify=False))
            async with declared.build() as executor:
                await executor.exec_chat_response("m", REQUEST)
                await (await executor.exec_chat_stream_events("m", REQUEST)).collect()
            for request in simulator.requests:
                assert KEY not in request.path
                assert KEY not in request.body.decode()
                assert KEY in "".join(request.headers.values())
