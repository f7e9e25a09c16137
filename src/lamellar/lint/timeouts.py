"""Time that is not bounded, and bounds that can never act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..order import Rank
from ..watch import AttemptLimits
from .finding import Finding, finding
from .plates import Plate

__all__ = ["timeouts"]


def timeouts(plates: Sequence[Plate]) -> Iterator[Finding]:
    """What is wrong with the limits on time."""
    yield from _unbounded(plates)
    for plate in plates:
        if plate.kind == "timeout":
            yield from _limits(plate)
        if plate.rank is Rank.RETRY:
            yield from _retry(plate)
        if plate.rank in (Rank.RATE_LIMIT, Rank.CONCURRENCY_LIMIT):
            yield from _wait(plate)
        delay, total = plate.number("delay"), plate.total()
        if plate.kind == "simulate_stream" and delay and total is not None and delay >= total:
            yield finding(
                "delay-outlasts-total",
                plate,
                f"delay={delay:g} s between two events is as long as the call may take (total={total:g} s), and no "
                "limit ends a simulated stream",
                "lower delay",
            )


def _unbounded(plates: Sequence[Plate]) -> Iterator[Finding]:
    """A provider that never answers holds the call for ever."""
    for plate in plates:
        if plate.is_leaf and plate.kind != "replay" and plate.total() is None and plate.limits.attempt is None:
            streams = plate.limits.first_content is not None and plate.limits.idle is not None
            yield finding(
                "no-timeout",
                plate,
                f"nothing bounds how long {'a whole answer' if streams else 'an answer'} of '{plate.label}' may take: "
                f"there is {'neither `total` nor `attempt`' if streams else 'no Timeout'} round it",
                "put a Timeout outermost, such as total=300, first_content=30, idle=30",
            )
            return  # one is enough to say it


def _limits(plate: Plate) -> Iterator[Finding]:
    """Limits said here that another one, further out or here, always comes before."""
    total = plate.total()
    own = plate.number("total")
    if own is not None and total is not None and own >= total:
        yield _never(plate, "total", own, f"the total of {total:g} s further out")
    bound = min((each for each in (own, total) if each is not None), default=None)
    limits = plate.limits
    for name in AttemptLimits._fields:
        value = getattr(limits, name)
        if value is None or not plate.said(name):
            continue
        if bound is not None and value >= bound and name != "connect":
            yield _never(plate, name, value, f"the whole call's total={bound:g} s")
        elif name in ("first_content", "idle") and limits.attempt is not None and value > limits.attempt:
            yield _never(plate, name, value, f"attempt={limits.attempt:g} s")
    if plate.said("attempt") and limits.attempt is not None:
        for name in ("first_content", "idle"):
            value = getattr(limits, name)
            if not plate.said(name) and value is not None and value > limits.attempt:
                yield _never(plate, name, value, f"attempt={limits.attempt:g} s, said here")


def _wait(plate: Plate) -> Iterator[Finding]:
    """A bound on waiting for a permit that the end of the call always comes before."""
    longest, total = plate.number("max_wait"), plate.total()
    if longest is not None and total is not None and longest >= total:
        yield _never(plate, "max_wait", longest, f"the whole call's total={total:g} s")


def _never(plate: Plate, name: str, value: float, before: str) -> Finding:
    return finding(
        "limit-cannot-act",
        plate,
        f"{name}={value:g} s can never act, because {before} comes first",
        f"lower {name}, or leave it out",
    )


def _retry(plate: Plate) -> Iterator[Finding]:
    """Retries that the call has no time for."""
    total = plate.total()
    if total is None:
        return
    window, attempts = plate.number("window"), plate.number("attempts") or 1
    if window is not None and window >= total:
        yield finding(
            "retry-outlasts-total",
            plate,
            f"window={window:g} s can never act, because the call ends after total={total:g} s",
            "lower window, or leave it out",
        )
    waits = _backoffs(plate, int(attempts) - 1)
    if waits is not None and waits >= total:
        yield finding(
            "retry-outlasts-total",
            plate,
            f"the backoffs of {attempts:g} attempts take {waits:.3g} s by themselves, and the call ends after "
            f"total={total:g} s, so the last attempts are never made",
            "lower attempts, initial or max, or raise total",
        )
    cap = plate.number("retry_after_cap")
    if cap is not None and plate.said("retry_after_cap") and cap > total:
        yield finding(
            "hint-outlasts-total",
            plate,
            f"retry_after_cap={cap:g} s is longer than the call may take (total={total:g} s), so no hint of that "
            "length is ever waited for",
            "lower retry_after_cap, or leave it out",
        )


def _backoffs(plate: Plate, count: int) -> float | None:
    """Seconds of so many backoffs together, as long as jitter makes them on the average; None where nobody knows."""
    initial, longest, multiplier = plate.number("initial"), plate.number("max"), plate.number("multiplier")
    if initial is None or longest is None or multiplier is None or plate.option("wait") is not None:
        return None
    share = {"full": 0.5, "equal": 0.75}.get(str(plate.option("jitter")), 1.0)
    together, wait = 0.0, initial
    for number in range(count):
        if wait >= longest or number == 1000:
            return share * (together + (count - number) * min(wait, longest))
        together += wait
        wait *= multiplier
    return share * together
