"""The layer: reserve before the call, settle after it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lamellar.chat.events import Start
from lamellar.chat.usage import Usage
from lamellar.errors import ErrorKind, RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT
from lamellar.masking import scrub
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..shared import call_hook
from ..tally import Tally
from .bill import Pricing, bill, guess, known
from .ledger import Amount
from .spec import BudgetEvent

if TYPE_CHECKING:
    from pydantic import JsonValue

    from lamellar.build import BuildContext
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.executor import LlmExecutor
    from lamellar.scope import CallScope
    from lamellar.source import Finish

    from .books import Books
    from .ledger import Ledger, Reservation
    from .spec import Budget

__all__ = ["BudgetExecutor"]

_logger = logging.getLogger("lamellar.budget")


class BudgetExecutor(ExecutorWrapper):
    """Lets calls through that the budget can pay for.

    Args:
        inner: The executor to wrap.
        spec: The options.
        books: The budgets, perhaps shared.
        context: What the layer is built with.
    """

    state_key = "budget"

    def __init__(self, inner: LlmExecutor, spec: Budget, books: Books, context: BuildContext) -> None:
        super().__init__(inner)
        self.spec = spec
        self.books = books
        self.target = context.target
        self.pricing = Pricing(spec.prices, counts_money=spec.cost is not None)
        self._clock = context.clock

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        running = self._begin(scope, model, chat_req, options)
        try:
            result = await operation(self.inner, model, chat_req, options)
        except BaseException as error:
            running.failed(error)
            raise
        if isinstance(result, LlmEventStream):
            running.cached = any(isinstance(event, Start) and event.cached for event in result.peek())
            result.on_finish(running.ended)
        else:
            running.cached = result.cached
            running.over(result.usage, result.provider_model)
        return result

    def state(self) -> dict[str, JsonValue]:
        """What is spent, reserved and left, and when it comes back."""
        return self.books.state()

    def reset(self) -> None:
        """Nothing is spent; what calls under way have reserved stays reserved."""
        self.books.reset()

    def _begin(
        self, scope: CallScope | None, model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> _Running:
        """Reserve what the call is expected to cost.

        Raises:
            RejectedError: There is no room for it.
        """
        guessed = guess(self.spec, model, chat_req, options)
        tokens = (guessed.prompt_tokens or 0) + (guessed.completion_tokens or 0)
        estimate = Amount(tokens, self.pricing.expected(guessed, model, self._clock.wall()))
        ledger = self.books.ledger(model, options)
        reservation = ledger.reserve(estimate) if ledger is not None else None
        if ledger is None or reservation is None:
            error = self._refusal(ledger, estimate, model)
            if scope is not None:
                scope.refused(self.target or self.inner.name, self.inner.name, model, error)
                scope.note("lamellar.budget.refused", True)
            try:
                raise error
            finally:
                del error
        return _Running(self, ledger, reservation, guessed, model, scope)

    def _refusal(self, ledger: Ledger | None, estimate: Amount, model: str) -> RejectedError:
        if ledger is None:
            said = f"{self.spec.max_keys} budgets are in use, and this call needs one more; raise `max_keys`"
            return RejectedError(ErrorKind.BUDGET, said, target=self.target)
        if not ledger.exhausted:
            ledger.exhausted = True
            call_hook(self.spec.on_exhausted, _event(ledger, model, estimate), "on_exhausted", _logger)
        limits = ledger.limits
        held = ledger.spent.plus(ledger.reserved)
        of = f" of '{ledger.label}'" if ledger.label else ""
        within = "" if limits.period is None else f" in {limits.period:g} s"
        if limits.exceeded_by(held.plus(estimate)) == "cost":
            whole, spent, wanted = f"{limits.cost:g} US dollars", f"{held.cost:.6g}", f"{estimate.cost:.6g}"
        else:
            whole, spent, wanted = f"{limits.tokens} tokens", f"{held.tokens}", f"{estimate.tokens}"
        if limits.exceeded_by(estimate) is not None:
            said = f"this call is estimated at {wanted}, more than the whole budget{of} of {whole}{within}"
            return RejectedError(ErrorKind.BUDGET, scrub(f"{said}; raise it, or ask for less"), target=self.target)
        room = ledger.room_in(estimate)
        later = "" if room is None else f"; there is room again in {room:.0f} s"
        said = f"the budget{of} of {whole}{within} has no room: {spent} are spent or reserved, {wanted} are needed"
        return RejectedError(ErrorKind.BUDGET, scrub(said + later), retry_after=room, target=self.target)


def _event(ledger: Ledger, model: str, amount: Amount) -> BudgetEvent:
    spent = ledger.spent
    return BudgetEvent(ledger.label, model, amount.tokens, amount.cost, spent.tokens, spent.cost)


class _Running:
    """A call under way, and what is set aside for it."""

    __slots__ = ("_guessed", "_layer", "_ledger", "_model", "_reservation", "_scope", "_tally", "cached")

    def __init__(
        self,
        layer: BudgetExecutor,
        ledger: Ledger,
        reservation: Reservation,
        guessed: Usage,
        model: str,
        scope: CallScope | None,
    ) -> None:
        self.cached = False
        self._layer = layer
        self._ledger = ledger
        self._reservation = reservation
        self._guessed = guessed
        self._model = model
        self._scope = scope
        self._tally = None if scope is None else Tally(scope, layer.target)

    def failed(self, error: BaseException) -> None:
        """The call raised; what it has cost nevertheless."""
        self.over(error.usage if isinstance(error, StreamInterruptedError) else None, None, failed=True)

    def ended(self, finish: Finish) -> None:
        """The stream is over; a finish callback that does not hold it."""
        if finish.end is not None:
            self.over(finish.end.usage, finish.end.provider_model)
        else:
            self.over(finish.error.usage if isinstance(finish.error, StreamInterruptedError) else None, None)

    def over(self, usage: Usage | None, provider_model: str | None, *, failed: bool = False) -> None:
        """Settle, once."""
        amount = self._amount(usage, provider_model, failed=failed)
        if not self._reservation.settle(amount):
            return
        if self._scope is not None:
            self._scope.note("lamellar.budget.tokens", amount.tokens)
            if self._ledger.limits.cost is not None:
                self._scope.note("lamellar.budget.cost", amount.cost)
        hook = self._layer.spec.on_spend
        if hook is not None and any(amount):
            call_hook(hook, _event(self._ledger, self._model, amount), "on_spend", _logger)

    def _amount(self, usage: Usage | None, provider_model: str | None, *, failed: bool) -> Amount:
        pricing = self._layer.pricing
        if self._tally is not None:
            return bill(
                self._tally.records(), self._guessed, pricing, provider_model=provider_model, cached=self.cached
            )
        if self.cached or (failed and usage is None):
            return Amount()
        # Outside of a stack nobody keeps a record: the answer's own usage is all there is.
        tokens = known(usage, self._guessed)
        total = (tokens.prompt_tokens or 0) + (tokens.completion_tokens or 0)
        return Amount(total, pricing.expected(tokens, provider_model or self._model, self._layer._clock.wall()))
