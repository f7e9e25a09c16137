"""A stream whose placeholders are replaced by the values, wherever the pieces are cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from lamellar.chat.events import Chunk, End, ReasoningChunk, Restart, StreamEvent, ToolCallChunk

from ..rewriting import RewritingSource
from .messages import shown_parts
from .vault import Restorer

if TYPE_CHECKING:
    from lamellar.stream import LlmEventStream

    from .vault import Vault

__all__ = ["RestoringSource"]


class RestoringSource(RewritingSource):
    """The inner stream with the values in it; at most the beginning of one placeholder is held back in each channel.

    Args:
        inner: The stream.
        vault: The values.
    """

    __slots__ = ("_calls", "_open", "_text", "_vault")

    def __init__(self, inner: LlmEventStream, vault: Vault) -> None:
        super().__init__(inner)
        self._vault = vault
        self._text = Restorer(vault, vault.show)
        self._open: type[Chunk | ReasoningChunk] = Chunk
        self._calls: dict[int, Restorer] = {}

    def change(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """What can be delivered after this event."""
        if isinstance(event, Chunk | ReasoningChunk):
            kind = type(event)
            # A piece of the other channel begins a part of its own.
            rest = self._rest() if kind is not self._open else ()
            self._open = kind
            text = self._text.feed(event.content)
            return (*rest, event if text == event.content else kind(text))
        if isinstance(event, ToolCallChunk):
            return (*self._rest(), *self._delta(event))
        if isinstance(event, Restart):
            self._text.rest()
            self._calls.clear()
            return (event,)
        if isinstance(event, End):
            return (*self._rest(), *self._rest_of_calls(), self._whole(event))
        return (*self._rest(), event)  # a signature stands after the reasoning that it signs

    def _rest(self) -> tuple[StreamEvent, ...]:
        """What is held of this part is no placeholder: no more of the part will come."""
        return (self._open(rest),) if (rest := self._text.rest()) else ()

    def _delta(self, event: ToolCallChunk) -> tuple[StreamEvent, ...]:
        call = self._calls.get(event.index)
        if call is None:
            call = self._calls[event.index] = Restorer(self._vault, self._vault.show_in_json)
        arguments = call.feed(event.arguments)
        if arguments == event.arguments:
            return (event,)
        return (replace(event, arguments=arguments),) if arguments or event.name or event.call_id else ()

    def _rest_of_calls(self) -> tuple[StreamEvent, ...]:
        held = [(index, call.rest()) for index, call in self._calls.items()]
        return tuple([ToolCallChunk(index, arguments=rest) for index, rest in held if rest])

    def _whole(self, end: End) -> End:
        return end if end.content is None else replace(end, content=shown_parts(end.content, self._vault))
