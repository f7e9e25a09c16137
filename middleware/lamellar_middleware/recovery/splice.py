"""Joining a new answer to what was delivered of a broken one.

Texts are compared as they accumulate, channel by channel (text, reasoning), not event by event: the same words may
come in other pieces. While the new answer repeats what was delivered, nothing is sent; what goes beyond it is sent as
it comes. On the first difference the consumer is told to drop what it has (`Restart`), and gets the new answer from
its first event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from lamellar.chat.content import ContentPart, ReasoningContent, Text, reasoning_of, text_of
from lamellar.chat.events import Chunk, End, Progress, ReasoningChunk, Restart, Start, StreamEvent
from lamellar.errors import ErrorKind

__all__ = ["Continuation", "Joint", "Splice"]


class Joint(Protocol):
    """How the events of a second stream reach the consumer of a first."""

    def feed(self, batch: Sequence[StreamEvent | Progress]) -> list[StreamEvent | Progress]:
        """What the consumer gets of these events."""
        ...


class Splice:
    """A new answer from its beginning.

    Args:
        delivered: What the consumer has.
        reason: The kind of the failure that broke the first answer.
    """

    __slots__ = ("_held", "_hopeless", "_joined", "_left", "_reason", "_start")

    def __init__(self, delivered: Sequence[ContentPart], reason: ErrorKind) -> None:
        self._left: dict[type[StreamEvent], str] = {
            Chunk: text_of(delivered),
            ReasoningChunk: reasoning_of(delivered) or "",
        }
        # A tool call or a signature cannot be compared piece by piece, nor taken back.
        self._hopeless = any(not isinstance(part, Text | ReasoningContent) for part in delivered)
        self._joined = False
        self._held: list[StreamEvent] = []
        self._reason = reason
        self._start = Start(model="", provider="")

    def feed(self, batch: Sequence[StreamEvent | Progress]) -> list[StreamEvent | Progress]:
        """What goes beyond what was delivered; or the `Restart` and everything from the beginning."""
        if self._joined:
            return list(batch)
        beyond: list[StreamEvent | Progress] = []
        for place, event in enumerate(batch, 1):
            if isinstance(event, Start):
                self._start = event
            elif not isinstance(event, Progress):
                self._held.append(event)
                repeats = not self._hopeless and self._repeats(event, beyond)
                if not repeats:
                    start = self._start
                    restart = Restart(start.target, start.model, self._reason, start.provider)
                    beyond = [restart, *self._held]  # what was sent beyond it is dropped with the rest
                if not repeats or not any(self._left.values()):
                    self._joined = True
                    self._held = []
                    return [*beyond, *batch[place:]]
        return beyond

    def _repeats(self, event: StreamEvent, beyond: list[StreamEvent | Progress]) -> bool:
        """Whether the new answer may still be the old one; what the event adds to it goes to `beyond`."""
        kind = type(event)
        if kind not in self._left:  # a call, a signature, the end: only where nothing is left to be repeated
            beyond.append(event)
            return not any(self._left.values())
        said: str = event.content  # type: ignore[union-attr, assignment]
        left = self._left[kind]
        overlap = min(len(said), len(left))
        if said[:overlap] != left[:overlap]:
            return False
        self._left[kind] = left[overlap:]
        if overlap < len(said):
            beyond.append(kind(said[overlap:]))  # type: ignore[call-arg, arg-type]
        return True


class Continuation:
    """An answer that goes on from the text that was delivered.

    Args:
        delivered: The text so far.
    """

    __slots__ = ("_delivered",)

    def __init__(self, delivered: str) -> None:
        self._delivered = delivered

    def feed(self, batch: Sequence[StreamEvent | Progress]) -> list[StreamEvent | Progress]:
        """Everything but the second `Start`; the `End` holds the whole text."""
        return [self._whole(event) if isinstance(event, End) else event for event in batch if type(event) is not Start]

    def _whole(self, end: End) -> End:
        first, *others = end.content or (Text(""),)
        if isinstance(first, Text):
            return replace(end, content=(Text(self._delivered + first.text), *others))
        return replace(end, content=(Text(self._delivered), first, *others))
