"""A look at IN before anything is asked: how many lines it has, and whether it is still what OUT answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import ConfigError
from .lines import Fingerprint, lines_of

if TYPE_CHECKING:
    from io import BufferedIOBase
    from pathlib import Path

    from .ledger import Ledger

__all__ = ["Survey", "survey"]

_TOLD = 5


class Survey(NamedTuple):
    """What was found.

    Args:
        total: How many lines ask something, blank ones left out.
        number: The first line that is not done; one after the last where all are.
        start: Where it begins, in bytes.
    """

    total: int
    number: int
    start: int


def survey(file: BufferedIOBase, ledger: Ledger, fingerprint: Fingerprint, path: Path, out: Path) -> Survey:
    """Read IN once, without keeping it.

    Args:
        file: IN, at its beginning; left at its end.
        ledger: The lines that are done.
        fingerprint: Tells one question from another.
        path: What IN is called, for messages.
        out: What OUT is called.

    Raises:
        ConfigError: A line that OUT answers has changed, or is gone.
    """
    total = done = 0
    changed: list[int] = []
    first: tuple[int, int] | None = None
    for line in lines_of(file):
        total += 1
        if not ledger.has(line.number):
            first = first or (line.number, line.start)
            continue
        done += 1
        if len(changed) <= _TOLD and not ledger.agrees(line.number, fingerprint.of(line)):
            changed.append(line.number)
    mend = f"write to another file than {out}, or take those lines out of it"
    if changed:
        raise ConfigError(
            f"{path}: {_listed(changed)} (or -m, or --system) is not what {out} answers under that number; {mend}"
        )
    if done < ledger.count:
        raise ConfigError(f"{out}: answers lines that are not in {path} any more, such as line {ledger.last}; {mend}")
    number, start = first or (max(total, ledger.last) + 1, file.tell())
    return Survey(total, number, start)


def _listed(numbers: list[int]) -> str:
    told = ", ".join(map(str, numbers[:_TOLD]))
    return f"{'line' if len(numbers) == 1 else 'each of the lines'} {told}{', …' if len(numbers) > _TOLD else ''}"
