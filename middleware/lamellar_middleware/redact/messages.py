"""Where in requests and answers there is something to hide or to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.chat.content import Custom, ReasoningContent, Text, ToolCall, ToolResponse, reasoning_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamellar.chat.content import ContentPart
    from lamellar.chat.request import ChatMessage, ChatRequest
    from lamellar.chat.response import ChatResponse

    from .spec import Place
    from .vault import Vault

__all__ = ["hidden", "shown", "shown_parts"]


def hidden(chat_req: ChatRequest, vault: Vault, where: tuple[Place, ...]) -> ChatRequest:
    """The request with placeholders; the same object where nothing was found."""
    system = chat_req.system
    if system and "system" in where:
        system = vault.hide(system)
    messages = tuple([_hidden_message(message, vault, where) for message in chat_req.messages])
    return chat_req.model_copy(update={"system": system, "messages": messages}) if vault.values else chat_req


def _hidden_message(message: ChatMessage, vault: Vault, where: tuple[Place, ...]) -> ChatMessage:
    texts = ("system" if message.role == "system" else "messages") in where
    # Custom parts of an assistant's are the provider's own, to be sent back unchanged.
    customs = texts and message.role != "assistant"
    parts = tuple(
        [_hidden_part(part, vault, texts=texts, tools="tools" in where, customs=customs) for part in message.content]
    )
    same = all(after is before for after, before in zip(parts, message.content, strict=True))
    return message if same else message.model_copy(update={"content": parts})


def _hidden_part(part: ContentPart, vault: Vault, *, texts: bool, tools: bool, customs: bool) -> ContentPart:
    if isinstance(part, Text | ReasoningContent):
        text = vault.hide(part.text) if texts else part.text
        return part if text is part.text else part.model_copy(update={"text": text})
    if isinstance(part, ToolResponse) and tools:
        return part.model_copy(update={"content": vault.hide_in(part.content)})
    if isinstance(part, ToolCall) and tools:
        return part.model_copy(update={"fn_arguments": vault.hide_in(part.fn_arguments)})
    if isinstance(part, Custom) and customs:
        return part.model_copy(update={"data": vault.hide_in(part.data)})
    return part


def shown_parts(parts: Iterable[ContentPart], vault: Vault) -> tuple[ContentPart, ...]:
    """The parts of an answer with the values in them."""
    return tuple([_shown_part(part, vault) for part in parts])


def _shown_part(part: ContentPart, vault: Vault) -> ContentPart:
    if isinstance(part, Text | ReasoningContent):
        return part.model_copy(update={"text": vault.show(part.text)})
    if isinstance(part, ToolCall):
        said = part.fn_arguments
        # Text is what could not be parsed as JSON, and is to be read as such all the same.
        arguments = vault.show_in_json(said) if isinstance(said, str) else vault.show_in(said)
        return part.model_copy(update={"fn_arguments": arguments})
    return part


def shown(response: ChatResponse, vault: Vault) -> ChatResponse:
    """A whole answer with the values in it."""
    content = shown_parts(response.content, vault)
    reasoning = response.reasoning_content
    if reasoning is not None:
        reasoning = reasoning_of(content) if reasoning_of(response.content) == reasoning else vault.show(reasoning)
    return response.model_copy(update={"content": content, "reasoning_content": reasoning})
