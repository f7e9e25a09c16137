"""The retry loop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lamellar.decisive import latest
from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT, discard
from lamellar.scope import CallScope, current_scope

from ..shared import call_hook, empty_answer
from .budget import BudgetLedger
from .spec import KindPolicy, RetryEvent

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .backoff import Backoff
    from .spec import Retry

__all__ = ["RetryExecutor"]

_logger = logging.getLogger("lamellar.retry")


class RetryExecutor(ExecutorWrapper):
    """Asks the inner executor again when its error says that this may help.

    Args:
        inner: The executor to wrap.
        spec: The options.
        clock: Where the budget's time comes from.
    """

    def __init__(self, inner: LlmExecutor, spec: Retry, clock: Clock) -> None:
        super().__init__(inner)
        self.spec = spec
        # Only these ask for the time since the first attempt.
        self._timed = any(each is not None for each in (spec.window, spec.stop, spec.wait))
        self._ledger = BudgetLedger(spec.budget, clock) if spec.budget is not None else None

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        if self._ledger is not None:
            self._ledger.call()
        scope = current_scope()
        began = scope.stopwatch.elapsed() if scope is not None and self._timed else 0.0
        number = 1
        errors: list[LamellarError] = []
        backoff: Backoff | None = None
        outcome: ResultT | ExecutorError | RejectedError | None = None
        event: RetryEvent | None = None
        try:
            while True:
                outcome = await self._ask(operation, model, chat_req, options)
                if not isinstance(outcome, LamellarError):
                    return outcome
                errors.append(outcome)
                wait = None
                if scope is not None and isinstance(outcome, ExecutorError) and self._may_retry(outcome):
                    backoff = backoff or self._backoff(scope)
                    wait = backoff.wait_before_next(number, scope.stopwatch.elapsed() - began, outcome)
                if scope is None or wait is None or _outlasts(wait, scope) or not self._affords():
                    raise latest(errors)
                event = RetryEvent(number, outcome, wait, model, self.inner.name)
                call_hook(self.spec.on_retry, event, "on_retry", _logger)
                scope.note_backoff(wait)
                await scope.clock.sleep(wait)
                number += 1
        finally:
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            errors.clear()
            outcome = event = None

    async def _ask(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT | ExecutorError | RejectedError:
        """One try: its result, or its error as a value, whose traceback ends here."""
        try:
            result = await operation(self.inner, model, chat_req, options)
        except (ExecutorError, RejectedError) as error:
            return error
        if self.spec.on_empty == "retry" and result.is_empty:
            discard(result)
            empty = empty_answer(self.inner.name, model)
            scope = current_scope()
            if scope is not None:
                scope.blame_last(empty)
            return empty
        return result

    def _may_retry(self, error: ExecutorError) -> bool:
        if isinstance(error, StreamInterruptedError) and not error.retryable:
            return False  # part of it was delivered
        policy = self.spec.kinds.get(error.kind)
        if error.kind is ErrorKind.EMPTY:
            return self.spec.on_empty == "retry" and policy is not False
        if policy is None:
            return error.retryable
        if isinstance(policy, KindPolicy):
            return error.retryable if policy.attempts is None else policy.attempts > 1
        return policy

    def _backoff(self, scope: CallScope) -> Backoff:
        from .backoff import Backoff  # tenacity is imported when something has failed

        return Backoff(self.spec, scope.rng)

    def _affords(self) -> bool:
        return self._ledger is None or self._ledger.take()


def _outlasts(wait: float, scope: CallScope) -> bool:
    """Whether the wait would use up what is left of the call."""
    remaining = scope.remaining()
    return remaining is not None and wait >= remaining
