"""Which lines of IN are done: four bytes a line, so that ten million of them are forty megabytes."""

from __future__ import annotations

from array import array

__all__ = ["Ledger"]

_GROWTH = 1 << 16


class Ledger:
    """The lines that OUT holds, each with a part of its fingerprint."""

    def __init__(self) -> None:
        self._lines = array("I")
        self._last = 0
        self.count = 0
        """How many lines are done."""

    @property
    def last(self) -> int:
        """The highest number that is done; 0 where none is."""
        return self._last

    def add(self, number: int, fingerprint: str) -> bool:
        """The line is done; False where it was so already."""
        missing = number + 1 - len(self._lines)
        if missing > 0:
            self._lines.frombytes(bytes((missing + _GROWTH) * self._lines.itemsize))
        if self._lines[number]:
            return False
        self._lines[number] = _short(fingerprint)
        self._last = max(self._last, number)
        self.count += 1
        return True

    def has(self, number: int) -> bool:
        """Whether the line is done."""
        return number < len(self._lines) and self._lines[number] != 0

    def agrees(self, number: int, fingerprint: str) -> bool:
        """Whether what was done is this line, and not another that stood in its place."""
        return self._lines[number] == _short(fingerprint)


def _short(fingerprint: str) -> int:
    """The half that tells the question."""
    return int(fingerprint[:8], 16) or 1  # 0 is a line that is not done
