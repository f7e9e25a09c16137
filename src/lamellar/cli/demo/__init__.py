"""`lamellar demo`: two providers on this machine, a stack in front of them, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Annotated, Any

import typer

__all__ = ["demo"]


def demo(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what the providers logged and whether it is right, as one JSON object."),
    ] = False,
) -> int:
    """Watch a stack at work: no keys, no network, a few seconds.

    Two providers are started on this machine. They speak real HTTP, each in a dialect of its own, and misbehave on cue;
    a stack loaded from a YAML file keeps answering. Every claim is checked against the providers' own logs.
    """
    return asyncio.run(_demo(as_json=as_json))


async def _demo(*, as_json: bool) -> int:
    from ..._version import __version__
    from .burst import burst_facts
    from .facts import scene_facts
    from .scenes import SCENES, Burst
    from .show import Show, Silent
    from .stage import open_stage

    began = time.monotonic()
    show = Silent() if as_json else Show()
    async with open_stage(pace=0.005 if as_json else 0.03) as stage:
        show.opening(stage.yaml)
        facts: list[dict[str, Any]] = []
        for number, scene in enumerate(SCENES, 1):
            show.scene(number, scene)
            if isinstance(scene, Burst):
                burst = await stage.play_burst(scene, show)
                facts.append(burst_facts(scene, burst))
                show.verdict(burst, facts[-1])
            else:
                run = await stage.play(scene, show)
                facts.append(scene_facts(scene, run, facts))
                show.verdict(run, facts[-1])
    whole = {
        "lamellar": __version__,
        "ok": all(each["ok"] for each in facts),
        "seconds": round(time.monotonic() - began, 3),
        "stack": stage.yaml,
        "scenes": facts,
    }
    if as_json:
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
        sys.stdout.flush()
    show.closing(whole)
    return 0 if whole["ok"] else 1
