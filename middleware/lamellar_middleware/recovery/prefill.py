"""Whether a target can go on from a partial answer, and how it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.chat.content import Text
from lamellar.chat.options import JsonSchemaFormat
from lamellar.chat.request import ChatMessage
from lamellar.errors import ErrorKind, ExecutorError, LamellarError
from lamellar.executor import discard

if TYPE_CHECKING:
    from lamellar.chat.content import ContentPart
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest
    from lamellar.chat.response import ChatResponse
    from lamellar.stream import LlmEventStream

__all__ = ["goes_on", "prefilled"]


def prefilled(
    chat_req: ChatRequest, options: ChatOptions | None, delivered: tuple[ContentPart, ...]
) -> ChatRequest | None:
    """The request to go on from what was delivered; None where that cannot be asked for.

    It can be where nothing but text was delivered and asked for: no tool call, reasoning or signature, no JSON schema,
    and a text that does not end in white space, which providers refuse in an assistant's last message.
    """
    if len(delivered) != 1 or not isinstance(delivered[0], Text):
        return None
    text = delivered[0].text
    if not text or text[-1].isspace():
        return None
    if options is not None and (
        options.reasoning_effort not in (None, "zero") or isinstance(options.response_format, JsonSchemaFormat)
    ):
        return None
    return chat_req.append_message(ChatMessage.assistant(text))


def goes_on(outcome: ChatResponse | LlmEventStream | LamellarError) -> bool:
    """Whether a target that was asked to go on does so, or has failed at it for reasons of its own.

    It does not when it refuses the request, nor when its answer has nothing in it, not even usage: taken for the end of
    the text, that would pass a part of it off as whole. Such an answer is let go of here.
    """
    if isinstance(outcome, LamellarError):
        return not (isinstance(outcome, ExecutorError) and outcome.kind is ErrorKind.INVALID_REQUEST)
    if outcome.is_empty:
        discard(outcome)
        return False
    return True
