"""`lamellar plugins`: every kind that a stack file may name, where each comes from, and what is wrong with any."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from rich.text import Text

from ..spec import ExecutorSpec, LayerSpec
from .report import FAILED
from .terminal import console, plain

if TYPE_CHECKING:
    from rich.console import Console

    from ..plugins import Plugin

__all__ = ["plugins"]


def plugins() -> int:
    """List the layers and executors that are installed.

    These are the names that a stack file may use: Lamellar's own, and those of every distribution that brings more. One
    that cannot be used is told with its distribution and how to mend it; the others are not harmed.
    """
    from ..plugins import plugins as found

    listed = found()
    out = console()
    for base, heading in ((LayerSpec, "Layers"), (ExecutorSpec, "Executors")):
        _table(out, heading, [each for each in listed if each.base is base and each.spec is not None])
    broken = [each.problem for each in listed if each.problem is not None]
    if broken:
        out.print(Text("Not usable", style="bold"))
        for problem in broken:
            out.print(Text(f"  {plain(problem)}", style="red"), soft_wrap=True)
    return FAILED if broken else 0


plugins.__dict__["epilog"] = """\b
Exit codes:
  0    all of them can be used
  1    one of them cannot
"""


def _table(out: Console, heading: str, listed: list[Plugin]) -> None:
    kinds = max((len(each.kind) for each in listed), default=0)
    origins = max((len(each.distribution) for each in listed), default=0)
    out.print(Text(heading, style="bold"))
    for each in listed:
        line = Text(f"  {each.kind:<{kinds}}  ").append(f"{plain(each.distribution):<{origins}}", style="dim")
        out.print(line.append(f"  {plain(_first_sentence(each))}"), no_wrap=True, overflow="ellipsis")
    out.print()


def _first_sentence(plugin: Plugin) -> str:
    """What its class says of itself, before any example of code."""
    told = inspect.cleandoc(plugin.spec.__doc__ or "").partition("\n\n")[0] if plugin.spec is not None else ""
    return " ".join(told.split()).partition(": `")[0].partition(". ")[0].rstrip(".")
