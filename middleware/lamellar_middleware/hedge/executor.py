"""The hedge at work: what its calls have in common."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lamellar.executor import CompositeExecutor, Operation, ResultT
from lamellar.scope import current_scope

from ..targets import Question
from .race import Race

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock
    from lamellar.target import TargetExecutor

    from ..retry.budget import BudgetLedger
    from .delays import Delays
    from .spec import Hedge

__all__ = ["HedgeExecutor"]


class HedgeExecutor(CompositeExecutor):
    """Asks its targets, the next one while the others are slow.

    Args:
        spec: The options.
        targets: The runtime targets.
        clock: Where time comes from.
        delays: What was learned of delays.
        ledger: The budget at work; None where there is no budget.
    """

    state_key = "hedge"

    def __init__(
        self,
        spec: Hedge,
        targets: tuple[TargetExecutor, ...],
        clock: Clock,
        *,
        delays: Delays,
        ledger: BudgetLedger | None,
    ) -> None:
        super().__init__(spec.label, targets)
        self.spec = spec
        self.racing: set[asyncio.Task[object]] = set()
        """The tasks under way; who begins one puts it here, and it goes when it is done."""
        self.delays = delays
        self.clock = clock
        self._targets = targets
        self._ledger = ledger
        self._calls = self._hedged = self._won = 0

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        hedged = not (chat_req.store or chat_req.previous_response_id is not None)
        if hedged:
            self._calls += 1
            if self._ledger is not None:
                self._ledger.call()
        question = Question(operation, model, chat_req, options, current_scope())
        return await Race(self, question, self._targets, hedged=hedged).answer()

    def affords(self) -> bool:
        """Take a hedge from the budget, if it has one left."""
        if self._ledger is not None and not self._ledger.take():
            return False
        self._hedged += 1
        return True

    def won(self) -> None:
        """A hedge has answered before those that were asked earlier."""
        self._won += 1

    def state(self) -> dict[str, JsonValue]:
        """Calls that could be hedged, hedges, hedges that won, tasks under way, and the delays in seconds."""
        return {
            "calls": self._calls,
            "hedged": self._hedged,
            "won": self._won,
            "racing": len(self.racing),
            "delay": self.delays.delay(streaming=False),
            "delay_of_streams": self.delays.delay(streaming=True),
        }

    def reset(self) -> None:
        """Forget what was seen and counted; what is under way goes on."""
        self._calls = self._hedged = self._won = 0
        self.delays.forget()
