"""The way of one call through the targets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, cast

from lamellar.decisive import decisive
from lamellar.errors import (
    ConfigError,
    ErrorKind,
    ExecutorError,
    LamellarError,
    RejectedError,
    StreamInterruptedError,
)
from lamellar.executor import ResultT, discard
from lamellar.stream import LlmEventStream

from ..recovery import Resumed
from ..recovery.prefill import goes_on, prefilled
from ..shared import call_hook, empty_answer
from ..targets import Question, grant
from .spec import FallbackEvent

if TYPE_CHECKING:
    from lamellar.chat.content import ContentPart
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.scope import CallScope
    from lamellar.target import TargetExecutor

    from .executor import FallbackExecutor

__all__ = ["FallbackRun"]

_logger = logging.getLogger("lamellar.fallback")


class FallbackRun(Generic[ResultT]):
    """One call: the targets it asks until one answers, and those that take over from a broken stream.

    Args:
        layer: The composite.
        question: The call.
    """

    __slots__ = ("_continues", "_errors", "_later", "_layer", "_question", "_target")

    def __init__(self, layer: FallbackExecutor, question: Question[ResultT]) -> None:
        self._layer = layer
        self._question = question
        self._target: TargetExecutor | None = None
        self._later: list[TargetExecutor] = []
        self._errors: list[LamellarError] = []
        self._continues = False  # whether the last answer goes on from what was delivered

    async def answer(self, targets: list[TargetExecutor]) -> ResultT:
        """The first answer of these targets that is one.

        Raises:
            LamellarError: The error that decides, when none of them has an answer.
        """
        outcome: ResultT | ExecutorError | RejectedError | None = None
        try:
            first, *self._later = targets
            outcome = await self._ask(first, ())
            if isinstance(outcome, LamellarError):
                outcome = await self._ask_the_next(first, outcome, ())
            if isinstance(outcome, LamellarError):
                raise decisive(self._errors)
            return outcome
        finally:
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            self._errors.clear()
            outcome = None

    async def resume(
        self, failure: StreamInterruptedError, delivered: tuple[ContentPart, ...]
    ) -> Resumed | LamellarError:
        """A later target's stream that takes over from one that broke; see `Recovery`."""
        cause = failure.cause
        if self._target is None or not isinstance(cause, ExecutorError | RejectedError):
            return failure
        outcome: ResultT | ExecutorError | RejectedError | None = None
        try:
            outcome = await self._ask_the_next(self._target, cause, delivered)
            if isinstance(outcome, LamellarError):
                return decisive(self._errors)
            return Resumed(cast("LlmEventStream", outcome), self._continues)
        finally:
            self._errors.clear()
            outcome = None
            del cause, failure

    async def _ask_the_next(
        self, failed: TargetExecutor, error: ExecutorError | RejectedError, delivered: tuple[ContentPart, ...]
    ) -> ResultT | ExecutorError | RejectedError:
        """The answer of a later target, or the last error when there is to be no other."""
        found: ResultT | ExecutorError | RejectedError = error
        while isinstance(found, ExecutorError | RejectedError):
            self._errors.append(found)
            self._later = self._candidates(failed, found)
            if not self._later:
                return found
            target = self._later.pop(0)
            call_hook(
                self._layer.spec.on_fallback, FallbackEvent(failed.name, target.name, found), "on_fallback", _logger
            )
            try:
                found = await self._ask(target, delivered)
            except ConfigError as mistake:  # such as a missing key that `Auto` finds now: it must not hide the failure
                _logger.warning("the target '%s' cannot be asked: %s", target.name, mistake)
                found = ExecutorError(ErrorKind.MODEL_NOT_FOUND, str(mistake), code="config_error")
                found.target = target.name
            failed = target
        return found

    async def _ask(
        self, target: TargetExecutor, delivered: tuple[ContentPart, ...]
    ) -> ResultT | ExecutorError | RejectedError:
        """One target's answer, going on from what was delivered where that can be asked for."""
        question = self._question
        onward = None
        if delivered and target.prefill and self._layer.spec.on_interrupt == "continue":
            onward = prefilled(question.chat_req, question.options, delivered)
        outcome = await self._try(target, onward)
        if onward is not None and not goes_on(outcome):
            onward = None  # it takes no prefill after all
            outcome = await self._try(target, None)
        self._continues = onward is not None
        return outcome

    async def _try(
        self, target: TargetExecutor, chat_req: ChatRequest | None
    ) -> ResultT | ExecutorError | RejectedError:
        """One target's answer, if it is one by the rules of this fallback, or its error as a value."""
        scope = self._question.scope
        outcome = await self._question.ask(target, self._view(target, scope) if scope is not None else None, chat_req)
        if isinstance(outcome, ExecutorError | RejectedError):
            return outcome
        problem = self._judge(outcome, target)
        if problem is None:
            self._target = target
            self._layer.answered(target, scope)
            return outcome
        discard(outcome)
        if scope is not None:
            scope.blame_last(problem)
        return problem

    def _view(self, target: TargetExecutor, scope: CallScope) -> CallScope:
        """The call's scope as this target sees it."""
        place = self._layer.place_of(target)
        if place or scope.observer is not None:
            scope = scope.at_target(place, primary=place == 0)
        # The attempt, the retries and the queues below keep to the grant, so that it ends as their own timeout.
        return grant(scope, len(self._later))

    def _judge(
        self, result: ChatResponse | LlmEventStream, target: TargetExecutor
    ) -> ExecutorError | RejectedError | None:
        """What is wrong with an answer by the rules of this fallback, or None."""
        spec = self._layer.spec
        if spec.on_empty == "fallback" and result.is_empty:
            return empty_answer(target.inner.name, target.model or self._question.model, failover=True)
        if spec.accept is None:
            return None
        seen = result.preview() if isinstance(result, LlmEventStream) else result
        said = "turned the answer down"
        try:
            if spec.accept(seen):
                return None
        except Exception as error:
            _logger.exception("the accept predicate failed")
            said = f"failed with {type(error).__name__}"
        return RejectedError(ErrorKind.ANSWER_REJECTED, f"the `accept` predicate {said}", target=target.name)

    def _candidates(self, failed: TargetExecutor, error: ExecutorError | RejectedError) -> list[TargetExecutor]:
        """The targets that may do better after this error; none when there is to be no other."""
        if not self._question.goes_on(error, self._layer.rules):
            return []
        return self._question.better(self._later, failed, error)
