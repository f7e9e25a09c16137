"""Every engine in every guise, under one name each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import httpx
import httpx2

from lamellar.providers.engines import AiohttpEngine, Engine, EngineResponse, HttpxEngine, NetworkOptions
from lamellar.providers.wire import WireRequest

OWN = ["aiohttp", "own httpx"]
INJECTED = ["httpx", *(["httpx on aiohttp"] if find_spec("httpx_aiohttp") else []), "httpx2"]
ALL = OWN + INJECTED


@asynccontextmanager
async def engine_of(kind: str, *, max_connections: int | None = 1000) -> AsyncIterator[Engine]:
    """An engine, closed at the end, with the client that was injected."""
    if kind in OWN:
        engine: Engine = own_engine(kind, NetworkOptions(max_connections=max_connections))
        try:
            yield engine
        finally:
            await engine.aclose()
        return
    client: httpx.AsyncClient | httpx2.AsyncClient
    if kind == "httpx2":
        client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=max_connections))
    elif kind == "httpx":
        client = httpx.AsyncClient(limits=httpx.Limits(max_connections=max_connections))
    else:
        from httpx_aiohttp import AiohttpTransport

        transport = AiohttpTransport(limits=httpx.Limits(max_connections=max_connections))
        client = httpx.AsyncClient(transport=transport)
    engine = HttpxEngine(client)
    try:
        yield engine
    finally:
        await engine.aclose()
        assert not client.is_closed, "an injected client is its owner's"
        await client.aclose()


def own_engine(kind: str, options: NetworkOptions) -> Engine:
    return AiohttpEngine(options) if kind == "aiohttp" else HttpxEngine(options)


def request(url: str, body: bytes = b'{"model":"m"}', **headers: str) -> WireRequest:
    return WireRequest(url, {"content-type": "application/json", **headers}, body)


async def post(
    engine: Engine, url: str, body: bytes = b'{"model":"m"}', *, timeout: float | None = 2
) -> EngineResponse:
    return await engine.send(request(url, body), connect_timeout=timeout)


async def read_all(response: EngineResponse) -> bytes:
    parts = []
    while piece := await response.read():
        parts.append(piece)
    return b"".join(parts)


async def call(engine: Engine, url: str, body: bytes = b'{"model":"m"}', *, timeout: float | None = 2) -> bytes:
    return await read_all(await post(engine, url, body, timeout=timeout))
