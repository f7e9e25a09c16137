"""Claude on Vertex AI has no recordings: every one of Anthropic's is put before it, and must say the same.

Synthetic in this alone: the exchanges are real, and it was Anthropic's own server that answered.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.wire import requests_anthropic
from tests.wire.recordings import body_of, folder, ids_of, load

from lamellar.chat.events import End, Start, StreamEvent
from lamellar.chat.response import ChatResponse
from lamellar.errors import ExecutorError
from lamellar.providers.anthropic_messages import ANTHROPIC_MESSAGES
from lamellar.providers.anthropic_messages.vertex import ANTHROPIC_VERTEX
from lamellar.providers.wire import Dialect, Endpoint, Exchange

NAMES = ids_of("anthropic")


@pytest.mark.skipif(folder() is None, reason="no recordings: set LAMELLAR_WIRE_DIR to their folder")
def test_the_recordings_are_there():
    assert NAMES


def told(dialect: Dialect, provider: str, recording: dict[str, Any], size: int) -> list[object]:
    """What the dialect makes of a recorded answer, as values that compare."""
    exchange, body = Exchange(provider, "claude-x"), body_of(recording)
    status, headers = recording["response"]["status"], recording["response"]["headers"]
    if status >= 400:
        return error_of(dialect.parse_error(exchange, status, headers, body))
    if not recording["streaming"]:
        try:
            response: ChatResponse = dialect.parse_response(exchange, status, headers, body)
        except ExecutorError as error:
            return error_of(error)
        return [response.model_copy(update={"provider": "either"}).model_dump()]
    parser = dialect.open_stream(exchange, headers)
    events = [event for at in range(0, len(body), size) for event in parser.feed(body[at : at + size])]
    events += parser.finish()
    return [*map(without_provider, events), *(error_of(parser.error) if parser.error is not None else [])]


def without_provider(event: StreamEvent | object) -> object:
    if isinstance(event, Start):
        return (event.model, event.provider_model, event.response_id)
    return (event.stop_reason, event.usage, event.content) if isinstance(event, End) else event


def error_of(error: ExecutorError) -> list[object]:
    return [error.kind, error.status, error.code, error.message, error.request_id]


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_read_as_anthropics_is(name: str):
    recording = load(name)
    for size in (1 << 20, 7):
        ours = told(ANTHROPIC_VERTEX, "vertex", recording, size)
        assert ours == told(ANTHROPIC_MESSAGES, "anthropic", recording, size)


@pytest.mark.parametrize("name", [name for name in NAMES if load(name)["request_recorded"]])
def test_a_request_is_anthropics_but_for_the_model_and_the_version(name: str):
    recording = load(name)
    request, options = requests_anthropic.translate(recording)
    options = options.model_copy(update={"service_tier": None})
    model, stream = recording["request"]["json"]["model"], bool(recording["request"]["json"].get("stream"))
    theirs = ANTHROPIC_MESSAGES.build_request(
        Endpoint("anthropic", "https://x.test", lenient=True), model, request, options, stream=stream
    )
    ours = ANTHROPIC_VERTEX.build_request(
        Endpoint("vertex", "https://x.test", lenient=True), model, request, options, stream=stream
    )
    expected = json.loads(theirs.body)
    assert expected.pop("model") == model
    assert json.loads(ours.body) == {"anthropic_version": "vertex-2023-10-16", **expected}
    assert ours.url == f"https://x.test/models/{model}:{'streamRawPredict' if stream else 'rawPredict'}"
