"""Streams whose events a layer changes: what is told of them in the end is what was delivered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lamellar.accumulate import Accumulator
from lamellar.chat.content import ContentPart, ReasoningContent, Text, ThoughtSignature, ToolCall, reasoning_of, text_of
from lamellar.chat.events import Chunk, End, Progress, ReasoningChunk, Start, StreamEvent
from lamellar.errors import (
    ExecutorError,
    LamellarError,
    StreamClosedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from lamellar.interruption import interrupted
from lamellar.source import InnerSource, commits

if TYPE_CHECKING:
    from lamellar.stream import LlmEventStream

__all__ = ["RewritingSource", "merged", "undelivered"]

_STREAMED = (Text, ReasoningContent, ThoughtSignature, ToolCall)
"""Parts that come as events; the others are in the `End` alone."""


class RewritingSource(InnerSource):
    """A stream whose events a layer changes, drops or holds back; layers override `change`.

    When it breaks, the error tells what this layer delivered, and is the plain failure where that is nothing.
    """

    __slots__ = ("_committed", "delivered")

    def __init__(self, inner: LlmEventStream) -> None:
        super().__init__(inner)
        self.delivered = Accumulator()
        """What went out since the last `Restart`."""
        self._committed = False

    @abstractmethod
    def change(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """What goes out for this event. At the `End`, `delivered` holds all that went out before it.

        Raises:
            LamellarError: The stream ends here.
        """

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events, changed."""
        outcome: Sequence[StreamEvent | Progress] | LamellarError | None = None
        try:
            outcome = await self._next()
            if isinstance(outcome, LamellarError):
                raise outcome
            return outcome
        finally:
            outcome = None  # or the error would hold this frame, and the frame the error

    async def _next(self) -> Sequence[StreamEvent | Progress] | LamellarError:
        """The next events, or the error to raise, whose traceback ends here."""
        try:
            return self._changed(await self.inner.read_batch())
        except StreamClosedError:
            raise
        except LamellarError as error:
            return self._told(error)

    def _changed(self, batch: Sequence[StreamEvent | Progress]) -> Sequence[StreamEvent | Progress]:
        events: list[StreamEvent | Progress] = []
        noted = 0
        for event in batch:
            kind = event.__class__
            if kind is Start or kind is Progress:
                events.append(event)
                continue
            if kind is End:
                self._note(events)
                noted = len(events)
            events += [told for told in self.change(event) if not _is_blank(told)]  # type: ignore[arg-type]
        self._note(events[noted:])
        return events

    def _note(self, events: Sequence[StreamEvent | Progress]) -> None:
        """These go out."""
        for event in events:
            self.delivered.add(event)  # type: ignore[arg-type]
            self._committed = self._committed or commits(event)

    def _told(self, error: LamellarError) -> LamellarError:
        if self._committed:
            return interrupted(error, self.delivered, self.inner.usage)
        return undelivered(error) if isinstance(error, StreamInterruptedError) else error


def _is_blank(event: StreamEvent) -> bool:
    """Whether it is a piece of text with nothing in it."""
    kind = event.__class__
    return (kind is Chunk or kind is ReasoningChunk) and not event.content  # type: ignore[union-attr]


def undelivered(error: StreamInterruptedError) -> LamellarError:
    """What to raise for a stream that broke before anything of it was delivered: the failure that broke it."""
    truncated = isinstance(error, StreamTruncatedError) and isinstance(error.cause, ExecutorError)
    return StreamTruncatedError(error.cause) if truncated else error.cause


def merged(delivered: Sequence[ContentPart], original: Sequence[ContentPart]) -> tuple[ContentPart, ...]:
    """What was delivered, with what of the original answer does not come as events: in its place, as far as it has one.

    A tool call that was delivered as it was keeps its signatures, and an answer that was, its parts as they were cut.
    """
    if _says(delivered) == _says(original):
        return tuple(original)
    left = list(delivered)
    found: list[ContentPart] = []
    for part in original:
        if not isinstance(part, _STREAMED):
            found.append(part)
            continue
        place = next((at for at, each in enumerate(left) if type(each) is type(part)), None)
        if place is not None:
            found += left[: place + 1]
            del left[: place + 1]
            if isinstance(part, ToolCall) and _is_same(found[-1], part):
                found[-1] = part
    return (*found, *left)


def _says(parts: Sequence[ContentPart]) -> tuple[object, ...]:
    calls = [part.model_copy(update={"thought_signatures": None}) for part in parts if isinstance(part, ToolCall)]
    signatures = [part.signature for part in parts if isinstance(part, ThoughtSignature)]
    return text_of(parts), reasoning_of(parts) or "", calls, signatures


def _is_same(delivered: ContentPart, call: ToolCall) -> bool:
    return isinstance(delivered, ToolCall) and delivered == call.model_copy(update={"thought_signatures": None})
