# ruff: noqa: ASYNC240 -- a test may wait for its disk
"""Whatever becomes of the file of a cache, the calls go on, the cause is told once, and it serves again when it can."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.middleware.cache.asking import BOTH_WAYS, TEXT, ask
from tests.middleware.cache.files import Provider, build, join_workers, rows, warnings, written

from lamellar import ChatResponse, StackExecutor
from lamellar.testing import ManualClock
from lamellar_middleware.cache import database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    join_workers()


# -- when something is wrong with it ---------------------------------------------------------------------------------


async def goes_on(executor: StackExecutor, caplog, said: str, *, cached: bool = False) -> None:
    """Several calls are answered, and the cause is told once."""
    with caplog.at_level(logging.WARNING, "lamellar.cache"):
        for way in BOTH_WAYS * 2:
            response: ChatResponse = await way(executor)
            assert (response.text, response.cached) == (TEXT, cached)
            await written(executor)
    told = warnings(caplog)
    assert len(told) == 1
    assert said in told[0]
    assert "the calls go on without it" in told[0]


async def test_a_file_that_is_something_else_is_left_as_it_is(path: Path, caplog) -> None:
    path.write_bytes(b"a letter to my grandmother " * 100)
    async with build(path, Provider()) as executor:
        await goes_on(executor, caplog, "delete it, or name another path")
    assert path.read_bytes() == b"a letter to my grandmother " * 100


async def test_a_database_of_something_else_is_left_as_it_is(path: Path, caplog) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name)")
    before = path.read_bytes()
    async with build(path, Provider()) as executor:
        await goes_on(executor, caplog, "the database of something else")
    assert path.read_bytes() == before


async def test_a_newer_versions_file_is_left_as_it_is(path: Path, caplog) -> None:
    async with build(path, Provider()) as executor:
        await ask(executor)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    async with build(path, Provider()) as executor:
        await goes_on(executor, caplog, "a newer version of Lamellar has written it")


async def test_a_damaged_file_is_told_and_serves_again_when_it_is_deleted(path: Path, caplog) -> None:
    clock, leaf = ManualClock(), Provider()
    async with build(path, leaf) as executor:
        for number in range(30):
            await ask(executor, model=f"m{number}")
    data = bytearray(path.read_bytes())
    data[100:] = b"\x5a" * (len(data) - 100)
    path.write_bytes(data)
    async with build(path, leaf, clock=clock) as executor:
        await goes_on(executor, caplog, "damaged")
        path.unlink()
        await ask(executor)
        await written(executor)  # or the next call would find the answer where it waits to be written
        assert not path.exists(), "it is not tried at every call"
        await clock.advance(31)
        await ask(executor)
        await written(executor)
        assert (await ask(executor)).cached


async def test_a_locked_file_is_waited_for_briefly_and_tried_again(path: Path, caplog) -> None:
    clock, leaf = ManualClock(), Provider()
    async with build(path, leaf) as executor:
        await ask(executor, model="before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with build(path, leaf, clock=clock) as executor:
            await goes_on(executor, caplog, "locked")
            other.execute("ROLLBACK")
            other.close()
            await clock.advance(1.1)
            await ask(executor)
            await written(executor)
            assert (await ask(executor)).cached
            assert (await ask(executor, model="before")).cached
    assert len(warnings(caplog)) == 1


async def test_a_writer_elsewhere_keeps_nobody_from_reading(path: Path, caplog) -> None:
    leaf = Provider()
    async with build(path, leaf) as executor:
        await ask(executor)
        await written(executor)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await ask(executor)).cached
            assert not (await ask(executor, model="n")).cached
            await written(executor)
            assert (await ask(executor)).cached
    assert len(warnings(caplog)) == 1


async def test_a_full_disk_is_told_and_what_is_there_still_serves(path: Path, caplog, monkeypatch) -> None:
    clock, leaf = ManualClock(), Provider()
    async with build(path, leaf, clock=clock) as executor:
        await ask(executor)
    real, opened = sqlite3.connect, []

    def full(*args: object, **options: object) -> sqlite3.Connection:
        connection = real(*args, **options)
        opened.append(connection)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(database.sqlite3, "connect", full)
    big = Provider("x" * 50_000)
    async with build(path, big, clock=clock) as executor:
        with caplog.at_level(logging.WARNING, "lamellar.cache"):
            for model in "abc":
                assert len((await ask(executor, model=model)).text) == 50_000
                await written(executor)
        assert len(warnings(caplog)) == 1
        assert "no room left on its disk" in warnings(caplog)[0]
        assert (await ask(executor)).text == TEXT
        opened[-1].execute("PRAGMA max_page_count = 100000")  # somebody made room
        await clock.advance(31)
        await ask(executor, model="a")
        await written(executor)
        assert (await ask(executor, model="a")).cached
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_place_where_no_file_can_be_is_told(tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("")
    async with build(tmp_path / "file" / "answers.db", Provider()) as executor:
        await goes_on(executor, caplog, "permissions")


async def test_a_folder_in_the_files_place_is_told(tmp_path: Path, caplog) -> None:
    async with build(tmp_path, Provider()) as executor:
        await goes_on(executor, caplog, "permissions")


async def test_a_file_that_may_only_be_read_still_serves(path: Path, caplog, monkeypatch) -> None:
    async with build(path, Provider()) as executor:
        await ask(executor, model="before")
    real = sqlite3.connect

    def read_only(*args: object, **options: object) -> sqlite3.Connection:
        connection = real(*args, **options)
        connection.execute("PRAGMA query_only = 1")
        return connection

    monkeypatch.setattr(database.sqlite3, "connect", read_only)
    async with build(path, Provider()) as executor:
        await goes_on(executor, caplog, "permissions")
        assert (await ask(executor, model="before")).cached


async def test_a_file_that_is_deleted_underneath_is_made_anew(path: Path, caplog) -> None:
    leaf = Provider()
    async with build(path, leaf) as executor:
        await ask(executor)
        await written(executor)
        for each in path.parent.iterdir():
            each.unlink()
        assert not (await ask(executor)).cached
        await written(executor)
        assert (await ask(executor)).cached
    assert rows(path) == [(1,)]
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "value",
    ["", "null", "{}", "[1]", "not json", '{"format": 2, "answer": {}}', '{"format": 1, "created": 0, "answer": {}}'],
)
async def test_a_value_that_cannot_be_read_is_a_miss_and_is_replaced(path: Path, value: str, caplog) -> None:
    leaf = Provider()
    async with build(path, leaf) as executor:
        await ask(executor)
        await written(executor)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE answers SET value = ?", (value,))
        assert not (await ask(executor)).cached
        await written(executor)
        assert (await ask(executor)).cached
    assert warnings(caplog) == []


async def test_a_value_that_is_no_text_is_a_miss(path: Path, caplog) -> None:
    async with build(path, Provider()) as executor:
        await ask(executor)
        await written(executor)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE answers SET value = CAST(x'fffe00' AS TEXT)")
        assert not (await ask(executor)).cached
    assert warnings(caplog) == []
