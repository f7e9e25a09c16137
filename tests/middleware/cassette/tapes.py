"""Recording and replaying in tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

from lamellar import ChatOptions, ChatRequest, LamellarError, Stack
from lamellar.middleware import Record, Replay
from lamellar.root import StackExecutor
from lamellar.testing import ScriptedExecutor, run_virtual

REQUEST = ChatRequest.from_user("hi")


def run(stack: Stack, scenario: Callable[[StackExecutor], Awaitable[Any]]) -> Any:
    """What a scenario with the built stack comes to, in virtual time."""

    async def main() -> Any:
        async with stack.build(rng=Random(0)) as executor:
            found = await scenario(executor)
            assert not executor._streams
            return found

    return run_virtual(main())


async def outcome(
    executor: StackExecutor, *, stream: bool, chat_req: ChatRequest = REQUEST, options: ChatOptions | None = None
) -> Any:
    """The answer or the error of a call; of a stream, the events after `Start` and the error, with their times."""
    try:
        if not stream:
            return await executor.exec_chat_response("m", chat_req, options)
        events = await executor.exec_chat_stream_events("m", chat_req, options)
    except LamellarError as error:
        return error
    seen: list[tuple[float, Any]] = []
    try:
        async with events:
            async for event in events:
                seen.append((asyncio.get_running_loop().time(), event))
    except LamellarError as error:
        seen.append((asyncio.get_running_loop().time(), error))
    return seen[1:]


def record(path: Path, *script: Any, stream: bool = True, **options: Any) -> list[Any]:
    """Record one call for each entry of the script; what they came to."""
    leaf = ScriptedExecutor(*script)

    async def scenario(executor: StackExecutor) -> list[Any]:
        return [await outcome(executor, stream=stream) for _ in script]

    return run(Stack(Record(path=path, **options), leaf), scenario)


def replay(path: Path, *, stream: bool = True, count: int = 1, **options: Any) -> list[Any]:
    """Replay some calls; what they came to."""

    async def scenario(executor: StackExecutor) -> list[Any]:
        return [await outcome(executor, stream=stream) for _ in range(count)]

    return run(Stack(Replay(path=path, **options)), scenario)


def lines(path: Path) -> list[dict[str, Any]]:
    """The exchanges of a cassette."""
    head, *exchanges = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert head == {"lamellar_cassette": 1}
    return exchanges
