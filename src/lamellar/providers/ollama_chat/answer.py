"""An answer, gathered from the messages of one payload or of many.

Thinking, text and pictures become our parts, calls too. What is new in a message is kept as a `Custom` with that field,
and goes back as it came; log probabilities are kept and do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from ...chat.content import Binary, ContentPart, Custom, ToolCall
from ...chat.events import PROGRESS, Progress, StreamEvent, ToolCallChunk
from ..names import name_of
from ..ordered_parts import OrderedParts
from .calls import made_id

__all__ = ["Answer"]

_Events = list[StreamEvent | Progress]
_KNOWN = frozenset(("role", "content", "thinking", "tool_calls", "images"))
_KINDS = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("UklGR", "image/webp"), ("R0lGOD", "image/gif"))
"""How the base64 of a picture begins; its kind is told nowhere else."""


class Answer:
    """The parts of one answer, in the order in which they began.

    Args:
        provider: The provider's namespace, for what is kept in its form.
        lift: Whether inline ``<think>`` blocks are reasoning.
    """

    __slots__ = ("_calls", "_extras", "_parts", "_provider", "unread")

    def __init__(self, provider: str, *, lift: bool) -> None:
        self.unread: str | None = None
        """What could not be read, once there was such a thing."""
        self._provider = provider
        self._parts = OrderedParts(lift=lift)
        self._calls = 0
        self._extras: dict[str, list[Any]] = {}

    @property
    def has_calls(self) -> bool:
        """Whether the model asked for a tool."""
        return self._calls > 0

    def add(self, message: Mapping[str, Any], created_at: object, out: _Events) -> None:
        """Add a message, and its events to `out`.

        Args:
            message: The message, whole or a piece of it.
            created_at: The time its payload tells, for ids that must be made.
            out: Where the events go.
        """
        thinking = message.get("thinking")
        if thinking and isinstance(thinking, str):
            self._parts.reasoning(thinking, out)
        content = message.get("content")
        if content and isinstance(content, str):
            self._parts.text(content, out)
        if message.keys() <= _KNOWN and "images" not in message and "tool_calls" not in message:
            return  # the common case
        images = message.get("images")
        for image in images if isinstance(images, list) else ():
            if isinstance(image, str) and image:
                self._parts.part(Binary.from_base64(_kind_of(image), image))
                out.append(PROGRESS)
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            self._call(call, created_at, out)
        for name in message.keys() - _KNOWN:
            self.keep(name, message[name], out)

    def keep(self, name: str, value: object, out: _Events) -> None:
        """Keep a field that is none of ours; pieces of a list or of a text add up, of anything else the last holds."""
        if value in (None, "", [], {}):
            return
        self._extras.setdefault(name, []).append(value)
        out.append(PROGRESS)

    def finish(self, out: _Events) -> None:
        """Tell what was held back because it might have been a tag."""
        self._parts.finish(out)

    def content(self) -> tuple[ContentPart, ...]:
        """The parts."""
        parts = self._parts.content()
        parts.extend(
            Custom(model=self._provider, data={name: _joined(pieces)}) for name, pieces in sorted(self._extras.items())
        )
        return tuple(parts)

    def _call(self, call: object, created_at: object, out: _Events) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        name = name_of(function.get("name")) if isinstance(function, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict) or name is None:
            self.unread = "a tool call has no name"
            return
        self.finish(out)
        arguments, text = _arguments(function.get("arguments"))
        call_id = name_of(call.get("id")) or made_id(self._calls, created_at)
        self._parts.part(ToolCall(call_id=call_id, fn_name=name, fn_arguments=arguments))
        out.append(ToolCallChunk(self._calls, call_id, name, text))
        self._calls += 1


def _arguments(said: Any) -> tuple[Any, str]:
    """Arguments, and their JSON text. They are an object; some models' templates make a text of it."""
    if said is None:
        return {}, "{}"
    if not isinstance(said, str):
        return said, to_json(said, inf_nan_mode="constants").decode()
    if not said.strip():
        return {}, "{}"
    try:
        return from_json(said), said
    except ValueError:
        return said, said


def _joined(pieces: list[Any]) -> Any:
    if all(isinstance(piece, list) for piece in pieces):
        return [entry for piece in pieces for entry in piece]
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    return pieces[-1]


def _kind_of(image: str) -> str:
    return next((kind for beginning, kind in _KINDS if image.startswith(beginning)), "image/png")
