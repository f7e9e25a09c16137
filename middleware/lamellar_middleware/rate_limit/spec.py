"""The options of RateLimit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from lamellar.coderef import CodeRef
from lamellar.durations import Duration, seconds
from lamellar.order import Rank
from lamellar.rates import Rate
from lamellar.spec import LayerSpec

from ..keyed import as_tuple, check_per
from ..sharing import own_or_shared
from .limits import Limit
from .spellings import as_rates, both_spellings

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor
    from lamellar.lint.bounds import Bounds, Where

    from .limiter import RateLimiter

__all__ = ["RateLimit", "RateLimitEvent"]

_SHARED = (
    "requests_per_second",
    "requests_per_minute",
    "requests_per_day",
    "tokens_per_minute",
    "tokens_per_day",
    "burst",
    "per",
    "max_queue",
)
"""The options that are the limiter's own, so that all who share it must say the same."""


@dataclass(frozen=True, slots=True)
class RateLimitEvent:
    """What a hook is told when a call begins to wait.

    Args:
        wait: Seconds until it will be let through, if nothing else happens.
        limit: What it waits for, such as ``500 requests per minute``.
        before: How many calls stand before it in the queue.
        tokens: The tokens it was estimated at; 0 where no limit counts tokens.
        model: The model that is asked.
        name: The name of the executor that is asked.
    """

    wait: float
    limit: str
    before: int
    tokens: int
    model: str
    name: str


class RateLimit(LayerSpec):
    """Keep to so many requests and tokens a period: calls wait in turn, or are refused when that would take too long.

    Several limits hold at once. Without any, the layer only keeps the pauses that the provider asks for.

    Args:
        requests: How many requests, as text: ``"500/min"``, or several such as ``("10/s", "2k/day")``. The same as the
            options `requests_per_...`, and equal to them. Empty is no limit.
        tokens: How many tokens of prompts and answers, in the same way: ``("200k/min", "2M/day")``.
        requests_per_second: Requests in any one second; None is no limit.
        requests_per_minute: Requests in any 60 seconds; None is no limit.
        requests_per_day: Requests in any 24 hours; None is no limit.
        tokens_per_minute: Tokens of prompts and answers in any 60 seconds; None is no limit.
        tokens_per_day: Tokens of prompts and answers in any 24 hours; None is no limit.
        burst: The share of a limit that may be used at once, from above 0 to 1; the rest comes evenly over the period.
        per: What has limits of its own: ``model``, and ``tag:NAME`` for each value of a tag of `CallContext.tags`. By
            default everything below this layer has them together.
        share: A name under which stacks and targets share one limiter (`Stack.build(shared=...)`); None shares with
            nobody.
        estimate: Called with the model, the request and the options; the tokens to reserve for the call. By default a
            token for every four bytes of the prompt's text, 1000 for a binary, and the caller's `max_tokens`.
        default_output_tokens: Tokens reserved for an answer where the caller set no `max_tokens`.
        max_queue: How many calls may wait for one set of limits; further ones are refused as ``queue_full``.
        max_wait: The longest wait that is accepted, in seconds; a longer one is refused as ``limiter_deadline``. None
            accepts any that leaves the call time.
        on_wait: Called with a `RateLimitEvent` when a call begins to wait; its errors are logged and change nothing.

    Raises:
        ConfigError: An option is wrong.
    """

    kind: ClassVar[str] = "rate_limit"
    rank: ClassVar[Rank | None] = Rank.RATE_LIMIT
    model_config = {"arbitrary_types_allowed": True}

    requests: Rate | str | tuple[Rate | str, ...] = ()
    tokens: Rate | str | tuple[Rate | str, ...] = ()
    requests_per_second: int | None = Field(default=None, gt=0)
    requests_per_minute: int | None = Field(default=None, gt=0)
    requests_per_day: int | None = Field(default=None, gt=0)
    tokens_per_minute: int | None = Field(default=None, gt=0)
    tokens_per_day: int | None = Field(default=None, gt=0)
    burst: float = Field(default=0.1, gt=0, le=1)
    per: tuple[str, ...] = ()
    share: str | None = Field(default=None, min_length=1)
    estimate: CodeRef | None = None
    default_output_tokens: int = Field(default=500, ge=0)
    max_queue: int = Field(default=1000, ge=0)
    max_wait: Duration | None = None
    on_wait: CodeRef | None = None

    _one_or_many = field_validator("per", mode="before")(as_tuple)
    _read_rates = field_validator("requests", "tokens", mode="before")(as_rates)

    @field_serializer("requests", "tokens")
    def _as_text(self, rates: tuple[Rate, ...]) -> str | list[str]:
        return str(rates[0]) if len(rates) == 1 else [str(each) for each in rates]

    @model_validator(mode="after")
    def _same_either_way(self) -> Self:
        for name, value in both_spellings(self).items():
            object.__setattr__(self, name, value)  # while it is made; what was said stays what is shown and dumped
        return self

    @field_validator("per")
    @classmethod
    def _known_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return check_per(keys, can="have limits of its own")

    def limits(self) -> tuple[Limit, ...]:
        """The limits that are given, requests first."""
        said = (
            ("requests", "second", self.requests_per_second),
            ("requests", "minute", self.requests_per_minute),
            ("requests", "day", self.requests_per_day),
            ("tokens", "minute", self.tokens_per_minute),
            ("tokens", "day", self.tokens_per_day),
        )
        return tuple([Limit.of(unit, per, amount, self.burst) for unit, per, amount in said if amount is not None])  # type: ignore[arg-type]

    def terms(self) -> dict[str, object]:
        """The options that all who share a limiter must agree on."""
        return {name: getattr(self, name) for name in _SHARED}

    def bounded(self, inner: Bounds, where: Where) -> Bounds:
        """What is inside, after the longest wait in the queue."""
        longest = 0.0 if self.max_queue == 0 else None if self.max_wait is None else seconds(self.max_wait)
        return inner.after(longest, "rate_limit has no `max_wait`, and no `total` bounds the call")

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The gate, with a limiter of its own or a shared one."""
        from .executor import RateLimitExecutor

        return RateLimitExecutor(inner, self, self._limiter(context), context.target)

    def _limiter(self, context: BuildContext) -> RateLimiter:
        from .limiter import RateLimiter

        return own_or_shared(
            self,
            RateLimiter,
            lambda: RateLimiter(self, context.clock),
            context,
            differ="whose limits differ",
            same=_SHARED,
            renew=RateLimiter.succeed,
        )

    def identity(self) -> object:
        """Nothing: an answer that was waited for is the target's own."""
        return None
