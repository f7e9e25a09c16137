"""Moments as marks in a row, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["timeline"]

_STEPS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds that a mark may stand for."""


def timeline(times: Sequence[float], width: int) -> tuple[str, str, float]:
    """The marks, the seconds beneath them, and how many seconds a mark stands for.

    A mark is the number of moments in its part of the time; a dot is none, and a star more than nine.

    Args:
        times: Seconds since the beginning, ascending; at least one.
        width: Columns to fill at most.
    """
    last = times[-1]
    step = next((step for step in _STEPS if int(last / step) < width), last / (width - 1))
    counts = [0] * (int(last / step) + 1)
    for each in times:
        counts[int(each / step)] += 1
    marks = "".join(["·" if not count else str(count) if count < 10 else "*" for count in counts])
    scale = ""
    for half in range(int(last / 0.5) + 1):
        column, label = int(half * 0.5 / step), f"{half / 2:g} s"
        if not half or len(scale) < column <= width - len(label):
            scale = scale.ljust(column) + label
    return marks, scale, step
