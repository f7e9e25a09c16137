"""The options of CircuitBreaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef
from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError, LamellarError
from lamellar.order import Rank
from lamellar.spec import LayerSpec

from ..keyed import as_tuple, check_per
from ..sharing import own_or_shared

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

    from .breaker import Breaker

__all__ = ["CircuitBreaker", "CircuitEvent"]

_OWN = ("share", "on_state_change")
"""The options that those who share a breaker need not agree on."""


@dataclass(frozen=True, slots=True)
class CircuitEvent:
    """What a hook is told when a circuit changes its state.

    Args:
        target: The name of the target, or of the executor outside of any.
        key: Which of its circuits: the model, or what else `per` keeps apart; empty where there is one for all.
        before: The state until now.
        after: The state from now on.
        open_for: Seconds until a probe goes, when it opens; else None.
        error: What opened it, or None.
    """

    target: str
    key: str
    before: Literal["closed", "open", "half_open"]
    after: Literal["closed", "open", "half_open"]
    open_for: float | None = None
    error: LamellarError | None = None


class CircuitBreaker(LayerSpec):
    """Leave a target alone while it fails: calls are refused at once, until a probe finds it well again.

    Args:
        consecutive_failures: Failures in a row that open the circuit; None does not count them.
        failure_ratio: The share of failures in the window that opens it, from above 0 to 1; None takes no share.
        min_calls: Calls in the window below which the share says nothing.
        window: Seconds over which the share is taken.
        open_for: Seconds for which calls are refused before a probe goes. A longer `retry_after` of the failure that
            opened it is kept to, up to 60 s.
        open_max: Each failed probe doubles `open_for`, up to so many seconds; None does not let it grow, so that a
            target is found well within `open_for` of its recovery.
        quota_open_for: Seconds for which an exhausted quota opens the circuit, at once; None counts it as any failure.
        probes: Calls that are let through at a time to try the target; as many must succeed to close the circuit.
        probe_lease: Seconds from the beginning of its attempt after which a probe without a verdict makes room for
            another.
        count_rate_limits: Whether `rate_limited` is a failure; by default the limiter and the retries deal with it.
        per: What has a circuit of its own: ``model``, and ``tag:NAME`` for each value of a tag of `CallContext.tags`.
            With neither, there is one for everything below this layer.
        share: A name under which stacks and targets share their circuits (`Stack.build(shared=...)`); None shares with
            nobody.
        on_state_change: Called with a `CircuitEvent` when a circuit changes its state; its errors are logged and change
            nothing.

    Raises:
        ConfigError: Options contradict each other.
    """

    kind: ClassVar[str] = "circuit_breaker"
    rank: ClassVar[Rank | None] = Rank.CIRCUIT_BREAKER
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    consecutive_failures: int | None = Field(default=5, ge=1)
    failure_ratio: float | None = Field(default=0.5, gt=0, le=1)
    min_calls: int = Field(default=10, ge=1)
    window: Duration = 30.0
    open_for: Duration = 15.0
    open_max: Duration | None = None
    quota_open_for: Duration | None = 300.0
    probes: int = Field(default=1, ge=1)
    probe_lease: Duration = 15.0
    count_rate_limits: bool = False
    per: tuple[str, ...] = ("model",)
    share: str | None = Field(default=None, min_length=1)
    on_state_change: CodeRef | None = None

    _one_or_many = field_validator("per", mode="before")(as_tuple)
    _known_keys = field_validator("per")(check_per)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("window", "open_for", "quota_open_for", "probe_lease"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name}: more than zero seconds")
        if self.consecutive_failures is None and self.failure_ratio is None and self.quota_open_for is None:
            raise ConfigError(
                "failure_ratio: nothing would ever open the circuit; give consecutive_failures, failure_ratio or "
                "quota_open_for"
            )
        if self.failure_ratio is None:
            for name in ("min_calls", "window"):
                if name in self.model_fields_set:
                    raise ConfigError(
                        f"{name}: it is for failure_ratio, which is None; give failure_ratio, or leave it"
                    )
        if self.open_max is not None and seconds(self.open_max) < seconds(self.open_for):
            raise ConfigError(
                f"open_max={self.open_max:g} is shorter than open_for={self.open_for:g}; raise open_max, or leave it "
                "for an opening that does not grow"
            )
        return self

    def terms(self) -> dict[str, object]:
        """The options that all who share a breaker must agree on."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in _OWN}

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The breaker round `inner`, with circuits of its own or shared ones."""
        from .executor import CircuitBreakerExecutor

        return CircuitBreakerExecutor(
            inner, self, self._breaker(context), target=context.target, own_model=context.model is not None
        )

    def _breaker(self, context: BuildContext) -> Breaker:
        from .breaker import Breaker

        return own_or_shared(self, Breaker, lambda: Breaker(self, context.clock), context, renew=Breaker.succeed)

    def identity(self) -> object:
        """Nothing: what comes through is the target's own answer."""
        return None
