"""A whole answer as the events of a stream: for servers that answer in one piece, and for what was kept."""

from __future__ import annotations

from pydantic_core import to_json

from .chat.content import ReasoningContent, Text, ThoughtSignature, ToolCall
from .chat.events import Chunk, End, ReasoningChunk, Start, StreamEvent, ThoughtSignatureChunk, ToolCallChunk
from .chat.response import ChatResponse

__all__ = ["events_of"]


def events_of(response: ChatResponse) -> list[StreamEvent]:
    """`Start`, one event a part in the order of the content, `End`; collecting them gives `response` again."""
    events: list[StreamEvent] = [
        Start(
            response.model,
            response.provider,
            response.provider_model,
            response_id=response.response_id,
            cached=response.cached,
        )
    ]
    calls = 0
    for part in response.content:
        if isinstance(part, Text) and part.text:
            events.append(Chunk(part.text))
        elif isinstance(part, ReasoningContent) and part.text:
            events.append(ReasoningChunk(part.text))
        elif isinstance(part, ThoughtSignature):
            events.append(ThoughtSignatureChunk(part.signature))
        elif isinstance(part, ToolCall):
            arguments = part.fn_arguments
            said = arguments if isinstance(arguments, str) else to_json(arguments, inf_nan_mode="constants").decode()
            events.append(ToolCallChunk(calls, part.call_id, part.fn_name, said))
            calls += 1
    events.append(
        End(
            response.stop_reason,
            response.usage,
            response.content,
            response.response_id,
            response.provider_model,
            response.raw,
        )
    )
    return events
