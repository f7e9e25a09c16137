"""Failure 35: a file that is changed at night takes effect whole or not at all, and no call is lost by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lamellar import ChatRequest, Chunk, Stack
from lamellar.reload import WatchedExecutor
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer

REQUEST = ChatRequest.from_user("hi")


def write(file: Path, simulator: ProviderSimulator, retry: dict[str, object]) -> None:
    reach = {"base_url": simulator.base_url, "api_key": "sk-0123456789"}
    file.write_text(json.dumps({"layers": [{"retry": retry}], "executor": {"openai": reach}}))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to pass")


def reload_of(executor: WatchedExecutor) -> dict[str, object]:
    shown = executor.snapshot()["stack"]["reload"]
    assert isinstance(shown, dict)
    return shown


@pytest.mark.failure(35)
def test_a_reload_swaps_at_once_and_drains_the_old_stack(tmp_path: Path) -> None:
    async def main() -> None:
        async with Stack.watch(file, interval=0.02) as executor:
            stream = await executor.exec_chat_stream_events("m", REQUEST)
            write(file, new, {"attempts": 2})
            await until(lambda: reload_of(executor)["version"] == 2)
            assert (await executor.exec_chat_response("m", REQUEST)).text == "new"
            assert reload_of(executor)["retired"] == [{"version": 1, "calls": 0, "streams": 1}]
            text = "".join([event.content async for event in stream if isinstance(event, Chunk)])
            assert text == "the old one"
            await until(lambda: reload_of(executor)["retired"] == [])

    file = tmp_path / "stack.json"
    with ProviderSimulator(Answer(chunks=("the ", "old ", "one"))) as old, ProviderSimulator(Answer("new")) as new:
        write(file, old, {"attempts": 1})
        asyncio.run(main())
        assert (len(old.requests), len(new.requests)) == (1, 1)


@pytest.mark.failure(35)
def test_a_reload_of_a_file_that_is_wrong_changes_nothing_and_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with Stack.watch(file, interval=0.02) as executor:
            write(file, simulator, {"atempts": 2})
            await executor.exec_chat_response("m", REQUEST)
            await until(lambda: executor.last_error is not None)
            assert str(file) in str(executor.last_error)
            assert "did you mean 'attempts'" in str(reload_of(executor)["last_error"])
            await executor.exec_chat_response("m", REQUEST)

    file = tmp_path / "stack.json"
    with ProviderSimulator() as simulator:
        write(file, simulator, {"attempts": 1})
        asyncio.run(main())
