"""Timeouts: a bound on the whole call where the plate stands, and the limits of every attempt below it.

`total` acts where it stands: it covers retries, waits and a stream's reading alike. `connect`, `attempt`,
`first_content` and `idle` are limits of one attempt, wherever the plate stands: they go down to the attempts when the
stack is built, and the plate nearest to a provider wins, field by field. All of them count only time spent waiting for
the provider, never the consumer's own.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from lamellar.deadline import exec_within
from lamellar.durations import Duration, seconds
from lamellar.errors import ConfigError
from lamellar.executor import ExecutorWrapper, LlmExecutor, Operation, ResultT
from lamellar.order import Rank
from lamellar.scope import current_scope
from lamellar.spec import LayerSpec
from lamellar.watch import AttemptLimits

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.lint.bounds import Bounds, Where

__all__ = ["Timeout", "TimeoutExecutor"]

_BARE = {"total": 600.0, "first_content": 60.0, "idle": 60.0}


class Timeout(LayerSpec):
    """Limits on time, in seconds or as text such as "10s".

    A limit that is not given is inherited from a plate further out; one that is given as None is switched off here and
    below. `Timeout()` alone means total=600, first_content=60, idle=60.

    Args:
        total: The whole call from here on, a stream's waiting included. Passing it is a `deadline` refusal before the
            answer is committed, and an interrupted stream after.
        connect: Until the connection stands; 10 when no plate says otherwise.
        attempt: One attempt from its beginning to its end, a stream's waiting included.
        first_content: Until a stream's first content event; progress of the provider starts it anew.
        idle: Between two events of a stream that are content or progress; heartbeats do not count.
        reserve: The share of `total` that a fallback keeps for each later target; all of them together at most half.

    Raises:
        ConfigError: The limits contradict each other.
    """

    kind: ClassVar[str] = "timeout"
    rank: ClassVar[Rank | None] = Rank.TOTAL

    total: Duration | None = None
    connect: Duration | None = None
    attempt: Duration | None = None
    first_content: Duration | None = None
    idle: Duration | None = None
    reserve: float = Field(default=0.25, ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return dict(_BARE) if data == {} else data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("total", "connect", "attempt", "first_content", "idle"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name}: a limit is more than zero seconds; write None to switch it off")
        for inner, outer in (*product(("first_content", "idle"), ("attempt", "total")), ("attempt", "total")):
            low, high = getattr(self, inner), getattr(self, outer)
            if low is not None and high is not None and low > high:
                raise ConfigError(f"{inner}={low:g} can never act, because {outer}={high:g} is shorter")
        return self

    def context(self, context: BuildContext) -> BuildContext:
        """The limits of the attempts below: what is said here wins over what was said further out."""
        return context.inside(limits=self.limits_below(context.limits))

    def limits_below(self, limits: AttemptLimits) -> AttemptLimits:
        """These limits, with what is said here in their place."""
        said = {
            name: None if (value := getattr(self, name)) is None else seconds(value)
            for name in AttemptLimits._fields
            if name in self.model_fields_set
        }
        return limits._replace(**said)

    def standing(self) -> Rank | None:
        """Only a bound on the whole call acts where it stands."""
        return None if self.total is None else self.rank

    def bounded(self, inner: Bounds, where: Where) -> Bounds:
        """What is inside, ended when the total is over."""
        return inner if self.total is None else inner.within(seconds(self.total))

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The bound on the whole call; without one there is nothing to do here at run time."""
        return inner if self.total is None else TimeoutExecutor(inner, seconds(self.total), self.reserve)

    def identity(self) -> object:
        """Nothing: time changes no answer."""
        return None


class TimeoutExecutor(ExecutorWrapper):
    """Bounds the whole call.

    Args:
        inner: The executor to wrap.
        total: Seconds.
        reserve: The share of it kept for each later target of a fallback below.
    """

    def __init__(self, inner: LlmExecutor, total: float, reserve: float) -> None:
        super().__init__(inner)
        self.total = total
        self.reserve = reserve

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        if scope is None:
            return await operation(self.inner, model, chat_req, options)
        return await exec_within(self.total, self.reserve, scope, operation, self.inner, model, chat_req, options)
