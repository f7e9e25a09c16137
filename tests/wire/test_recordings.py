"""Every recorded exchange, read and written by our dialects, compared with what the providers' own SDKs made of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.wire import tally
from tests.wire.dialects import CASES, NAMESPACES, Case
from tests.wire.recordings import body_of, folder, ids_of, load
from tests.wire.usage_forms import flat

from lamellar.chat.content import ToolCall, reasoning_of, text_of, tool_calls_of
from lamellar.chat.events import Chunk, End, ReasoningChunk, Start, ToolCallChunk
from lamellar.chat.usage import Usage
from lamellar.errors import ErrorKind, ExecutorError
from lamellar.providers.classify import clean
from lamellar.providers.wire import Endpoint, Exchange

RECORDED = [(case, name) for case in CASES for name in ids_of(case.recorded)]
tally.expected.update(name for _, name in RECORDED)
PIECES = (1, 3, 7, 1000, None, "random")

SANE: dict[int, set[str]] = {
    400: {"invalid_request", "context_overflow", "content_filtered", "model_not_found", "quota_exhausted"},
    401: {"unauthorized"},
    402: {"quota_exhausted"},
    403: {"permission_denied", "content_filtered", "quota_exhausted"},
    404: {"model_not_found", "invalid_request"},
    413: {"context_overflow", "invalid_request"},
    429: {"rate_limited", "quota_exhausted"},
    500: {"server_error"},
    503: {"overloaded"},
    529: {"overloaded"},
}


@dataclass
class Outcome:
    text: str = ""
    reasoning: str | None = None
    tool_calls: list[tuple[str, str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    error: ExecutorError | None = None


@pytest.mark.skipif(folder() is None, reason="no recordings: set LAMELLAR_WIRE_DIR to their folder")
def test_the_recordings_are_there():
    assert RECORDED


@pytest.mark.parametrize(("case", "name"), [pytest.param(case, name, id=name) for case, name in RECORDED])
def test_recording(case: Case, name: str):
    recording = load(name)
    if recording["request_recorded"] and not recording["request"]["url"].endswith(case.elsewhere):
        compare_request(case, recording)
    outcomes = [parse(case, recording, size) for size in (PIECES if is_stream(recording) else (None,))]
    for outcome in outcomes:
        compare(case, recording, outcome)
    tally.compared.add(name)


def test_every_recording_was_compared(request: pytest.FixtureRequest):
    if folder() is None:
        pytest.skip("no recordings: set LAMELLAR_WIRE_DIR to their folder")
    selected = {
        item.callspec.params["name"]
        for item in request.session.items
        if hasattr(item, "callspec") and item.path == request.path and "name" in item.callspec.params
    }
    if not selected:
        pytest.skip("the recordings themselves were not selected")
    assert selected == tally.expected, "a part only was selected"
    assert tally.compared == tally.expected


def is_stream(recording: dict[str, Any]) -> bool:
    return recording["streaming"] and recording["response"]["status"] < 400


def exchange_of(recording: dict[str, Any]) -> Exchange:
    provider = recording["provider"]
    return Exchange(NAMESPACES.get(provider, provider), (recording["request"]["json"] or {}).get("model") or "model")


def parse(case: Case, recording: dict[str, Any], size: int | str | None) -> Outcome:
    exchange, body = exchange_of(recording), body_of(recording)
    status, headers = recording["response"]["status"], recording["response"]["headers"]
    if is_stream(recording):
        return parse_stream(case, exchange, headers, pieces(case.last(body), size))
    if status >= 400:
        return Outcome(error=case.dialect.parse_error(exchange, status, headers, body))
    try:
        response = case.dialect.parse_response(exchange, status, headers, body)
    except ExecutorError as error:
        return Outcome(error=error)
    return Outcome(
        text=response.text,
        reasoning=response.reasoning_content,
        tool_calls=[(call.call_id, call.fn_name, call.fn_arguments) for call in response.tool_calls],
        finish_reason=response.stop_reason.raw if response.stop_reason else None,
        usage=response.usage,
    )


def parse_stream(case: Case, exchange: Exchange, headers: dict[str, str], body: Iterator[bytes]) -> Outcome:
    parser = case.dialect.open_stream(exchange, headers)
    events = [event for piece in body for event in parser.feed(piece)]
    events += parser.finish()
    chunks = [event.content for event in events if isinstance(event, Chunk)]
    thoughts = [event.content for event in events if isinstance(event, ReasoningChunk)]
    assert all(chunks)
    assert all(thoughts)
    outcome = Outcome("".join(chunks), "".join(thoughts) if thoughts else None, error=parser.error)
    started = [event for event in events if isinstance(event, Start)]
    assert len(started) == 1
    ends = [event for event in events if isinstance(event, End)]
    if parser.error is not None:
        assert not ends
        return outcome
    (end,) = ends
    assert events[-1] is end
    assert parser.ended
    assert end.content is not None
    assert text_of(end.content) == outcome.text
    assert reasoning_of(end.content) == outcome.reasoning
    calls = tool_calls_of(end.content)
    compare_deltas(calls, [event for event in events if isinstance(event, ToolCallChunk)])
    outcome.tool_calls = [(call.call_id, call.fn_name, call.fn_arguments) for call in calls]
    outcome.finish_reason = end.stop_reason.raw if end.stop_reason else None
    outcome.usage = end.usage
    return outcome


def compare_deltas(calls: tuple[ToolCall, ...], deltas: list[ToolCallChunk]) -> None:
    """The deltas make the whole calls, with id and name on the first of each and nowhere else."""
    for index, call in enumerate(calls):
        mine = [delta for delta in deltas if delta.index == index]
        assert (mine[0].call_id, mine[0].name) == (call.call_id, call.fn_name)
        assert all(delta.call_id is None and delta.name is None and delta.arguments for delta in mine[1:])
        assert json.loads("".join(delta.arguments for delta in mine) or "{}") == call.fn_arguments
    assert {delta.index for delta in deltas} == set(range(len(calls)))


def compare(case: Case, recording: dict[str, Any], outcome: Outcome) -> None:
    expect = recording["expect"]
    blocked = expect.get("block_reason") or (None if expect["text"] else expect["finish_reason"])
    if told := expect.get("error") or error_in(recording):
        compare_error(told, outcome.error)
    elif outcome.error is not None:
        # An answer of which a filter left nothing is an error that says why.
        assert outcome.error.kind == ErrorKind.CONTENT_FILTERED
        assert blocked
        assert outcome.error.code == blocked
    else:
        assert outcome.error is None
        assert outcome.finish_reason == (expect.get("incomplete_reason") or expect["finish_reason"])
        assert flat(outcome.usage) == (case.usage(expect["usage"]) if expect["usage"] else {})
    assert outcome.text == expect["text"]
    # Cohere's plan for its tool calls is reasoning too.
    assert (outcome.reasoning or "") == (expect["reasoning"] or "") + (expect.get("tool_plan") or "")
    if outcome.error is None:
        assert len(outcome.tool_calls) == len(expect["tool_calls"])
        for (call_id, name, arguments), expected in zip(outcome.tool_calls, expect["tool_calls"], strict=True):
            if expected["id"] is not None:
                assert call_id == expected["id"]
            assert name == expected["name"]
            assert arguments == ({} if expected["arguments"] == "" else expected["arguments"])


def error_in(recording: dict[str, Any]) -> dict[str, Any] | None:
    """The error that an SDK took for an empty answer, because its status was that of a success."""
    body = recording["response"].get("body")
    if recording["expect"]["finish_reason"] is not None or not isinstance(body, dict):
        return None
    return {"status": recording["response"]["status"], **body["error"]} if body.get("error") else None


def compare_error(expected: dict[str, Any], error: ExecutorError | None) -> None:
    assert error is not None
    assert error.status == expected["status"]
    assert error.code == (None if expected["code"] is None else str(expected["code"]))
    assert clean(expected["message"]) in error.message
    code = expected["code"]
    told = code if isinstance(code, int) and expected["status"] < 400 else expected["status"]
    assert error.kind in SANE.get(told, set(ErrorKind))
    assert error.provider
    assert error.model


def compare_request(case: Case, recording: dict[str, Any]) -> None:
    recorded = recording["request"]
    request, options = case.translate(recording)
    exchange = exchange_of(recording)
    if case.address is None:
        base, path, query = recorded["url"].partition(case.path)
        assert path
        base_url, model, stream = base + query, exchange.model, bool(recorded["json"].get("stream"))
    else:
        base_url, model, stream = case.address(recorded["url"])
    endpoint = Endpoint(exchange.provider, base_url, api_key="key", quirks=case.quirks(recording))
    sent = case.dialect.build_request(endpoint, model, request, options, stream=stream)
    assert sent.url == recorded["url"]
    assert sent.headers["content-type"] == recorded["headers"].get("content-type", "application/json")
    ours, theirs = json.loads(sent.body), dict(recorded["json"])
    if theirs.get("model") is None and case.address is None:
        theirs["model"] = exchange.model  # the URL names it
    assert case.meaning(ours) == case.meaning(theirs)


def pieces(body: bytes, size: int | str | None) -> Iterator[bytes]:
    if size is None:
        yield body
        return
    dice = random.Random(20260917)
    at = 0
    while at < len(body):
        step = size if isinstance(size, int) else dice.randint(1, 400)
        yield body[at : at + step]
        at += step
