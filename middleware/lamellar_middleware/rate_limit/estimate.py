"""How many tokens a call will cost, before it is made: a cheap guess that the answer's own usage corrects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json

from lamellar.chat.content import Binary, Custom, ReasoningContent, Text, ThoughtSignature, ToolCall, ToolResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamellar.chat.content import ContentPart
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest

__all__ = ["estimated_tokens", "prompt_tokens"]

_BYTES = 4
"""Bytes of UTF-8 that one token has on average: for English and code as providers tell, and rather more tokens than
less for other scripts."""

_MESSAGE = 4
"""Tokens that a message costs besides its content."""

_BINARY = 1000
"""Tokens of an image, a document or a piece of audio: about a large image's."""


def estimated_tokens(chat_req: ChatRequest, options: ChatOptions | None, output: int) -> int:
    """The prompt's tokens, and the answer's: the caller's `max_tokens`, or `output` where there is none."""
    bound = options.max_tokens if options is not None else None
    return prompt_tokens(chat_req) + (output if bound is None else bound)


def prompt_tokens(chat_req: ChatRequest) -> int:
    """A guess at the tokens of a prompt: a token for every four bytes of text, and a flat rate for binaries."""
    size = _size(chat_req.system) if chat_req.system else 0
    for message in chat_req.messages:
        size += _MESSAGE * _BYTES + _parts_size(message.content)
    for tool in chat_req.tools or ():
        size += len(to_json(tool.schema)) + len(to_json(tool.config)) + _size(tool.name) + _size(tool.description or "")
    return size // _BYTES + 1


def _parts_size(parts: Iterable[ContentPart]) -> int:
    size = 0
    for part in parts:
        if isinstance(part, Text | ReasoningContent):
            size += _size(part.text)
        elif isinstance(part, Binary):
            size += _BINARY * _BYTES
        elif isinstance(part, ToolCall):
            size += len(to_json(part.fn_arguments)) + _size(part.fn_name)
        elif isinstance(part, ToolResponse):
            size += len(to_json(part.content))
        elif isinstance(part, Custom):
            size += len(to_json(part.data))
        elif isinstance(part, ThoughtSignature):
            size += _size(part.signature)
    return size


def _size(text: str) -> int:
    """Bytes of UTF-8; for plain ASCII Python knows them without looking."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
