"""Fallback: targets in order, the next one when the error says that another may do better.

The errors' own verdicts decide, and rules per kind may overrule them. A request that overflowed one target's window
goes on only to a target with a larger one, where windows are declared. The error that is raised in the end is the
decisive one (`lamellar.decisive`), with the record of all attempts on it.

While time is bounded, each target leaves a reserve for those after it: target i may take what remains less
0.25 x total for each later target, all reserves together at most half of the total. A target that uses up its grant
has timed out, and the next one begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from lamellar.coderef import CodeRef, reference_to
from lamellar.durations import Duration
from lamellar.errors import LamellarError
from lamellar.identity import identity_of
from lamellar.order import Rank
from lamellar.target import named_targets

from ..composite import CompositeSpec
from ..shared import OnInterrupt

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.lint.bounds import Bounds, Where

    from .executor import FallbackExecutor

__all__ = ["Fallback", "FallbackEvent"]


@dataclass(frozen=True, slots=True)
class FallbackEvent:
    """What a hook is told when a target is given up for the next.

    Args:
        failed: The name of the target that was given up.
        next: The name of the target that is tried now.
        error: Why.
    """

    failed: str
    next: str
    error: LamellarError


class Fallback(CompositeSpec):
    """Targets in order: `Fallback(Target(OpenAI(), model="a"), Target(OpenAI(), model="b"))`.

    Args:
        targets: The targets, the primary first; a bare executor is a target without a model.
        name: How records call it; by default ``fallback``.
        rules: Per kind of error: whether to go on to the next target, where that differs from the error's own verdict
            (for example ``{"content_filtered": True}``).
        on_empty: ``fallback`` takes an answer with nothing in it for a failure; ``accept`` takes it as it is.
        accept: Called with the answer (of a stream, with what came until its commit point); a false value gives the
            target up.
        sticky: Seconds for which calls begin at the target that took over, before the primary is asked again; None
            begins every call at the primary.
        on_interrupt: What is done when a target's stream breaks after part of it was delivered. ``raise`` tells the
            consumer; ``restart`` asks the next target and splices: what repeats is not sent twice, and at the first
            difference a `Restart` event tells the consumer to drop what it has; ``continue`` lets the next target go on
            from the partial text, if it declares `prefill` and that can be asked for, and else restarts.
        on_fallback: Called with a `FallbackEvent` when a target is given up; its errors are logged and change nothing.

    Raises:
        ConfigError: There is no target.
    """

    kind: ClassVar[str] = "fallback"
    rank: ClassVar[Rank | None] = Rank.CHOICE
    model_config = {"arbitrary_types_allowed": True}

    on_empty: Literal["accept", "fallback"] = "accept"
    accept: CodeRef | None = None
    sticky: Duration | None = None
    on_interrupt: OnInterrupt = "raise"
    on_fallback: CodeRef | None = None

    def __init__(self, *targets: object, **data: object) -> None:  # type checkers look for it in the class itself
        super().__init__(*targets, **data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def identity(self) -> object:
        """The targets, and the rules by which an answer is taken from one or the next; not its hook."""
        rules = {str(kind): goes_on for kind, goes_on in sorted(self.rules.items())}
        accept = None if self.accept is None else reference_to(self.accept)
        targets = identity_of(self.targets)
        return {"fallback": {"targets": targets, "rules": rules, "on_empty": self.on_empty, "accept": accept}}

    def bounded(self, where: Where) -> Bounds:
        """Every target once, and twice where it may refuse to go on from a partial text."""
        from lamellar.lint.bounds import Bounds

        targets = [target.bounded(where) for target in self.targets]
        if self.on_interrupt == "continue":
            later = targets if self.sticky is not None else targets[1:]
            declared = self.targets[len(targets) - len(later) :]
            targets += [found for found, target in zip(later, declared, strict=True) if target.prefill]
        return Bounds.sum(targets)

    def ways(self) -> tuple[str, ...]:
        """The order in which they are asked."""
        return tuple([str(place) for place, _ in enumerate(self.targets, 1)])

    def make(self, context: BuildContext) -> FallbackExecutor:
        """The runtime fallback with its targets."""
        from .executor import FallbackExecutor, Start

        targets = named_targets(self.targets, context)
        start = context.keep(Start, Start, terms=(self.sticky, tuple([target.name for target in targets])))
        return FallbackExecutor(self, targets, start)
