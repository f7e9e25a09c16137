"""Caches that keep nothing, or what was drawn by lot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .finding import Finding, finding
from .plates import Plate

__all__ = ["caching"]

_LEAST_BYTES = 200
"""No answer takes fewer, as JSON."""


def caching(plates: Sequence[Plate]) -> Iterator[Finding]:
    """What is wrong with each cache."""
    for plate in plates:
        if plate.kind != "cache":
            continue
        most = plate.number("max_entry_bytes")
        if most is not None and most < _LEAST_BYTES:
            yield finding(
                "cache-keeps-nothing",
                plate,
                f"max_entry_bytes={most:g}, and no answer is so small, so none is kept",
                "raise max_entry_bytes",
            )
        for each in plates:
            temperature = _temperature(each)
            if temperature and (each.is_inside(plate) or plate.is_inside(each)):
                yield finding(
                    "cache-of-samples",
                    plate,
                    f"temperature={temperature:g} at {each.path} draws answers by lot, and the cache gives the first "
                    "one drawn to all",
                    "say temperature: 0, or leave the cache out, if answers are to differ",
                )
                break


def _temperature(plate: Plate) -> float | None:
    if plate.kind == "defaults":
        return plate.number("temperature")
    value = getattr(plate.option("options"), "temperature", None)
    return float(value) if isinstance(value, int | float) else None
