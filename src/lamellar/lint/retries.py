"""Retries that multiply, and retries that are in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from ..order import Rank
from ..spec import Given
from ..target import Target
from .finding import Finding, finding
from .plates import Plate

__all__ = ["retries"]

_REPEATING = ("max_retries", "num_retries")
"""Attributes by which clients of providers say that they ask again by themselves, and how often."""

_WRAPPED = 2
"""How deep the attributes of an executor are looked into for such a client."""


def retries(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Each retry that stands inside another, and each client beneath one that repeats by itself."""
    for plate in plates:
        outer = [each for each in plate.above if each.rank is Rank.RETRY and _attempts(each) != 1]
        if plate.rank is Rank.RETRY and outer and _attempts(plate) != 1:
            counts = [_attempts(each) for each in (*outer, plate)]
            places = " and ".join(each.path for each in outer)
            product = (
                f": {' x '.join(f'{each:,}' for each in counts)} = {prod(counts):,} attempts" if all(counts) else ""
            )
            yield finding(
                "retry-multiplies",
                plate,
                f"{plate.kind} stands inside the one at {places}, and their attempts multiply{product}",
                "keep the inner one",
            )
        if isinstance(plate.spec, Given):
            yield from _given(plate, outer)
        if plate.rank in (Rank.RETRY, Rank.CHOICE):
            yield from _continue(plate, plates)


def _attempts(plate: Plate) -> int:
    """How often a retry asks at most; a kind of error may have more attempts than the others. 0 where nobody knows."""
    if plate.option("stop") is not None:
        return 0
    kinds = plate.option("kinds")
    said = [getattr(each, "attempts", None) for each in kinds.values()] if isinstance(kinds, Mapping) else []
    return max(int(plate.number("attempts") or 0), *(each for each in said if isinstance(each, int)), 0)


def _given(plate: Plate, outer: Sequence[Plate]) -> Iterator[Finding]:
    """An executor given as an object may repeat by itself: a stack that was built, or a provider's own client."""
    executor = plate.spec.executor  # type: ignore[attr-defined]
    inner = _within(executor)
    if inner is None:
        return
    what, count = inner
    attempts = prod(_attempts(each) or 1 for each in outer)
    product = f": {attempts:,} x {count:,} = {attempts * count:,} attempts" if outer else f", up to {count:,} times"
    where = f"the retry at {outer[-1].path} and " if outer else "no record shows that "
    yield finding(
        "inner-retries",
        plate,
        f"{where}{what} of '{plate.label}' ask{'' if outer else 's'} again by {'themselves' if outer else 'itself'}"
        f"{product}",
        "switch the inner ones off, and let one Retry of this stack do it",
    )


def _within(executor: object) -> tuple[str, int] | None:
    """What repeats by itself within an executor, and how often it asks in all; None where nothing is seen to."""
    from ..stack import Stack
    from .plates import plates_of

    declared = getattr(executor, "spec", None)
    if isinstance(declared, Stack):
        counts = [_attempts(each) for each in plates_of(declared) if each.rank is Rank.RETRY]
        return ("the retry within", max(counts)) if counts and max(counts) > 1 else None
    return _client(executor, _WRAPPED)


def _client(value: object, depth: int) -> tuple[str, int] | None:
    for name in _REPEATING:
        count = getattr(value, name, None)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            return f"{type(value).__name__}({name}={count})", count + 1
    if depth and hasattr(value, "__dict__"):
        for each in vars(value).values():
            found = _client(each, depth - 1)
            if found is not None:
                return found
    return None


def _continue(plate: Plate, plates: Sequence[Plate]) -> Iterator[Finding]:
    """Going on from a partial text is only asked of targets that declare `prefill`."""
    if plate.option("on_interrupt") != "continue":
        return
    if plate.rank is Rank.RETRY:
        target = plate.nearest("target")
        if target is None or not _goes_on(target):
            yield _without_prefill(plate, "its target does not declare `prefill`")
        return
    targets = [each for each in plates if each.kind == "target" and each.above[-1] is plate]
    later = targets if plate.option("sticky") is not None else targets[1:]
    if targets and not any(map(_goes_on, later)):
        yield _without_prefill(plate, "no later target declares `prefill`")


def _goes_on(target: Plate) -> bool:
    """Whether the target's model goes on from a partial message: as it says, or as is known of its provider."""
    return isinstance(target.spec, Target) and target.spec.known()[0]


def _without_prefill(plate: Plate, why: str) -> Finding:
    return finding(
        "continue-without-prefill",
        plate,
        f"on_interrupt is 'continue', and {why}, so every broken stream is restarted",
        "say prefill: true in targets whose model goes on from a partial message, or on_interrupt: restart",
    )
