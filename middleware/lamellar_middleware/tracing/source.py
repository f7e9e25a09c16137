"""A look into a stream, only where something asks for it: content that is recorded, or a point for every chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamellar.chat.events import End, Progress, StreamEvent
from lamellar.source import InnerSource, commits

from .spans import harmless

if TYPE_CHECKING:
    from lamellar.accumulate import Accumulator
    from lamellar.clock import Clock
    from lamellar.stream import LlmEventStream

    from .attributes import Attributes
    from .metrics import Meters

__all__ = ["ChunkPace", "TracedSource"]


class ChunkPace:
    """Records how long each chunk after the first was waited for; the consumer's own time is not counted.

    Args:
        clock: Where time comes from.
        meters: Where the points go.
        attributes: What they are told by.
    """

    __slots__ = ("_attributes", "_began", "_clock", "_first", "_meters", "_waited")

    def __init__(self, clock: Clock, meters: Meters, attributes: Attributes) -> None:
        self._clock = clock
        self._meters = meters
        self._attributes = attributes
        self._first = True
        self._began = 0.0
        self._waited = 0.0

    def waits(self) -> None:
        """A read begins."""
        self._began = self._clock.now()

    @harmless
    def came(self, batch: Sequence[StreamEvent | Progress]) -> None:
        """A read is over."""
        self._waited += self._clock.now() - self._began
        for event in batch:
            if commits(event) and not isinstance(event, End):
                if not self._first:
                    self._meters.chunk(self._attributes, self._waited)
                self._first = False
                self._waited = 0.0


class TracedSource(InnerSource):
    """Passes everything on, and looks at it.

    Args:
        inner: The stream.
        gathered: What collects its content, or None.
        pace: What records its chunks, or None.
    """

    __slots__ = ("_gathered", "_pace")

    def __init__(self, inner: LlmEventStream, gathered: Accumulator | None, pace: ChunkPace | None) -> None:
        super().__init__(inner)
        self._gathered = gathered
        self._pace = pace

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events."""
        if self._pace is not None:
            self._pace.waits()
        batch = await self.inner.read_batch()
        if self._pace is not None:
            self._pace.came(batch)
        if self._gathered is not None:
            for event in batch:
                if not isinstance(event, Progress):
                    self._gathered.add(event)
        return batch
