"""A stack as an SVG image: one file without scripts, fonts or anything else from elsewhere.

It follows the light or dark setting of whoever looks, on a ground of its own, so that it can be read on any page. The
title and the description say in words what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .layout import CHARACTER, LINE, PADDING, Block, Box, Connector, flattened, lay_out
from .outline import outline, sentences
from .words import clipped, one_line, text_width

if TYPE_CHECKING:
    from ..spec import Spec

__all__ = ["to_svg"]

_MARGIN = 20.0
_HEAD = 28.0
_MOST_SENTENCES = 200

_LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#4b545e",
    "line": "#767f89",
    "layer": "#f0f3f7",
    "composite": "#dff3ec",
    "composite_edge": "#0f766e",
    "provider": "#fdf1d6",
    "provider_edge": "#8a5a00",
    "way": "#1f4e79",
    "way_ink": "#ffffff",
}
_DARK = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "soft": "#a9b3be",
    "line": "#7d8690",
    "layer": "#1c232c",
    "composite": "#0f2f2a",
    "composite_edge": "#2dd4bf",
    "provider": "#332701",
    "provider_edge": "#d9a322",
    "way": "#9ecbff",
    "way_ink": "#0d1117",
}

_SHAPES = """
  .lamellar text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .lamellar .title, .lamellar .way text { font-weight: bold; }
  .lamellar .composite rect { stroke-width: 2; }
  .lamellar .target rect { stroke-dasharray: 5 4; }
  .lamellar .connector { fill: none; stroke-width: 1.5; }
"""

# Colors are written out in both sets of rules: not every viewer of images knows CSS variables.
_COLORS = """
  .lamellar .paper { fill: %(paper)s; }
  .lamellar text { fill: %(soft)s; }
  .lamellar .title { fill: %(ink)s; }
  .lamellar .layer rect { fill: %(layer)s; stroke: %(line)s; }
  .lamellar .composite rect { fill: %(composite)s; stroke: %(composite_edge)s; }
  .lamellar .provider rect { fill: %(provider)s; stroke: %(provider_edge)s; }
  .lamellar .target rect { fill: none; stroke: %(line)s; }
  .lamellar .way rect { fill: %(way)s; }
  .lamellar .way text { fill: %(way_ink)s; }
  .lamellar .connector { stroke: %(line)s; }
  .lamellar .arrow { fill: %(line)s; }
"""

_ROUNDING = {"layer": 4, "composite": 4, "provider": 14, "target": 8, "way": 11}


def to_svg(stack: Spec, *, title: str) -> str:
    """`stack` as the text of an SVG image, the same for equal stacks.

    Args:
        stack: What is drawn.
        title: What stands above it.
    """
    drawn = outline(stack)
    title = one_line(title)
    told = " ".join(islice(sentences(drawn), _MOST_SENTENCES))
    return _Image(lay_out(drawn.plates), title, told).text()


class _Image:
    def __init__(self, block: Block, title: str, told: str) -> None:
        head = clipped(title, 60)
        self._width = max(block.width, text_width(head) * CHARACTER) + 2 * _MARGIN
        self._height = block.height + _HEAD + 2 * _MARGIN
        # Several images may stand in one page, and an id is the page's.
        mark = sha256(f"{title}\n{told}".encode(errors="replace")).hexdigest()[:8]
        self._root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "lamellar",
                "viewBox": f"0 0 {_number(self._width)} {_number(self._height)}",
                "width": _number(self._width),
                "height": _number(self._height),
                "role": "img",
                "aria-labelledby": f"title-{mark} told-{mark}",
            },
        )
        _add(self._root, "title", id=f"title-{mark}").text = title
        _add(self._root, "desc", id=f"told-{mark}").text = told
        _add(self._root, "style").text = _style()
        _add(self._root, "rect", **{"class": "paper"}, width="100%", height="100%")
        self._words(self._root, (head,), _MARGIN, _MARGIN, kind="title")
        left = (self._width - block.width) / 2
        for x, y, shape in flattened(block):
            if isinstance(shape, Box):
                self._box(shape, left + x, _MARGIN + _HEAD + y)
            else:
                self._connector(shape, left + x, _MARGIN + _HEAD + y)

    def text(self) -> str:
        """The whole document."""
        indent(self._root)
        return tostring(self._root, encoding="unicode") + "\n"

    def _box(self, box: Box, x: float, y: float) -> None:
        group = _add(self._root, "g", **{"class": box.role})
        if box.whole:
            _add(group, "title").text = box.whole
        size = {"width": _number(box.width), "height": _number(box.height), "rx": str(_ROUNDING[box.role])}
        _add(group, "rect", x=_number(x), y=_number(y), **size)
        if box.role == "way":
            self._words(group, box.title, x + PADDING / 2, y + 3)
            return
        top = y + 0.75 * PADDING
        self._words(group, box.title, x + PADDING, top, kind="title")
        self._words(group, box.lines, x + PADDING, top + len(box.title) * LINE)

    @staticmethod
    def _words(parent: Element, lines: Sequence[str], x: float, y: float, *, kind: str = "") -> None:
        for number, line in enumerate(lines):
            inward = len(line) - len(line.lstrip(" "))  # of a line that goes on
            place = {"x": _number(x + inward * CHARACTER), "y": _number(y + number * LINE + 12)}
            _add(parent, "text", **place, **({"class": kind} if kind else {})).text = line.lstrip(" ")

    def _connector(self, line: Connector, x: float, y: float) -> None:
        points = [(x + dx, y + dy) for dx, dy in line.points]
        path = "M" + " L".join(f"{_number(px)} {_number(py)}" for px, py in points)
        _add(self._root, "path", **{"class": "connector"}, d=path)
        px, py = points[-1]
        tip = f"M{_number(px)} {_number(py)} l-4 -6 h8 z"
        _add(self._root, "path", **{"class": "arrow"}, d=tip)


def _style() -> str:
    return f"{_SHAPES}{_COLORS % _LIGHT}  @media (prefers-color-scheme: dark) {{{_COLORS % _DARK}  }}\n"


def _add(parent: Element, tag: str, **attributes: Any) -> Element:
    return SubElement(parent, tag, attributes)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
