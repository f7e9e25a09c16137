"""Chaos at work, between an attempt and its leaf."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from lamellar.chat.events import End, Progress, StreamEvent
from lamellar.chat.response import ChatResponse
from lamellar.errors import ErrorKind, ExecutorError
from lamellar.executor import ExecutorWrapper
from lamellar.scope import current_scope
from lamellar.source import EventSource, Finish, InnerSource, commits
from lamellar.stream import LlmEventStream

from .dice import Fate

if TYPE_CHECKING:
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.clock import Clock
    from lamellar.executor import LlmExecutor

    from .dice import Dice
    from .spec import Chaos

__all__ = ["ChaosExecutor"]

_logger = logging.getLogger("lamellar.chaos")

_STATUS = {
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA_EXHAUSTED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.SERVER_ERROR: 500,
    ErrorKind.CONTEXT_OVERFLOW: 400,
    ErrorKind.CONTENT_FILTERED: 400,
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.UNAUTHORIZED: 401,
    ErrorKind.PERMISSION_DENIED: 403,
    ErrorKind.MODEL_NOT_FOUND: 404,
}
"""The status that a provider tells such a failure with; the others have none."""

_UNHARMED = Fate(None, 0, 0.0)


class ChaosExecutor(ExecutorWrapper):
    """Stands round a leaf, within its attempt, and lets things go wrong.

    Args:
        inner: The leaf.
        spec: The options.
        dice: Where the faults are drawn; all leaves below one layer share them.
        clock: What latencies are measured on.
    """

    def __init__(self, inner: LlmExecutor, spec: Chaos, dice: Dice, clock: Clock) -> None:
        super().__init__(inner)
        self.spec = spec
        self._dice = dice
        self._clock = clock

    async def exec_chat_response(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> ChatResponse:
        """The leaf's whole answer, unless something strikes."""
        fate = await self._fate(model)
        if fate.fault == "empty":
            return ChatResponse(model=model, provider=self.name)
        if fate.fault == "stall":
            await _silence()
        answer = await self.inner.exec_chat_response(model, chat_req, options)
        if fate.fault == "cut":
            raise self.failure(ErrorKind.CONNECTION, model)
        return answer

    async def exec_chat_stream_events(
        self, model: str, chat_req: ChatRequest, options: ChatOptions | None = None
    ) -> LlmEventStream:
        """The leaf's stream as soon as it is accepted, unless something strikes."""
        fate = await self._fate(model)
        if fate.fault == "empty":
            return LlmEventStream(_EmptySource())
        stream = LlmEventStream.of(await self.inner.exec_chat_stream_events(model, chat_req, options))
        if fate.fault is None:
            return stream
        return LlmEventStream(_StruckSource(stream, fate, self, model))

    def failure(self, kind: ErrorKind, model: str) -> ExecutorError:
        """A failure as a provider would have it."""
        hinted = kind in (ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED) and self.spec.retry_after is not None
        return ExecutorError(
            kind,
            "a fault injected by the chaos layer",
            provider=self.name,
            model=model,
            status=_STATUS.get(kind),
            code="chaos",
            retry_after=float(self.spec.retry_after or 0) if hinted else None,
        )

    async def _fate(self, model: str) -> Fate:
        """What becomes of this attempt, its latency over already.

        Raises:
            ExecutorError: It fails at once.
        """
        if not self._strikes():
            return _UNHARMED
        fate = self._dice.fate()
        if fate.latency:
            await self._clock.sleep(fate.latency)
        if isinstance(fate.fault, ErrorKind):
            raise self.failure(fate.fault, model)
        return fate

    def _strikes(self) -> bool:
        """Whether this attempt takes part in the game."""
        enabled, tags = self.spec.enabled, self.spec.tags
        if tags:
            scope = current_scope()
            said = scope.context.tags if scope is not None and scope.context is not None else {}
            if any(said.get(name) != value for name, value in tags.items()):
                return False
        if isinstance(enabled, bool):
            return enabled
        try:
            return bool(enabled())
        except Exception:
            _logger.exception("the `enabled` function of chaos failed; nothing is struck")
            return False


async def _silence() -> NoReturn:
    """Nothing comes, until somebody gives up."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("silence ended")


class _EmptySource(EventSource):
    """An answer with nothing in it."""

    __slots__ = ()

    async def read(self) -> Sequence[StreamEvent]:
        return (End(),)

    def finish(self, finish: Finish) -> None:
        """Nothing is held."""


class _StruckSource(InnerSource):
    """A leaf's stream that goes well for some events and then does not."""

    __slots__ = ("_fate", "_layer", "_left", "_model")

    def __init__(self, inner: LlmEventStream, fate: Fate, layer: ChaosExecutor, model: str) -> None:
        super().__init__(inner)
        self._fate = fate
        self._layer = layer
        self._model = model
        self._left = fate.after

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The leaf's next events, as many as are let through."""
        if self._left <= 0:
            await self._strike()
        batch = await self.inner.read_batch()
        passed: list[StreamEvent | Progress] = []
        for event in batch:
            if isinstance(event, End):  # it was shorter than the draw: it breaks before its end
                self._left = 0
            if self._left <= 0:
                break
            passed.append(event)
            self._left -= commits(event)
        if not passed and self._left <= 0:
            await self._strike()
        return passed

    async def _strike(self) -> None:
        if self._fate.fault == "stall":
            await _silence()
        raise self._layer.failure(ErrorKind.CONNECTION, self._model)
