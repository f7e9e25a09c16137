"""The options of ConcurrencyLimit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.order import Rank
from lamellar.spec import LayerSpec

from ..keyed import as_tuple, check_per
from ..sharing import own_or_shared
from .adaptive import AdaptiveLimit

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor
    from lamellar.lint.bounds import Bounds, Where

    from .limiter import ConcurrencyLimiter

__all__ = ["ConcurrencyLimit"]

_OWN = ("share", "max_wait")
"""The options that those who share a limiter need not agree on."""


class ConcurrencyLimit(LayerSpec):
    """Let so many calls through at a time: others wait in a queue, or are refused when it is full.

    Args:
        limit: Calls at a time, a stream until its end; where it is `adaptive`, those at first.
        max_queue: How many calls may wait; further ones are refused as ``queue_full``. 0 lets nobody wait.
        max_wait: The longest wait in seconds; then the call is refused as ``limiter_deadline``. None is whatever leaves
            the call time.
        priority_step: Seconds of waiting that one step of `CallContext.priority` is worth: a call goes before those of
            a lower priority that came up to so much earlier. So none starves, and 0 takes no notice of priorities.
        adaptive: An `AdaptiveLimit`, for a limit that finds itself by what the provider says; None is a fixed one.
        per: What has a limit of its own: ``model``, and ``tag:NAME`` for each value of a tag of `CallContext.tags`. By
            default everything below this layer has one together.
        share: A name under which stacks and targets share one limit (`Stack.build(shared=...)`); None shares with
            nobody. A call may meet it once on its way: one inside another is refused when the stack is built.

    Raises:
        ConfigError: Options contradict each other.
    """

    kind: ClassVar[str] = "concurrency_limit"
    rank: ClassVar[Rank | None] = Rank.CONCURRENCY_LIMIT

    limit: int = Field(ge=1)
    max_queue: int = Field(default=1000, ge=0)
    max_wait: Duration | None = None
    priority_step: Duration = 10.0
    adaptive: AdaptiveLimit | None = None
    per: tuple[str, ...] = ()
    share: str | None = Field(default=None, min_length=1)

    _one_or_many = field_validator("per", mode="before")(as_tuple)
    _known_keys = field_validator("per")(check_per)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        adaptive = self.adaptive
        if adaptive is not None and not adaptive.min <= self.limit <= adaptive.max:
            raise ConfigError(
                f"limit={self.limit} is where the limit begins, and adaptive keeps it from {adaptive.min} to "
                f"{adaptive.max}; change limit, adaptive.min or adaptive.max"
            )
        if self.max_wait is not None and seconds(self.max_wait) <= 0:
            raise ConfigError("max_wait: more than zero seconds; for no waiting at all write max_queue=0")
        if self.max_wait is not None and self.max_queue == 0:
            raise ConfigError("max_wait: with max_queue=0 nobody waits; leave one of them out")
        return self

    def terms(self) -> dict[str, object]:
        """The options that all who share a limiter must agree on."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _OWN}

    def bounded(self, inner: Bounds, where: Where) -> Bounds:
        """What is inside, after the longest wait in the queue."""
        longest = 0.0 if self.max_queue == 0 else None if self.max_wait is None else seconds(self.max_wait)
        return inner.after(longest, "concurrency_limit has no `max_wait`, and no `total` bounds the call")

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The gate round `inner`, with a limiter of its own or a shared one.

        Raises:
            ConfigError: The name is shared by another limit, or `inner` holds one that shares it.
        """
        from .executor import ConcurrencyLimitExecutor

        made = ConcurrencyLimitExecutor(inner, self, self._limiter(context), target=context.target)
        made.check_inside()
        return made

    def _limiter(self, context: BuildContext) -> ConcurrencyLimiter:
        from .limiter import ConcurrencyLimiter

        return own_or_shared(
            self,
            ConcurrencyLimiter,
            lambda: ConcurrencyLimiter(self, context.clock),
            context,
            renew=ConcurrencyLimiter.succeed,
        )

    def identity(self) -> object:
        """Nothing: an answer that was waited for is the target's own."""
        return None
