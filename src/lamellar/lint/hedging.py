"""Hedges that come too late to be of use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .finding import Finding, finding
from .plates import Plate

__all__ = ["hedging"]


def hedging(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Each hedge whose delay is longer than its primary may take at all."""
    for plate in plates:
        if plate.kind != "hedge":
            continue
        delay = plate.number("delay")
        if delay is None:
            continue
        inside = [each for each in plates if each.is_leaf and each.is_inside(plate)]
        limits = inside[0].limits if inside else plate.limits
        total = plate.total()
        bounds = {"total": total, "attempt": limits.attempt}
        late = [f"{name}={bound:g} s" for name, bound in bounds.items() if bound is not None and bound <= delay]
        if late:
            what = "so no other target is ever asked while the first is slow"
        elif limits.first_content is not None and limits.first_content <= delay:
            late, what = [f"first_content={limits.first_content:g} s"], "so no stream is ever hedged"
        else:
            continue
        yield finding(
            "hedge-too-late",
            plate,
            f"delay={delay:g} s is not shorter than {late[0]}, {what}",
            "lower delay well below that limit",
        )
