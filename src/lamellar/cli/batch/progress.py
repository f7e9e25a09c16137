"""How far it is: a bar on a terminal, a line now and then in a pipe, and the sum at the end; all on standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..report import told
from ..terminal import console, plain

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from .tally import Tally

__all__ = ["Progress", "print_strangers", "print_sum", "progress_on"]

_QUIET = 30.0
"""Seconds between two lines in a pipe."""


class Progress(Protocol):
    """Shows the numbers while they change."""

    def tick(self) -> None:
        """Show them as they are now."""

    def close(self) -> None:
        """Show no more."""


def progress_on(tally: Tally, now: Callable[[], float]) -> Progress:
    """What suits standard error.

    Args:
        tally: The numbers.
        now: Monotonic time, in seconds.
    """
    out = console(stderr=True)
    return _Bar(out, tally, now) if out.is_terminal and not out.is_dumb_terminal else _Lines(out, tally, now)


class _Pace:
    """How fast it goes, and how long it takes yet."""

    def __init__(self, tally: Tally, now: Callable[[], float]) -> None:
        self._tally = tally
        self._now = now
        self._began = now()

    def text(self) -> str:
        tally = self._tally
        passed = self._now() - self._began
        rate = tally.done / passed if passed > 0 else 0.0
        told = [f"{rate:.1f}/s" if rate < 100 else f"{rate:.0f}/s"]
        if tally.failed + tally.bad:
            told.append(f"{tally.failed + tally.bad:,} failed")
        if tally.waiting:
            told.append(f"{tally.waiting} told to wait")
        if tally.cost:
            told.append(_dollars(tally.cost))
        if rate and tally.left:
            told.append(f"{_span(tally.left / rate)} left")
        return ", ".join(told)


class _Lines:
    def __init__(self, out: Console, tally: Tally, now: Callable[[], float]) -> None:
        self._out, self._tally, self._now = out, tally, now
        self._pace = _Pace(tally, now)
        self._due = now() + _QUIET

    def tick(self) -> None:
        if self._now() >= self._due:
            self._due = self._now() + _QUIET
            done = self._tally.before + self._tally.done
            line = f"{done:,} of {self._tally.total:,} lines, {self._pace.text()}"
            told(lambda: self._out.print(line, soft_wrap=True))

    def close(self) -> None: ...


class _Bar:
    def __init__(self, out: Console, tally: Tally, now: Callable[[], float]) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._tally = tally
        self._pace = _Pace(tally, now)
        columns = TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.fields[pace]}")
        self._bar = Bar(*columns, console=out, auto_refresh=False, transient=True)
        self._task = self._bar.add_task("", total=max(tally.total, 1), pace="")
        self._bar.start()

    def tick(self) -> None:
        done = self._tally.before + self._tally.done
        described = f"{done:,} of {self._tally.total:,}"
        pace = self._pace.text()
        told(
            lambda: self._bar.update(self._task, completed=done, description=described, pace=pace, refresh=True),
        )

    def close(self) -> None:
        told(self._bar.stop)


def print_strangers(count: int, path: Path) -> None:
    """Say that OUT holds answers of another stack; they stand."""
    lines = "1 line was" if count == 1 else f"{count:,} lines were"
    console(stderr=True).print(
        f"note: in {path}, {lines} answered by another stack than this one (-c, -s, or what the file says); "
        "what is answered is not asked again, write to another file to ask all of it",
        soft_wrap=True,
    )


def print_sum(tally: Tally, stopped: str | None, path: Path) -> None:
    """The numbers at the end, and what to do next."""
    out = console(stderr=True)
    parts = [f"{tally.total:,} lines: {tally.answered:,} answered"]
    if tally.before:
        errors = f" ({tally.failed_before:,} of them failed)" if tally.failed_before else ""
        parts.append(f"{tally.before:,} done before{errors}")
    if tally.failed:
        parts.append(f"{tally.failed:,} failed ({_by_kind(tally)})")
    if tally.bad:
        parts.append(f"{tally.bad:,} that cannot be read")
    if tally.left > 0:
        parts.append(f"{tally.left:,} left")
    if tally.cost:
        parts.append(_dollars(tally.cost))
    out.print(", ".join(parts), soft_wrap=True)
    for number, complaint in tally.complaints:
        out.print(f"  line {number}: {plain(complaint).splitlines()[0]}", soft_wrap=True)
    if tally.bad > len(tally.complaints):
        out.print(f"  and {tally.bad - len(tally.complaints):,} more; see `invalid_line` in {path}", soft_wrap=True)
    if stopped is not None:
        out.print(f"stopped: {plain(stopped)}", soft_wrap=True)
    if tally.left > 0:
        out.print("the same command goes on with the lines that are left", soft_wrap=True)
    elif tally.failed + tally.bad + tally.failed_before:
        out.print("the same command with --retry-failed asks those again that failed", soft_wrap=True)


def _by_kind(tally: Tally) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in tally.failures.most_common())


def _dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
