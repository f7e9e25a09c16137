"""Streams, read to their end through a dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lamellar.chat.events import End, Progress, StreamEvent
from lamellar.chat.options import ChatOptions
from lamellar.errors import ExecutorError
from lamellar.providers.wire import StreamParser

__all__ = ["Streams"]


class Streams:
    """How one dialect reads streams.

    Args:
        opened: Opens a parser, with the caller's options.
        framed: Makes bytes of what is no bytes yet. Default: there is no such thing.
    """

    def __init__(self, opened: Callable[..., StreamParser], framed: Callable[[Any], bytes] = bytes) -> None:
        self._opened = opened
        self._framed = framed

    def bytes_of(self, *pieces: Any) -> bytes:
        """The pieces as they are sent."""
        return b"".join([piece if isinstance(piece, bytes) else self._framed(piece) for piece in pieces])

    def run(
        self, *pieces: Any, size: int | None = None, options: ChatOptions | None = None, **more: Any
    ) -> tuple[list[StreamEvent | Progress], StreamParser]:
        """The events, and the parser that made them, fed in pieces of one size."""
        parser = self._opened(options, **more)
        data = self.bytes_of(*pieces)
        step = size or max(1, len(data))
        events = [found for at in range(0, len(data), step) for found in parser.feed(data[at : at + step])]
        return events + parser.finish(), parser

    def whole(self, *pieces: Any, **more: Any) -> list[StreamEvent | Progress]:
        """The events of a stream that is whole."""
        events, parser = self.run(*pieces, **more)
        assert parser.error is None
        assert parser.ended
        return events

    def end_of(self, *pieces: Any, **more: Any) -> End:
        """Its last event."""
        end = self.whole(*pieces, **more)[-1]
        assert isinstance(end, End)
        return end

    def failed(self, *pieces: Any, **more: Any) -> ExecutorError:
        """The error of a stream that is none."""
        events, parser = self.run(*pieces, **more)
        assert parser.error is not None
        assert not parser.ended
        assert not any(isinstance(found, End) for found in events)
        return parser.error
