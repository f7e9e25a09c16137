"""The options of Budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from lamellar.coderef import CodeRef
from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.frozen import Frozen
from lamellar.order import Rank
from lamellar.spec import LayerSpec

from ..keyed import as_tuple, check_per
from ..sharing import own_or_shared

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

    from .books import Books

__all__ = ["Budget", "BudgetEvent", "TokenPrice"]

_SHARED = ("tokens", "cost", "period", "per", "max_keys")
"""The options that are the budget's own, so that all who share it must say the same."""


@dataclass(frozen=True, slots=True)
class BudgetEvent:
    """What a hook is told.

    Args:
        key: Whose budget it is, in words, such as ``search`` for a tag; empty where there is only one.
        model: The model that the caller asked.
        tokens: The tokens of this call: what it has cost, or what a refused one was estimated at.
        cost: The same in US dollars; 0 where no limit is in money.
        spent_tokens: What is spent within the period, this call included if it was made.
        spent_cost: The same in US dollars.
    """

    key: str
    model: str
    tokens: int
    cost: float
    spent_tokens: int
    spent_cost: float


class TokenPrice(Frozen):
    """A price of one's own, in US dollars per million tokens.

    Args:
        input: A million tokens of prompts.
        output: A million tokens of answers.
        cached_input: A million tokens of prompts that the provider has read from its cache; None is as `input`.
    """

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Budget(LayerSpec):
    """Spend so many tokens or so much money a period, and refuse what would go over.

    A call that is refused gets a `RejectedError` of kind ``budget``; its `retry_after` says when there is room again.

    Args:
        tokens: Tokens of prompts and answers within the period; None is no limit.
        cost: US dollars within the period; None is no limit. Prices come from genai-prices (the extra ``prices``).
        period: Seconds of the sliding window over which both are counted; None counts for as long as the executor
            lives. What is spent comes back when it is that old, a sixtieth of the period later at most.
        per: What has a budget of its own: ``model``, and ``tag:NAME`` for each value of a tag of `CallContext.tags`. By
            default everything below this layer has one together.
        prices: Prices of one's own by the model's name or a pattern such as ``llama-*``, before those of genai-prices;
            the first that fits holds.
        share: A name under which stacks and targets share one budget (`Stack.build(shared=...)`); None shares with
            nobody.
        estimate: Called with the model, the request and the options; the tokens to reserve for the call. By default a
            token for every four bytes of the prompt's text, 1000 for a binary, and the caller's `max_tokens`.
        default_output_tokens: Tokens reserved for an answer where the caller set no `max_tokens`.
        max_keys: How many budgets of `per` are kept; a call that would need one more is refused.
        on_spend: Called with a `BudgetEvent` when a call is over; its errors are logged and change nothing.
        on_exhausted: Called with a `BudgetEvent` at the first refusal since a call was let through; its errors are
            logged and change nothing.

    Raises:
        ConfigError: No limit is given, or options contradict each other.
    """

    kind: ClassVar[str] = "budget"
    rank: ClassVar[Rank | None] = Rank.BUDGET
    asks_once: ClassVar[bool] = True
    model_config = {"arbitrary_types_allowed": True}

    tokens: int | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    period: Duration | None = 86400.0
    per: tuple[str, ...] = ()
    prices: dict[str, TokenPrice] = {}
    share: str | None = Field(default=None, min_length=1)
    estimate: CodeRef | None = None
    default_output_tokens: int = Field(default=500, ge=0)
    max_keys: int = Field(default=10_000, gt=0)
    on_spend: CodeRef | None = None
    on_exhausted: CodeRef | None = None

    _one_or_many = field_validator("per", mode="before")(as_tuple)
    _known_keys = field_validator("per")(check_per)

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.tokens is None and self.cost is None:
            raise ConfigError("tokens: a budget needs a limit; say tokens=1_000_000 or cost=5, or both")
        if self.prices and self.cost is None:
            raise ConfigError(
                "prices: they can never act, because no `cost` is limited; say cost=..., or leave them out"
            )
        if self.period is not None and seconds(self.period) <= 0:
            raise ConfigError("period: more than zero seconds, or None to count for ever")
        return self

    def terms(self) -> dict[str, object]:
        """The options that all who share a budget must agree on."""
        return {name: getattr(self, name) for name in _SHARED}

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer, with books of its own or shared ones.

        Raises:
            ConfigError: A `cost` is limited and nothing tells prices, or the name is shared by another budget.
        """
        from .executor import BudgetExecutor

        if self.cost is not None and not self.prices:
            from lamellar.prices import is_installed

            if not is_installed():
                raise ConfigError(
                    "cost: prices come from genai-prices, which is not installed; install it with: "
                    "pip install 'lamellar[prices]', or give `prices` of your own"
                )
        return BudgetExecutor(inner, self, self._books(context), context)

    def _books(self, context: BuildContext) -> Books:
        from .books import Books

        return own_or_shared(
            self,
            Books,
            lambda: Books(self, context.clock),
            context,
            differ="whose budgets differ",
            same=_SHARED,
            renew=Books.succeed,
        )

    def identity(self) -> object:
        """Nothing: an answer that could be paid for is the target's own."""
        return None
