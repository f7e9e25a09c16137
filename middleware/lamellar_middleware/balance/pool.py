"""The targets of a balancer, what each of them bears, and the calls that they are at work on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lamellar.call import Outcome
from lamellar.durations import seconds
from lamellar.target import TargetExecutor

from .ejection import Health
from .latency import PeakEwma

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.build import BuildContext
    from lamellar.clock import Clock
    from lamellar.source import Finish
    from lamellar.target import Target

    from .spec import Balance

__all__ = ["Load", "Pool", "PooledTarget", "Use", "pooled"]

_logger = logging.getLogger("lamellar.balance")


class Load:
    """What one target bears.

    Args:
        weight: Its weight.
        decay: Seconds after which a latency is a third of what it was.
    """

    __slots__ = ("_answer", "_first_content", "health", "pending", "picks", "turn", "weight")

    def __init__(self, weight: float, decay: float) -> None:
        self.weight = weight
        self.pending = 0
        self.picks = 0
        self.turn = 0.0
        self.health = Health()
        self._first_content = PeakEwma(decay)
        self._answer = PeakEwma(decay)

    def latency(self, streaming: bool) -> PeakEwma:
        """Of streams until their first content, of answers as a whole: the one says nothing of the other."""
        return self._first_content if streaming else self._answer

    def forget(self) -> None:
        """Begin anew, with the calls under way still under way."""
        self.picks = 0
        self.turn = 0.0
        self.health.forget()
        self._first_content.forget()
        self._answer.forget()


class PooledTarget(TargetExecutor):
    """A target that knows its load.

    Args:
        made: The runtime target.
        spec: Its declaration.
        load: What it bears.
        clock: Where time comes from.
    """

    state_key = "balance"

    def __init__(self, made: TargetExecutor, spec: Target, load: Load, clock: Clock) -> None:
        super().__init__(made.inner, spec, made.name)
        self.load = load
        self._clock = clock

    def state(self) -> dict[str, JsonValue]:
        """Calls under way, calls taken, latencies in seconds (None: unknown), failures in a row, seconds left out."""
        load, now = self.load, self._clock.now()
        return {
            "weight": load.weight,
            "pending": load.pending,
            "picks": load.picks,
            "first_content": load.latency(True).value(now) or None,
            "latency": load.latency(False).value(now) or None,
            "failures": load.health.failures,
            "ejected_for": load.health.ejected_until - now if load.health.is_out(now) else None,
        }

    def reset(self) -> None:
        """Forget latencies, failures and an ejection; calls under way stay counted."""
        self.load.forget()


class Pool:
    """The targets of one balancer, and the rules about leaving one of them alone.

    Args:
        spec: The options.
        targets: The targets.
        clock: Where time comes from.
    """

    __slots__ = ("_clock", "_ejection", "_measures", "targets")

    def __init__(self, spec: Balance, targets: tuple[PooledTarget, ...], clock: Clock) -> None:
        self.targets = targets
        self._clock = clock
        self._ejection = spec.ejection
        self._measures = spec.strategy == "latency"

    def ready(self, targets: list[PooledTarget]) -> list[PooledTarget]:
        """Those of `targets` that are not left alone at this moment; all of them when there are none."""
        found = [each for each in targets if not each.isolated]
        if self._ejection is not None:
            now = self._clock.now()
            found = [each for each in found if not each.load.health.is_out(now)] or found
        return found or targets

    def use(self, target: PooledTarget, streaming: bool) -> Use:
        """A call begins at `target`."""
        target.load.pending += 1
        target.load.picks += 1
        # The clock is read for those only who look at it later.
        return Use(self, target, streaming, self._clock.now() if self._measures or self._ejection is not None else 0.0)

    def measured(self, use: Use, observe: Callable[[PeakEwma, float, float], None]) -> None:
        """The call `use` has its answer (or, of a stream, the beginning of it), or is over without."""
        if self._measures:
            now = self._clock.now()
            observe(use.target.load.latency(use.streaming), now - use.began, now)

    def judged(self, use: Use, *, healthy: bool) -> None:
        """The call `use` was answered as a whole, or failed in a way that speaks against its target."""
        spec, health = self._ejection, use.target.load.health
        if spec is None:
            return
        if healthy:
            health.answered(use.began)
            return
        if not health.failed(use.began, spec.failures):
            return
        now = self._clock.now()
        out = sum(each.load.health.is_out(now) for each in self.targets)
        if out < spec.most(len(self.targets)):
            duration = health.eject(now, spec)
            _logger.warning(
                "target %s is left alone for %g s after %d failures in a row",
                use.target.name,
                duration,
                health.failures,
            )


class Use:
    """One call at work at one target, counted until it ends; it does not hold its stream."""

    __slots__ = ("_pool", "began", "streaming", "target")

    def __init__(self, pool: Pool, target: PooledTarget, streaming: bool, began: float) -> None:
        self._pool = pool
        self.target = target
        self.streaming = streaming
        self.began = began

    def answered(self) -> None:
        """Its answer is there, or the first content of it."""
        self._pool.measured(self, PeakEwma.observe)

    def dropped(self) -> None:
        """It was given up before it was answered, or failed, and the target is not to blame."""
        self.target.load.pending -= 1
        self._pool.measured(self, PeakEwma.at_least)

    def failed(self) -> None:
        """It failed before it was answered, and the target is to blame."""
        self.target.load.pending -= 1
        self._pool.measured(self, PeakEwma.failed)
        self._pool.judged(self, healthy=False)

    def ended(self, finish: Finish) -> None:
        """Its answer is over: the finish callback."""
        self.target.load.pending -= 1
        if finish.outcome is Outcome.COMPLETED:
            self._pool.judged(self, healthy=True)
        elif finish.outcome is Outcome.FAILED and getattr(finish.error, "counts_against_health", False):
            self._pool.judged(self, healthy=False)


def pooled(
    spec: Balance, declared: tuple[Target, ...], made: tuple[TargetExecutor, ...], context: BuildContext
) -> tuple[PooledTarget, ...]:
    """The targets of a balancer, each with its load, which goes on when the stack is reloaded."""
    decay, found = seconds(spec.decay), []
    for each, target, weight in zip(declared, made, spec.weight_of_each(), strict=True):
        terms = (weight, decay, spec.ejection)
        load = context.inside(target=target.name).keep(Load, partial(Load, weight, decay), terms=terms)
        found.append(PooledTarget(target, each, load, context.clock))
    return tuple(found)
