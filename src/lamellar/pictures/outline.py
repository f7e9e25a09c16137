"""What a picture of a stack shows, whatever it is drawn with: chains of plates, and the branches they lead to.

Every drawing is made from this one outline, and it knows no kind of plate: a plate's options are those that were said,
its branches are its `children()`, and what leads to each is told by its `ways()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..describe import options_said
from ..masking import scrub
from ..spec import ExecutorSpec, Spec
from .words import clipped, one_line, option

__all__ = ["Branch", "Plate", "Role", "outline", "sentences"]

Role = Literal["layer", "composite", "provider"]

_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Plate:
    """A layer, a composite or a leaf.

    Args:
        role: Which of them it is.
        title: Its kind, or the name of an executor that was given as an object.
        said: The options that were said.
        branches: What it leads to besides the next plate of its chain.
    """

    role: Role
    title: str
    said: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A target, or whatever else stands inside a plate.

    Args:
        way: What leads to it; empty where nothing tells it from its siblings.
        name: The target's name; empty where there is none.
        said: The options of the target that were said.
        plates: Its layers, the outermost first, and its executor.
    """

    way: str
    name: str
    said: tuple[str, ...]
    plates: tuple[Plate, ...]


def outline(stack: Spec) -> Branch:
    """The whole stack as one branch."""
    return _branch(stack, "")


def _branch(spec: Spec, way: str) -> Branch:
    way = clipped(one_line(scrub(way)), _LONGEST_NAME)
    if spec.kind not in ("stack", "target"):
        return Branch(way, "", (), (_plate(spec),))
    name = _name(getattr(spec, "label", spec.kind)) if spec.kind == "target" else ""
    said = _said(spec) if spec.kind == "target" else ()
    return Branch(way, name, said, tuple([_plate(each) for each in spec.children()]))


def _plate(spec: Spec) -> Plate:
    children, ways = spec.children(), spec.ways()
    if len(ways) != len(children):
        ways = ("",) * len(children)
    role: Role = "layer" if not isinstance(spec, ExecutorSpec) else "composite" if children else "provider"
    branches = tuple([_branch(child, way) for child, way in zip(children, ways, strict=True)])
    if spec.kind == "given":  # its only option is the object itself
        return Plate(role, _name(getattr(spec, "label", spec.kind)), ("an object of your own",), branches)
    return Plate(role, _name(spec.kind), _said(spec), branches)


def _said(spec: Spec) -> tuple[str, ...]:
    fields = type(spec).model_fields
    return tuple([option(name, value, fields.get(name)) for name, value in options_said(spec)])


def _name(text: str) -> str:
    return clipped(one_line(scrub(text)), _LONGEST_NAME)


def sentences(branch: Branch) -> Iterator[str]:
    """The outline in words, for those who do not see the picture: a sentence for each chain."""
    where = " ".join(filter(None, (branch.way, branch.name))) or "A call"
    if branch.plates:
        yield f"{where} passes {', then '.join(_told(plate) for plate in branch.plates)}."
    for plate in branch.plates:
        for each in plate.branches:
            for sentence in sentences(each):
                yield f"{plate.title}: {sentence}"


def _told(plate: Plate) -> str:
    return f"{plate.title} ({', '.join(plate.said)})" if plate.said else plate.title
