"""Loops, forks, and engines made, closed and forgotten."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import subprocess
import sys
import threading
import warnings

import httpx
import httpx2
import pytest
from aiohttp.http_exceptions import BadStatusLine
from tests.providers.engines import servers
from tests.providers.engines.support import OWN, call, own_engine, post

from lamellar.errors import ConfigError, ErrorKind, RejectedError
from lamellar.providers.engines import (
    AiohttpEngine,
    HttpxEngine,
    NetworkOptions,
    make_engine,
    retries_by_itself,
)
from lamellar.providers.engines.failures import classify_failure


async def one_call(engine: object) -> bytes:
    async with servers.serve(servers.reply()) as server:
        return await call(engine, server.url)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.failure(30)
def test_two_loops_over_one_engine_and_nobody_closes(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """No noise: the warnings would be errors, and aiohttp would also log."""
    engine = own_engine(kind, NetworkOptions())
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        for _ in range(3):
            assert asyncio.run(one_call(engine)) == b"{}"
            gc.collect()
        assert len(engine._clients._clients) == 1  # type: ignore[attr-defined]
        del engine
        gc.collect()
    assert not noise
    assert not caplog.records


@pytest.mark.parametrize("kind", OWN)
async def test_an_engine_that_is_forgotten_closes_its_connections(kind: str) -> None:
    async with servers.serve(servers.reply()) as server:
        engine = own_engine(kind, NetworkOptions())
        await call(engine, server.url)
        assert server.open == 1
        del engine
        gc.collect()
        await server.until_open(0)


@pytest.mark.parametrize("kind", OWN)
def test_closing_from_another_loop(kind: str) -> None:
    engine = own_engine(kind, NetworkOptions())
    ready, done = threading.Event(), threading.Event()
    open_at_the_end: list[int] = []

    async def there() -> None:
        async with servers.serve(servers.reply()) as server:
            await call(engine, server.url)
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.01)
            await server.until_open(0)
            open_at_the_end.append(server.open)

    asyncio.run(one_call(engine))  # a client on a loop that is closed
    thread = threading.Thread(target=asyncio.run, args=(there(),))
    thread.start()
    assert ready.wait(5)

    async def here() -> None:
        async with asyncio.timeout(1):
            await engine.aclose()
            await engine.aclose()

    asyncio.run(here())
    done.set()
    thread.join(5)
    assert open_at_the_end == [0]


@pytest.mark.parametrize("kind", OWN)
def test_closing_from_another_loop_while_this_one_ends(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is to be closed there never gets a turn: the loop's own end closes it, without a word."""
    engine = own_engine(kind, NetworkOptions())
    ready, done = threading.Event(), threading.Event()

    async def there() -> None:
        async with servers.serve(servers.reply()) as server:
            await call(engine, server.url)
        ready.set()
        done.wait(5)  # no turn for others between the call to close and the end

    thread = threading.Thread(target=asyncio.run, args=(there(),))
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        thread.start()
        assert ready.wait(5)
        asyncio.run(engine.aclose())
        done.set()
        thread.join(5)
        gc.collect()
    assert [str(each.message) for each in noise] == []
    assert not caplog.records


@pytest.mark.parametrize("kind", OWN)
def test_a_response_that_is_dropped_as_its_loop_ends(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = own_engine(kind, NetworkOptions())

    async def drop() -> None:
        async with servers.serve(servers.reply(b"{}")) as server:
            response = await post(engine, server.url)
        asyncio.get_running_loop().call_soon(response.abort)  # the loop's last turn: what it begins never runs

    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        asyncio.run(drop())
        gc.collect()
    assert [str(each.message) for each in noise] == []
    assert not caplog.records


@pytest.mark.parametrize("kind", OWN)
async def test_closing_that_was_cancelled_is_finished_by_the_next(kind: str) -> None:
    engine = own_engine(kind, NetworkOptions())
    may_end = asyncio.Event()
    async with servers.serve(servers.reply()) as server:
        await call(engine, server.url)
        engine._clients.get().spawn(may_end.wait)  # type: ignore[attr-defined]
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await engine.aclose()
            assert server.open == 1
        waiting = [asyncio.ensure_future(engine.aclose()) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in waiting), "closed means closed, for whoever asks"
        may_end.set()
        async with asyncio.timeout(2):
            await asyncio.gather(*waiting)
            await engine.aclose()
        await server.until_open(0)


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("error", [ImportError("no such module"), KeyError("a bug")], ids=["import", "bug"])
async def test_a_client_that_cannot_be_made_is_no_failure_of_the_network(
    kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise error

    engine = own_engine(kind, NetworkOptions())
    where = "aiohttp.ClientSession" if kind == "aiohttp" else "httpx.AsyncClient"
    with monkeypatch.context() as patched:
        patched.setattr(where, broken)
        if kind == "aiohttp":
            patched.setattr("lamellar.providers.engines.aiohttp_client.ClientSession", broken)
        with pytest.raises(type(error)) as caught:
            await post(engine, "http://127.0.0.1:1/")
        assert caught.value is error
    async with servers.serve(servers.reply()) as server:
        assert await call(engine, server.url) == b"{}"
    await engine.aclose()


@pytest.mark.parametrize("kind", OWN)
async def test_closing_what_was_never_used(kind: str) -> None:
    engine = own_engine(kind, NetworkOptions())
    await engine.aclose()
    await engine.aclose()
    with pytest.raises(RejectedError) as caught:
        await post(engine, "http://127.0.0.1:1/")
    assert caught.value.kind is ErrorKind.CLOSED


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", OWN)
def test_a_fork(kind: str) -> None:
    """The child makes clients of its own, and leaves the parent's connections alone."""
    engine = own_engine(kind, NetworkOptions())
    with asyncio.Runner() as runner:

        async def parent_call() -> bytes:
            return await call(engine, server.url)

        context = servers.serve(servers.reply())
        server = runner.run(context.__aenter__())
        assert runner.run(parent_call()) == b"{}"
        child = os.fork()
        if child == 0:  # pragma: no cover

            async def child_call() -> None:
                assert await one_call(engine) == b"{}"
                await engine.aclose()

            try:
                asyncio.set_event_loop(None)
                asyncio.run(child_call())
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert runner.run(parent_call()) == b"{}"
        assert server.connections == 1
        runner.run(engine.aclose())
        runner.run(context.__aexit__(None, None, None))


async def test_an_injected_client_that_its_owner_closed() -> None:
    client = httpx.AsyncClient()
    engine = HttpxEngine(client)
    await client.aclose()
    with pytest.raises(RejectedError) as caught:
        await post(engine, "http://127.0.0.1:1/")
    assert caught.value.kind is ErrorKind.CLOSED


async def test_an_injected_transport_that_raises_our_own_errors() -> None:
    ours = RejectedError(ErrorKind.QUEUE_FULL, "no")

    def handler(request: httpx.Request) -> httpx.Response:
        raise ours

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        with pytest.raises(RejectedError) as caught:
            await post(HttpxEngine(client), "http://127.0.0.1:1/")
        assert caught.value is ours


async def test_an_injected_transport_without_a_network() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"echo": request.content.decode()})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        engine = HttpxEngine(client)
        assert await call(engine, "http://nowhere.invalid/", b"x") == b'{"echo":"x"}'
        await engine.aclose()


def test_what_is_no_client() -> None:
    with httpx.Client() as sync, pytest.raises(ConfigError, match="AsyncClient"):
        HttpxEngine(sync)  # type: ignore[arg-type]


def test_make_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_engine(), AiohttpEngine)
    assert isinstance(make_engine(kind="httpx"), HttpxEngine)
    with pytest.raises(ConfigError, match="SOCKS"):
        make_engine(NetworkOptions(proxy="socks5://127.0.0.1:1080"), "aiohttp")
    with pytest.raises(ConfigError, match="socksio"):
        make_engine(NetworkOptions(proxy="socks5://127.0.0.1:1080"))
    with pytest.raises(ConfigError, match="expected auto"):
        make_engine(kind="curl")  # type: ignore[arg-type]


def test_importing_the_engines_imports_no_client() -> None:
    code = "import sys, lamellar.providers.engines as e; print(*(n for n in ('aiohttp', 'httpx') if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "aiohttp"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "lamellar.providers.engines.aiohttp_client", raising=False)
    find = importlib.util.find_spec
    monkeypatch.setattr("lamellar.providers.engines.find_spec", lambda name: None if name == "aiohttp" else find(name))
    with pytest.raises(ConfigError, match=r"lamellar\[fast\]"):
        make_engine(kind="aiohttp")
    assert isinstance(make_engine(), HttpxEngine)


class RetryTransport(httpx.AsyncBaseTransport):
    pass


@pytest.mark.failure(10)
def test_clients_that_retry_by_themselves() -> None:
    assert retries_by_itself(httpx.AsyncClient()) is None
    assert retries_by_itself(httpx2.AsyncClient()) is None
    assert retries_by_itself(httpx.AsyncClient(transport=RetryTransport())) == "RetryTransport"
    three = httpx.AsyncHTTPTransport(retries=3)
    assert retries_by_itself(httpx.AsyncClient(transport=three)) == "AsyncHTTPTransport(retries=3)"
    mounted = httpx.AsyncClient(mounts={"https://": httpx.AsyncHTTPTransport(retries=2)})
    assert retries_by_itself(mounted) == "AsyncHTTPTransport(retries=2)"
    assert retries_by_itself(object()) is None


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("exc", "phase", "kind", "code"),
    [
        (OSError(24, "Too many open files"), "send", "connection", "descriptors"),
        (OSError(113, "No route to host"), "send", "connection", "unreachable"),
        (TimeoutError(110, "Connection timed out"), "send", "connection", "connect_timeout"),
        (TimeoutError(110, "Connection timed out"), "body", "connection", "reset"),
        (TimeoutError(), "body", "connection", "unknown"),
        (httpx.ReadTimeout(""), "body", "timeout", "socket_timeout"),
        (httpx2.ReadTimeout(""), "body", "timeout", "socket_timeout"),
        (httpx.ConnectTimeout(""), "send", "connection", "connect_timeout"),
        (httpx.InvalidURL("x"), "send", "invalid_request", "invalid_url"),
        (ExceptionGroup("all", [ConnectionRefusedError(111, "refused")]), "send", "connection", "refused"),
        (KeyError("a bug"), "send", "connection", "unknown"),
        (ValueError("a line break in a header"), "send", "invalid_request", "invalid_request"),
        (ValueError("a bug"), "body", "connection", "unknown"),
        (caused(BadStatusLine("SSH-2.0-x"), ValueError("nothing to unpack")), "send", "connection", "protocol"),
    ],
)
def test_classify_failure(exc: Exception, phase: str, kind: str, code: str) -> None:
    error = classify_failure(exc, phase=phase)  # type: ignore[arg-type]
    assert (error.kind, getattr(error, "code", None)) == (kind, code)
    assert error.counts_against_health is (code not in ("descriptors", "invalid_url", "invalid_request"))
