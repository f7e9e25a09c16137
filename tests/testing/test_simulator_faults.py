"""Faults within an answer, seen by a plain client: cut, reset, stalled, spoilt, slowed."""

import json

import aiohttp
import httpx
import pytest
from tests.testing.simulator_client import ask, dial, read_all, request_bytes

from lamellar.errors import ConfigError, ErrorKind
from lamellar.testing.simulator import (
    Answer,
    BadChunk,
    Cut,
    Eof,
    Garbage,
    Gate,
    Gzip,
    Heartbeats,
    InBandError,
    NoDone,
    ProviderSimulator,
    Reset,
    SlowBody,
    Stall,
    overloaded,
)

SIX = Answer("one two three four five six")


def play(reply, **options):
    with ProviderSimulator([reply]) as simulator:
        seen = ask(simulator, **options)
        simulator.wait_for(lambda s: s.last_request.outcome is not None)
        return seen, simulator.last_request


@pytest.mark.parametrize("stream", [False, True])
def test_a_cut_closes_the_connection_within_the_body(stream):
    seen, log = play(Cut(SIX, after=2), stream=stream)
    assert isinstance(seen.error, httpx.RemoteProtocolError)
    assert log.outcome == "cut"
    if stream:
        assert seen.text == "one two"
        assert seen.finish is None
        assert log.chunks_sent == 2
    else:
        assert 0 < len(seen.raw) < int(seen.headers["content-length"])


@pytest.mark.parametrize("stream", [False, True])
def test_a_clean_cut_looks_like_an_end(stream):
    seen, log = play(Cut(SIX, after=2, how="clean"), stream=stream)
    assert seen.error is None
    assert log.outcome == "cut"
    if stream:
        assert seen.text == "one two"
        assert seen.finish is None
        assert not seen.done
    else:
        with pytest.raises(json.JSONDecodeError):
            assert seen.json


def test_a_cut_may_come_before_the_first_chunk_or_after_the_last_but_never_after_the_finish():
    seen, log = play(Cut(SIX, after=0), stream=True)
    assert seen.text == ""
    assert len(seen.chunks) == 1
    assert log.chunks_sent == 0
    seen, log = play(Cut(SIX, after=99, how="clean"), stream=True)
    assert seen.text == SIX.text
    assert seen.finish is None
    seen, _ = play(Cut(SIX, after=0))
    assert seen.raw == b""
    assert isinstance(seen.error, httpx.RemoteProtocolError)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reset(), "reset"),
        (Eof(), "cut"),
        (Reset(3, SIX), "reset"),
        (Eof(3, SIX), "cut"),
        (Cut(SIX, 3, "reset"), "reset"),
    ],
)
def test_resets_and_closes_on_the_bare_socket(reply, outcome):
    with ProviderSimulator([reply]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True))
        data, error = read_all(connection)
        assert isinstance(error, ConnectionResetError) == (outcome == "reset")
        assert data.count(b'"content":"') == (4 if data else 0)  # three and the opening
        assert simulator.last_request.outcome == outcome
        simulator.wait_for(lambda s: s.open_connections == 0)


def test_a_body_may_be_reset_too():
    seen, log = play(Reset(1))
    assert isinstance(seen.error, httpx.ReadError)
    assert log.outcome == "reset"
    assert seen.status == 200


async def test_aiohttp_sees_the_same():
    with ProviderSimulator([Reset(), Cut(SIX, 2), Cut(SIX, 2, "reset"), SIX]) as simulator:
        async with aiohttp.ClientSession() as session:
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
            for expected in (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, aiohttp.ClientError):
                with pytest.raises((expected, ConnectionResetError)):
                    async with session.post(f"{simulator.base_url}/chat/completions", json=body) as response:
                        await response.read()
            async with session.post(f"{simulator.base_url}/chat/completions", json=body) as response:
                assert (await response.text()).endswith("data: [DONE]\n\n")
        assert [request.outcome for request in simulator.requests] == ["reset", "cut", "reset", "completed"]


def test_a_stall_goes_on_when_its_gate_opens():
    gate = Gate()
    with ProviderSimulator([Stall(SIX, after=2, gate=gate)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True, extra="connection: close\r\n"))
        simulator.wait_for(lambda s: gate.waiting == 1)
        assert simulator.last_request.chunks_sent == 2
        gate.open()
        data, _ = read_all(connection)
        assert data.endswith(b"[DONE]\n\n\r\n0\r\n\r\n")
        assert simulator.last_request.outcome == "completed"


@pytest.mark.parametrize(("then", "outcome"), [("continue", "completed"), ("close", "cut"), ("reset", "reset")])
@pytest.mark.parametrize("stream", [False, True])
def test_a_stall_ends_in_its_time(then, outcome, stream):
    seen, log = play(Stall(SIX, after=2, seconds=0.01, then=then), stream=stream)
    assert log.outcome == outcome
    assert (seen.error is None) == (then == "continue")


def test_a_stall_without_end_ends_when_the_client_leaves():
    seen, log = play(Stall(SIX, after=2), stream=True, timeout=0.2)
    assert isinstance(seen.error, httpx.ReadTimeout)
    assert log.outcome == "client_left"
    assert log.chunks_sent == 2
    assert log.ended_at >= log.time


def test_garbage_spoils_one_event():
    seen, log = play(Garbage(SIX, at=3), stream=True)
    assert seen.done
    assert log.outcome == "completed"
    broken = [text for text in seen.data[:-1] if not _is_json(text)]
    assert broken == [seen.data[3]]
    assert len(seen.data) == 6 + 3


def test_garbage_of_ones_own_and_in_a_body():
    seen, _ = play(Garbage(SIX, at=1, data=b"data: {oops\n\n"), stream=True)
    assert seen.data[1] == "{oops"
    for reply in (Garbage(Answer("é" * 100)), Garbage(SIX, data=b"nonsense")):
        seen, _ = play(reply)
        assert seen.status == 200
        assert seen.error is None
        assert not _is_json(seen.raw.decode())


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_an_error_in_band():
    seen, log = play(InBandError())
    assert seen.status == 200
    assert seen.json["error"]["code"] == "server_is_overloaded"
    assert log.outcome == "completed"

    seen, _ = play(InBandError(), stream=True)
    assert [list(chunk) for chunk in seen.chunks] == [["error"]]  # the very first event

    kind = ErrorKind.CONTEXT_OVERFLOW
    seen, _ = play(InBandError(SIX, after=2, kind=kind, named=True, done=True), stream=True)
    assert "".join(delta.get("content", "") for delta in seen.deltas) == "one two"
    assert seen.chunks[-1]["error"]["code"] == "context_length_exceeded"
    assert b"event: error\ndata: " in seen.raw
    assert seen.done

    seen, _ = play(InBandError(type="t", code="c", message="m"), stream=True)
    assert seen.chunks[0]["error"] == {"message": "m", "type": "t", "param": None, "code": "c"}


def test_no_done():
    seen, log = play(NoDone(SIX), stream=True, usage=True)
    assert seen.error is None
    assert (seen.finish, seen.done, log.outcome) == ("stop", False, "completed")
    assert seen.usage

    seen, log = play(NoDone(SIX, "close"), stream=True)
    assert isinstance(seen.error, httpx.RemoteProtocolError)
    assert (seen.finish, log.outcome) == ("stop", "completed")

    seen, log = play(NoDone(SIX, "hold"), stream=True, timeout=0.2)
    assert isinstance(seen.error, httpx.ReadTimeout)
    assert (seen.finish, log.outcome) == ("stop", "client_left")

    seen, _ = play(NoDone(SIX, "hold"))
    assert seen.json["choices"][0]["message"]["content"] == SIX.text


@pytest.mark.parametrize("kind", ["comment", "role", "blank"])
def test_heartbeats_come_before_the_content(kind):
    seen, log = play(Heartbeats(SIX, seconds=0.03, every=0.01, kind=kind), stream=True)
    assert seen.text == SIX.text
    assert seen.done
    assert log.chunks_sent == 6
    if kind == "comment":
        assert seen.raw.count(b": keep-alive\n\n") == 3
    if kind == "role":
        assert [delta.get("role") for delta in seen.deltas[:5]] == ["assistant"] * 4 + [None]


def test_heartbeats_without_end():
    with ProviderSimulator([Heartbeats(SIX, every=0.005, after=2)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True))
        data = b""
        while data.count(b": keep-alive") < 3:
            data += connection.recv(65536)
        assert data.count(b'"content":"') == 3
        connection.close()
        simulator.wait_for(lambda s: s.last_request.outcome == "client_left")


def test_heartbeats_before_a_body_are_blank_lines():
    seen, _ = play(Heartbeats(SIX, seconds=0.03, every=0.01))
    assert seen.raw.startswith(b"\n\n\n{")
    assert seen.json["choices"][0]["message"]["content"] == SIX.text


def test_a_bad_chunk_header():
    seen, log = play(BadChunk(SIX, after=2), stream=True)
    assert isinstance(seen.error, httpx.RemoteProtocolError)
    assert log.outcome == "cut"
    with ProviderSimulator([BadChunk(SIX, after=2, then="hold")]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes())
        data = b""
        while b"not-hexadecimal\r\n" not in data:
            data += connection.recv(65536)
        assert simulator.open_connections == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reply", [Gzip(SIX), SlowBody(SIX, size=7), Gzip(Cut(SIX, 2, "clean"))])
def test_what_changes_bytes_changes_nothing_else(reply, stream):
    inner = reply.reply
    seen, log = play(reply, stream=stream)
    plain, _ = play(inner, stream=stream)
    assert seen.raw == plain.raw
    assert seen.error is None
    assert log.chunks_sent == (0 if not stream else 2 if isinstance(inner, Cut) else 6)
    assert ("content-encoding" in seen.headers) == isinstance(reply, Gzip)


def test_a_slow_body_splits_characters():
    with ProviderSimulator([SlowBody(Answer("é"), size=1)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True, extra="connection: close\r\n"))
        data, _ = read_all(connection)
        assert b"1\r\n\xc3\r\n1\r\n\xa9\r\n" in data
        assert simulator.last_request.outcome == "completed"


def test_faults_combine():
    seen, log = play(SlowBody(Cut(Garbage(SIX, at=2), after=3), size=50), stream=True)
    assert isinstance(seen.error, httpx.RemoteProtocolError)
    assert not _is_json(seen.data[2])
    assert _is_json(seen.data[3])
    assert log.outcome == "cut"
    assert log.reply.startswith("SlowBody(reply=Cut(")
    seen, _ = play(Cut(overloaded(), after=1))
    assert seen.status == 503
    assert isinstance(seen.error, httpx.RemoteProtocolError)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cut(SIX, after=-1),
        lambda: Stall(SIX, seconds=-1),
        lambda: Garbage(SIX, at=0),
        lambda: InBandError(SIX, after=-2),
        lambda: Heartbeats(SIX, every=0),
        lambda: SlowBody(SIX, size=0),
        lambda: BadChunk(SIX, after=-1),
    ],
)
def test_wrong_options_are_told(make):
    with pytest.raises(ConfigError):
        make()
