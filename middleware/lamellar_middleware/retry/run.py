"""The tries of one call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Generic, cast

from lamellar.decisive import decisive, latest
from lamellar.errors import ErrorKind, ExecutorError, LamellarError, RejectedError, StreamInterruptedError
from lamellar.executor import Operation, ResultT, discard

from ..recovery import Resumed
from ..recovery.prefill import goes_on, prefilled
from ..shared import call_hook, empty_answer
from .spec import KindPolicy, RetryEvent

if TYPE_CHECKING:
    from lamellar.chat.content import ContentPart
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.scope import CallScope
    from lamellar.stream import LlmEventStream

    from .backoff import Backoff
    from .executor import RetryExecutor

__all__ = ["RetryRun"]

_logger = logging.getLogger("lamellar.retry")


class RetryRun(Generic[ResultT]):
    """One call and its tries: those until an answer is committed, and those that take over from a broken one.

    Args:
        layer: The layer.
        scope: The call's scope; without one nothing is retried.
        operation: The kind of call.
        model: The model that is asked.
        chat_req: The request.
        options: The caller's options.
    """

    __slots__ = (
        "_backoff",
        "_began",
        "_chat_req",
        "_errors",
        "_layer",
        "_model",
        "_number",
        "_operation",
        "_options",
        "_scope",
    )

    def __init__(
        self,
        layer: RetryExecutor,
        scope: CallScope | None,
        operation: Operation[ResultT],
        model: str,
        chat_req: ChatRequest,
        options: ChatOptions | None,
    ) -> None:
        self._layer = layer
        self._scope = scope
        self._operation = operation
        self._model = model
        self._chat_req = chat_req
        self._options = options
        self._number = 1
        self._errors: list[LamellarError] = []
        self._backoff: Backoff | None = None
        self._began = scope.stopwatch.elapsed() if scope is not None and layer.timed else 0.0

    async def answer(self) -> ResultT:
        """The answer of as many tries as it takes.

        Raises:
            LamellarError: The error that decides, when there is to be no other try.
        """
        outcome: ResultT | ExecutorError | RejectedError | None = None
        try:
            outcome = await self._ask(self._chat_req)
            if isinstance(outcome, LamellarError):
                outcome = await self._again(outcome, self._chat_req)
            if isinstance(outcome, LamellarError):
                raise latest(self._errors)
            return outcome
        finally:
            # An error's traceback holds this frame: what the frame holds would live as long as anyone keeps the error.
            self._errors.clear()
            outcome = None

    async def resume(
        self, failure: StreamInterruptedError, delivered: tuple[ContentPart, ...]
    ) -> Resumed | LamellarError:
        """A stream that takes over from one that broke; see `Recovery`."""
        cause = failure.cause
        if not isinstance(cause, ExecutorError):
            return failure
        onward = self._onward(delivered)
        outcome: ResultT | ExecutorError | RejectedError | None = None
        try:
            outcome = await self._again(cause, onward or self._chat_req)
            if onward is not None and outcome is not cause and not goes_on(outcome):
                onward = None  # it takes no prefill after all
                outcome = await self._ask(self._chat_req)
                if isinstance(outcome, LamellarError):
                    outcome = await self._again(outcome, self._chat_req)
            if isinstance(outcome, LamellarError):
                return decisive(self._errors)
            return Resumed(cast("LlmEventStream", outcome), continues=onward is not None)
        finally:
            self._errors.clear()
            outcome = None
            del cause, failure

    def _onward(self, delivered: tuple[ContentPart, ...]) -> ChatRequest | None:
        if not self._layer.prefill or self._layer.spec.on_interrupt != "continue":
            return None
        return prefilled(self._chat_req, self._options, delivered)

    async def _again(
        self, outcome: ExecutorError | RejectedError, chat_req: ChatRequest
    ) -> ResultT | ExecutorError | RejectedError:
        """Another answer after a failure, or the last failure when there is to be no other try."""
        found: ResultT | ExecutorError | RejectedError = outcome
        while isinstance(found, LamellarError):
            self._errors.append(found)
            wait = self._wait_after(found)
            if wait is None or self._scope is None:
                return found
            event = RetryEvent(self._number, found, wait, self._model, self._layer.inner.name)
            call_hook(self._layer.spec.on_retry, event, "on_retry", _logger)
            self._scope.note_backoff(wait)
            await self._scope.clock.sleep(wait)
            self._number += 1
            found = await self._ask(chat_req)
        return found

    async def _ask(self, chat_req: ChatRequest) -> ResultT | ExecutorError | RejectedError:
        """One try: its result, or its error as a value, whose traceback ends here."""
        inner = self._layer.inner
        try:
            result = await self._operation(inner, self._model, chat_req, self._options)
        except (ExecutorError, RejectedError) as error:
            return error
        if self._layer.spec.on_empty == "retry" and result.is_empty:
            discard(result)
            empty = empty_answer(inner.name, self._model)
            if self._scope is not None:
                self._scope.blame_last(empty)
            return empty
        return result

    def _wait_after(self, error: ExecutorError | RejectedError) -> float | None:
        """Seconds until the next try; None when there is to be none."""
        scope = self._scope
        if scope is None or not isinstance(error, ExecutorError) or not self._may_retry(error):
            return None
        if self._backoff is None:
            from .backoff import Backoff  # tenacity is imported when something has failed

            self._backoff = Backoff(self._layer.spec, scope.rng)
        wait = self._backoff.wait_before_next(self._number, scope.stopwatch.elapsed() - self._began, error)
        if wait is None or _outlasts(wait, scope):
            return None
        return wait if self._layer.affords() else None

    def _may_retry(self, error: ExecutorError) -> bool:
        spec = self._layer.spec
        if isinstance(error, StreamInterruptedError) and not error.retryable:
            return False  # part of it was delivered, and nobody here can take that back
        policy = spec.kinds.get(error.kind)
        if error.kind is ErrorKind.EMPTY:
            return spec.on_empty == "retry" and policy is not False
        if policy is None:
            return error.retryable
        if isinstance(policy, KindPolicy):
            return error.retryable if policy.attempts is None else policy.attempts > 1
        return policy


def _outlasts(wait: float, scope: CallScope) -> bool:
    """Whether the wait would use up what is left of the call."""
    remaining = scope.remaining()
    return remaining is not None and wait >= remaining
