"""The options of Chaos.

The faults strike beneath the attempts, right round each leaf, wherever the layer stands: so every attempt that is
struck is on the record like a real failure, and the limits of an attempt hold for silences too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef
from lamellar.durations import Duration
from lamellar.errors import ConfigError, ErrorKind
from lamellar.spec import LayerSpec

from ..shared import check_kinds

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["Chaos"]

_REFUSALS = tuple(ErrorKind)[tuple(ErrorKind).index(ErrorKind.CIRCUIT_OPEN) :]


class Chaos(LayerSpec):
    """Let a share of the attempts below fail, dawdle, break off or fall silent.

    Faults are drawn for each attempt at a leaf, not for each call. At most one of `errors`, `empty_rate`, `cut_rate`
    and `stall_rate` strikes an attempt; a latency may come to it. They are ordinary failures with the code ``chaos``,
    so every layer outside acts on them as on real ones. A rate is a share from 0 to 1.

    Args:
        errors: Rate by kind of error: ``{"overloaded": 0.1, "rate_limited": 0.05}``. Nothing is sent then.
        retry_after: Seconds that ``rate_limited`` and ``overloaded`` ask to wait; None asks for nothing.
        empty_rate: Answers with nothing in them. Nothing is sent then.
        cut_rate: Streams that break off (kind ``connection``), and whole answers that are lost on their way.
        cut_after: Content events before that; a stream with fewer breaks before its end. Two numbers are a range to
            draw from.
        stall_rate: Streams that fall silent, and whole answers that never come: only a limit of `Timeout` ends that.
        stall_after: Content events before that, as for `cut_after`.
        latency: Seconds that an attempt is held up before it begins. Two are a range to draw from.
        latency_rate: Attempts that are held up.
        seed: Draws the same faults in every run; None takes the stack's own randomness.
        enabled: Whether it strikes at all; or a function without arguments that is asked at each attempt, so that a
            game day can begin and end while the program runs. One that raises is logged, and strikes nothing.
        tags: Strikes only calls that have all these tags (`CallContext.tags`).

    Raises:
        ConfigError: Rates make more than 1 together, a range is empty, or a kind is a refusal of a layer.
    """

    kind: ClassVar[str] = "chaos"
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    errors: dict[ErrorKind, float] = {}
    retry_after: Duration | None = None
    empty_rate: float = Field(default=0.0, ge=0, le=1)
    cut_rate: float = Field(default=0.0, ge=0, le=1)
    cut_after: int | tuple[int, int] = 2
    stall_rate: float = Field(default=0.0, ge=0, le=1)
    stall_after: int | tuple[int, int] = 2
    latency: Duration | tuple[Duration, Duration] | None = None
    latency_rate: float = Field(default=1.0, ge=0, le=1)
    seed: int | None = None
    enabled: bool | CodeRef = True
    tags: dict[str, str] = {}

    @field_validator("errors", mode="before")
    @classmethod
    def _known_kinds(cls, errors: object) -> object:
        check_kinds(errors)
        return errors

    @field_validator("errors")
    @classmethod
    def _failures_of_a_provider(cls, errors: dict[ErrorKind, float]) -> dict[ErrorKind, float]:
        for kind, rate in errors.items():
            if kind in _REFUSALS:
                raise ConfigError(f"'{kind}' is a refusal of a layer, and no failure of a provider; leave it out")
            if kind is ErrorKind.EMPTY:
                raise ConfigError("'empty' is no error of a provider's own; say `empty_rate`")
            if not 0 <= rate <= 1:
                raise ConfigError(f"{kind}: a rate is a share from 0 to 1, got {rate:g}")
        return errors

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        together = sum((*self.errors.values(), self.empty_rate, self.cut_rate, self.stall_rate))
        if together > 1 + 1e-9:
            raise ConfigError(
                f"errors, empty_rate, cut_rate, stall_rate: one at most strikes an attempt, and together they make "
                f"{together:g}; lower them to 1 in all"
            )
        for name in ("cut_after", "stall_after", "latency"):
            value = getattr(self, name)
            low, high = value if isinstance(value, tuple) else (value, value)
            if low is not None and not 0 <= low <= high:
                raise ConfigError(f"{name}: expected zero or more, and of a range the lower end first, got {value}")
        return self

    @property
    def can_strike(self) -> bool:
        """Whether any option says that something is to happen."""
        return self.enabled is not False and any(
            (self.errors, self.empty_rate, self.cut_rate, self.stall_rate, self.latency is not None)
        )

    def context(self, context: BuildContext) -> BuildContext:
        """The faults go down to the leaves."""
        if not self.can_strike:
            return context
        from .dice import Dice
        from .executor import ChaosExecutor

        dice = Dice.of(self, context.rng)
        return context.round_leaves(lambda leaf: ChaosExecutor(leaf, self, dice, context.clock))

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """Nothing more: the faults stand round the leaves."""
        return inner

    def identity(self) -> object:
        """Nothing, as failures are not kept; but an answer with nothing in it is none to be given for a real one."""
        return {self.kind: "empty"} if self.can_strike and self.empty_rate else None
