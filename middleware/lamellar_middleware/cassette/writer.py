"""Writing a cassette."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

__all__ = ["VERSION", "CassetteWriter"]

VERSION = 1
"""The version of the format."""


class CassetteWriter:
    """Adds lines to a file, whole ones, from any task or thread.

    The file is opened for each line, so that nothing is held open between two calls, and is only made by the first.

    Args:
        path: The file.
        overwrite: Whether the first line begins it anew.
    """

    def __init__(self, path: str, overwrite: bool) -> None:
        self._path = Path(path).expanduser()
        self._anew = overwrite
        self._lock = Lock()

    def write(self, exchange: Mapping[str, JsonValue]) -> None:
        """Add an exchange.

        Raises:
            OSError: The file cannot be written.
        """
        line = _encoded(exchange)
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("wb" if self._anew else "ab", buffering=0) as file:
                if file.tell() == 0:
                    line = _encoded({"lamellar_cassette": VERSION}) + line
                file.write(line)  # one write, so that lines of other processes do not run into this one
            self._anew = False


def _encoded(exchange: Mapping[str, JsonValue]) -> bytes:
    """One line; below the first level names are sorted, so that equal exchanges are equal lines."""

    def line(ascii_only: bool) -> str:
        encode = json.JSONEncoder(sort_keys=True, ensure_ascii=ascii_only).encode
        return "{" + ", ".join([f"{encode(name)}: {encode(value)}" for name, value in exchange.items()]) + "}\n"

    try:
        return line(ascii_only=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can write
        return line(ascii_only=True).encode()
