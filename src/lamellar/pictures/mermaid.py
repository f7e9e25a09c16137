"""A stack as a Mermaid flowchart, which GitHub, GitLab and most wikis render.

Plates are nodes, targets are subgraphs, and what leads to a target stands on its arrow. Mermaid reads much into a
label: Markdown, HTML, entities and directives. Each character that could begin any of these is written as an entity, so
that a label shows what it says, whatever that is (https://mermaid.js.org/syntax/flowchart.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from .outline import Branch, Plate, Role, outline
from .words import clipped

if TYPE_CHECKING:
    from ..spec import Spec

__all__ = ["to_mermaid"]

_SHAPES: dict[Role, tuple[str, str]] = {"layer": ("[", "]"), "composite": ("{{", "}}"), "provider": ("([", "])")}

_LABEL_WIDTH = 60

_ALWAYS = re.compile(
    r"[#\"<>&%`*~\\\[\]|@]"  # entities, the end of a label, HTML, directives, Markdown, links by e-mail
    r"|:(?=//)|(?<=www)\."  # addresses, which become Markdown links
    r"|(?<!\w)_|_(?!\w)"  # emphasis; `first_content` has none
    r"|^[\-+=](?=\s|$)|(?<=\d)[.)](?=\s|$)"  # lists and headings
    r"|(?<=st)y(?=le)|(?<=class)D(?=ef)",  # Mermaid cuts the last entity off a line that has these words
    re.MULTILINE,
)


def to_mermaid(stack: Spec) -> str:
    """`stack` as the text of a Mermaid flowchart, the same for equal stacks."""
    chart = _Chart()
    chart.chain(outline(stack).plates, "  ")
    return "\n".join(["flowchart TD", *chart.nodes, *chart.arrows]) + "\n"


class _Chart:
    """A flowchart in the making; nodes and targets are numbered in the order in which they are met."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.arrows: list[str] = []
        """They stand outside of all targets: an arrow within a subgraph would draw both of its ends into it."""
        self._plates, self._targets = count(1), count(1)

    def chain(self, plates: Sequence[Plate], indent: str, *, come_from: str = "", way: str = "") -> None:
        """The plates of a chain one below the other, then what they lead to."""
        drawn: list[tuple[str, Plate]] = []
        for plate in plates:
            node = f"p{next(self._plates)}"
            before, after = _SHAPES[plate.role]
            self.nodes.append(f"{indent}{node}{before}{_label(plate.title, *plate.said, bold=True)}{after}")
            if come_from:
                self.arrows.append(f"  {come_from} -->{f'|{_label(way)}|' if way else ''} {node}")
            come_from, way = node, ""
            drawn.append((node, plate))
        for node, plate in drawn:
            for branch in plate.branches:
                self._branch(branch, node, indent)

    def _branch(self, branch: Branch, come_from: str, indent: str) -> None:
        if not branch.name:
            self.chain(branch.plates, indent, come_from=come_from, way=branch.way)
            return
        self.nodes.append(f"{indent}subgraph t{next(self._targets)} [{_label(branch.name, *branch.said)}]")
        self.chain(branch.plates, indent + "  ", come_from=come_from, way=branch.way)
        self.nodes.append(f"{indent}end")


def _label(*lines: str, bold: bool = False) -> str:
    first, *others = [_escaped(clipped(line, _LABEL_WIDTH)) for line in lines]
    return '"' + "<br/>".join([f"<b>{first}</b>" if bold else first, *others]) + '"'


def _escaped(text: str) -> str:
    return _ALWAYS.sub(lambda match: f"#{ord(match[0])};", text)
