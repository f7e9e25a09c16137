"""Plates that stand outside of what they belong inside of (`lamellar.order`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..order import Rank
from .finding import Finding, finding
from .plates import Plate

__all__ = ["order"]


class _Wrong(NamedTuple):
    """What is wrong with one plate outside of another; `{outer}` and `{inner}` are their kinds."""

    code: str
    message: str
    mend: str


_RETRY, _LIMIT = Rank.RETRY, Rank.RATE_LIMIT

_WRONG: dict[tuple[Rank, Rank], _Wrong] = {
    (_RETRY, Rank.CACHE): _Wrong(
        "cache-inside-retry",
        "the {inner} stands inside the {outer}, so every attempt looks up anew, and equal calls retry each for itself",
        "put the {inner} outside of the {outer}",
    ),
    (_LIMIT, _RETRY): _Wrong(
        "limiter-outside-retry",
        "the {outer} stands outside of the {inner} {at}, so a call takes one permit and its further attempts pass the "
        "limit by",
        "put the {outer} inside the {inner}",
    ),
    (Rank.CONCURRENCY_LIMIT, _RETRY): _Wrong(
        "concurrency-outside-retry",
        "the {outer} stands outside of the {inner} {at}, so a permit is held while the {inner} only waits",
        "put the {outer} inside the {inner}, unless it is calls and not requests that you want to bound",
    ),
    (Rank.CIRCUIT_BREAKER, _RETRY): _Wrong(
        "breaker-outside-retry",
        "the {outer} stands outside of the {inner} {at}, so it sees one failure where there were several, and opens "
        "late",
        "put the {outer} inside the {inner}",
    ),
    (_LIMIT, Rank.CIRCUIT_BREAKER): _Wrong(
        "breaker-inside-limiter",
        "the {inner} stands inside the {outer}, so a call waits for a permit and spends it before it is refused",
        "put the {inner} outside of the {outer}",
    ),
    (_RETRY, Rank.BUDGET): _Wrong(
        "budget-inside-retry",
        "the {inner} stands inside the {outer}, so every attempt reserves anew, and a call may be refused halfway",
        "put the {inner} outside of the {outer}",
    ),
    (_RETRY, Rank.TOTAL): _Wrong(
        "total-inside-retry",
        "the `total` stands inside the {outer} {outer_at}: it bounds each attempt, and what it ends is a refusal that "
        "no retry takes up",
        "say `attempt` there for one attempt, and put `total` outside of the {outer} for the call",
    ),
    (Rank.CACHE, Rank.GUARDRAIL): _Wrong(
        "guardrail-inside-cache",
        "the {inner} stands inside the {outer}, so whatever the {outer} answers is not checked: neither what was asked "
        "nor what is given",
        "put the {inner} outside of the {outer}",
    ),
    (_RETRY, Rank.CHOICE): _Wrong(
        "retry-outside-choice",
        "the {outer} stands outside of the {inner}, so each of its {attempts}attempts goes through all targets again",
        "put a {outer} into each target instead",
    ),
}


def order(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Each plate that stands inside of what belongs inside of it."""
    told: set[tuple[str, str]] = set()
    for plate in plates:
        rank = plate.rank
        if rank is None:
            continue
        if rank is Rank.TRACING:
            yield from _tracing(plate)
            continue
        found: dict[str, Finding] = {}
        for outer in plate.above:
            wrong = _wrong(outer, plate)
            if wrong is not None and wrong.code not in found:
                blamed = outer if wrong.code in _BLAME_THE_OUTER else plate
                found[wrong.code] = finding(
                    wrong.code, blamed, wrong.message.format(**_words(outer, plate)), _mend(wrong, outer, plate)
                )
        if len(found) > 1:
            found.pop("layer-order", None)
        for each in found.values():
            if (each.code, each.path) not in told:  # of several inner plates the first is enough to say it
                told.add((each.code, each.path))
                yield each


_BLAME_THE_OUTER = frozenset(
    {"limiter-outside-retry", "concurrency-outside-retry", "breaker-outside-retry", "retry-outside-choice"}
)


def _wrong(outer: Plate, inner: Plate) -> _Wrong | None:
    above, below = outer.rank, inner.rank
    if above is None or below is None or above <= below or above is Rank.CHOICE:
        return None  # within a target, anything may stand: it is of that target then
    if below is Rank.CHOICE and (above is not Rank.RETRY or inner.kind == "route"):
        return None  # one for all targets may be meant; the rules on limits look at what they are
    if (above, below) in _WRONG:
        return _WRONG[above, below]
    return _Wrong(
        "layer-order", "the {inner} stands inside the {outer}, and belongs outside of it", "change their places"
    )


def _words(outer: Plate, inner: Plate) -> dict[str, str]:
    attempts = outer.number("attempts")
    return {
        "outer": outer.kind,
        "inner": inner.kind,
        "outer_at": f"at {outer.path}",
        "at": f"at {inner.path}",
        "attempts": "" if attempts is None else f"{attempts:g} ",
    }


def _mend(wrong: _Wrong, outer: Plate, inner: Plate) -> str:
    return wrong.mend.format(**_words(outer, inner))


def _tracing(plate: Plate) -> Iterator[Finding]:
    """Tracing sees what is inside it, once."""
    outer = next((each for each in plate.above if each.rank is Rank.TRACING), None)
    if outer is not None:
        yield finding(
            "tracing-twice",
            plate,
            f"{plate.kind} stands inside the {outer.kind} at {outer.path}, so every call has two spans and is counted "
            "twice in the metrics",
            "take one of them out",
        )
        return
    hiding = next((each for each in plate.above if each.rank is not None), None)
    if hiding is not None:
        yield finding(
            "tracing-not-outermost",
            plate,
            f"{plate.kind} stands inside the {hiding.kind} at {hiding.path}, so it sees nothing of what that does",
            f"put {plate.kind} first of all layers",
        )
