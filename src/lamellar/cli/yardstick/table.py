"""What came of the sixteen faults, as a table for people and as data for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..terminal import console

if TYPE_CHECKING:
    from .play import Play

__all__ = ["as_data", "print_table"]


def as_data(plays: Sequence[Play], speed: float) -> dict[str, Any]:
    """The table as JSON data."""
    rows = [
        {
            "fault": play.fault.key,
            "what": play.fault.what,
            "right": play.fault.right,
            "passed": not play.problems,
            "problems": play.problems,
            "primary_requests": [each.status for each in play.primary],
            "fallback_requests": [each.status for each in play.fallback],
            "seconds": round(max(call.seconds for call in play.calls), 2),
        }
        for play in plays
    ]
    return {"passed": sum(row["passed"] for row in rows), "of": len(rows), "speed": speed, "faults": rows}


def print_table(plays: Sequence[Play], speed: float) -> None:
    """One line a fault, and what is wrong below those that failed."""
    out = console()
    width = max(len(play.fault.what) for play in plays)
    out.print(Text(f"     {'the primary':<{width}}  primary  fallback  longest call", style="dim"))
    for play in plays:
        passed = not play.problems
        line = Text("✓ " if passed else "✗ ", style="bold green" if passed else "bold red")
        asked = f"{len(play.primary):>7}  {len(play.fallback):>8}"
        took = f"{max(call.seconds for call in play.calls):>10.1f} s"
        line.append(f"{play.fault.key}  {play.fault.what:<{width}}  {asked}  {took}", style="not bold default")
        out.print(line, soft_wrap=True)
        for problem in play.problems:
            out.print(Text(f"       {problem}", style="red"), soft_wrap=True)
    passed_all = sum(not play.problems for play in plays)
    out.print()
    out.print(
        Text(f"{passed_all} of {len(plays)}", style="bold").append(
            f", at {speed:g} times the speed", style="not bold dim"
        )
    )
