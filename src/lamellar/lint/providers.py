"""Providers that are not as many as they seem, or more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..order import Rank
from ..spec import Given
from .finding import Finding, finding
from .plates import Plate

__all__ = ["providers"]

_ACCOUNT = ("base_url", "api_key", "providers")


def providers(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Fallbacks that end with their one provider, and limits that several providers share."""
    shared: dict[tuple[str, object], list[Plate]] = {}
    alone: list[Plate] = []
    for plate in plates:
        if plate.kind == "fallback" and not any(plate.is_inside(each) for each in alone):
            for each in _one(plate, plates):
                alone.append(plate)  # told once, where it holds furthest out
                yield each
        if plate.rank is Rank.RATE_LIMIT:
            leaves = _leaves(plate, plates)
            if len({each.label for each in leaves}) > 1:
                yield _across(plate, f"{plate.kind} stands round {_told(leaves)}")
            elif plate.option("share") is not None:
                shared.setdefault((plate.kind, plate.option("share")), []).append(plate)
    for (_, name), several in shared.items():
        leaves = [leaf for plate in several for leaf in _leaves(plate, plates)]
        if len({each.label for each in leaves}) > 1:
            yield _across(several[-1], f"the limits that are shared as '{name}' are those of {_told(leaves)}")


def _leaves(plate: Plate, plates: Sequence[Plate]) -> list[Plate]:
    return [each for each in plates if each.is_leaf and each.is_inside(plate)]


def _told(leaves: Sequence[Plate]) -> str:
    return " and ".join(f"'{label}'" for label in dict.fromkeys(each.label for each in leaves))


def _across(plate: Plate, what: str) -> Finding:
    return finding(
        "limit-across-providers",
        plate,
        f"{what}: what one of them uses is taken from the others, and a pause that one asks for stops all",
        "give each provider a limit of its own, inside its target",
    )


def _one(plate: Plate, plates: Sequence[Plate]) -> Iterator[Finding]:
    leaves = _leaves(plate, plates)
    if len(leaves) < 2 or any(each.kind == "auto" or isinstance(each.spec, Given) for each in leaves):
        return
    first = leaves[0]
    if all(_account(each) == _account(first) for each in leaves):
        yield finding(
            "one-provider",
            plate,
            f"all {len(leaves)} targets are '{first.label}' with one key: an outage, a spent quota or a limit there "
            "strikes them all",
            "add a target at another provider, if that matters",
        )


def _account(plate: Plate) -> tuple[object, ...]:
    return (plate.kind, plate.label, *[plate.option(name) for name in _ACCOUNT])
