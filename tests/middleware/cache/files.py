"""Stacks with their answers in a file, and what tests want to know of it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from tests.middleware.cache.asking import PIECES, TEXT, USAGE

from lamellar import Stack, StackExecutor
from lamellar.clock import LoopClock
from lamellar.middleware import Cache, SQLiteStore
from lamellar.testing import ManualClock, ScriptedExecutor, answer


def join_workers() -> None:
    """See that no thread of a store is left."""
    workers = [each for each in threading.enumerate() if each.name.startswith("lamellar-cache")]
    for worker in workers:
        worker.join(5)
    assert not any(worker.is_alive() for worker in workers)


class Provider(ScriptedExecutor):
    """Answers every model with its name."""

    def __init__(self, text: str = TEXT) -> None:
        super().__init__(answer(PIECES if text == TEXT else text, usage=USAGE), repeat=True)

    def identity(self) -> str:
        """The same in every process."""
        return "a provider of the tests"


def build(path: Path, leaf: ScriptedExecutor, *, clock: ManualClock | None = None, **options: object) -> StackExecutor:
    return Stack(Cache(store=SQLiteStore(path=str(path)), **options), leaf).build(clock=clock)


async def written(executor: StackExecutor) -> None:
    """Wait until what is to be written is."""
    await executor.inner._here().writer.drain(LoopClock().timeout_at(None))


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "lamellar.cache"]


def rows(path: Path, what: str = "count(*)") -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {what} FROM answers").fetchall()
