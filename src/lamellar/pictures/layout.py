"""Where everything stands in a picture: plates one below the other, the branches of a composite side by side.

Text is set in a monospaced font, so its width is known without measuring it. A block knows its own size and axis, the
line on which it is entered from above; blocks are put together without looking inside them, so nothing can overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .outline import Branch, Plate, Role
from .words import clipped, text_width

__all__ = ["CHARACTER", "LINE", "PADDING", "Block", "Box", "Connector", "Placed", "flattened", "lay_out"]

CHARACTER = 7.4
"""Width of a character of 12 px; the widest of the usual monospaced fonts has 0.61 em."""

LINE = 16.0
"""Height of a line of text."""

PADDING = 12.0

_GAP = 18.0
_BETWEEN_COLUMNS = 20.0
_COLUMNS = 30
"""Characters of a line."""

_COLUMNS_OF_WAY = 42

_LINES_OF_OPTION = 3
_LINES_OF_BOX = 12
_NARROWEST = 100.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with text in it.

    Args:
        role: What it is, for its looks.
        width: In pixels.
        height: In pixels.
        title: The lines of its title.
        lines: The lines below that.
        whole: All of its text, uncut.
    """

    role: Role | Literal["target", "way"]
    width: float
    height: float
    title: tuple[str, ...]
    lines: tuple[str, ...] = ()
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Connector:
    """A line from a plate down to what it leads to.

    Args:
        points: Its corners, in pixels.
    """

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a picture.

    Args:
        width: In pixels.
        height: In pixels.
        axis: Where it is entered from above, in pixels from its left.
        parts: What it holds, each at its place; what stands in front comes last.
    """

    width: float
    height: float
    axis: float
    parts: tuple[Placed, ...]


Placed: TypeAlias = tuple[float, float, Box | Connector | Block]


def flattened(block: Block) -> Iterator[tuple[float, float, Box | Connector]]:
    """The boxes and connectors of a block with their places in it, in the order in which they are drawn."""
    waiting: list[Placed] = [(0.0, 0.0, block)]
    while waiting:
        x, y, part = waiting.pop()
        if isinstance(part, Block):
            waiting.extend([(x + dx, y + dy, each) for dx, dy, each in reversed(part.parts)])
        else:
            yield x, y, part


def lay_out(plates: Sequence[Plate]) -> Block:
    """A chain: each plate above the next, and what they branch to below them."""
    below: Block | None = None
    for plate in reversed(plates):
        box = _text_box(plate.role, (plate.title,), plate.said)
        ways = ["", *[each.way for each in plate.branches]] if below else [each.way for each in plate.branches]
        columns = [below] if below else []
        columns += [_branch(each) for each in plate.branches]
        below = _fan(box, columns, ways, straight=below is not None) if columns else _alone(box)
    return below or Block(0.0, 0.0, 0.0, ())


def _alone(box: Box) -> Block:
    return Block(box.width, box.height, box.width / 2, ((0.0, 0.0, box),))


def _branch(branch: Branch) -> Block:
    """A target in its frame; without a name there is nothing to frame."""
    inner = lay_out(branch.plates)
    if not branch.name:
        return inner
    head = _text_box("target", (branch.name,), branch.said)
    width = max(inner.width + 2 * PADDING, head.width)
    left = (width - inner.width) / 2
    frame = Box("target", width, head.height + inner.height + PADDING, head.title, head.lines, head.whole)
    return Block(width, frame.height, left + inner.axis, ((0.0, 0.0, frame), (left, head.height, inner)))


def _fan(box: Box, columns: Sequence[Block], ways: Sequence[str], *, straight: bool) -> Block:
    """`box` above `columns`, with a line to each; the first goes straight down where it is the chain itself."""
    height = LINE + 6.0 if any(ways) else 0.0
    labels = [_way(way, height) for way in ways]
    widths = [_spread(column, label) for column, label in zip(columns, labels, strict=True)]
    axes: list[float] = []
    at = 0.0
    for left, right in widths:
        axes.append(at + left)
        at += left + right + _BETWEEN_COLUMNS
    axis = axes[0] if straight else (axes[0] + axes[-1]) / 2
    shift = max(0.0, box.width / 2 - axis)
    width = max(at - _BETWEEN_COLUMNS + shift, axis + shift + box.width / 2)
    bus = box.height + _GAP / 2
    top = box.height + _GAP * (1 if len(columns) == 1 and not height else 1.5)
    foot = top + (height + _GAP / 2 if height else 0.0)
    parts: list[Placed] = [(axis + shift - box.width / 2, 0.0, box)]
    start = axis + shift
    for column, label, centre in zip(columns, labels, axes, strict=True):
        end = centre + shift
        corners = ((start, box.height), (start, bus), (end, bus), (end, foot)) if end != start else ()
        parts.append((0.0, 0.0, Connector(corners or ((start, box.height), (end, foot)))))
        if label is not None:
            parts.append((end - label.width / 2, top, label))
        parts.append((end - column.axis, foot, column))
    return Block(width, foot + max(column.height for column in columns), start, tuple(parts))


def _spread(column: Block, label: Box | None) -> tuple[float, float]:
    """How far a column reaches to the left and to the right of its axis."""
    half = label.width / 2 if label is not None else 0.0
    return max(column.axis, half), max(column.width - column.axis, half)


def _way(way: str, height: float) -> Box | None:
    if not way:
        return None
    text = clipped(way, _COLUMNS_OF_WAY)
    return Box("way", math.ceil(text_width(text) * CHARACTER + PADDING), height, (text,), (), way)


def _text_box(role: Role | Literal["target"], title: Sequence[str], said: Sequence[str]) -> Box:
    heads = tuple([line for each in title for line in _wrapped(each)])
    lines: list[str] = []
    for told, each in enumerate(said):
        wrapped = _wrapped(each)
        if len(lines) + len(wrapped) > _LINES_OF_BOX:
            lines.append(f"and {len(said) - told} more")
            break
        lines += wrapped
    widest = max(text_width(line) for line in (*heads, *lines))
    height = (len(heads) + len(lines)) * LINE + 1.5 * PADDING
    width = max(_NARROWEST, math.ceil(widest * CHARACTER + 2 * PADDING))
    return Box(role, width, height, heads, tuple(lines), "\n".join((*title, *said)))


def _wrapped(text: str) -> list[str]:
    """`text` in lines of a box, at its spaces where there are any; what does not fit into them is cut off."""
    lines: list[str] = []
    rest = text
    while rest and len(lines) < _LINES_OF_OPTION - 1 and text_width(rest) > _COLUMNS:
        room = _COLUMNS if not lines else _COLUMNS - 2
        cut = _fitting(rest, room)
        space = rest.rfind(" ", 1, cut + 1)
        cut = space if space > 0 else cut
        lines.append(("  " if lines else "") + rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest or not lines:
        lines.append(("  " if lines else "") + clipped(rest, _COLUMNS - 2 if lines else _COLUMNS))
    return lines


def _fitting(text: str, width: int) -> int:
    """How many letters of `text` fit into `width` columns; one at least."""
    used = 0
    for at, letter in enumerate(text):
        used += text_width(letter)
        if used > width:
            return max(at, 1)
    return len(text)
