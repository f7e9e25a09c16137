"""The layer: the checks before a call and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lamellar.chat.events import Restart, Start
from lamellar.collect import Whole
from lamellar.errors import RejectedError, StreamInterruptedError
from lamellar.executor import ExecutorWrapper, Operation, ResultT, discard
from lamellar.scope import current_scope
from lamellar.stream import LlmEventStream

from ..rewriting import undelivered
from ..told import ToldSource, events_at
from .checks import Checks
from .source import CheckedSource

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.executor import LlmExecutor

    from .spec import Guardrail

__all__ = ["GuardrailExecutor"]


class GuardrailExecutor(ExecutorWrapper):
    """Checks requests and answers.

    Args:
        inner: The executor to wrap.
        spec: The options.
        target: The name of the target this stands in, or None outside of any.
    """

    def __init__(self, inner: LlmExecutor, spec: Guardrail, target: str | None) -> None:
        super().__init__(inner)
        self.spec = spec
        self._target = target
        self._checks = Checks(spec, target)

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        asked: ChatRequest | RejectedError = chat_req
        if self.spec.on_request:
            asked = await self._checks.run("on_request", chat_req)
        try:
            if isinstance(asked, RejectedError):
                self._log(asked, model)
                raise asked
            result = await operation(self.inner, model, asked, options)
        finally:
            del asked  # a refusal would hold this frame, and the frame the refusal
        if isinstance(result, LlmEventStream):
            stream = self._collected(result) if self.spec.buffer else self._begun(result)
            return cast("ResultT", await stream)
        return cast("ResultT", await self._judged(result))

    async def _judged(self, response: ChatResponse) -> ChatResponse:
        """A whole answer, as the checks leave it.

        Raises:
            RejectedError: They refuse it.
        """
        outcome: ChatResponse | str | RejectedError = response
        try:
            if self.spec.on_response:
                outcome = await self._checks.run("on_response", response)
            if self.spec.on_text and not isinstance(outcome, RejectedError):
                response = cast("ChatResponse", outcome)
                outcome = await self._checks.run("on_text", response.text, may_change=False)
                outcome = outcome if isinstance(outcome, RejectedError) else response
            if isinstance(outcome, RejectedError):
                self._blame(outcome)
                raise outcome
            return cast("ChatResponse", outcome)
        finally:
            del outcome

    async def _begun(self, stream: LlmEventStream) -> LlmEventStream:
        """A stream whose beginning was let through.

        Raises:
            RejectedError: It was refused.
        """
        if self.spec.on_response:
            outcome: ChatResponse | RejectedError | None = None
            try:
                outcome = await self._checks.run("on_response", stream.preview(), may_change=False)
                if isinstance(outcome, RejectedError):
                    self._blame(outcome)
                    raise outcome
            except BaseException:
                discard(stream)
                raise
            finally:
                del outcome
        if not self.spec.on_text:
            return stream
        checked = LlmEventStream(CheckedSource(stream, self._checks, self.spec.every))
        await checked.ready()
        return checked

    async def _collected(self, stream: LlmEventStream) -> LlmEventStream:
        """All of a stream, checked, as a stream of what the checks left of it.

        Raises:
            LamellarError: It was refused, or it broke: nothing of it was delivered, so it is the failure itself.
        """
        told: Start | Restart | None = next((event for event in stream.peek() if isinstance(event, Start)), None)
        whole, broken = Whole(), None
        try:
            async with stream:
                async for event in stream:
                    whole.add(event)
                    told = event if isinstance(event, Restart) else told
        except StreamInterruptedError as error:
            broken = undelivered(error)
        try:
            if broken is not None:
                raise broken
        finally:
            del broken
        response = await self._judged(whole.response(()))
        events = events_at(response, told.target if told is not None else None)
        replayed = LlmEventStream(ToldSource(events, response.usage))
        await replayed.ready()
        return replayed

    def _log(self, error: RejectedError, model: str) -> None:
        """A request that was refused is on the record like any other try."""
        scope = current_scope()
        if scope is not None:
            scope.refused(self._target or self.inner.name, self.inner.name, model, error)
            scope.note("lamellar.guardrail.refused", "request")

    def _blame(self, error: RejectedError) -> None:
        """The last try was answered, and the answer was refused."""
        scope = current_scope()
        if scope is not None:
            scope.blame_last(error)
            scope.note("lamellar.guardrail.refused", "response")
