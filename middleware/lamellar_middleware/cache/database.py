"""The file of a cache: its schema, its bounds, and what is said when something is wrong with it.

One thread uses it. Several processes may have the same file open; SQLite's locks keep them apart, and what one of them
writes beyond the bounds is found at the next count.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple

from .store import StoredAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .complaints import Complaints

__all__ = ["Database"]

_APPLICATION = 0x4C616D6C
"""`PRAGMA application_id`: the file is a cache of ours."""

_VERSION = 1
"""`PRAGMA user_version`: its schema."""

_BUSY = 0.1
"""Seconds to wait for another process's lock."""

_TOUCHES = 100
"""How many uses are noted before they are written without an answer to write them along with."""

_PUTS_TO_COUNT = 256
"""After how many answers the file is counted anew, and rid of what has expired."""

_SCHEMA = (
    "CREATE TABLE answers (key TEXT PRIMARY KEY, value TEXT NOT NULL, size INTEGER, expires REAL, used REAL)",
    "CREATE INDEX answers_by_use ON answers (used)",
    "CREATE INDEX answers_by_expiry ON answers (expires) WHERE expires IS NOT NULL",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
_READ = "SELECT CAST(value AS BLOB) FROM answers WHERE key = ? AND (expires IS NULL OR expires > ?)"
_TOUCH = "UPDATE answers SET used = max(used, ?) WHERE key = ?"
_WRITE = "INSERT OR REPLACE INTO answers (key, value, size, expires, used) VALUES (?, ?, ?, ?, ?)"
_COUNT = "SELECT count(*), coalesce(sum(size), 0) FROM answers"
_EVICT = (
    "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER latest AS place, "
    "sum(size) OVER latest AS total FROM answers WINDOW latest AS (ORDER BY used DESC, rowid DESC)) "
    "WHERE place > 1 AND (place > ? OR total > ?))"
)


class _Problem(NamedTuple):
    """What may be wrong.

    Args:
        said: What is wrong with the file, and the mend.
        pause: Seconds until it is tried again.
    """

    said: str
    pause: float = 30.0


_LOCKED = _Problem("is locked by another process; end that one, or give each a file of its own", 1.0)
_DAMAGED = _Problem("is damaged, or is no SQLite file; delete it, or name another path")
_FORBIDDEN = _Problem("cannot be opened or written; look at the permissions of the file and of its folder")
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_FULL: _Problem("has no room left on its disk; make some, or lower max_bytes"),
}


class _UnfitError(Exception):
    """The file is none that this version may write to."""


class Database:
    """A file of answers, opened when it is first used.

    Args:
        path: The file.
        complaints: Where problems are told.
        max_entries: How many answers it holds at most.
        max_bytes: How many bytes they may take together.
    """

    def __init__(self, path: str, complaints: Complaints, *, max_entries: int, max_bytes: int) -> None:
        self._path = os.path.expanduser(path)
        self._complaints = complaints
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._paused: dict[str, float] = {}
        self._touched: dict[str, float] = {}
        self._entries = self._bytes = self._puts = 0

    def get(self, key: str, now: float, wall: float) -> StoredAnswer | None:
        """The answer under `key`; None where there is none that can be read.

        Args:
            key: The key.
            now: Monotonic seconds.
            wall: Seconds since the epoch.
        """
        return self._try("read", now, lambda connection: self._get(connection, key, wall))

    def put(self, key: str, answer: StoredAnswer, now: float, wall: float) -> None:
        """Keep `answer`, if the file can be written.

        Args:
            key: The key.
            answer: The answer.
            now: Monotonic seconds.
            wall: Seconds since the epoch.
        """
        if answer.size <= self._max_bytes:
            self._try("write", now, lambda connection: self._put(connection, key, answer, wall))

    def close(self) -> None:
        """Write down what was noted, and close the file."""
        if self._connection is not None and self._touched:
            with suppress(sqlite3.Error):
                self._flush(self._connection)
        self._disconnect()

    # -- trying -------------------------------------------------------------------------------------------------

    def _try(
        self, doing: str, now: float, work: Callable[[sqlite3.Connection], StoredAnswer | None]
    ) -> StoredAnswer | None:
        """Do something with the file, unless that failed a moment ago; None when it fails."""
        if now < self._paused.get(doing, now):
            return None
        try:
            connection = self._connected()
            try:
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.rollback()
        except (sqlite3.Error, OSError, _UnfitError) as error:
            self._paused[doing] = now + self._tell(error)
        return None

    def _tell(self, error: Exception) -> float:
        """Say what is wrong, once for each cause; seconds until it is to be tried again."""
        code = getattr(error, "sqlite_errorcode", None)
        problem = _PROBLEMS.get(code & 0xFF) if code is not None else None  # the low byte; above it are variants
        if problem is None and isinstance(error, OSError):
            problem = _FORBIDDEN
        if problem is None:
            problem = _Problem(f"cannot be used: {error}")
        if problem is not _LOCKED:
            self._disconnect()  # it is opened anew: by then it may be another file
        self._complaints.tell(
            problem.said, f"the cache's file {self._path} {problem.said} (the calls go on without it)"
        )
        return problem.pause

    # -- opening ------------------------------------------------------------------------------------------------

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._inode == _inode_of(self._path):
                return self._connection
            self._disconnect()  # deleted or replaced underneath
        self._make_private()
        # Closed by `_disconnect` from whichever thread of ours works then.
        connection = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            if self._is_new(connection):
                connection.execute("PRAGMA journal_mode = WAL")  # where the file system has what it takes
                self._begin(connection)
                if self._is_new(connection):
                    for statement in _SCHEMA:
                        connection.execute(statement)
                connection.execute("COMMIT")
            connection.execute("PRAGMA synchronous = NORMAL")
            self._entries, self._bytes = connection.execute(_COUNT).fetchone()
        except BaseException:
            connection.close()
            raise
        self._connection, self._inode, self._puts = connection, _inode_of(self._path), 0
        return connection

    def _make_private(self) -> None:
        """Make the file, if there is none, for its owner alone: what is asked of a model is nobody else's business."""
        folder = os.path.dirname(self._path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        # Only a new one: closing another descriptor of a file would let go of the locks that SQLite holds on it.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    @staticmethod
    def _is_new(connection: sqlite3.Connection) -> bool:
        """Whether the file is empty; False for a cache of ours.

        Raises:
            _UnfitError: It is something else.
        """
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == _APPLICATION:
            if version > _VERSION:
                raise _UnfitError("a newer version of Lamellar has written it; upgrade this one, or name another path")
            return False
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables or application or version:
            raise _UnfitError("it is the database of something else; name another path")
        return True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._touched.clear()
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    # -- reading and writing ------------------------------------------------------------------------------------

    def _get(self, connection: sqlite3.Connection, key: str, wall: float) -> StoredAnswer | None:
        with closing(connection.execute(_READ, (key, wall))) as rows:
            row = rows.fetchone()
        if row is None:
            return None
        try:
            answer = StoredAnswer.from_json(row[0])
        except ValueError:
            return None  # of another format, or somebody else's; the next answer takes its place
        self._touched[key] = wall
        if len(self._touched) >= _TOUCHES:
            with suppress(sqlite3.OperationalError):  # locked or full: the order of use is a little less exact
                self._flush(connection)
        return answer

    def _put(self, connection: sqlite3.Connection, key: str, answer: StoredAnswer, wall: float) -> None:
        self._begin(connection)
        self._touch(connection)
        connection.execute(_WRITE, (key, answer.to_json().decode(), answer.size, answer.expires, wall))
        self._entries += 1  # one too many where it replaces another: then the file is counted a little sooner
        self._bytes += answer.size
        self._puts += 1
        if self._puts >= _PUTS_TO_COUNT or self._entries > self._max_entries or self._bytes > self._max_bytes:
            self._tidy(connection, wall)
        connection.execute("COMMIT")

    def _tidy(self, connection: sqlite3.Connection, wall: float) -> None:
        """Let go of what has expired, and of what was used least recently where a bound is passed."""
        connection.execute("DELETE FROM answers WHERE expires <= ?", (wall,))
        self._entries, self._bytes = connection.execute(_COUNT).fetchone()
        if self._entries > self._max_entries or self._bytes > self._max_bytes:
            # A tenth more than needed, so that it is not needed again at once.
            entries, size = (bound - bound // 10 for bound in (self._max_entries, self._max_bytes))
            connection.execute(_EVICT, (entries, size))
            self._entries, self._bytes = connection.execute(_COUNT).fetchone()
        self._puts = 0

    def _flush(self, connection: sqlite3.Connection) -> None:
        self._begin(connection)
        self._touch(connection)
        connection.execute("COMMIT")

    def _touch(self, connection: sqlite3.Connection) -> None:
        """Write down when answers were used last."""
        connection.executemany(_TOUCH, [(wall, key) for key, wall in self._touched.items()])
        self._touched.clear()

    @staticmethod
    def _begin(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")


def _inode_of(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
