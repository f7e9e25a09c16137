"""Where a watched stack comes from: a file, those that it includes, and those that hold its secrets.

A change is told by what the files hold, not by their times: a write within one tick of the file system's clock keeps
the time and may keep the size, a mounted ConfigMap is a link that points elsewhere all at once, and on a network's file
system opening a file is what brings its news, where its times may be old ones. Stacks and keys are small.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pydantic import BaseModel

from ..errors import ConfigError
from ..files_read import files_read
from ..secrets import Secret

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["FileSource", "Look", "Source", "secret_files"]

_MOST_BYTES = 1 << 21
"""Of a file, what is looked at: no stack is larger, and none that is would be taken."""

_TRIES = 3
"""How often a file is read that is written to at the same time."""


class Look(NamedTuple):
    """What a source holds at one time.

    Args:
        fingerprint: Changes whenever what the source holds does.
        secrets: The part of that which the stack itself does not tell: what its secrets are.
        stack: The stack, or why there is none; None where nobody asked for it.
    """

    fingerprint: object
    secrets: object = None
    stack: Stack | ConfigError | None = None

    @property
    def is_valid(self) -> bool:
        """Whether there is a stack."""
        return self.stack is not None and not isinstance(self.stack, ConfigError)


class Source(Protocol):
    """Where a stack comes from, more than once. Its methods may run in any thread, one at a time."""

    def look(self) -> Look:
        """What it holds now, without the stack."""
        ...

    def load(self) -> Look:
        """What it holds now, with the stack."""
        ...


class FileSource:
    """A stack's file.

    Args:
        model: The class of the stack.
        path: The file.
        name: Which of its stacks; None is its default.
    """

    def __init__(self, model: type[Stack], path: str | os.PathLike[str], name: str | None) -> None:
        self._model = model
        self._path = Path(path).absolute()  # the working directory may be another when it is read again
        self._name = name
        self._files: tuple[Path, ...] = (self._path,)
        self._secrets: tuple[Path, ...] = ()

    def look(self) -> Look:
        """The files as they are."""
        files = tuple([_fingerprint_of(file) for file in self._files])
        secrets = tuple([_fingerprint_of(file) for file in self._secrets])
        return Look((files, secrets), secrets)

    def load(self) -> Look:
        """The files as they are, read."""
        before, stack = self.look(), self._read()
        for _ in range(_TRIES - 1):
            after = self.look()
            if after == before:
                break
            before, stack = after, self._read()  # it was written meanwhile, or there are other files to it now
        return Look(before.fingerprint, before.secrets, stack)

    def _read(self) -> Stack | ConfigError:
        found: Stack | ConfigError
        with files_read() as files:
            try:
                found = self._model.load(self._path, self._name)
            except ConfigError as error:
                found = ConfigError(str(error), problems=error.problems)  # without the frames it came through
        self._files = tuple(dict.fromkeys((self._path, *files)))
        if isinstance(found, BaseModel):
            self._secrets = tuple(dict.fromkeys(secret_files(found)))
        return found

    def __repr__(self) -> str:
        return f"{self._path}{f' [{self._name}]' if self._name else ''}"


def _fingerprint_of(file: Path) -> bytes | str:
    """The hash of what a file holds, or why it holds nothing."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for ever
            return "no file"
        with file.open("rb") as opened:
            return hashlib.blake2b(opened.read(_MOST_BYTES), digest_size=16).digest()
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"


def secret_files(value: object) -> Iterator[Path]:
    """The files that hold the secrets of a spec, and of all that is inside it."""
    if isinstance(value, Secret):
        if value.file is not None:
            yield Path(value.file).expanduser().absolute()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secret_files(getattr(value, name))
    elif isinstance(value, Mapping):
        yield from secret_files(tuple(value.values()))
    elif isinstance(value, Iterable) and isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from secret_files(each)
