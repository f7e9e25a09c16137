"""A stream whose text is checked as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamellar.accumulate import Accumulator
from lamellar.chat.events import Chunk, End, Progress, Restart, StreamEvent
from lamellar.errors import RejectedError
from lamellar.interruption import interrupted
from lamellar.source import InnerSource, commits

if TYPE_CHECKING:
    from lamellar.stream import LlmEventStream

    from .checks import Checks

__all__ = ["CheckedSource"]


class CheckedSource(InnerSource):
    """Hands events on once the text that they complete has been let through.

    Args:
        inner: The stream.
        checks: The checks.
        every: New characters after which the text is checked.
    """

    __slots__ = ("_checks", "_committed", "_delivered", "_every", "_refusal", "_text", "_unchecked")

    def __init__(self, inner: LlmEventStream, checks: Checks, every: int) -> None:
        super().__init__(inner)
        self._checks = checks
        self._every = every
        self._text: list[str] = []
        self._unchecked = 0
        self._refusal: RejectedError | None = None
        self._delivered = Accumulator()
        self._committed = False

    async def read(self) -> Sequence[StreamEvent | Progress]:
        """The inner stream's next events, as far as their text may be delivered.

        Raises:
            RejectedError: It may not, and nothing has been delivered.
            StreamInterruptedError: It may not, and something has been delivered.
        """
        batch = await self._allowed(await self.inner.read_batch()) if self._refusal is None else ()
        if self._refusal is not None and not batch:
            refusal, self._refusal = self._refusal, None
            try:
                raise interrupted(refusal, self._delivered, self.inner.usage) if self._committed else refusal
            finally:
                del refusal  # or the error would hold this frame, and the frame the error
        for event in batch:
            if event.__class__ is not Progress:
                self._delivered.add(event)  # type: ignore[arg-type]
                self._committed = self._committed or commits(event)
        return batch

    async def _allowed(self, batch: Sequence[StreamEvent | Progress]) -> Sequence[StreamEvent | Progress]:
        """The events before the first that completes a text which is refused: how they came in batches is chance."""
        for place, event in enumerate(batch):
            if isinstance(event, Chunk):
                self._text.append(event.content)
                self._unchecked += len(event.content)
            elif isinstance(event, Restart):
                self._text.clear()
                self._unchecked = 0
            if self._unchecked >= self._every or (self._unchecked and isinstance(event, End)):
                self._unchecked = 0
                text = "".join(self._text)
                self._text = [text]
                outcome = await self._checks.run("on_text", text, may_change=False)
                if isinstance(outcome, RejectedError):
                    self._refusal = outcome
                    return batch[:place]
        return batch
