"""Which files a configuration is read from, for whoever wants to read it again when one of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

__all__ = ["files_read", "note_file"]

_noted: ContextVar[dict[Path, None] | None] = ContextVar("lamellar_files_read", default=None)


def note_file(file: Path) -> None:
    """This file is about to be read, or was looked for and is not there."""
    noted = _noted.get()
    if noted is not None:
        noted[file.absolute()] = None


@contextmanager
def files_read() -> Iterator[dict[Path, None]]:
    """The files that are read within the block, in order; those too that could not be."""
    noted: dict[Path, None] = {}
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)
