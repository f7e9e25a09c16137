"""How often each kind of plate was played, and each ordered pair: the outer one anywhere outside of the inner one."""

from __future__ import annotations

from collections import Counter

from lamellar import Stack
from lamellar.spec import Spec

from .plates import KINDS

__all__ = ["Histogram"]


class Histogram:
    """Counts cases: a kind or a pair that stands in a stack twice counts once."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, stack: Stack) -> None:
        kinds: set[str] = set()
        pairs: set[tuple[str, str]] = set()
        _look(stack, (), kinds, pairs)
        self.kinds.update(kinds)
        self.pairs.update(pairs)

    def rare(self, least: int) -> list[str]:
        """The kinds and pairs that were played less often."""
        found = [f"{kind}: {self.kinds[kind]}" for kind in KINDS if self.kinds[kind] < least]
        for outer in KINDS:
            for inner in KINDS:
                if self.pairs[outer, inner] < least:
                    found.append(f"{outer} outside of {inner}: {self.pairs[outer, inner]}")
        return found

    def __str__(self) -> str:
        """A table: a line for each outer kind, a column for each inner one."""
        columns = [kind[:6] for kind in KINDS]
        lines = [f"{'outer / inner':<18}{'cases':>6} " + "".join(f"{column:>7}" for column in columns)]
        for outer in KINDS:
            counts = "".join(f"{self.pairs[outer, inner]:>7}" for inner in KINDS)
            lines.append(f"{outer:<18}{self.kinds[outer]:>6} {counts}")
        return "\n".join(lines)


def _look(spec: Spec, outside: tuple[str, ...], kinds: set[str], pairs: set[tuple[str, str]]) -> None:
    """Layers stand outside of one another in their order; all of a stack's stand outside of its executor."""
    for child in spec.children():
        if child.kind in KINDS:
            kinds.add(child.kind)
            pairs.update((outer, child.kind) for outer in outside)
        inside = (*outside, child.kind) if child.kind in KINDS else outside
        _look(child, inside, kinds, pairs)
        if not child.children():
            outside = inside
