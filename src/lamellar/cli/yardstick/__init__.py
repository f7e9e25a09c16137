"""`lamellar yardstick`: sixteen faults of the field, put to the preset stack over real HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from ..report import UsageError

if TYPE_CHECKING:
    from .faults import Fault
    from .play import EngineName

__all__ = ["yardstick"]

_NAME = "yardstick"


def yardstick(
    speed: Annotated[
        float,
        typer.Option("--speed", help="How many of the stack's seconds pass in a real one; 1 is real time.", min=1),
    ] = 10.0,
    engine: Annotated[str, typer.Option("--engine", help="The HTTP engine: auto, aiohttp or httpx.")] = "auto",
    only: Annotated[str, typer.Option("--only", help="Some of the faults, such as S01,S05; all by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as one JSON object.")] = False,
) -> int:
    """Put sixteen faults to `Stack.preset` and say what came of each: no keys, no network.

    The faults are those of Failover Bench (methodology 0.1): limits, outages, silence, broken streams, refusals. A
    simulated provider with a primary and a fallback model plays them over real HTTP; what is right is judged by its
    log and by what the consumer held. The clock of the stack runs faster, and the provider's delays with it.
    """
    from .play import play_faults
    from .table import as_data, print_table

    # What the layers log of the faults is told by the table.
    logging.getLogger("lamellar").addHandler(logging.NullHandler())
    plays = asyncio.run(play_faults(_chosen(only), speed=speed, engine=_known(engine)))
    if as_json:
        sys.stdout.write(json.dumps(as_data(plays, speed), indent=2) + "\n")
    else:
        print_table(plays, speed)
    return 0 if not any(play.problems for play in plays) else 1


def _chosen(only: str) -> list[Fault]:
    from .faults import FAULTS

    known = {fault.key: fault for fault in FAULTS}
    keys = [key.strip().upper() for key in only.split(",") if key.strip()]
    for key in keys:
        if key not in known:
            raise UsageError(f"--only: there is no fault '{key}'; they are {FAULTS[0].key} to {FAULTS[-1].key}", _NAME)
    return [fault for fault in FAULTS if not keys or fault.key in keys]


def _known(engine: str) -> EngineName:
    from .play import EngineName

    for name in get_args(EngineName):
        if name == engine:
            return name  # type: ignore[no-any-return]
    raise UsageError(f"--engine: there is no engine '{engine}'; they are {', '.join(get_args(EngineName))}", _NAME)
