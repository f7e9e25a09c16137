"""The plates of a declared stack, each with its place and with what stands round it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..order import Rank
from ..spec import LayerSpec, Spec
from ..watch import AttemptLimits

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["Plate", "plates_of"]


@dataclass(frozen=True, eq=False)
class Plate:
    """One plate of a stack: a layer, a composite, a target or a leaf.

    Args:
        spec: Its declaration.
        path: Its place, such as ``executor.fallback.targets[1].layers[0]``.
        above: The plates round it, the outermost first.
        limits: The limits of an attempt that hold inside it.
    """

    spec: Spec
    path: str
    above: tuple[Plate, ...]
    limits: AttemptLimits

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.spec.kind

    @property
    def label(self) -> str:
        """What it is called."""
        return str(getattr(self.spec, "label", self.kind))

    @property
    def rank(self) -> Rank | None:
        """Where it belongs, or None."""
        return self.spec.standing()

    @property
    def is_leaf(self) -> bool:
        """Whether nothing stands inside it."""
        return not isinstance(self.spec, LayerSpec) and not self.spec.children()

    def is_inside(self, other: Plate) -> bool:
        """Whether `other` stands round it."""
        depth = len(other.above)
        return len(self.above) > depth and self.above[depth] is other

    def option(self, name: str) -> object:
        """What is said under this name; None where there is no such option."""
        return getattr(self.spec, name, None) if name in type(self.spec).model_fields else None

    def number(self, name: str) -> float | None:
        """An option that is a number or a duration; None where it is not said or is no such thing."""
        value = self.option(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def said(self, name: str) -> bool:
        """Whether this option was written down, and not left to its default."""
        return name in self.spec.model_fields_set

    def nearest(self, kind: str) -> Plate | None:
        """The innermost plate of a kind round it."""
        return next((each for each in reversed(self.above) if each.kind == kind), None)

    def total(self) -> float | None:
        """Seconds of the shortest bound on the whole call that stands round it, or None."""
        totals = [each.number("total") for each in self.above if each.kind == "timeout"]
        return min((each for each in totals if each is not None), default=None)


def plates_of(stack: Stack) -> tuple[Plate, ...]:
    """Every plate, the outer before the inner; the stack itself is none."""
    return tuple(_row(stack, "", (), AttemptLimits()))


def _row(spec: Spec, path: str, above: tuple[Plate, ...], limits: AttemptLimits) -> Iterator[Plate]:
    """The plates of a stack or a target: each layer stands in the one before it, and the executor in all."""
    prefix = f"{path}." if path else ""
    children = spec.children()
    for number, child in enumerate(children):
        if isinstance(child, LayerSpec):
            limits = child.limits_below(limits)
        place = f"layers[{number}]" if number < len(children) - 1 else "executor"
        plate = Plate(child, prefix + place, above, limits)
        yield plate
        above = (*above, plate)
    if children:
        yield from _inside(above[-1])


def _inside(plate: Plate) -> Iterator[Plate]:
    """The plates within a composite."""
    around = (*plate.above, plate)
    for path, child in _parts(plate):
        inner = Plate(child, path, around, plate.limits)
        yield inner
        if child.kind in ("target", "stack"):
            yield from _row(child, path, (*around, inner), plate.limits)
        else:
            yield from _inside(inner)


def _parts(plate: Plate) -> Iterator[tuple[str, Spec]]:
    """The specs within a composite, with the paths under which a file says them."""
    names = [(f"{name}{step}", found) for name, value in plate.spec for step, found in _specs(value)]
    children = plate.spec.children()
    paths = [name for name, _ in names] if len(names) == len(children) else None
    for number, child in enumerate(children):
        place = paths[number] if paths is not None else f"children[{number}]"
        yield f"{plate.path}.{plate.kind}.{place}", child


def _specs(value: object) -> Iterator[tuple[str, Spec]]:
    if isinstance(value, Spec):
        yield "", value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            shown = f".{key}" if re.fullmatch(r"[\w\-]+", str(key)) else f"[{str(key)!r}]"
            yield from ((shown + step, found) for step, found in _specs(each))
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from ((f"[{number}]{step}", found) for step, found in _specs(each))
