"""The balancer at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.decisive import decisive
from lamellar.errors import ExecutorError, LamellarError, RejectedError
from lamellar.executor import CompositeExecutor, Operation, ResultT, respond, when_finished
from lamellar.scope import current_scope

from ..targets import Question, grant
from .affinity import highest, session
from .pool import Pool, PooledTarget
from .strategies import STRATEGIES

if TYPE_CHECKING:
    import random

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock
    from lamellar.scope import CallScope

    from .spec import Balance

__all__ = ["BalanceExecutor"]


class BalanceExecutor(CompositeExecutor):
    """Spreads calls over its targets.

    Args:
        spec: The options.
        targets: The runtime targets.
        clock: Where time comes from.
        rng: Where randomness comes from.
    """

    def __init__(self, spec: Balance, targets: tuple[PooledTarget, ...], clock: Clock, rng: random.Random) -> None:
        super().__init__(spec.label, targets)
        self.spec = spec
        self._pool = Pool(spec, targets, clock)
        self._places = {target: place for place, target in enumerate(targets)}
        self._strategy = STRATEGIES[spec.strategy]
        self._clock = clock
        self._rng = rng

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        question = Question(operation, model, chat_req, options, current_scope())
        left = list(self._pool.targets)
        errors: list[LamellarError] = []
        outcome: ResultT | ExecutorError | RejectedError | None = None
        try:
            while left:
                target = self._choose(left, question)
                left.remove(target)
                outcome = await self._ask(target, question, len(left) if self.spec.failover else 0)
                if not isinstance(outcome, LamellarError):
                    return outcome
                errors.append(outcome)
                if not self.spec.failover or not question.goes_on(outcome, self.spec.rules):
                    break
                left = question.better(left, target, outcome)
            raise decisive(errors)
        finally:
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            errors.clear()
            outcome = None

    def _choose(self, left: list[PooledTarget], question: Question[ResultT]) -> PooledTarget:
        """The best of those that are left for this call."""
        ready = self._pool.ready(left)
        if len(ready) == 1:
            return ready[0]
        if self.spec.affinity is not None:
            options = question.options
            key = session(self.spec.affinity, options.call if options is not None else None)
            if key is not None:
                return highest(ready, key)
        return self._strategy(ready, question.operation is not respond, self._clock, self._rng)

    async def _ask(
        self, target: PooledTarget, question: Question[ResultT], later: int
    ) -> ResultT | ExecutorError | RejectedError:
        """One target's answer or error; the call counts at it to the end of the answer."""
        scope = question.scope
        view = None if scope is None else grant(self._seen_by(target, scope), later)
        use = self._pool.use(target, question.operation is not respond)
        try:
            outcome = await question.ask(target, view)
        except BaseException:
            use.dropped()
            raise
        if not isinstance(outcome, LamellarError):
            use.answered()
            when_finished(outcome, use.ended)
        elif outcome.counts_against_health:
            use.failed()
        else:
            use.dropped()
        return outcome

    def _seen_by(self, target: PooledTarget, scope: CallScope) -> CallScope:
        return scope if scope.observer is None else scope.at_target(self._places[target], primary=True)
