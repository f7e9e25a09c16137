"""Client CPU of a stack against a bare httpx call, side by side in one run. It reports; it judges nothing.

usage: python tests/benchmarks/against_httpx.py [ROUNDS]

Prints one JSON object: microseconds of client CPU a call or a chunk for each case (the median round), and the ratios.
The cases are interleaved in one process; compare ratios, not times.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from lamellar import ChatRequest, Stack
from lamellar.middleware import Fallback, Retry, Target, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ScriptedExecutor, answer

CHUNKS = 200
QUESTION = "What is the capital of France?"
REQUEST = ChatRequest.from_user(QUESTION)


def full(*leaves: object) -> Stack:
    """Everything there is, round these leaves."""
    return Stack(
        Timeout(total=60, first_content=10, idle=15),
        Fallback(*[Target(Retry(attempts=3), Timeout(attempt=30), leaf, model="m") for leaf in leaves]),
    )


async def measure(rounds: int, base: str) -> dict[str, float]:
    """The median round of every case, in microseconds a unit."""
    client = httpx.AsyncClient()
    body = {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"authorization": "Bearer sk-x"}
    aiohttp = OpenAI(base_url=f"{base}/v1", api_key="sk-x", engine="aiohttp")
    failing = OpenAI(base_url=f"{base}/fail/v1", api_key="sk-x", engine="aiohttp")
    over_httpx = OpenAI(base_url=f"{base}/v1", api_key="sk-x", engine="httpx")
    stack = full(aiohttp, aiohttp).build()
    stack_httpx = full(over_httpx, over_httpx).build()
    leaf = ScriptedExecutor(answer("x"), repeat=True)
    noop = full(leaf, leaf).build()
    no_retry = Stack(Fallback(Target(failing, model="m"), Target(aiohttp, model="m"))).build()

    async def bare() -> None:
        (await client.post(f"{base}/v1/chat/completions", json=body, headers=headers)).json()

    async def bare_stream() -> None:
        asked = {**body, "stream": True}
        async with client.stream("POST", f"{base}/v1/chat/completions", json=asked, headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    json.loads(line[6:])

    async def stream() -> None:
        async with await stack.exec_chat_stream_events("m", REQUEST) as events:
            async for _ in events:
                pass

    async def composition() -> None:
        await noop.exec_chat_response("m", REQUEST)
        leaf.calls.clear()

    async def no_composition() -> None:
        await leaf.exec_chat_response("m", REQUEST)
        leaf.calls.clear()

    def times(count: int, call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        async def together() -> None:
            await asyncio.gather(*[call() for _ in range(count)])

        return together

    cases: dict[str, tuple[Callable[[], Awaitable[object]], int, int]] = {
        "bare httpx call": (bare, 100, 1),
        "stack call": (lambda: stack.exec_chat_response("m", REQUEST), 100, 1),
        "stack call, httpx engine": (lambda: stack_httpx.exec_chat_response("m", REQUEST), 100, 1),
        "stack call, 128 at once": (times(128, lambda: stack.exec_chat_response("m", REQUEST)), 2, 128),
        "bare httpx chunk": (bare_stream, 10, CHUNKS),
        "stack chunk": (stream, 10, CHUNKS),
        "stack chunk, 64 streams": (times(64, stream), 1, 64 * CHUNKS),
        "failover from a 503": (lambda: no_retry.exec_chat_response("m", REQUEST), 50, 1),
        "stack over a leaf that does nothing": (composition, 500, 1),
        "the leaf that does nothing": (no_composition, 500, 1),
    }
    seen: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds + 1):
        for name, (call, count, units) in cases.items():
            gc.collect()
            began = time.process_time()
            for _ in range(count):
                await call()
            if turn:  # the first round warms up
                seen[name].append((time.process_time() - began) / count / units * 1e6)
    for each in (stack, stack_httpx, noop, no_retry):
        await each.aclose()
    await client.aclose()
    return {name: statistics.median(values) for name, values in seen.items()}


def main() -> None:
    """Start the provider, measure, report."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    provider = Path(__file__).with_name("provider.py")
    with subprocess.Popen(
        [sys.executable, str(provider), "0", str(CHUNKS)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            found = asyncio.run(measure(rounds, base))
        finally:
            server.kill()
    call, chunk = found["bare httpx call"], found["bare httpx chunk"]
    nothing = found["the leaf that does nothing"]
    ratios = {
        "stack call / bare httpx call": found["stack call"] / call,
        "stack chunk / bare httpx chunk": found["stack chunk"] / chunk,
        "failover / two bare httpx calls": found["failover from a 503"] / (2 * call),
        "composition alone (microseconds)": found["stack over a leaf that does nothing"] - nothing,
    }
    print(json.dumps({name: round(value, 2) for name, value in {**found, **ratios}.items()}, indent=1))


if __name__ == "__main__":
    main()
