"""The conversation itself: read a message, ask, show, keep, until the user leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...call import CallContext
from ...chat.content import Text
from ...chat.options import ChatOptions
from ...collect import Whole
from ...errors import LamellarError
from ..question import is_text
from ..report import INTERRUPTED, tell
from .commands import obey
from .lines import read_message
from .spend import Spend

if TYPE_CHECKING:
    from pathlib import Path

    from ...call import AttemptRecord
    from ...chat.request import ChatMessage
    from ...chat.response import ChatResponse
    from ...sync import SyncExecutor
    from ..showing import Display
    from .conversation import Conversation
    from .lines import Lines

__all__ = ["Talk"]


class Talk:
    """A conversation under way.

    Args:
        executor: Who is asked.
        conversation: What was said so far.
        lines: Where the user's lines come from.
        display: Where the answers go.
        stream: Whether to show answers as they come.
        verbose: Whether to print the attempts of each turn, and what was spent.
    """

    def __init__(
        self,
        executor: SyncExecutor,
        conversation: Conversation,
        lines: Lines,
        display: Display,
        *,
        stream: bool = True,
        verbose: bool = False,
    ) -> None:
        self.conversation = conversation
        self.display = display
        self.spend = Spend()
        self.asked: ChatMessage | None = None
        """The question that was asked last, kept or not; None where there is nothing to ask again."""
        self.attempts: tuple[AttemptRecord, ...] = ()
        """The tries of the last call."""
        self.saved: Path | None = None
        """The file that was saved to, which may be written again."""
        self._cached = False
        self._interrupted = False
        self._executor = executor
        self._lines = lines
        self._stream = stream
        self._verbose = verbose

    def run(self) -> int:
        """Talk until the user leaves; the exit code."""
        while True:
            try:
                message = read_message(self._lines)
                self._interrupted = False
                if not self._take(message):
                    return 0
            except UnicodeDecodeError:
                self._take("\udcff")
            except EOFError:
                return 0
            except KeyboardInterrupt:
                self.display.end_lines()
                if self._interrupted:
                    return INTERRUPTED
                # Perhaps it was meant for an answer that had just ended: the conversation is not given up for that.
                self._interrupted = True
                self.display.note("Ctrl-C again leaves, and so does Ctrl-D")

    def _take(self, message: str) -> bool:
        """Do what the user wants; whether the conversation goes on."""
        if not is_text(message):
            self.display.note("this is not UTF-8 text, and was not sent")
        elif message.strip():
            goes_on = obey(self, message)
            if goes_on is None:
                self._ask(self.conversation.question(message[1:] if message.startswith(" /") else message))
            return goes_on is not False
        return True

    def retry(self) -> None:
        """Ask the last question again, in place of its answer."""
        before = self.conversation.turns
        if before and (self.asked is None or before[-1].question is self.asked):
            self.asked = before[-1].question
            self.conversation.undo()
        if self.asked is None:
            self.display.say("There is nothing to ask again.")
            return
        kept = self._ask(self.asked, again=True)
        if not kept and len(before) > len(self.conversation.turns):
            self.conversation.turns = before
            self.display.note("the earlier answer stays")

    def show_attempts(self) -> None:
        """Show the tries of the last call."""
        self.display.attempts(self.attempts, cached=self._cached)

    def _ask(self, question: ChatMessage, *, again: bool = False) -> bool:
        """Ask and show; whether the turn was kept."""
        self.asked = question
        self.attempts, self._cached = (), False
        kept = False
        whole = Whole()
        # An answer that is asked for again is another one, whatever a cache remembers.
        context = CallContext(conversation_id=self.conversation.id, cache="refresh" if again else "use")
        self.display.begin()
        try:
            response = self._answer(question, ChatOptions(call=context), whole)
        except LamellarError as error:
            self.attempts = error.attempts
            self.display.end_lines()
            tell(error, partial=self.display.printed, table=not self._verbose)
            self.display.note("this turn is not kept; /retry asks again")
        except KeyboardInterrupt:
            self._interrupted = True
            kept = self._stopped(question, whole)
        else:
            self.attempts, self._cached = response.attempts, response.cached
            kept = self.conversation.keep(question, response.content, response.model)
            self.display.finish(response.content, response.stop_reason)
            if not kept:
                self.display.note("there is no answer to keep; /retry asks again")
            elif response.tool_calls:
                self.display.note("no tool is run here: the model is told so with your next message")
        self.spend.add(self.attempts)
        if self._verbose:
            self.show_attempts()
            self.display.say(f"Spent so far: {self.spend}.")
        self.display.say()
        return kept

    def _answer(self, question: ChatMessage, options: ChatOptions, whole: Whole) -> ChatResponse:
        model, request = self.conversation.model, self.conversation.request(question)
        if not self._stream:
            response = self._executor.exec_chat_response(model, request, options)
            self.display.response(response)
            return response
        with self._executor.exec_chat_stream_events(model, request, options) as events:
            try:
                for event in events:
                    whole.add(event)
                    self.display.event(event)
            finally:
                events.close()  # before the attempts are read, so that the last one has its outcome
                self.attempts = events.attempts
        return whole.response(events.attempts)

    def _stopped(self, question: ChatMessage, whole: Whole) -> bool:
        """Ctrl-C: keep what came, if it can be read. Reasoning and calls that are not whole would be refused."""
        self.display.end_lines()
        partial = whole.response(())
        kept = self.conversation.keep(question, [Text(partial.text)], partial.model or self.conversation.model)
        if kept:
            self.display.note("stopped; what came so far is kept as the answer")
        else:
            self.display.note("stopped; nothing had come, so the turn is not kept")
        return kept
