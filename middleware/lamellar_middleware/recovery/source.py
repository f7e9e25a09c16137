"""A stream that is asked for again when it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lamellar.accumulate import Accumulator
from lamellar.chat.content import text_of
from lamellar.chat.events import Progress, StreamEvent
from lamellar.errors import ErrorKind, LamellarError, RejectedError, StreamClosedError, StreamInterruptedError
from lamellar.interruption import interrupted
from lamellar.scope import CallScope, use_scope
from lamellar.source import Finish, InnerSource
from lamellar.stream import LlmEventStream

from .splice import Continuation, Joint, Splice

if TYPE_CHECKING:
    from lamellar.chat.content import ContentPart

__all__ = ["Recovery", "Resumed", "recovering"]

_SLACK = 0.05
"""Seconds by which the attempt's own limit comes before ours."""


class Resumed(NamedTuple):
    """A stream that takes over.

    Args:
        stream: The stream, ready.
        continues: Whether it goes on from the text that was delivered; else it is a whole answer from its beginning.
    """

    stream: LlmEventStream
    continues: bool = False


class Recovery(Protocol):
    """Who asks again."""

    async def resume(
        self, failure: StreamInterruptedError, delivered: tuple[ContentPart, ...]
    ) -> Resumed | LamellarError:
        """A stream that takes over from one that broke, or the error that decides when there is none."""
        ...


def recovering(stream: LlmEventStream, recovery: Recovery, scope: CallScope) -> LlmEventStream:
    """`stream`, asked for again by `recovery` when it breaks."""
    return LlmEventStream(_RecoveringSource(stream, recovery, scope))


class _RecoveringSource(InnerSource):
    """The stream that answers at present, joined to those that did before it."""

    __slots__ = ("_delivered", "_finish", "_joint", "_recovery", "_scope")

    def __init__(self, inner: LlmEventStream, recovery: Recovery, scope: CallScope) -> None:
        super().__init__(inner)
        self._recovery = recovery
        self._scope = scope
        self._delivered = Accumulator()  # since the last `Restart`
        self._joint: Joint | None = None
        self._finish: Finish | None = None

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The next events that the consumer has not got."""
        while True:
            failure: StreamInterruptedError | None = None
            batch: Sequence[StreamEvent | Progress] = ()
            try:
                batch = await self.inner.read_batch()
            except StreamInterruptedError as error:
                failure = error
            if failure is None:
                events = batch if self._joint is None else self._joint.feed(batch)
                if events or not batch:
                    for event in events:
                        self._delivered.add(event)  # type: ignore[arg-type]
                    return events
                continue
            try:
                await self._resume(failure)
            finally:
                failure = None  # or it would hold this frame, and the frame the error

    async def _resume(self, failure: StreamInterruptedError) -> None:
        """Put another stream in the place of the one that broke.

        Raises:
            StreamInterruptedError: There is none.
        """
        delivered = self._delivered.parts()
        outcome: Resumed | LamellarError | None = None
        try:
            outcome = await self._ask(failure, delivered)
            if not isinstance(outcome, Resumed):
                raise interrupted(outcome, self._delivered, self.inner.usage)
            if self._finish is not None:  # closed while the other was being opened
                outcome.stream.finish(self._finish)
                raise StreamClosedError
            self.inner = outcome.stream
            self._joint = Continuation(text_of(delivered)) if outcome.continues else Splice(delivered, failure.kind)
        finally:
            outcome = None

    async def _ask(
        self, failure: StreamInterruptedError, delivered: tuple[ContentPart, ...]
    ) -> Resumed | LamellarError:
        """Ask again inside the call's scope and within its time."""
        scope = self._scope
        left = scope.until_deadline()
        if left is not None and left <= 0:
            return failure
        limit = scope.clock.timeout_at(None if left is None else scope.clock.now() + left + _SLACK)
        scope.stopwatch.start()
        try:
            async with limit:
                with use_scope(scope):
                    return await self._recovery.resume(failure, delivered)
        except TimeoutError:
            if not limit.expired:
                raise
            return RejectedError(ErrorKind.DEADLINE, "the call's deadline passed while its answer was asked for again")
        finally:
            scope.stopwatch.stop()

    def finish(self, finish: Finish) -> None:
        """The stream that answers at present ends as this one did, and no other begins."""
        self._finish = finish
        super().finish(finish)
