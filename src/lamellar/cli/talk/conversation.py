"""What was said so far, and the request that the next question makes of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...chat.content import (
    Binary,
    ContentPart,
    ReasoningContent,
    Text,
    ThoughtSignature,
    ToolCall,
    ToolResponse,
    text_of,
    tool_calls_of,
)
from ...chat.request import ChatMessage, ChatRequest

__all__ = ["Conversation", "Turn"]

_NOT_RUN = "This tool was not run: nobody runs tools in this conversation."


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer.

    Args:
        question: What the user said.
        answer: What the model said, with its reasoning and signatures.
        model: The model that said it.
    """

    question: ChatMessage
    answer: ChatMessage
    model: str


class Conversation:
    """A conversation; it is changed by whole turns only.

    Args:
        model: The model to ask.
        system: A system prompt, or None.
        attached: Parts that go with the first question, before its text.
    """

    def __init__(self, model: str, *, system: str | None = None, attached: Sequence[ContentPart] = ()) -> None:
        self.model = model
        self.system = system
        self.attached = tuple(attached)
        self.turns: tuple[Turn, ...] = ()
        self.id = uuid.uuid4().hex

    def question(self, text: str) -> ChatMessage:
        """The next message; the first one brings what is attached."""
        return ChatMessage.user(text if self.turns else (*self.attached, text))

    def request(self, question: ChatMessage) -> ChatRequest:
        """Everything said so far, then `question`."""
        return ChatRequest(system=self.system, messages=(*self._messages(), question))

    def keep(self, question: ChatMessage, content: Sequence[ContentPart], model: str) -> bool:
        """Add a turn, if there is something in the answer; whether there is.

        An answer of nothing but reasoning is none: providers refuse to be told it.
        """
        if not any(map(_says_something, content)):
            return False
        kept = [part for part in content if not isinstance(part, Text) or part.text]
        self.turns = (*self.turns, Turn(question, ChatMessage.assistant(kept), model))
        return True

    def undo(self) -> Turn | None:
        """Take the last turn back; it, or None where there is none."""
        if not self.turns:
            return None
        *rest, last = self.turns
        self.turns = tuple(rest)
        return last

    def clear(self) -> None:
        """Begin anew: no turns, and another id. Model, system prompt and attachments stay."""
        self.turns = ()
        self.id = uuid.uuid4().hex

    def as_json(self) -> str:
        """The conversation as the JSON of a `ChatRequest`, which can be asked to go on."""
        saved = ChatRequest(system=self.system, messages=tuple(self._messages()))
        return saved.model_dump_json(indent=2, exclude_none=True) + "\n"

    def as_markdown(self) -> str:
        """The conversation for people to read: texts, tool calls, and what was attached by name."""
        said = [f"# A conversation with {self.model}"]
        if self.system is not None:
            said += ["## System", self.system]
        for turn in self.turns:
            said += ["## You", *_paragraphs(turn.question), f"## {turn.model}", *_paragraphs(turn.answer)]
        return "\n\n".join(paragraph.strip("\n") for paragraph in said) + "\n"

    def _messages(self) -> Iterator[ChatMessage]:
        for turn in self.turns:
            yield turn.question
            yield turn.answer
            calls = tool_calls_of(turn.answer.content)
            if calls:  # providers refuse a conversation that goes on while a call is open
                yield ChatMessage.tool(
                    [ToolResponse(call_id=call.call_id, fn_name=call.fn_name, content=_NOT_RUN) for call in calls]
                )


def _says_something(part: ContentPart) -> bool:
    if isinstance(part, Text):
        return bool(part.text.strip())
    return not isinstance(part, ReasoningContent | ThoughtSignature)


def _paragraphs(message: ChatMessage) -> Iterator[str]:
    for part in message.content:
        if isinstance(part, Binary):
            yield f"[{part.name or part.content_type}]"
        elif isinstance(part, ToolCall):
            yield f"    {part.fn_name}({part.fn_arguments})"
    text = text_of(message.content)
    if text.strip():
        yield text
