"""The fallback at work: where a call begins, and what was learned from the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.durations import seconds
from lamellar.errors import ErrorKind
from lamellar.executor import CompositeExecutor, Operation, ResultT
from lamellar.scope import CallScope, current_scope
from lamellar.stream import LlmEventStream

from ..recovery import recovering
from ..targets import Question
from .run import FallbackRun

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.target import TargetExecutor

    from .spec import Fallback

__all__ = ["FallbackExecutor", "Start"]


class Start:
    """Where calls begin, with `sticky`: the place of a target, and until when."""

    __slots__ = ("place", "until")

    def __init__(self) -> None:
        self.place = 0
        self.until = 0.0


class FallbackExecutor(CompositeExecutor):
    """Asks its targets in order.

    Args:
        spec: The options.
        targets: The runtime targets.
        start: Where calls begin.
    """

    def __init__(self, spec: Fallback, targets: tuple[TargetExecutor, ...], start: Start) -> None:
        super().__init__(spec.label, targets)
        self.spec = spec
        # An answer with nothing in it, however it is told, is for the next target when this layer takes it so.
        self.rules = {ErrorKind.EMPTY: True, **spec.rules} if spec.on_empty == "fallback" else spec.rules
        self._targets = targets
        self._start = start

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        scope = current_scope()
        run = FallbackRun(self, Question(operation, model, chat_req, options, scope))
        result = await run.answer(self._in_order(scope))
        if scope is None or self.spec.on_interrupt == "raise" or not isinstance(result, LlmEventStream):
            return result
        return recovering(result, run, scope)  # type: ignore[return-value]

    def place_of(self, target: TargetExecutor) -> int:
        """The place of a target, from 0."""
        return self._targets.index(target)

    def _in_order(self, scope: CallScope | None) -> list[TargetExecutor]:
        place = self._start.place
        if place and scope is not None and scope.clock.now() < self._start.until:
            return [*self._targets[place:], *self._targets[:place]]
        return list(self._targets)

    def answered(self, target: TargetExecutor, scope: CallScope | None) -> None:
        """This target has answered: with `sticky`, the next calls begin there."""
        if self.spec.sticky is None or scope is None:
            return
        place = self.place_of(target)
        if place != self._start.place or scope.clock.now() >= self._start.until:
            self._start.place = place
            self._start.until = scope.clock.now() + seconds(self.spec.sticky)
