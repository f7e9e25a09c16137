"""Does anything grow? Calls through the preset stack, a fifth of them met by a fault, over real HTTP on loopback.

usage: python tests/benchmarks/soak.py [CALLS]

50,000 calls by default, in a few minutes. The provider is a process of its own; of five requests it answers four, and
the fifth is met in turn by a 503, a 429 with a hint, a reset, a stream that is cut, and one that just stops. Half of
the calls are streams, of which some are left early, lost, or canceled. Backoffs pass twenty times as quickly as they
would. It prints what it measured, and fails if more than 2 MB were added to the resident memory between call 10,000 and
the last, or if tasks or descriptors are left.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from time import perf_counter

from provider import Provider, canned

from lamellar import ChatRequest, LamellarError, LlmExecutor, Stack, Target
from lamellar.providers import OpenAI
from lamellar.testing import FastClock

CALLS = 50_000
WORKERS = 32
WARM = 10_000
"""Calls before the first look at the memory: pools are full by then, and what is made once is made."""

ALLOWED = 2_000_000
"""Bytes."""

REQUEST = ChatRequest.from_user("Why is the sky blue?")
CUT = 3
"""Events of a stream that breaks."""


class FaultyProvider(Provider):
    """Meets every fifth request with a fault."""

    requests = count(1)
    faults = cycle(("503", "429", "reset", "cut", "stop"))

    def data_received(self, data: bytes) -> None:
        """Answer, or do not."""
        whole = not self.pending and data.endswith(b"}")  # one that comes in pieces is left alone
        if not whole or next(self.requests) % 5:
            super().data_received(data)
            return
        self._fail(next(self.faults), streaming=b'"stream":true' in data.replace(b" ", b""))

    def _fail(self, fault: str, *, streaming: bool) -> None:
        write = self.transport.write  # type: ignore[attr-defined]
        if fault == "429":
            write(b"HTTP/1.1 429 Too Many Requests\r\nretry-after-ms: 500\r\ncontent-length: 2\r\n\r\n{}")
        elif fault == "503" or not streaming:
            write(self.failure)
        elif fault == "reset":
            self.transport.abort()  # type: ignore[attr-defined]
        else:
            events = self.stream.split(b"\n\n")
            head = b"\n\n".join(events[:CUT]) + b"\n\n\r\n"
            write(head if fault == "cut" else head + b"0\r\n\r\n")
            self.transport.close()


async def serve() -> None:
    """Serve until killed, and say on which port."""
    replies = canned(10)
    server = await asyncio.get_running_loop().create_server(lambda: FaultyProvider(*replies), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@dataclass
class Soak:
    """The calls, and what became of them."""

    executor: LlmExecutor
    calls: int
    begun: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    resident: int = 0

    async def run(self) -> None:
        """All calls, some at a time."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(Random(number)))

    async def _work(self, rng: Random) -> None:
        while self.begun < self.calls:
            self.begun += 1
            if self.begun == min(WARM, self.calls // 2):
                self.resident = resident()
            try:
                self.outcomes[await self._call(rng.random())] += 1
            except LamellarError as error:
                self.outcomes[f"{getattr(error, 'kind', type(error).__name__)}"] += 1

    async def _call(self, drawn: float) -> str:
        if drawn < 0.5:
            await self.executor.exec_chat_response("m", REQUEST)
            return "answered"
        if drawn < 0.55:
            task = asyncio.ensure_future(self.executor.exec_chat_stream_events("m", REQUEST))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            return "canceled"
        stream = await self.executor.exec_chat_stream_events("m", REQUEST)
        if drawn < 0.6:
            await anext(stream)
            return "lost"
        async with stream:
            async for _ in stream:
                if drawn < 0.65:
                    return "left"
        return "streamed"


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    """Descriptors that are open."""
    return len(os.listdir("/proc/self/fd"))


async def main(calls: int, port: int) -> int:
    """Soak, and report."""
    before = len(asyncio.all_tasks()), descriptors()
    url = f"http://127.0.0.1:{port}/v1"
    targets = [Target(OpenAI(base_url=url, api_key="soak"), model=model, name=model) for model in ("first", "second")]
    began = perf_counter()
    async with Stack.preset(*targets).build(clock=FastClock(20), rng=Random(0)) as executor:
        soak = Soak(executor, calls)
        await soak.run()
        gc.collect()
        await asyncio.sleep(0.1)
        grown = resident() - soak.resident
    await asyncio.sleep(0.1)
    after = len(asyncio.all_tasks()), descriptors()
    print(f"{calls} calls in {perf_counter() - began:.0f} s: {dict(soak.outcomes.most_common())}")
    print(
        f"resident memory {soak.resident / 1e6:.1f} MB after {min(WARM, calls // 2)} calls, {grown / 1e6:+.2f} MB since"
    )
    print(f"tasks {before[0]} before and {after[0]} after, descriptors {before[1]} and {after[1]}")
    return grown >= ALLOWED or before != after


if __name__ == "__main__":
    if sys.argv[1:] == ["--provider"]:
        asyncio.run(serve())
    else:
        process = subprocess.Popen([sys.executable, __file__, "--provider"], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            sys.exit(asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else CALLS, int(process.stdout.readline()))))
        finally:
            process.kill()
            process.wait()
