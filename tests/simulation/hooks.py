"""Functions that a user may hand to a layer."""

from __future__ import annotations

from lamellar import ChatOptions, ChatRequest, ChatResponse, Chunk
from lamellar.chat.content import Text
from lamellar.chat.events import ReasoningChunk, StreamEvent


def let_through(subject: object) -> None:
    return None


async def think_about_it(subject: object) -> bool:
    return True


def not_green(text: str) -> str | None:
    return "green" if "night" in text.casefold() else None


def same_request(chat_req: ChatRequest) -> ChatRequest:
    return chat_req


def same_options(options: ChatOptions) -> ChatOptions:
    return options


def shout(event: StreamEvent) -> StreamEvent:
    return Chunk(event.content.upper()) if isinstance(event, Chunk) else event


def halves(event: StreamEvent) -> list[StreamEvent]:
    if not isinstance(event, Chunk):
        return [event]
    middle = len(event.content) // 2
    return [Chunk(event.content[:middle]), Chunk(event.content[middle:])]


def no_reasoning(event: StreamEvent) -> StreamEvent | None:
    return None if isinstance(event, ReasoningChunk) else event


def shouted(response: ChatResponse) -> ChatResponse:
    parts = tuple([Text(part.text.upper()) if isinstance(part, Text) else part for part in response.content])
    return response.model_copy(update={"content": parts})


def by_day(response: ChatResponse) -> bool:
    return "night" not in response.text.casefold()


def large_ones(model: str, chat_req: ChatRequest, options: ChatOptions | None) -> str | None:
    return "other" if model == "other" else None
