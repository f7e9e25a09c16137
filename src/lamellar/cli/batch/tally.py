"""What has come of the lines so far, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .policy import kind_of

if TYPE_CHECKING:
    from .records import Record

__all__ = ["Tally"]

_TOLD = 10


class Tally:
    """The numbers of one run.

    Args:
        total: How many lines IN has.
        before: How many of them were done before.
        failed_before: How many of those hold an error.
    """

    def __init__(self, total: int, before: int, failed_before: int = 0) -> None:
        self.total = total
        self.before = before
        self.failed_before = failed_before
        self.answered = 0
        self.failures: Counter[str] = Counter()
        """Lines that failed, by kind."""
        self.bad = 0
        """Lines that ask nothing."""
        self.complaints: list[tuple[int, str]] = []
        """The first of them: number, and what is wrong."""
        self.cost: float | None = None
        """US dollars, as far as prices are known; None while none is."""
        self.in_flight = 0
        self.waiting = 0
        """Lines that wait because the stack said "not now"."""

    @property
    def failed(self) -> int:
        """Lines that were asked and not answered."""
        return self.failures.total()

    @property
    def done(self) -> int:
        """Lines of this run that stand in OUT."""
        return self.answered + self.failed + self.bad

    @property
    def left(self) -> int:
        """Lines that do not stand in OUT yet."""
        return self.total - self.before - self.done

    def note(self, record: Record, *, bad: bool = False) -> None:
        """A line was written."""
        error = record.error
        if error is None:
            self.answered += 1
        elif bad:
            self.bad += 1
            if len(self.complaints) < _TOLD:
                self.complaints.append((record.mark.number, str(error)))
        else:
            self.failures[kind_of(error)] += 1
        if record.cost is not None and not bad:
            self.cost = (self.cost or 0.0) + record.cost
