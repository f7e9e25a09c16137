"""`lamellar demo`: two providers on this machine, a stack in front of them, and four things that go wrong."""

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

    Two providers are started on this machine. They speak real HTTP and misbehave on cue; a stack loaded from a YAML
    file keeps answering. Every claim is checked against the providers' own logs.
    """
    return asyncio.run(_demo(as_json=as_json))


async def _demo(*, as_json: bool) -> int:
    from ..._version import __version__
    from .facts import scene_facts
    from .scenes import SCENES
    from .show import Show, Silent
    from .theatre import open_theatre

    began = time.monotonic()
    show = Silent() if as_json else Show()
    async with open_theatre(pace=0.005 if as_json else 0.035) as theatre:
        show.opening(theatre.yaml)
        facts: list[dict[str, Any]] = []
        for number, scene in enumerate(SCENES, 1):
            show.scene(number, scene)
            run = await theatre.play(scene, show)
            facts.append(scene_facts(scene, run))
            show.verdict(run, facts[-1])
    whole = {
        "lamellar": __version__,
        "ok": all(each["ok"] for each in facts),
        "seconds": round(time.monotonic() - began, 3),
        "stack": theatre.yaml,
        "scenes": facts,
    }
    if as_json:
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
        sys.stdout.flush()
    show.closing(whole)
    return 0 if whole["ok"] else 1
