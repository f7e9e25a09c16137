"""Balance: calls spread over targets that are as good as each other.

Every target is a primary: an answer is the same from whichever it comes. The strategy chooses one for each call, or the
caller's session does (`affinity`); a target that has failed too often is left alone for a while (`ejection`); and when
the chosen one fails in a way that another may not, the next best is asked, each at most once (`failover`).

A call counts at its target to the end of its answer, on each of the four outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.frozen import nearest
from lamellar.identity import identity_of
from lamellar.order import Rank
from lamellar.target import named_targets

from ..composite import CompositeSpec
from .affinity import check_affinity
from .ejection import Ejection

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.lint.bounds import Bounds, Where

    from .executor import BalanceExecutor

__all__ = ["Balance"]


class Balance(CompositeSpec):
    """Calls spread over targets: `Balance(Target(OpenAI(), name="east"), Target(OpenAI(), name="west"))`.

    Args:
        targets: The targets; a bare executor is a target without a model. At least one.
        strategy: ``round_robin`` takes them in turn; ``weighted`` draws one; ``least_pending`` takes the one with the
            fewest calls under way; ``latency`` draws two and takes the one with less latency times calls under way.
            Weights hold for each of them.
        weights: How much of the load each target is to get: one number a target, in their order, or by name; a name
            that is not given has 1. By default all have 1.
        affinity: Keeps calls that belong together at one target: those of a ``conversation``
            (`CallContext.conversation_id`), or of one value of a tag (``tag:NAME``). Calls that belong nowhere follow
            the strategy. None is no affinity.
        ejection: When a target that fails is left alone for a while; None never does.
        failover: Whether the next best target is asked when the error says that another may do better.
        rules: Per kind of error: whether to ask the next target, where that differs from the error's own verdict.
        decay: Seconds after which a measured latency weighs about a third of what it did, for ``latency``.
        name: How records call it; by default ``balance``.

    Raises:
        ConfigError: There is no target, a weight is none, or options contradict each other.
    """

    kind: ClassVar[str] = "balance"
    rank: ClassVar[Rank | None] = Rank.CHOICE

    strategy: Literal["round_robin", "weighted", "least_pending", "latency"] = "round_robin"
    weights: tuple[float, ...] | dict[str, float] = ()
    affinity: str | None = None
    ejection: Ejection | None = None
    failover: bool = True
    decay: Duration = 10.0

    def __init__(self, *targets: object, **data: object) -> None:  # type checkers look for it in the class itself
        super().__init__(*targets, **data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_weights()
        check_affinity(self.affinity)
        if self.rules and not self.failover:
            raise ConfigError("rules: they say when the next target is asked, and failover=False asks none; drop one")
        if seconds(self.decay) <= 0:
            raise ConfigError("decay: more than zero seconds")
        return self

    def _check_weights(self) -> None:
        weights = self.weights
        if isinstance(weights, Mapping):
            labels = [target.label for target in self.targets]
            for name in weights:
                if name not in labels:
                    raise ConfigError(f"weights: there is no target '{name}'{nearest(name, labels)}")
                if labels.count(name) > 1:
                    raise ConfigError(f"weights: several targets are called '{name}'; give each a name=")
        elif weights and len(weights) != len(self.targets):
            raise ConfigError(
                f"weights: one number a target, and there are {len(self.targets)} targets and {len(weights)} weights"
            )
        for weight in weights.values() if isinstance(weights, Mapping) else weights:
            if not (isfinite(weight) and weight > 0):
                raise ConfigError(f"weights: more than zero, got {weight:g}; to use a target no more, leave it out")

    def weight_of_each(self) -> tuple[float, ...]:
        """The weights, in the order of the targets."""
        weights = self.weights
        if isinstance(weights, Mapping):
            return tuple([weights.get(target.label, 1.0) for target in self.targets])
        return weights or (1.0,) * len(self.targets)

    def ways(self) -> tuple[str, ...]:
        """Their weights, where any is said."""
        return tuple([f"weight {weight:g}" for weight in self.weight_of_each()]) if self.weights else ()

    def identity(self) -> object:
        """The targets: which of them answers is a matter of load."""
        return {"balance": identity_of(self.targets)}

    def bounded(self, where: Where) -> Bounds:
        """Every target once; without failover, one of them."""
        from lamellar.lint.bounds import Bounds

        targets = [target.bounded(where) for target in self.targets]
        return Bounds.sum(targets) if self.failover else Bounds.either(targets)

    def make(self, context: BuildContext) -> BalanceExecutor:
        """The runtime balancer with its targets."""
        from .executor import BalanceExecutor
        from .pool import pooled

        targets = pooled(self, self.targets, named_targets(self.targets, context), context)
        return BalanceExecutor(self, targets, context.clock, context.rng)
