# ruff: noqa: ASYNC240 -- a test may wait for its disk
"""Answers in a file: they survive a restart, are bounded, and are there for several processes."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.middleware.cache.asking import BOTH_WAYS, TEXT, USAGE, ask, directive, stream
from tests.middleware.cache.files import Provider, build, join_workers, rows, written

from lamellar import RejectedError
from lamellar.testing import ManualClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    join_workers()


# -- what it is for --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", BOTH_WAYS)
@pytest.mark.parametrize("first", BOTH_WAYS)
async def test_an_answer_survives_a_restart(path: Path, first, second) -> None:
    leaf = Provider()
    async with build(path, leaf) as executor:
        made = await first(executor)
    async with build(path, leaf) as executor:
        kept = await second(executor)
    assert len(leaf.calls) == 1
    assert (kept.cached, kept.attempts, kept.usage, kept.text) == (True, (), USAGE, TEXT)
    assert kept == made.model_copy(update={"cached": True, "attempts": ()})


async def test_a_hit_in_the_same_process_comes_from_the_file(path: Path) -> None:
    leaf = Provider()
    async with build(path, leaf) as executor:
        await stream(executor)
        await written(executor)
        assert (await ask(executor)).cached
    assert rows(path) == [(1,)]


async def test_values_are_json_and_the_file_is_its_owners_alone(path: Path) -> None:
    async with build(path, Provider()) as executor:
        await ask(executor)
    (value,) = rows(path, "json_extract(value, '$.answer.content[0].text')")
    assert value == (TEXT,)
    assert path.stat().st_mode & 0o077 == 0


async def test_the_folder_is_made_and_the_home_is_found(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with build(Path("~/caches/deep/answers.db"), Provider()) as executor:
        await ask(executor)
    assert rows(tmp_path / "caches" / "deep" / "answers.db") == [(1,)]


def test_two_loops_one_after_the_other_use_one_file(path: Path) -> None:
    leaf = Provider()
    executor = build(path, leaf)

    async def first() -> None:
        await ask(executor)
        await written(executor)

    asyncio.run(first())
    assert asyncio.run(ask(executor)).cached
    asyncio.run(executor.aclose())
    asyncio.run(executor.aclose())
    assert len(leaf.calls) == 1


async def test_two_stacks_share_a_file(path: Path) -> None:
    leaf = Provider()
    async with build(path, leaf) as one, build(path, leaf) as other:
        await ask(one)
        await written(one)
        assert (await ask(other)).cached
        await asyncio.gather(*[ask(each, model=f"m{n % 10}") for n in range(40) for each in (one, other)])
        await written(one)
        await written(other)
        assert (await ask(one, model="m3")).cached
    assert rows(path) == [(11,)]


def test_processes_at_the_same_time_share_a_file(path: Path) -> None:
    program = """
import asyncio, sys
from lamellar import ChatRequest, Stack
from lamellar.middleware import Cache, SQLiteStore
from lamellar.testing import ScriptedExecutor, answer

async def main():
    leaf = ScriptedExecutor(answer("x" * 500), repeat=True)
    async with Stack(Cache(store=SQLiteStore(path=sys.argv[1]), max_entries=50), leaf).build() as executor:
        for number in range(120):
            request = ChatRequest.from_user(f"{sys.argv[2]} {number}" if number % 2 else str(number))
            response = await executor.exec_chat_response("m", request)
            assert response.text == "x" * 500

asyncio.run(main())
"""
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(path), str(number)], stderr=subprocess.PIPE)
        for number in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    ((count,),) = rows(path)
    assert 0 < count <= 50 + 2 * 50, "each keeps to the bounds, and finds the others' at its next count"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_opens_the_file_anew(path: Path) -> None:
    executor = build(path, Provider())

    async def once(model: str) -> bool:
        response = await ask(executor, model=model)
        await written(executor)
        return response.cached

    assert not asyncio.run(once("m"))
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if asyncio.run(once("m")) and not asyncio.run(once("n")) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert asyncio.run(once("n")), "the child has written it"
    asyncio.run(executor.aclose())


# -- how long, and how much ------------------------------------------------------------------------------------------


async def test_an_answer_expires_also_over_a_restart(path: Path) -> None:
    clock, leaf = ManualClock(), Provider()
    async with build(path, leaf, clock=clock, ttl="10m") as executor:
        await ask(executor)
    await clock.advance(599)
    async with build(path, leaf, clock=clock, ttl="10m") as executor:
        assert (await ask(executor)).cached
        await clock.advance(1)
        assert not (await ask(executor)).cached


async def test_what_was_used_least_recently_goes_first(path: Path) -> None:
    clock = ManualClock()
    async with build(path, Provider(), clock=clock, max_entries=3) as executor:
        for model in "abc":
            await ask(executor, model=model)
            await written(executor)
            await clock.advance(1)
        assert (await ask(executor, model="a")).cached
        await clock.advance(1)
        await ask(executor, model="d")
        await written(executor)
        assert rows(path) == [(3,)]
        with pytest.raises(RejectedError):
            await ask(executor, model="b", options=directive("only"))
        for model in "acd":
            assert (await ask(executor, model=model)).cached


async def test_the_order_of_use_survives_a_restart(path: Path) -> None:
    clock = ManualClock()
    async with build(path, Provider(), clock=clock, max_entries=3) as executor:
        for model in "abc":
            await ask(executor, model=model)
            await clock.advance(1)
        await written(executor)
        await ask(executor, model="a")
    await clock.advance(1)
    async with build(path, Provider(), clock=clock, max_entries=3) as executor:
        await ask(executor, model="d")
        await written(executor)
        assert (await ask(executor, model="a", options=directive("only"))).cached


async def test_the_bytes_are_bounded_and_the_newest_stays(path: Path) -> None:
    leaf = Provider("x" * 9_400)
    async with build(path, leaf, max_bytes=10_000, max_entry_bytes=10_000) as executor:
        for model in "ab":
            await ask(executor, model=model)
            await written(executor)
        ((count, size),) = rows(path, "count(*), sum(size)")
        assert (count, 9_400 < size <= 10_000) == (1, True)
        assert (await ask(executor, model="b")).cached


async def test_what_has_expired_makes_room_first(path: Path) -> None:
    clock, leaf = ManualClock(), Provider()
    async with build(path, leaf, clock=clock, ttl=10, max_entries=3) as executor:
        for model in "abc":
            await ask(executor, model=model)
        await written(executor)
        await clock.advance(10)
        await ask(executor, model="d")
        await written(executor)
    assert rows(path) == [(1,)]
