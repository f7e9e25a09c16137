"""What arrived before a connection broke is read before the failure is told, however late the reader comes."""

from __future__ import annotations

import asyncio

import pytest
from tests.providers.engines.support import engine_of, post

from lamellar.errors import ErrorKind, ExecutorError
from lamellar.providers.engines import EngineResponse
from lamellar.testing.simulator import Answer, Cut, ProviderSimulator

BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


async def read_into(pieces: list[bytes], response: EngineResponse) -> None:
    while piece := await response.read():
        pieces.append(piece)


# Through an injected httpx client on the aiohttp transport the late bytes are lost inside that transport.
@pytest.mark.parametrize("kind", ["aiohttp", "own httpx", "httpx", "httpx2"])
async def test_a_late_reader_gets_all_that_came(kind: str) -> None:
    with ProviderSimulator(Cut(Answer("one two three"), after=2)) as simulator:
        async with engine_of(kind) as engine:
            response = await post(engine, f"{simulator.base_url}/chat/completions", BODY)
            await simulator.wait_for_async(lambda each: each.open_connections == 0)
            await asyncio.sleep(0.05)  # real time: the end has reached this process too
            pieces: list[bytes] = []
            with pytest.raises(ExecutorError) as caught:
                await read_into(pieces, response)
    data = b"".join(pieces)
    assert caught.value.kind is ErrorKind.CONNECTION
    assert b'"one"' in data
    assert b'" two"' in data
    assert b'" three"' not in data
