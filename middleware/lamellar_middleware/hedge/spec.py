"""Hedge: another target is asked while the first is slow, and the first to answer wins.

The idea is that of hedged requests (Dean and Barroso, "The tail at scale", 2013,
https://research.google/pubs/the-tail-at-scale/): the slowest calls are slow by bad luck, and a second one has better.

To answer is to reach the commit point: the first content of a stream, or a whole answer. Who loses is cancelled, closed
and kept on the record. A hedge costs money, since a provider bills what it has begun; a delay near the 95th percentile
asks for one in twenty calls, and a budget bounds it when everything is slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from lamellar.durations import Duration, seconds, spell_duration
from lamellar.errors import ConfigError
from lamellar.identity import identity_of
from lamellar.order import Rank
from lamellar.target import named_targets

from ..composite import CompositeSpec
from ..retry.budget import RetryBudget, kept_ledger

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.lint.bounds import Bounds, Where

    from .executor import HedgeExecutor

__all__ = ["Hedge", "HedgeBudget"]


class HedgeBudget(RetryBudget):
    """How many calls may be hedged.

    Args:
        ratio: Hedges per call; 0.1 allows one hedge to ten calls.
        min_per_second: Hedges a second that are allowed besides, however few calls there are.
        window: Seconds over which both are counted.
    """

    ratio: float = Field(default=0.1, ge=0, le=1)
    min_per_second: float = Field(default=0.1, ge=0)


class Hedge(CompositeSpec):
    """Another target while the first is slow: `Hedge(Target(OpenAI(), model="a"), Target(OpenAI(), model="b"))`.

    Requests that leave something behind at the provider (`store`, `previous_response_id`) are never hedged: their
    targets are asked one after the other, as by a Fallback.

    Args:
        targets: The targets, the primary first; a bare executor is a target without a model. At least two; to ask
            one provider twice, name it twice.
        delay: Seconds after which the next target is asked, if nobody has answered; 0 asks at once.
        percentile: Takes the delay from what was seen instead: the share of the primary's last 250 calls that are
            to be answered by themselves, such as 0.95. Streams are measured to their first content, answers as a whole.
            `delay` holds until twenty calls were seen.
        max_parallel: Targets that are at work on one call at a time, at most.
        budget: Bound on hedges over all calls of this plate; None is no bound.
        rules: Per kind of error: whether to ask the next target, where that differs from the error's own verdict.
        name: How records call it; by default ``hedge``.

    Raises:
        ConfigError: There are fewer than two targets, or an option is out of its range.
    """

    kind: ClassVar[str] = "hedge"
    rank: ClassVar[Rank | None] = Rank.CHOICE
    least: ClassVar[int] = 2

    delay: Duration = 2.0
    percentile: float | None = Field(default=None, gt=0, lt=1)
    max_parallel: int = Field(default=2, ge=2)
    budget: HedgeBudget | None = None

    def __init__(self, *targets: object, **data: object) -> None:  # type checkers look for it in the class itself
        super().__init__(*targets, **data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _somebody_else(self) -> Self:
        if self.percentile is not None and seconds(self.delay) <= 0:
            raise ConfigError(
                "percentile is learned from calls that are waited for, and delay=0 waits for none; "
                "give delay more than zero seconds, or leave percentile out"
            )
        return self

    def ways(self) -> tuple[str, ...]:
        """When they are asked; beyond `max_parallel` only when one that is at work fails."""
        delay = spell_duration(seconds(self.delay))
        if self.percentile is not None:
            delay = f"p{self.percentile * 100:g}, {delay} at first"
        later = [
            f"{place}: after {delay}" if place <= self.max_parallel else f"{place}: when one fails"
            for place in range(2, len(self.targets) + 1)
        ]
        return ("1", *later)

    def identity(self) -> object:
        """The targets: which of them answers is a matter of time."""
        return {"hedge": identity_of(self.targets)}

    def bounded(self, where: Where) -> Bounds:
        """Every target once; those that may not race are asked one after the other."""
        from lamellar.lint.bounds import Bounds

        return Bounds.sum(target.bounded(where) for target in self.targets)

    def make(self, context: BuildContext) -> HedgeExecutor:
        """The runtime hedge with its targets."""
        from .delays import Delays
        from .executor import HedgeExecutor

        targets = named_targets(self.targets, context)
        names = tuple([target.name for target in targets])
        delay, percentile = seconds(self.delay), self.percentile
        delays = context.keep(Delays, lambda: Delays(delay, percentile), terms=(delay, percentile, names))
        ledger = kept_ledger(self.budget, context)
        return HedgeExecutor(self, targets, context.clock, delays=delays, ledger=ledger)
