"""A stream whose events a user's function changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from lamellar.chat.events import End, Restart, StreamEvent

from ..rewriting import RewritingSource, merged
from .hooks import call_event_hook

if TYPE_CHECKING:
    from lamellar.stream import LlmEventStream

__all__ = ["ChangedSource"]


class ChangedSource(RewritingSource):
    """Every content event goes through the function; `Restart` and `End` do not.

    Args:
        inner: The inner stream.
        hook: The function.
    """

    __slots__ = ("_hook",)

    def __init__(self, inner: LlmEventStream, hook: Callable[..., object]) -> None:
        super().__init__(inner)
        self._hook = hook

    def change(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """What the function makes of it; the `End` holds what was delivered."""
        if isinstance(event, End):
            if event.content is not None:
                event = replace(event, content=merged(self.delivered.parts(), event.content))
            return (event,)
        return (event,) if isinstance(event, Restart) else call_event_hook(self._hook, event)
