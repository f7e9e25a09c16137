"""A request that meets a connection the server has just closed is sent once more; no other is."""

from __future__ import annotations

import asyncio

import pytest
from tests.providers.engines import servers
from tests.providers.engines.support import call, engine_of

from lamellar.errors import ExecutorError

KNOWN = ["aiohttp", "own httpx", "httpx", "httpx2"]


def serving(first: int, then: str = "close") -> servers.Handler:
    """The first connection serves `first` requests, and ends the next one unanswered; later connections serve all."""
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        mine = connections
        served = 0
        while True:
            await servers.read_request(reader)
            if mine == 1 and served == first:
                if then == "reset":
                    servers.reset(writer)
                elif then == "half an answer":
                    writer.write(b"HTTP/1.1 20")
                return
            served += 1
            writer.write(servers.reply())

    return handle


@pytest.mark.parametrize("kind", KNOWN)
async def test_a_stale_connection_is_replaced(kind: str) -> None:
    async with engine_of(kind) as engine, servers.serve(serving(1)) as server:
        assert [await call(engine, server.url) for _ in range(3)] == [b"{}"] * 3
        assert server.connections == 2


@pytest.mark.parametrize("kind", KNOWN)
@pytest.mark.parametrize(
    ("served", "then", "code"),
    [(0, "close", "disconnected"), (1, "reset", "reset"), (1, "half an answer", "disconnected")],
)
async def test_nothing_else_is(kind: str, served: int, then: str, code: str) -> None:
    async with engine_of(kind) as engine, servers.serve(serving(served, then)) as server:
        for _ in range(served):
            await call(engine, server.url)
        with pytest.raises(ExecutorError) as caught:
            await call(engine, server.url)
        assert caught.value.code == code
        assert server.connections == 1


@pytest.mark.parametrize("kind", KNOWN)
async def test_only_once(kind: str) -> None:
    """Both idle connections are dead: one resend, no more."""
    seen = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await servers.read_request(reader)
        await asyncio.sleep(0.02)
        writer.write(servers.reply())
        await servers.read_request(reader)
        seen += 1

    async with engine_of(kind) as engine, servers.serve(handle) as server:
        await asyncio.gather(call(engine, server.url), call(engine, server.url))
        with pytest.raises(ExecutorError) as caught:
            await call(engine, server.url)
        assert caught.value.code == "disconnected"
        assert seen == 2


@pytest.mark.parametrize("kind", KNOWN)
async def test_a_server_that_closes_after_each_answer(kind: str) -> None:
    """It says keep-alive and closes: back to back, every second call meets the closing connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await servers.read_request(reader)
        writer.write(servers.reply())

    async with engine_of(kind) as engine, servers.serve(handle) as server:
        for _ in range(100):
            assert await call(engine, server.url) == b"{}"
