"""The retry layer at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..recovery import recovering
from .budget import BudgetLedger
from .run import RetryRun

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .spec import Retry

__all__ = ["RetryExecutor"]


class RetryExecutor(ExecutorWrapper):
    """Asks the inner executor again when its error says that this may help.

    Args:
        inner: The executor to wrap.
        spec: The options.
        clock: Where the budget's time comes from.
        prefill: Whether the target's model goes on from a partial assistant message.
        ledger: What its budget has seen already; by default nothing.
    """

    def __init__(
        self,
        inner: LlmExecutor,
        spec: Retry,
        clock: Clock,
        *,
        prefill: bool = False,
        ledger: BudgetLedger | None = None,
    ) -> None:
        super().__init__(inner)
        self.spec = spec
        self.prefill = prefill
        # Only these ask for the time since the first attempt.
        self.timed = any(each is not None for each in (spec.window, spec.stop, spec.wait))
        self._ledger = BudgetLedger(spec.budget, clock) if ledger is None and spec.budget is not None else ledger

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        if self._ledger is not None:
            self._ledger.call()
        scope = current_scope()
        run = RetryRun(self, scope, operation, model, chat_req, options)
        result = await run.answer()
        if scope is None or self.spec.on_interrupt == "raise" or not isinstance(result, LlmEventStream):
            return result
        return recovering(result, run, scope)  # type: ignore[return-value]

    def affords(self) -> bool:
        """Take a retry from the budget, if it has one left."""
        return self._ledger is None or self._ledger.take()
