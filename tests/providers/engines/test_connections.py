"""Connections: kept, dropped, counted, and never leaked."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import zlib
from contextlib import suppress
from random import Random

import pytest
from tests.providers.engines import servers
from tests.providers.engines.servers import CHUNKED, PIECE
from tests.providers.engines.support import ALL, OWN, call, engine_of, own_engine, post, read_all, request

from lamellar.errors import ErrorKind, RejectedError, StreamClosedError
from lamellar.providers.engines import NetworkOptions


def descriptors() -> int:
    """How many this process has open, where the system tells."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def streaming(tail: bytes = b"", delay: float = 0.0) -> servers.Handler:
    """Per request one chunk, and `tail` after `delay`; then the next request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await servers.read_request(reader)
            writer.write(CHUNKED + PIECE)
            await writer.drain()
            if delay:
                await asyncio.sleep(delay)
            writer.write(tail)

    return handle


@pytest.mark.parametrize("kind", ALL)
async def test_a_request_arrives_as_written(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(servers.reply()) as server:
        url = server.url.replace("/v1", "/models/gemini%2Fpro:stream") + "?alt=sse&q=a%20b"
        await read_all(await engine.send(request(url, authorization="Bearer k"), connect_timeout=1))
        head, body = server.requests[0]
        assert head.startswith("POST /models/gemini%2Fpro:stream/chat?alt=sse&q=a%20b HTTP/1.1\r\n")
        assert "authorization: bearer k" in head.lower()
        assert head.lower().count("content-type:") == 1
        assert "gzip" in head.lower()
        assert "br" not in head.lower().split("accept-encoding:")[1].split("\r\n")[0]
        assert body == b'{"model":"m"}'


@pytest.mark.parametrize("kind", ALL)
async def test_status_and_headers(kind: str) -> None:
    answer = servers.reply(b"", "Location: /elsewhere", "X-Ratelimit: 1", "X-Ratelimit: 2", status="307 Moved")
    async with engine_of(kind) as engine, servers.serve(answer) as server:
        response = await post(engine, server.url)
        assert response.status == 307
        assert response.headers["location"] == "/elsewhere"
        assert response.headers["x-ratelimit"] == "1, 2"
        assert await read_all(response) == b""
        assert await response.read() == b""


@pytest.mark.parametrize("kind", ALL)
async def test_an_answer_without_a_body(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
        for _ in range(2):
            response = await post(engine, server.url)
            assert response.status == 204
            assert await response.read() == b""
            await response.release()
        assert server.connections == 1


@pytest.mark.parametrize("kind", OWN)
async def test_cookies_are_not_kept(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(servers.reply(b"{}", "Set-Cookie: a=b")) as server:
        await call(engine, server.url)
        await call(engine, server.url)
        assert len(server.requests) == 2
        assert all("cookie" not in head.lower() for head, _ in server.requests)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_encoded_bodies(kind: str, encoding: str) -> None:
    text = b"The sky is blue. " * 5000
    packed = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    answer = servers.reply(packed, f"content-encoding: {encoding}")
    async with engine_of(kind) as engine, servers.serve(answer) as server:
        assert await call(engine, server.url) == text


@pytest.mark.parametrize("kind", ALL)
async def test_pieces_come_as_they_arrive(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming(PIECE + b"0\r\n\r\n", 0.1)) as server:
        response = await post(engine, server.url)
        async with asyncio.timeout(0.09):
            assert await response.read() == b"hello"
        assert await read_all(response) == b"hello"


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != "httpx on aiohttp"])  # aiohttp warns there
async def test_a_body_of_megabytes(kind: str) -> None:
    body = os.urandom(3_000_000)
    async with engine_of(kind) as engine, servers.serve(servers.reply()) as server:
        await call(engine, server.url, body)
        assert server.requests[0][1] == body


@pytest.mark.parametrize("kind", ALL)
async def test_a_whole_answer_keeps_its_connection(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(servers.reply()) as server:
        for _ in range(3):
            assert await call(engine, server.url) == b"{}"
        assert server.connections == 1


@pytest.mark.parametrize("kind", ALL)
async def test_release_keeps_the_connection_when_the_rest_is_near(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming(b"0\r\n\r\n", 0.02)) as server:
        for _ in range(3):
            response = await post(engine, server.url)
            assert await response.read() == b"hello"
            await response.release()
            await response.release()
            response.abort()
        assert server.connections == 1


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("tail", [b"", b"20000\r\n" + b"x" * 0x20000 + b"\r\n"])
async def test_release_drops_it_when_it_is_not(kind: str, tail: bytes) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming(tail)) as server:
        response = await post(engine, server.url)
        assert await response.read()
        async with asyncio.timeout(0.5):
            await response.release()
        await server.until_open(0)
        with pytest.raises(StreamClosedError):
            await response.read()


@pytest.mark.parametrize("kind", ALL)
async def test_release_never_raises_but_a_cancellation(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming(b"zz\r\n", 0.02)) as server:
        broken = await post(engine, server.url)
        await broken.release()
        await server.until_open(0)
        task = asyncio.create_task((await post(engine, server.url)).release())
        await asyncio.sleep(0)  # it waits for more of the answer
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until_open(0)


@pytest.mark.parametrize("kind", ALL)
async def test_abort_is_seen_at_once(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming()) as server:
        response = await post(engine, server.url)
        await server.until_open(1)
        response.abort()
        await server.until_open(0, 0.2)
        await response.release()


@pytest.mark.parametrize("kind", ALL)
async def test_a_cancelled_read_leaks_nothing(kind: str) -> None:
    async with engine_of(kind, max_connections=1) as engine, servers.serve(streaming()) as server:
        for _ in range(5):
            response = await post(engine, server.url)
            await response.read()
            reading = asyncio.create_task(response.read())
            await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await server.until_open(0)
            with pytest.raises(StreamClosedError):
                await response.read()


@pytest.mark.parametrize("kind", ALL)
async def test_a_cancelled_send_leaks_nothing(kind: str) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await servers.forever(reader)

    async with engine_of(kind, max_connections=1) as engine, servers.serve(silent) as server:
        for _ in range(5):
            sending = asyncio.create_task(post(engine, server.url))
            await server.until_open(1)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await server.until_open(0)


@pytest.mark.parametrize("kind", ALL)
async def test_a_cancelled_connect_leaks_nothing(kind: str) -> None:
    async with engine_of(kind, max_connections=1) as engine, servers.serve(servers.reply()) as server:
        with servers.blackhole() as port:
            connecting = asyncio.create_task(post(engine, f"http://127.0.0.1:{port}/", timeout=5))
            await asyncio.sleep(0.05)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
        assert await call(engine, server.url) == b"{}"


@pytest.mark.parametrize("kind", ALL)
async def test_no_limit_is_no_limit(kind: str) -> None:
    if kind == "httpx on aiohttp":
        pytest.skip("that transport takes None for 100")
    async with engine_of(kind, max_connections=None) as engine, servers.serve(streaming()) as server:
        responses = await asyncio.gather(*(post(engine, server.url, timeout=5) for _ in range(150)))
        assert server.open == 150
        for response in responses:
            response.abort()
        await server.until_open(0, 5)


@pytest.mark.parametrize("kind", OWN)
async def test_the_limit_is_kept(kind: str) -> None:
    async with engine_of(kind, max_connections=3) as engine, servers.serve(streaming(b"0\r\n\r\n", 0.01)) as server:
        bodies = await asyncio.gather(*(call(engine, server.url, timeout=5) for _ in range(30)))
        assert bodies == [b"hello"] * 30
        assert server.connections == 3


async def test_who_comes_first_is_served_first_and_a_cancelled_waiter_passes_its_slot_on() -> None:
    async with engine_of("aiohttp", max_connections=1) as engine, servers.serve(streaming()) as server:
        holding = await post(engine, server.url)
        order: list[int] = []

        async def wait(number: int) -> None:
            response = await post(engine, server.url, timeout=2)
            order.append(number)
            response.abort()

        tasks = [asyncio.create_task(wait(number)) for number in range(5)]
        await asyncio.sleep(0.01)
        holding.abort()  # task 0 has the slot now
        tasks[0].cancel()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [1, 3, 4]


async def test_a_refused_waiter_holds_no_slot() -> None:
    async with engine_of("aiohttp", max_connections=1) as engine, servers.serve(streaming()) as server:
        for _ in range(3):
            holding = await post(engine, server.url)
            with pytest.raises(RejectedError) as caught:
                await post(engine, server.url, timeout=0.02)
            assert caught.value.kind is ErrorKind.POOL_EXHAUSTED
            holding.abort()


@pytest.mark.parametrize("kind", OWN)
async def test_an_idle_connection_is_kept_for_its_time_only(kind: str) -> None:
    async with servers.serve(servers.reply()) as server:
        for keepalive, connections in ((0.05, 2), (0.0, 4)):
            engine = own_engine(kind, NetworkOptions(keepalive=keepalive))
            await call(engine, server.url)
            await asyncio.sleep(0.1)
            await call(engine, server.url)
            await engine.aclose()
            assert server.connections == connections


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.failure(31)
async def test_two_hundred_calls_leak_no_descriptor(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(streaming(b"0\r\n\r\n")) as server:
        await call(engine, server.url)
        before = descriptors()
        for number in range(200):
            response = await post(engine, server.url)
            if number % 3 == 0:
                response.abort()
            elif number % 3 == 1:
                await response.release()
            else:
                await read_all(response)
        await asyncio.sleep(0.05)
        gc.collect()
        assert descriptors() <= before + 2


@pytest.mark.parametrize("kind", ALL)
async def test_cancellations_at_any_moment_leave_the_pool_whole(kind: str) -> None:
    rng = Random(7)
    async with engine_of(kind, max_connections=2) as engine, servers.serve(streaming(b"0\r\n\r\n", 0.002)) as server:

        async def cancelled_call() -> None:
            task = asyncio.create_task(call(engine, server.url, timeout=5))
            await asyncio.sleep(rng.random() * 0.008)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        for _ in range(20):
            await asyncio.gather(*(cancelled_call() for _ in range(6)))
        async with asyncio.timeout(2):
            assert await asyncio.gather(*(call(engine, server.url) for _ in range(4))) == [b"hello"] * 4
        assert server.open <= 2


@pytest.mark.parametrize("kind", ALL)
async def test_closing_while_an_upload_stalls(kind: str) -> None:
    async def deaf(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with engine_of(kind) as engine, servers.serve(deaf) as server:
        body = b"x" * (1_000_000 if kind == "httpx on aiohttp" else 20_000_000)
        sending = asyncio.create_task(call(engine, server.url, body))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1):
            await engine.aclose()
            with pytest.raises(StreamClosedError):
                await sending
