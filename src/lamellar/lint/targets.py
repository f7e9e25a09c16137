"""Targets that are never asked, or in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..spec import Spec
from ..verdicts import VERDICTS, ErrorKind
from .finding import Finding, finding
from .plates import Plate

__all__ = ["targets"]

_EXPECTED = frozenset(kind for kind, verdict in VERDICTS.items() if verdict.failover)
"""Kinds of error after which another target is asked, where no rule says otherwise."""


def targets(plates: Sequence[Plate]) -> Iterator[Finding]:
    """What is wrong with the targets of each fallback."""
    for plate in plates:
        if plate.kind == "fallback":
            inside = [each for each in plates if each.above and each.above[-1] is plate]
            yield from _never_asked(plate, inside)
            yield from _twice(inside, plates)
            yield from _windows(inside)


def _never_asked(plate: Plate, inside: Sequence[Plate]) -> Iterator[Finding]:
    """Rules that let nothing fall back."""
    rules = plate.option("rules")
    if len(inside) < 2 or not isinstance(rules, Mapping) or plate.option("on_empty") != "accept":
        return
    if plate.option("accept") is not None or any(rules.values()):
        return
    if all(rules.get(ErrorKind(kind)) is False for kind in _EXPECTED):
        yield finding(
            "target-unreachable",
            inside[1],
            f"the rules of the {plate.kind} at {plate.path} say of every kind of error that no other target is asked, "
            f"so its first target is the only one of {len(inside)}",
            "drop the rules that are False, or the later targets",
        )


def _twice(inside: Sequence[Plate], plates: Sequence[Plate]) -> Iterator[Finding]:
    """A target that is another one again, where that may stand in a fallback within this one."""
    before: list[Plate] = []
    for target in inside:
        asked = list(_in_turn(target, plates))
        for plate in asked:
            earlier = next((each for each in before if _asked(each.spec) == _asked(plate.spec)), None)
            if earlier is not None:
                yield finding(
                    "target-twice",
                    plate,
                    f"this target asks what {earlier.path} has asked: the same executor, model and options",
                    "take it out; to ask again, give the first one a Retry",
                )
        before += asked  # what a fallback asks twice by itself, it tells itself


def _in_turn(target: Plate, plates: Sequence[Plate]) -> Iterator[Plate]:
    """The targets that are asked for this one: of a fallback in its place those inside, else itself."""
    fallback = next((each for each in plates if each.path == f"{target.path}.executor"), None)
    changes = any(target.option(name) for name in ("model", "options", "unset"))
    if fallback is None or fallback.kind != "fallback" or changes:
        yield target
        return
    for each in plates:
        if each.above and each.above[-1] is fallback:
            yield from _in_turn(each, plates)


def _asked(spec: Spec) -> object:
    """What a target asks; its layers and its name change nothing of that."""
    parts = {name: value for name, value in spec if name not in ("layers", "name", "prefill", "context_window")}
    return type(spec), parts


def _windows(inside: Sequence[Plate]) -> Iterator[Finding]:
    """After an overflow only a larger window is asked."""
    if not inside:
        return
    first = inside[0].number("context_window")
    for plate in inside[1:]:
        window = plate.number("context_window")
        if first is not None and window is not None and window < first:
            yield finding(
                "window-too-small",
                plate,
                f"context_window={window:g} is smaller than the {first:g} of the primary, so a request that overflowed "
                "there never comes here",
                "add a target with a larger window, if such requests matter",
            )
