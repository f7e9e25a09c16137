"""`lamellar yardstick`: sixteen faults of the field, put to the preset stack over real HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .play import Play

__all__ = ["yardstick"]


def yardstick(
    speed: Annotated[
        float,
        typer.Option("--speed", help="How many of the stack's seconds pass in a real one; 1 is real time.", min=1),
    ] = 10.0,
    engine: Annotated[str, typer.Option("--engine", help="The HTTP engine: auto, aiohttp or httpx.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as one JSON object.")] = False,
) -> int:
    """Put sixteen faults to `Stack.preset` and say what came of each: no keys, no network.

    The faults are those of Failover Bench (methodology 0.1): limits, outages, silence, broken streams, refusals. A
    simulated provider with a primary and a fallback model plays them over real HTTP; what is right is judged by its
    log and by what the consumer held. The clock of the stack runs faster, and the provider's delays with it.
    """
    from .table import as_data, print_table

    plays = asyncio.run(_play_all(speed, engine))
    if as_json:
        sys.stdout.write(json.dumps(as_data(plays, speed), indent=2) + "\n")
    else:
        print_table(plays, speed)
    return 0 if not any(play.problems for play in plays) else 1


async def _play_all(speed: float, engine: str) -> list[Play]:
    from .faults import FAULTS
    from .play import play_fault

    return await asyncio.gather(*[play_fault(fault, speed=speed, engine=engine) for fault in FAULTS])
