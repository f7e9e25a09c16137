"""Whatever bytes come, in whatever dialect: an answer or an error of ours, in bounded time and memory."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from tests.providers.fuzzing import paths

from lamellar import ChatOptions, ChatRequest, ChatResponse, Chunk, End, LamellarError, Start, Tool, ToolCall, Usage
from lamellar.providers.dialects import DIALECTS, dialect_named
from lamellar.providers.sse import MAX_EVENT_BYTES
from lamellar.providers.wire import Dialect, Endpoint, Exchange
from lamellar.testing.simulator import Answer, InBandError, ProviderSimulator, Reply, bad_request, rate_limited

SIMULATED = {"anthropic_vertex": "anthropic"}
"""Dialects that differ in their requests only: the format in which the simulator answers."""

CALLS = (ToolCall(call_id="c1", fn_name="f", fn_arguments={"city": "Orléans", "days": [1, 2]}),)
ANSWER = Answer(
    text="Paris is the <think>so</think> capital — 首都 🗼.",
    reasoning="It is known.",
    tool_calls=CALLS,
    usage=Usage(prompt_tokens=7, completion_tokens=4, total_tokens=11),
)
REQUEST = ChatRequest.from_user("Where?").model_copy(
    update={"tools": (Tool(name="f", schema={"type": "object", "properties": {}}),)}
)
OPTIONS = ChatOptions(max_tokens=100, normalize_reasoning_content=True, capture_raw_body=True)
ODD = (None, True, -1, 1e999, 10**30, "", "\ud800", [], {}, [None], [[{}]], {"type": "error"}, {"error": {"code": []}})
DEEP = b"[" * 100_000 + b"]" * 100_000


@dataclass(frozen=True)
class Specimens:
    """One dialect, and what a provider that speaks it says."""

    name: str
    dialect: Dialect
    bodies: tuple[tuple[int, bytes], ...]
    streams: tuple[bytes, ...]

    @property
    def exchange(self) -> Exchange:
        return Exchange(self.name, "m", OPTIONS)


def said(name: str, dialect: Dialect, reply: Reply, *, stream: bool) -> tuple[int, bytes]:
    """What the simulator answers, asked in the dialect."""
    with ProviderSimulator(reply, dialect=SIMULATED.get(name, name), require_key=None) as simulator:
        endpoint = Endpoint(name, simulator.base_url, api_key="sk-0")
        request = dialect.build_request(endpoint, "m", REQUEST, OPTIONS, stream=stream)
        if name in SIMULATED:
            ours = dialect_named(SIMULATED[name], name)
            request = ours.build_request(endpoint, "m", REQUEST, OPTIONS, stream=stream)
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.request(request.method, request.url, headers=request.headers, content=request.body)
    return answer.status_code, answer.content


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def specimens(request: pytest.FixtureRequest) -> Specimens:
    name = request.param
    dialect = dialect_named(name, name)
    bodies = [said(name, dialect, reply, stream=False) for reply in (ANSWER, bad_request(), rate_limited())]
    streams = [said(name, dialect, reply, stream=True)[1] for reply in (ANSWER, InBandError(ANSWER, after=1))]
    return Specimens(name, dialect, tuple(bodies), tuple(streams))


def read_body(specimens: Specimens, status: int, body: bytes) -> ChatResponse | LamellarError:
    dialect = specimens.dialect
    try:
        if status >= 300:
            error = dialect.parse_error(specimens.exchange, status, {}, body)
            assert isinstance(error, LamellarError)
            return error
        return dialect.parse_response(specimens.exchange, status, {}, body)
    except LamellarError as error:
        return error


def read_stream(specimens: Specimens, pieces: Iterator[bytes]) -> list[object]:
    """The events; what a stream may do whatever it holds is checked here."""
    parser = specimens.dialect.open_stream(specimens.exchange, {})
    events: list[object] = []
    for piece in pieces:
        events += parser.feed(piece)
    events += parser.finish()
    assert parser.ended != (parser.error is not None), "whole, or in error"
    assert parser.error is None or isinstance(parser.error, LamellarError)
    ends = [event for event in events if isinstance(event, End)]
    assert len(ends) == parser.ended
    assert not ends or events[-1] is ends[0]
    starts = [event for event in events if isinstance(event, Start)]
    assert len(starts) <= 1
    assert not any(isinstance(event, Chunk) for event in events) or starts
    assert parser.usage is None or isinstance(parser.usage, Usage)
    assert parser.feed(b"data: {}\n\n") == [], "nothing comes after the end"
    return events


def in_pieces(body: bytes, dice: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        step = dice.choice((1, 5, 60, 4000))
        yield body[at : at + step]
        at += step


def torn(body: bytes, dice: random.Random) -> bytes:
    """Cut off, with a hole, with a part twice, or with some bytes changed."""
    at, to = sorted((dice.randrange(len(body)), dice.randrange(len(body))))
    how = dice.randrange(5)
    if how == 0:
        return body[:at]
    if how == 1:
        return body[:at] + body[to:]
    if how == 2:
        return body[:to] + body[at:]
    if how == 3:
        return body[:at] + dice.randbytes(dice.randrange(1, 9)) + body[at:]
    changed = bytearray(body)
    for _ in range(dice.randrange(1, 6)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def shuffled(body: bytes, dice: random.Random) -> bytes:
    """Lines left out, told twice, or in another order."""
    lines = body.splitlines(keepends=True)
    for _ in range(dice.randrange(1, 4)):
        at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
        if dice.random() < 0.4:
            lines[at], lines[to] = lines[to], lines[at]
        elif dice.random() < 0.5:
            lines.insert(to, lines[at])
        elif len(lines) > 1:
            del lines[at]
    return b"".join(lines)


def spoilt(text: bytes, dice: random.Random) -> bytes:
    """One value of a JSON text changed for an odd one; the text as it is where it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    path = dice.choice(list(paths(value)))
    if not path:
        return json.dumps(dice.choice(ODD)).encode()
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = dice.choice(ODD)
    return json.dumps(value).encode()


def spoilt_event(body: bytes, dice: random.Random) -> bytes:
    """One event's JSON spoilt: after `data:`, or a line of its own."""
    lines = body.split(b"\n")
    at = dice.randrange(len(lines))
    mark, colon, text = lines[at].partition(b"data: ")
    lines[at] = mark + colon + spoilt(text, dice) if colon else spoilt(lines[at], dice)
    return b"\n".join(lines)


@pytest.mark.parametrize("damage", [torn, spoilt], ids=["torn", "spoilt"])
def test_a_damaged_body_is_an_answer_or_an_error(
    specimens: Specimens, damage: Callable[[bytes, random.Random], bytes]
) -> None:
    dice = random.Random(5)
    for status, body in specimens.bodies:
        for _ in range(150):
            found = read_body(specimens, status, damage(body, dice))
            assert isinstance(found, ChatResponse | LamellarError)


@pytest.mark.parametrize("damage", [torn, shuffled, spoilt_event], ids=["torn", "shuffled", "spoilt"])
def test_a_damaged_stream_ends_or_fails(specimens: Specimens, damage: Callable[[bytes, random.Random], bytes]) -> None:
    dice = random.Random(6)
    for body in specimens.streams:
        for _ in range(60):
            read_stream(specimens, in_pieces(damage(body, dice), dice))


def test_the_specimens_are_what_they_seem(specimens: Specimens) -> None:
    """Undamaged, they are an answer, two errors, a whole stream and one that breaks off."""
    found = [read_body(specimens, status, body) for status, body in specimens.bodies]
    assert isinstance(found[0], ChatResponse)
    assert found[0].tool_calls
    assert all(isinstance(each, LamellarError) for each in found[1:])
    whole, broken = (read_stream(specimens, iter((body,))) for body in specimens.streams)
    assert isinstance(whole[-1], End)
    assert not any(isinstance(event, End) for event in broken)


@pytest.mark.parametrize("status", [200, 400])
def test_a_body_nested_without_end_is_an_error(specimens: Specimens, status: int) -> None:
    for body in (DEEP, b'{"error": ' + DEEP + b"}", b'{"message": ' + DEEP + b"}", b'{"choices": ' + DEEP + b"}"):
        assert isinstance(read_body(specimens, status, body), LamellarError)


def test_an_event_nested_without_end_is_an_error(specimens: Specimens) -> None:
    for body in (DEEP, b"data: " + DEEP + b"\n\n", b"event: error\ndata: " + DEEP + b"\n\n", DEEP + b"\n"):
        events = read_stream(specimens, iter((body,)))
        assert not any(isinstance(event, End) for event in events)


@pytest.mark.parametrize("line", [b"a", b"data: a", b'{"', b"\x00\x00"], ids=["text", "data", "json", "zeros"])
def test_a_line_without_end_costs_no_more_than_its_bound(specimens: Specimens, line: bytes) -> None:
    """Ten megabytes and more come in small pieces: read once, kept up to the bound, and refused."""
    piece = b"a" * 4096
    tracemalloc.start()
    try:
        read_stream(specimens, (line if at == 0 else piece for at in range(2 + 2 * MAX_EVENT_BYTES // len(piece))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MAX_EVENT_BYTES
