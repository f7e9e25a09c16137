"""The file OUT: one process writes it, only whole lines stay in it, and a later run goes on where it ends."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ...errors import ConfigError
from .ledger import Ledger
from .locking import lock
from .records import mark_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Output"]

_LONGEST = 1 << 28
"""Bytes of a line of OUT that is still read."""

_BEGINNING = b'{"line":'


class Output:
    """OUT, open for one run.

    Every line is written at once, in one piece. What a killed process left of a line is cut off, and that line of IN is
    asked again.

    Args:
        path: The file; it is made if it is not there.
        retry_failed: Whether lines that hold an error are taken out, to be asked again.
        most: A number that no line of IN can have.
        is_current: Whether a fingerprint tells of the stack of this run.

    Raises:
        ConfigError: The file is in use, cannot be written, or holds what no run of `batch` wrote.
    """

    def __init__(
        self,
        path: Path,
        *,
        retry_failed: bool = False,
        most: int = 1 << 40,
        is_current: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._path = path
        self._file = Path(os.path.realpath(path))
        self._most = most
        self._is_current = is_current
        self.ledger = Ledger()
        """The lines that are done."""
        self.failed = 0
        """How many of them hold an error."""
        self.strangers = 0
        """How many of them were answered by another stack."""
        self._dirty = False
        self._syncing = threading.Lock()  # whoever closes waits for a thread that still does it
        self._fd = self._open()
        try:
            self._recover()
            if retry_failed and self.failed:
                self._drop_failures()
        except OSError as error:
            os.close(self._fd)
            raise self._refused(error) from None
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, line: bytes) -> None:
        """Write a whole line.

        Raises:
            ConfigError: The disk is full or broken; the part of the line that was written is taken back.
        """
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise self._refused(error) from None
        self._size += len(line)
        self._dirty = True

    def sync(self) -> None:
        """Have what was written put on the disk; may be called from another thread.

        Raises:
            ConfigError: The disk is full or broken, or the file is gone.
        """
        with self._syncing:
            self._must_be_there()
            if not self._dirty:
                return
            self._dirty = False
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._dirty = True
                raise self._refused(error) from None

    def _must_be_there(self) -> None:
        """Answers that are written to a file without a name are lost, and were paid for."""
        try:
            there = os.path.samestat(os.fstat(self._fd), os.stat(self._file))
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError:  # nothing is known then, and writing tells what is wrong
            return
        if not there:
            raise ConfigError(
                f"{self._path}: was deleted, or replaced by another file, while answers were written to it; "
                "what is not there is asked anew when the same command is run again"
            )

    def close(self) -> None:
        """Put everything on the disk, and let other processes in."""
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> int:
        while True:
            try:
                fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
            except OSError as error:
                raise self._not_opened(error) from None
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise ConfigError(f"{self._path}: not a regular file, so no later run could go on with it")
                if not lock(fd):
                    raise ConfigError(f"{self._path}: another process writes to it; wait for that one, or stop it")
                if os.path.samestat(os.fstat(fd), os.stat(self._file)):
                    return fd
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # put in another's place while we waited for the lock: open that one

    def _recover(self) -> None:
        """Read what is there, and cut off what is not whole."""
        self._size = 0
        with open(self._fd, "rb", closefd=False) as file:
            file.seek(0)
            for at, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), 1):
                mark, ended = mark_of(line), line.endswith(b"\n")
                if not ended and (mark is None or not _is_json(line)):
                    self._cut(line, at)
                    return
                if mark is None or mark.number == 0:
                    raise self._foreign(at)
                if mark.number >= self._most:
                    raise ConfigError(
                        f"{self._path}: answers lines that are not in IN any more, such as line {mark.number}; "
                        f"write to another file than {self._path}, or take those lines out of it"
                    )
                if not self.ledger.add(mark.number, mark.fingerprint):
                    raise ConfigError(
                        f"{self._path}: line {at} answers line {mark.number} of IN a second time; take one of them out"
                    )
                if not ended:  # whole but for its line break
                    os.write(self._fd, b"\n")
                self.failed += not mark.ok
                self.strangers += mark.ok and not self._is_current(mark.fingerprint)
                self._size += len(line) + (not ended)

    def _cut(self, line: bytes, at: int) -> None:
        """Take back what a process wrote of a line before it was killed."""
        ours = line.startswith(_BEGINNING) or _BEGINNING.startswith(line) or not line.strip(b"\0")
        if not ours or len(line) >= _LONGEST:
            raise self._foreign(at)  # somebody's file, perhaps a dear one: nothing is cut off that
        os.ftruncate(self._fd, self._size)
        self._dirty = True

    def _foreign(self, at: int) -> ConfigError:
        return ConfigError(
            f"{self._path}: line {at} was not written by `lamellar batch`; name another file, or take that line out"
        )

    def _drop_failures(self) -> None:
        """Put a file without the errors in the place of this one; either the one or the other is there at any time."""
        spare = self._file.with_name(f".{self._file.name}.retry")
        fd = os.open(spare, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        ledger, size = Ledger(), 0
        try:
            lock(fd)
            with open(self._fd, "rb", closefd=False) as file, open(fd, "ab", closefd=False) as kept:
                file.seek(0)
                for line in file:
                    mark = mark_of(line)
                    if mark is not None and mark.ok:
                        size += kept.write(line)
                        ledger.add(mark.number, mark.fingerprint)
            os.chmod(spare, stat.S_IMODE(os.fstat(self._fd).st_mode))
            os.fsync(fd)
            os.replace(spare, self._file)
            _sync_folder(self._file.parent)
        except BaseException:
            os.close(fd)
            spare.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd, self._size, self.ledger, self.failed = fd, size, ledger, 0

    def _not_opened(self, error: OSError) -> ConfigError:
        mend = {
            FileNotFoundError: f"make the folder {self._path.parent} first",
            IsADirectoryError: "name a file",
            PermissionError: "name a file that you may write",
        }.get(type(error), "name another file")
        return ConfigError(f"{self._path}: cannot be written: {error.strerror or error}; {mend}")

    def _refused(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"{self._path}: cannot be written: {error.strerror or error}; what stands in it is whole, "
            "and the same command goes on from there once that is mended"
        )


def _is_json(line: bytes) -> bool:
    import json

    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder is no file there
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
