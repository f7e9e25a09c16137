"""Every failure, on every engine: the same kind and code, in bounded time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trustme
from tests.providers.engines import servers
from tests.providers.engines.servers import CHUNKED, PIECE
from tests.providers.engines.support import ALL, call, engine_of, post, read_all, request

from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError, StreamClosedError

SECRET = "very-secret-query-value"
KEY = "sec-ret-4711"


def scripted(*steps: bytes | str | float) -> servers.Handler:
    """Read a request, then write, wait, ``reset`` or close (by ending)."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await servers.read_request(reader)
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif step == "reset":
                servers.reset(writer)
            elif step == "stay":
                await servers.forever(reader)
            else:
                await asyncio.sleep(float(step))

    return handle


SERVED = {
    "reset before headers": (("reset",), "reset"),
    "EOF before headers": ((), "disconnected"),
    "EOF in the headers": ((b"HTTP/1.1 200 OK\r\nfoo: bar",), "disconnected"),
    "EOF in a chunked body": ((CHUNKED + PIECE,), "eof"),
    "EOF in a chunk": ((CHUNKED, 0.02, b"5\r\nhe"), "eof"),
    "EOF in a body of known length": ((b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",), "eof"),
    "reset in a body": ((CHUNKED + PIECE, 0.05, "reset"), "reset"),
    "reset in a body of known length": (
        (b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello", 0.05, "reset"),
        "reset",
    ),
    "bad status line": ((b"HELLO THERE\r\n\r\n", "stay"), "protocol"),
    "not HTTP": ((b"\x15\x03\x01\x00\x02\x02\x16" * 20, "stay"), "protocol"),
    "bad chunk header": ((CHUNKED + PIECE, 0.05, b"zz\r\nxx\r\n", "stay"), "protocol"),
    "bad chunk header at once": ((CHUNKED + b"zz\r\nxx\r\n", "stay"), "protocol"),
    "bad content-length": ((b"HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\nhello", "stay"), "protocol"),
}


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("fault", SERVED)
async def test_a_fault_of_the_server(kind: str, fault: str) -> None:
    steps, code = SERVED[fault]
    async with engine_of(kind) as engine, servers.serve(scripted(*steps)) as server, asyncio.timeout(3):
        await expect(code, call(engine, f"{server.url}?key={SECRET}"), server.port)


@asynccontextmanager
async def unreachable(fault: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The URL of something that cannot be connected to."""
    async with AsyncExitStack() as stack:
        if fault == "refused":
            yield f"http://127.0.0.1:{servers.closed_port()}/v1/chat"
        elif fault == "blackhole":
            yield f"http://127.0.0.1:{stack.enter_context(servers.blackhole())}/v1/chat"
        elif fault == "name":

            def lookup(host: object, *_: object, **__: object) -> object:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

            monkeypatch.setattr(socket, "getaddrinfo", lookup)
            yield "http://no-such-host.invalid:8080/v1/chat"
        elif fault == "certificate":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
            yield (await stack.enter_async_context(servers.serve(servers.reply(), context))).url
        else:  # TLS is spoken to a server that does not

            async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read(1)
                if fault == "plain text":
                    writer.write(servers.reply(status="400 Bad Request"))
                await servers.forever(reader)

            server = await stack.enter_async_context(servers.serve(plain))
            yield server.url.replace("http:", "https:")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("refused", "refused"),
        ("blackhole", "connect_timeout"),
        ("name", "dns"),
        ("certificate", "tls"),
        ("plain text", "tls"),
        ("silent handshake", "connect_timeout"),
    ],
)
async def test_no_connection(kind: str, fault: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine_of(kind) as engine, unreachable(fault, monkeypatch) as url, asyncio.timeout(3):
        await expect(code, call(engine, f"{url}?key={SECRET}", timeout=0.4), None)


@pytest.mark.parametrize("kind", ALL)
async def test_a_full_pool(kind: str) -> None:
    async with engine_of(kind, max_connections=1) as engine, servers.serve(scripted(CHUNKED, "stay")) as server:
        first = await post(engine, server.url)
        async with asyncio.timeout(3):
            with pytest.raises(RejectedError) as caught:
                await post(engine, server.url, timeout=0.2)
        assert caught.value.kind is ErrorKind.POOL_EXHAUSTED
        assert caught.value.failover
        first.abort()
        second = await post(engine, server.url)
        second.abort()


@pytest.mark.parametrize("kind", ALL)
async def test_closed_by_us_while_a_read_waits(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(scripted(CHUNKED + PIECE, "stay")) as server:
        response = await post(engine, server.url)
        assert await response.read() == b"hello"
        reading = asyncio.create_task(response.read())
        await asyncio.sleep(0.05)
        response.abort()
        response.abort()
        async with asyncio.timeout(1):
            with pytest.raises(StreamClosedError):
                await reading
        assert reading.cancelling() == 0
        with pytest.raises(StreamClosedError):
            await response.read()
        await server.until_open(0, 1)


@pytest.mark.parametrize("kind", ALL)
async def test_the_engine_is_closed_while_calls_wait(kind: str) -> None:
    async with (
        engine_of(kind) as engine,
        servers.serve(scripted("stay")) as silent,
        servers.serve(scripted(CHUNKED, "stay")) as server,
    ):
        response = await post(engine, server.url)
        waiting = [asyncio.create_task(response.read()), asyncio.create_task(call(engine, silent.url))]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            await engine.aclose()
            await engine.aclose()
            for task in waiting:
                with pytest.raises(StreamClosedError):
                    await task
        with pytest.raises(RejectedError) as caught:
            await post(engine, server.url)
        assert caught.value.kind is ErrorKind.CLOSED
        await server.until_open(0)
        await silent.until_open(0)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("headers", "url"), [({"x-api-key": f"{KEY}\n"}, None), ({}, "ftp://127.0.0.1/x")])
async def test_what_cannot_be_sent(kind: str, headers: dict[str, str], url: str | None) -> None:
    async with engine_of(kind) as engine, servers.serve(servers.reply()) as server:
        with pytest.raises(ExecutorError) as caught:
            await engine.send(request(url or server.url, **headers), connect_timeout=1)
        assert caught.value.kind is ErrorKind.INVALID_REQUEST
        assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", ALL)
async def test_a_body_that_is_not_what_its_encoding_says(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(servers.reply(b"hello", "content-encoding: gzip")) as server:
        with pytest.raises(ExecutorError) as caught:
            await call(engine, server.url)
        assert (caught.value.kind, caught.value.code) == (ErrorKind.MALFORMED, "encoding")


@pytest.mark.parametrize("kind", ALL)
async def test_an_earlier_failure_is_not_mistaken_for_this_one(kind: str) -> None:
    """A fallback calls its next target while it handles the last failure, which becomes a context of what comes."""
    async with engine_of(kind) as engine, servers.serve(scripted()) as closing:
        try:
            await call(engine, f"http://127.0.0.1:{servers.closed_port()}/")
        except ExecutorError:
            with pytest.raises(ExecutorError) as caught:
                await call(engine, closing.url)
        assert caught.value.code == "disconnected"


@pytest.mark.parametrize("kind", ALL)
async def test_a_server_that_echoes_the_key(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(scripted(f"GO AWAY {KEY}\r\n\r\n".encode())) as server:
        with pytest.raises(ExecutorError) as caught:
            await engine.send(request(server.url, **{"x-api-key": KEY}), connect_timeout=1)
        assert caught.value.code == "protocol"
        assert KEY not in "".join(traceback.format_exception(caught.value))


async def expect(code: str, calling: object, port: int | None) -> None:
    with pytest.raises(LamellarError) as caught:
        await calling  # type: ignore[misc]
    error = caught.value
    assert isinstance(error, ExecutorError)
    assert (error.kind, error.code) == (ErrorKind.CONNECTION, code), f"{error!r} from {error.__cause__!r}"
    assert error.retryable
    assert error.failover
    assert error.counts_against_health
    assert port is None or f"127.0.0.1:{port}" in error.message
    assert SECRET not in "".join(traceback.format_exception(error))


async def test_read_all_is_exact() -> None:
    body = bytes(range(256)) * 100
    for kind in ALL:
        async with engine_of(kind) as engine, servers.serve(servers.reply(body)) as server:
            assert await read_all(await post(engine, server.url)) == body
