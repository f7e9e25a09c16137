"""The simulator itself: its life, its script, its log, and its manners as an HTTP server."""

import asyncio
import json
import os
import socket
import ssl
import threading
import time

import aiohttp
import httpx
import pytest
import trustme
from tests.testing.simulator_client import BODY, CONTEXT, ask, dial, read_all, request_bytes

from lamellar.errors import ConfigError
from lamellar.testing import simulator as package
from lamellar.testing.simulator import (
    Answer,
    Cut,
    Gate,
    ProviderSimulator,
    Reply,
    Schedule,
    Silence,
    Stall,
    When,
    overloaded,
    rate_limited,
    refuses_prefill,
    server_error,
    until,
)


@pytest.fixture
def simulator():
    with ProviderSimulator() as running:
        yield running


def client(**options):
    return httpx.Client(timeout=2, trust_env=False, verify=CONTEXT, **options)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "lamellar-simulator"]


# Its life


def test_a_hundred_lives_leave_nothing_behind():
    ask_once = ProviderSimulator()
    with ask_once:
        ask(ask_once)
    files, begun = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0, time.monotonic()
    for _ in range(100):
        with ProviderSimulator([Silence()]) as simulator, dial(simulator) as connection:
            connection.sendall(request_bytes())
            simulator.wait_for(lambda s: s.request_count == 1)
    assert (time.monotonic() - begun) / 100 < 0.05
    assert threads() == []
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files
    assert simulator.open_connections == 0


async def test_it_lives_under_async_with_as_well():
    async with (
        ProviderSimulator() as simulator,
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.base_url}/chat/completions", json=BODY) as response,
    ):
        assert (await response.json())["object"] == "chat.completion"
    assert threads() == []


def test_two_at_once(simulator):
    with ProviderSimulator([overloaded()]) as other:
        assert other.port != simulator.port
        assert ask(other).status == 503
        assert ask(simulator).status == 200
        assert (simulator.request_count, other.request_count) == (1, 1)


def test_stopping_drops_whoever_is_connected():
    with ProviderSimulator([Silence(), Stall(Answer(), after=1)]) as simulator:
        first, second, idle = dial(simulator), dial(simulator), dial(simulator)
        first.sendall(request_bytes())
        simulator.wait_for(lambda s: s.request_count == 1)
        second.sendall(request_bytes(stream=True))
        simulator.wait_for(lambda s: s.last_request.chunks_sent == 1 and s.open_connections == 3)
    for connection in (first, second, idle):
        read_all(connection)  # ends
        connection.close()
    assert [request.outcome for request in simulator.requests] == ["stopped", "stopped"]


def test_a_stopped_simulator_refuses_and_comes_back_on_its_port():
    simulator = ProviderSimulator([Answer("first"), Answer("second")])
    with pytest.raises(RuntimeError, match="before it is started"):
        assert simulator.url
    with simulator:
        ask(simulator)
        with pytest.raises(RuntimeError, match="already running"):
            simulator.start()
        port = simulator.port
    assert isinstance(ask(simulator).error, httpx.ConnectError)
    simulator.stop()  # twice is once
    assert not simulator.is_running
    with simulator:
        assert simulator.port == port
        assert ask(simulator).json["choices"][0]["message"]["content"] == "second"
    assert simulator.request_count == 2


def test_a_port_that_is_taken_is_told(simulator):
    with pytest.raises(OSError, match=str(simulator.port)):
        ProviderSimulator(port=simulator.port).start()
    assert len(threads()) == 1


def test_tls():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    script = [Answer("Paris."), Cut(Answer("a b c"), after=2, how="reset"), Cut(Answer("a b c"), after=2)]
    with ProviderSimulator(script, ssl_context=context) as simulator:
        assert simulator.base_url.startswith("https://127.0.0.1:")
        with httpx.Client(verify=trust, trust_env=False) as session:
            assert ask(simulator, client=session).json["choices"][0]["message"]["content"] == "Paris."
            assert ask(simulator, client=session, stream=True).error is not None
            assert ask(simulator, client=session, stream=True).error is not None
        # Somebody who never shakes hands must not keep it from stopping.
        with dial(simulator), ProviderSimulator(ssl_context=context) as other, dial(other):
            time.sleep(0.02)
    assert [request.outcome for request in simulator.requests] == ["completed", "reset", "cut"]
    assert threads() == []


# Its script


def test_replies_come_in_order_then_the_default():
    with ProviderSimulator([rate_limited(), server_error()], default=overloaded()) as simulator:
        assert simulator.remaining == 2
        assert [ask(simulator).status for _ in range(4)] == [429, 500, 503, 503]
        simulator.push(Answer(), rate_limited())
        assert [ask(simulator).status for _ in range(3)] == [200, 429, 503]
        assert simulator.remaining == 0


def test_one_reply_or_a_function_answers_everything():
    with ProviderSimulator(overloaded()) as simulator:
        simulator.push(Answer())
        assert [ask(simulator).status for _ in range(3)] == [200, 503, 503]
    with ProviderSimulator(lambda request: Answer(f"You are number {request.number}.")) as simulator:
        ask(simulator)
        assert ask(simulator).json["choices"][0]["message"]["content"] == "You are number 2."


def test_rules_by_model_and_by_path():
    rules = {"primary": overloaded(), "fallback": [Answer("once")], "/b/": server_error(), "/b/c": rate_limited()}
    with ProviderSimulator([Answer("script")], default=Answer("default"), rules=rules) as simulator:

        def say(model, path="/v1"):
            with client() as session:
                answer = session.post(f"{simulator.url}{path}/chat/completions", json={**BODY, "model": model})
            return (
                answer.json()["choices"][0]["message"]["content"] if answer.status_code == 200 else answer.status_code
            )

        assert [say("primary"), say("primary"), say("fallback"), say("fallback")] == [503, 503, "once", "default"]
        assert [say("other"), say("other")] == ["script", "default"]
        assert [say("primary", "/b/v1"), say("other", "/b/c/v1")] == [500, 429]
        with client() as session:
            models = session.get(f"{simulator.base_url}/models").json()["data"]
        assert [model["id"] for model in models] == ["primary", "fallback", "gpt-4o-mini"]


def test_reset_begins_anew():
    with ProviderSimulator([overloaded()] * 3, default=server_error(), rules={"m": rate_limited()}) as simulator:
        ask(simulator)
        simulator.reset([Answer()])
        assert simulator.requests == ()
        assert [ask(simulator).status, ask(simulator).status, ask(simulator, model="m").status] == [200, 500, 429]
        assert [request.number for request in simulator.requests] == [1, 2, 3]
        simulator.reset(default=Answer(), rules={})
        assert ask(simulator, model="m").status == 200
        with pytest.raises(LookupError, match="no request yet"):
            assert ProviderSimulator().last_request


def test_time_is_the_simulators_own():
    now = [100.0]
    outage = until(60, overloaded(), Answer())
    with ProviderSimulator(outage, now=lambda: now[0]) as simulator:
        statuses = []
        for _ in range(4):
            statuses.append(ask(simulator).status)
            now[0] += 25
        assert statuses == [503, 503, 503, 200]
        simulator.reset(outage)
        assert ask(simulator).status == 503
        assert simulator.last_request.time == 200
        simulator.reset(Schedule([(10, rate_limited()), (20, server_error())], then=Answer()))
        statuses = []
        for _ in range(3):
            statuses.append(ask(simulator).status)
            now[0] += 10
        assert statuses == [429, 500, 200]
        assert [request.reply.split("(")[0] for request in simulator.requests] == ["Status", "Status", "Answer"]


def test_choices_by_what_the_request_says():
    healthy = threading.Event()
    long_prompt = When(lambda request: len(request.body) > 1000, rate_limited(), until(healthy.is_set, overloaded()))
    with ProviderSimulator(Cut(long_prompt, after=0)) as simulator:
        assert ask(simulator).status == 503  # a choice may stand within a fault
        assert ask(simulator, padding="x" * 1000).status == 429
        healthy.set()
        assert ask(simulator).status == 200
    with ProviderSimulator(refuses_prefill()) as simulator:
        messages = [*BODY["messages"], {"role": "assistant", "content": "The capital"}]
        refused = ask(simulator, messages=messages)
        assert refused.status == 400
        assert "prefill" in refused.json["error"]["message"]
        assert ask(simulator).status == 200


def test_a_script_that_fails_is_told():
    def broken(request):
        raise KeyError("oops")

    simulator = ProviderSimulator(broken).start()
    seen = ask(simulator)
    assert seen.status == 500
    assert seen.json["error"]["message"] == "the simulator's script raised KeyError: 'oops'"
    with pytest.raises(RuntimeError, match="script failed"):
        simulator.__exit__(None, None, None)
    assert not simulator.is_running


def test_a_reply_that_fails_is_told():

    class Broken(Reply):
        def steps(self, scene):
            yield from Answer().steps(scene)
            raise ValueError("oops")

        def __str__(self):
            return "Broken"

    class BrokenAtOnce(Broken):
        def steps(self, scene):
            raise ValueError("oops")
            yield

    simulator = ProviderSimulator([Broken(), BrokenAtOnce()]).start()
    assert ask(simulator).status == 200  # the answer was whole, the rest is never asked for
    assert ask(simulator).error is not None
    assert simulator.last_request.outcome == "reset"
    with pytest.raises(RuntimeError) as caught:
        simulator.__exit__(None, None, None)
    assert isinstance(caught.value.__cause__, ValueError)
    assert simulator.last_request.reply == "Broken"


def test_the_blocks_own_error_is_not_hidden_by_the_scripts():
    simulator = ProviderSimulator(lambda request: 1 / 0).start()
    ask(simulator)
    error = AssertionError("the test's own")
    simulator.__exit__(AssertionError, error, None)  # does not raise
    assert isinstance(simulator.script_error, ZeroDivisionError)


def test_what_is_no_reply_is_refused():
    with pytest.raises(ConfigError, match="script: expected a reply such as Answer"):
        ProviderSimulator(["hello"])
    with pytest.raises(ConfigError, match=r"rules\['m'\]: expected a reply"):
        ProviderSimulator(rules={"m": [200]})
    with pytest.raises(ConfigError, match="unknown wire format 'chatt'; did you mean 'chat'"):
        ProviderSimulator(dialect="chatt")
    with pytest.raises(ConfigError, match="log_limit"):
        ProviderSimulator(log_limit=0)


# Its log


def test_the_log_tells_what_was_asked(simulator):
    with client(headers={"Authorization": "Bearer sk-very-secret-key", "X-Api-Key": "hush-hush"}) as session:
        session.post(f"{simulator.base_url}/chat/completions?key=hush-hush-too", json=BODY)
    seen = simulator.last_request
    assert (seen.number, seen.connection, seen.method) == (1, 1, "POST")
    assert seen.path == "/v1/chat/completions?key=hush-hush-too"
    assert (seen.model, seen.stream, seen.json, json.loads(seen.body)) == ("gpt-4o-mini", False, BODY, BODY)
    assert seen.messages[0]["role"] == "user"
    assert seen.headers["authorization"] == seen.headers["Authorization"] == "Bearer sk-very-secret-key"
    assert (seen.reply, seen.status, seen.outcome) == ("Answer()", 200, "completed")
    assert seen.bytes_sent > 500
    assert abs(seen.wall - time.time()) < 5
    assert seen.time <= seen.ended_at
    for shown in (repr(seen), repr(seen.headers), repr(simulator)):
        assert "secret" not in shown
        assert "hush" not in shown


def test_the_log_is_bounded():
    with ProviderSimulator(log_limit=2) as simulator, client() as session:
        for _ in range(3):
            ask(simulator, client=session)
        assert [request.number for request in simulator.requests] == [2, 3]
        assert (simulator.request_count, simulator.connection_count, simulator.open_connections) == (3, 1, 1)


def test_waiting_tells_what_was_seen_instead(simulator):
    ask(simulator)
    with pytest.raises(TimeoutError, match=r"did not see it within 0.01 s; .* requests:\n  RequestLog\(#1 POST"):
        simulator.wait_for(lambda s: s.request_count == 2, timeout=0.01)
    simulator.wait_for(lambda s: s.requests[0].outcome == "completed", timeout=0)


async def test_waiting_without_blocking_the_loop():
    gate = Gate()
    async with ProviderSimulator([Stall(Answer("a b"), after=1, gate=gate)]) as simulator:
        async with aiohttp.ClientSession() as session:
            call = asyncio.create_task(
                session.post(f"{simulator.base_url}/chat/completions", json={**BODY, "stream": True})
            )
            await simulator.wait_for_async(lambda s: s.last_request.chunks_sent == 1 and gate.waiting == 1)
            (await call).close()
        await simulator.wait_for_async(lambda s: s.last_request.outcome == "client_left", timeout=1)
        assert gate.waiting == 0
        with pytest.raises(TimeoutError, match="did not see it"):
            await simulator.wait_for_async(lambda s: False, timeout=0.01)
        waiting = asyncio.create_task(simulator.wait_for_async(lambda s: s.request_count == 99))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    with pytest.raises(TimeoutError):
        await simulator.wait_for_async(lambda s: False)


@pytest.mark.parametrize("reply", [Silence(), Stall(Answer(), after=2), Answer(delay=60), Answer(chunk_gate=Gate())])
@pytest.mark.parametrize("abrupt", [False, True])
def test_a_client_that_leaves_is_noticed_at_once(reply, abrupt):
    with ProviderSimulator([reply]) as simulator:
        connection = dial(simulator)
        connection.sendall(request_bytes(stream=True))
        simulator.wait_for(lambda s: s.request_count == 1)
        if abrupt:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        left = time.monotonic()
        connection.close()
        simulator.wait_for(lambda s: s.last_request.outcome == "client_left" and s.open_connections == 0)
        assert time.monotonic() - left < 1


def test_a_client_that_does_not_read_is_waited_for_and_seen_to_leave():
    with ProviderSimulator([Answer("word " * 30_000)]) as simulator:
        connection = dial(simulator)
        connection.sendall(request_bytes(stream=True))
        simulator.wait_for(lambda s: s.last_request.chunks_sent > 100)
        time.sleep(0.02)
        assert simulator.last_request.outcome is None  # the window is full
        connection.close()
        simulator.wait_for(lambda s: s.last_request.outcome == "client_left")


def test_nothing_more_is_written_to_a_client_that_has_left(caplog):
    """Its leaving is noticed in the middle of a run of writes, which asyncio would go on to complain of."""
    with ProviderSimulator(Answer("word " * 2000)) as simulator:
        for number in range(10):
            with dial(simulator) as connection:
                connection.sendall(request_bytes(stream=True))
            simulator.wait_for(lambda s, number=number: s.requests[number].outcome is not None)
        assert {(seen.outcome, seen.chunks_sent < 2000) for seen in simulator.requests} == {("client_left", True)}
    assert not caplog.records


def test_a_client_that_reads_slowly_gets_everything():
    with ProviderSimulator([Answer("word " * 5_000)]) as simulator, dial(simulator) as connection:
        connection.sendall(request_bytes(stream=True, extra="connection: close\r\n"))
        simulator.wait_for(lambda s: s.last_request.chunks_sent > 100)
        data, error = read_all(connection)
        assert error is None
        assert data.endswith(b"0\r\n\r\n")
        assert simulator.last_request.chunks_sent == 5_001
        assert simulator.last_request.bytes_sent == len(data)


# Its manners


def test_a_connection_is_used_again_until_somebody_objects(simulator):
    with client() as session:
        for stream in (False, True, False):
            assert ask(simulator, client=session, stream=stream).error is None
        assert simulator.connection_count == 1
        session.post(f"{simulator.base_url}/chat/completions", json=BODY, headers={"connection": "close"})
        simulator.wait_for(lambda s: s.open_connections == 0)
        ask(simulator, client=session)
    assert [request.connection for request in simulator.requests] == [1, 1, 1, 1, 2]


def test_requests_sent_together_are_answered_one_after_another(simulator):
    with dial(simulator) as connection:
        connection.sendall(request_bytes() * 2 + request_bytes(extra="connection: close\r\n"))
        data, _ = read_all(connection)
    assert data.count(b"HTTP/1.1 200 OK") == 3
    assert data.count(b"connection: close") == 1


def test_a_body_in_chunks_and_in_drops(simulator):
    body = json.dumps(BODY).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    chunks = b"%x;note=1\r\n%b\r\n%x\r\n%b\r\n0\r\ntrailer: x\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:])
    with dial(simulator) as connection:
        for byte in head + chunks:
            connection.send(bytes([byte]))
        data, _ = read_all(connection)
    assert data.startswith(b"HTTP/1.1 200")
    assert simulator.last_request.json == BODY


@pytest.mark.parametrize("stream", [False, True])
def test_http_1_0(simulator, stream):
    with dial(simulator) as connection:
        connection.sendall(request_bytes(stream=stream).replace(b"HTTP/1.1", b"HTTP/1.0"))
        data, _ = read_all(connection)
    assert b"transfer-encoding" not in data
    assert b"connection: close" in data
    assert data.endswith(b"data: [DONE]\n\n" if stream else b"}")


@pytest.mark.parametrize(
    ("junk", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /" + b"x" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_refused(simulator, junk, status):
    with dial(simulator) as connection:
        connection.sendall(junk)
        data, _ = read_all(connection)
    assert data.startswith(f"HTTP/1.1 {status} ".encode())
    assert simulator.request_count == 0


def test_paths_methods_and_models(simulator):
    with client(base_url=simulator.base_url) as session:
        missing = session.post("/embeddings", json=BODY)
        assert (missing.status_code, missing.json()["error"]["type"]) == (404, "invalid_request_error")
        wrong = session.get("/chat/completions")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        listed = session.get("/models")
        assert [model["id"] for model in listed.json()["data"]] == ["gpt-4o-mini"]
        head = session.head("/models")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == listed.headers["content-length"]
        assert session.post("/models").status_code == 405
        azure = session.post(
            f"{simulator.url}/openai/deployments/mine/chat/completions?api-version=1", json={**BODY, "model": None}
        )
        assert azure.json()["model"] == "mine"
    assert simulator.connection_count == 1
    with ProviderSimulator(models=["a", "b"]) as other, client() as session:
        assert len(session.get(f"{other.base_url}/models").json()["data"]) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "could not parse the JSON body"),
        (b"[]", "could not parse the JSON body"),
        (b'{"messages": []}', "model parameter"),
        (b'{"model": "m"}', "Missing required parameter: 'messages'"),
        (b'{"model": "m", "messages": []}', "empty array"),
        (b'{"model": "m", "messages": "hi"}', "array of objects"),
        (b'{"model": "m", "messages": [{"role": "user"}], "stream": 1}', "boolean"),
    ],
)
def test_a_request_that_is_no_chat_request_takes_no_reply(body, says):
    with ProviderSimulator([overloaded()]) as simulator, client() as session:
        answer = session.post(f"{simulator.base_url}/chat/completions", content=body)
        assert answer.status_code == 400
        assert says in answer.json()["error"]["message"]
        assert simulator.remaining == 1


def test_a_key_can_be_demanded():
    with ProviderSimulator([Answer()], require_key="sk-right") as simulator, client() as session:

        def status(headers):
            return session.post(f"{simulator.base_url}/chat/completions", json=BODY, headers=headers).status_code

        assert status({}) == 401
        assert status({"authorization": "Bearer sk-wrong"}) == 401
        assert simulator.remaining == 1
        assert status({"authorization": "Bearer sk-right"}) == 200
        assert status({"api-key": "sk-right"}) == 200


def test_what_is_exported_is_there():
    assert sorted(package.__all__) == package.__all__
    for name in package.__all__:
        assert getattr(package, name) is not None
