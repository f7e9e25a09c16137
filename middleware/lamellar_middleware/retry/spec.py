"""The options of Retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef
from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError, ErrorKind, LamellarError
from lamellar.frozen import Frozen
from lamellar.order import Rank
from lamellar.spec import LayerSpec

from ..shared import OnInterrupt, check_kinds
from .budget import RetryBudget

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor
    from lamellar.lint.bounds import Bounds, Where

__all__ = ["KindPolicy", "Retry", "RetryEvent"]


@dataclass(frozen=True, slots=True)
class RetryEvent:
    """What a hook is told before each retry.

    Args:
        number: The number of the attempt that failed, from 1.
        error: What it failed with.
        wait: Seconds until the next attempt.
        model: The model that is asked.
        name: The name of the executor that is asked.
    """

    number: int
    error: LamellarError
    wait: float
    model: str
    name: str


class KindPolicy(Frozen):
    """How one kind of error is retried; what is not given is the layer's.

    Args:
        attempts: Attempts in all when this kind was the last error; 1 never retries it.
        initial: Seconds of the first backoff.
        max: Bound on one backoff, in seconds.
    """

    attempts: int | None = Field(default=None, ge=1)
    initial: Duration | None = None
    max: Duration | None = None


class Retry(LayerSpec):
    """Ask the same target again when the error says that this may help.

    Args:
        attempts: Attempts in all, the first included.
        initial: Seconds of the first backoff; it doubles from one to the next.
        max: Bound on one backoff, in seconds.
        multiplier: What a backoff is multiplied by from one to the next.
        jitter: ``full`` draws from zero to the backoff, ``equal`` from its half, ``none`` takes it as it is
            (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        overloaded_initial: Seconds of the first backoff after `overloaded`, where haste makes things worse.
        window: Bound on the time from the first attempt to the beginning of the last, in seconds; None is no bound.
        kinds: Per kind of error: True or False for whether it is retried, or a `KindPolicy`.
        retry_after_cap: The longest hint that is waited for, in seconds; a longer one gives the target up at once.
        on_empty: ``retry`` takes an answer with nothing in it for a failure; ``accept`` takes it as it is.
        budget: Bound on retries over all calls.
        on_interrupt: What is done when a stream breaks after part of it was delivered. ``raise`` tells the consumer;
            ``restart`` asks again and splices: what repeats is not sent twice, and at the first difference a `Restart`
            event tells the consumer to drop what it has; ``continue`` lets a target that declares `prefill` go on from
            the partial text, where that can be asked for, and else restarts.
        on_retry: Called with a `RetryEvent` before each wait; its errors are logged and change nothing.
        stop: A tenacity stop object instead of `attempts` and `window`; in code only.
        wait: A tenacity wait object instead of the backoff options; in code only. Hints are a floor for it too.

    Raises:
        ConfigError: Options contradict each other.
    """

    kind: ClassVar[str] = "retry"
    rank: ClassVar[Rank | None] = Rank.RETRY
    model_config = {"arbitrary_types_allowed": True}

    attempts: int = Field(default=3, ge=1)
    initial: Duration = 0.5
    max: Duration = 8.0
    multiplier: float = Field(default=2.0, ge=1)
    jitter: Literal["full", "equal", "none"] = "equal"
    overloaded_initial: Duration = 2.0
    window: Duration | None = None
    kinds: dict[ErrorKind, bool | KindPolicy] = {}
    retry_after_cap: Duration = 60.0
    on_empty: Literal["accept", "retry"] = "accept"
    budget: RetryBudget | None = None
    on_interrupt: OnInterrupt = "raise"
    on_retry: CodeRef | None = None
    stop: CodeRef | None = None
    wait: CodeRef | None = None

    @field_validator("kinds", mode="before")
    @classmethod
    def _known_kinds(cls, kinds: object) -> object:
        check_kinds(kinds)
        return kinds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if seconds(self.initial) > seconds(self.max):
            raise ConfigError(f"initial={self.initial:g} is longer than max={self.max:g}; raise max or lower initial")
        if self.window is not None and seconds(self.window) <= 0:
            raise ConfigError("window: more than zero seconds, or None for no bound")
        return self

    def bounded(self, inner: Bounds, where: Where) -> Bounds:
        """What is inside, as often as it is asked, and the waits between."""
        from .bounds import retried

        return retried(self, inner, continues=where.prefill and self.on_interrupt == "continue")

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The retry loop."""
        from .budget import kept_ledger
        from .executor import RetryExecutor

        return RetryExecutor(
            inner, self, context.clock, prefill=context.prefill, ledger=kept_ledger(self.budget, context)
        )

    def identity(self) -> object:
        """Nothing: a retried answer is the target's own."""
        return None
