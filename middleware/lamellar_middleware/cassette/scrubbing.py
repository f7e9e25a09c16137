"""Keeping secrets out of a cassette.

Texts and JSON values of a request or an answer are scrubbed; names, ids and what is opaque and goes back unchanged
(signatures, the bytes of an image) are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from lamellar.accumulate import parse_arguments
from lamellar.chat.events import Chunk, ReasoningChunk, StreamEvent, ToolCallChunk
from lamellar.masking import MASK, is_secret_name, scrub

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["Scrubber", "TimedEvent"]

TimedEvent = tuple[float, StreamEvent]
"""An event, and the seconds that were waited for it since the call began."""

_FIELDS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "reasoning": ("text",),
    "tool_call": ("fn_arguments",),
    "tool_response": ("content",),
    "custom": ("data",),
    "binary": ("name",),
}
"""What of a part holds words; the other fields are names, ids and opaque."""


class Scrubber:
    """Masks what looks like a secret, and what the user's own patterns find.

    Args:
        patterns: Regular expressions.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def text(self, text: str) -> str:
        """A text without them."""
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return scrub(text)

    def value(self, value: JsonValue) -> JsonValue:
        """A JSON value without them, nor any text under a secret name."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {
                name: MASK if isinstance(each, str) and is_secret_name(name) else self.value(each)
                for name, each in value.items()
            }
        return value

    def part(self, part: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """A part of a message."""
        found = {name: self.value(part[name]) for name in _FIELDS.get(str(part.get("type")), ()) if name in part}
        source = part.get("source")
        if isinstance(source, dict) and isinstance(source.get("url"), str):
            found["source"] = {**source, "url": self.value(source["url"])}
        return {**part, **found}

    def parts(self, parts: Iterable[JsonValue]) -> list[JsonValue]:
        """The parts of a message or an answer."""
        return [self.part(part) if isinstance(part, dict) else part for part in parts]

    def fields(self, data: dict[str, JsonValue], *names: str) -> dict[str, JsonValue]:
        """`data` with these of its fields scrubbed."""
        return {name: self.value(each) if name in names else each for name, each in data.items()}

    def events(self, events: Sequence[TimedEvent]) -> list[TimedEvent]:
        """The events of a stream, a secret that was cut into several of them included."""
        found: list[TimedEvent] = []
        run: list[TimedEvent] = []
        for at, event in events:
            if run and type(event) is not type(run[0][1]):
                found += self._run(run)
                run = []
            if isinstance(event, Chunk | ReasoningChunk):
                run.append((at, event))
            else:
                found.append((at, event))
        return self._calls([*found, *self._run(run)])

    def _run(self, run: list[TimedEvent]) -> list[TimedEvent]:
        """Neighbouring pieces of one channel; as one, where there is something to hide."""
        said = "".join([cast("Chunk", event).content for _, event in run])
        told = self.text(said)
        if told == said:
            return run
        at, first = run[0]
        return [(at, type(first)(told))]  # type: ignore[call-arg, arg-type]

    def _calls(self, events: list[TimedEvent]) -> list[TimedEvent]:
        """The deltas of each tool call; all its arguments in the first, where there is something to hide."""
        said: dict[int, str] = {}
        for _, event in events:
            if isinstance(event, ToolCallChunk):
                said[event.index] = said.get(event.index, "") + event.arguments
        hidden = {index: told for index, text in said.items() if (told := self._arguments(text)) != text}
        found: list[TimedEvent] = []
        for at, event in events:
            if isinstance(event, ToolCallChunk) and event.index in hidden:
                found.append((at, replace(event, arguments=hidden[event.index])))
                hidden[event.index] = ""
            else:
                found.append((at, event))
        return found

    def _arguments(self, text: str) -> str:
        parsed = parse_arguments(text)
        if isinstance(parsed, str):
            return self.text(text)
        told = self.value(parsed)
        return text if told == parsed else json.dumps(told, ensure_ascii=False)
