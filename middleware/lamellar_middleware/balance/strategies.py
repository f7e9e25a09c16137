"""The ways to choose one of several targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import random

    from lamellar.clock import Clock

    from .pool import PooledTarget

__all__ = ["STRATEGIES", "Strategy"]

Strategy: TypeAlias = "Callable[[Sequence[PooledTarget], bool, Clock, random.Random], PooledTarget]"
"""One of these targets (at least one) for a call; the flag says whether it is a stream."""

_UNTRIED = 1e9
"""Seconds that a target is taken to need which is on its first try."""


def weighted(targets: Sequence[PooledTarget], streaming: bool, clock: Clock, rng: random.Random) -> PooledTarget:
    """Drawn at random, in proportion to the weights."""
    return targets[0] if len(targets) == 1 else rng.choices(targets, [each.load.weight for each in targets])[0]


def round_robin(targets: Sequence[PooledTarget], streaming: bool, clock: Clock, rng: random.Random) -> PooledTarget:
    """In turn, in proportion to the weights and evenly spread: nginx's smooth weighted round robin."""
    total = 0.0
    for each in targets:
        each.load.turn += each.load.weight
        total += each.load.weight
    chosen = max(targets, key=lambda each: each.load.turn)  # the first of equals
    chosen.load.turn -= total
    return chosen


def least_pending(targets: Sequence[PooledTarget], streaming: bool, clock: Clock, rng: random.Random) -> PooledTarget:
    """The one with the fewest calls under way for its weight; drawn among equals."""
    fewest = min(each.load.pending / each.load.weight for each in targets)
    return weighted([each for each in targets if each.load.pending / each.load.weight == fewest], streaming, clock, rng)


def latency(targets: Sequence[PooledTarget], streaming: bool, clock: Clock, rng: random.Random) -> PooledTarget:
    """The better of two drawn at random, by latency times the calls that would be under way.

    Two choices are nearly as good as looking at all, and do not send everybody to the one that looks best
    (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
    """
    if len(targets) == 1:
        return targets[0]
    one, other = rng.sample(targets, 2)
    now = clock.now()
    return one if _cost(one, streaming, now) <= _cost(other, streaming, now) else other


def _cost(target: PooledTarget, streaming: bool, now: float) -> float:
    load = target.load
    known = load.latency(streaming).value(now)
    if not known and load.pending:
        known = _UNTRIED  # one call at a time finds out how fast it is
    return known * (load.pending + 1) / load.weight


STRATEGIES: dict[str, Strategy] = {
    "round_robin": round_robin,
    "weighted": weighted,
    "least_pending": least_pending,
    "latency": latency,
}
"""By the name that specs use."""
