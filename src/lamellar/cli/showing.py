"""How an answer is shown: its text on standard output as it comes, and whatever is about it on standard error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..chat.content import Binary, tool_calls_of
from ..chat.events import Chunk, ReasoningChunk, Restart
from .attempts import print_attempts
from .terminal import Screen, console, plain

if TYPE_CHECKING:
    from ..call import AttemptRecord
    from ..chat.content import ContentPart
    from ..chat.events import StreamEvent
    from ..chat.response import ChatResponse, StopReason

__all__ = ["Display"]


class Display:
    """Where one answer after another is shown.

    Args:
        reasoning: Whether to show the reasoning, on standard error.
    """

    def __init__(self, *, reasoning: bool) -> None:
        self.reasoning = reasoning
        self._answer = Screen()
        self._aside = Screen(stderr=True)
        self._err = console(stderr=True)

    @property
    def printed(self) -> bool:
        """Whether anything of the answer stands on standard output."""
        return self._answer.printed

    def begin(self) -> None:
        """Another answer begins."""
        self._answer.printed = self._aside.printed = False

    def event(self, event: StreamEvent) -> None:
        """Show what is to be seen of an event."""
        if isinstance(event, Chunk):
            self._text(event.content)
        elif isinstance(event, ReasoningChunk):
            self._reason(event.content)
        elif isinstance(event, Restart):
            self._restart(event)

    def response(self, response: ChatResponse) -> None:
        """Show an answer that came whole."""
        if response.reasoning_content:
            self._reason(response.reasoning_content)
        self._text(response.text)

    def finish(self, content: Sequence[ContentPart], stop_reason: StopReason | None) -> None:
        """End the lines, and say what the text alone does not tell.

        Args:
            content: The whole answer.
            stop_reason: Why it ended.
        """
        self.end_lines()
        for call in tool_calls_of(content):
            self._answer.write(f"{call.fn_name}({json.dumps(call.fn_arguments, ensure_ascii=False)})\n")
        for part in content:
            if isinstance(part, Binary):
                self.note(f"the answer holds {part.content_type}, which is not shown")
        if not content or not (self.printed or any(isinstance(part, Binary) for part in content)):
            self.note("the answer is empty")
        if stop_reason == "max_tokens":
            self.note("the answer stops here because it reached its bound on tokens")
        elif stop_reason == "content_filter":
            self.note("the provider's content filter ended the answer here")

    def end_lines(self) -> None:
        """Go to a new line on both, unless there already."""
        self._aside.end_line()
        self._answer.end_line()

    def note(self, text: str) -> None:
        """Say something about the answer, on standard error."""
        self.say(f"note: {text}")

    def say(self, text: str = "") -> None:
        """Write a line to standard error."""
        self._err.print(plain(text), soft_wrap=True)

    def attempts(self, attempts: Sequence[AttemptRecord], *, cached: bool = False) -> None:
        """Show the tries that a call took, on standard error; of an answer from the cache that there were none."""
        if attempts:
            print_attempts(self._err, attempts)
        elif cached:
            self.note("answered from the cache; nobody was asked")
        else:
            self.note("there is no record of an attempt")

    def _text(self, text: str) -> None:
        if text:
            self._aside.end_line()
            self._answer.write(text)

    def _reason(self, text: str) -> None:
        if not (self.reasoning and text):
            return
        if self._answer.is_terminal and self._aside.is_terminal:
            self._answer.end_line()  # they share the screen; a file gets the answer alone
        if not self._aside.is_styled and self._aside.at_line_start:
            self._aside.write("reasoning: ")
        self._aside.write(text, dim=True)

    def _restart(self, event: Restart) -> None:
        where = event.target or event.model
        told = f"{event.reason}: the answer above was broken off; it starts over at {where}"
        self.end_lines()
        if self.printed:
            # On standard output, where the broken text stands: whoever reads that must know, in a file too.
            self._answer.write(f"\n--- {told} ---\n\n")
        elif self._aside.printed:
            self.note(told)
