"""Answers, events and errors as JSON values, and back.

What has its default is left out, so that a cassette reads well and a later version may add fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, cast

from lamellar.chat.content import ContentPart, reasoning_of
from lamellar.chat.events import (
    Chunk,
    End,
    ReasoningChunk,
    Restart,
    Start,
    StreamEvent,
    ThoughtSignatureChunk,
    ToolCallChunk,
)
from lamellar.chat.response import ChatResponse
from lamellar.errors import ErrorKind, ExecutorError, RejectedError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .scrubbing import Scrubber

__all__ = [
    "answer_data",
    "answer_from",
    "error_data",
    "error_from",
    "event_data",
    "event_from",
]

_PIECES: dict[str, type[Chunk | ReasoningChunk | ThoughtSignatureChunk]] = {
    "text": Chunk,
    "reasoning": ReasoningChunk,
    "signature": ThoughtSignatureChunk,
}
_RECORDS: dict[str, type[Start | ToolCallChunk | Restart]] = {
    "start": Start,
    "tool_call": ToolCallChunk,
    "restart": Restart,
}
_NAMES: dict[type[object], str] = {kind: name for name, kind in (*_PIECES.items(), *_RECORDS.items())}

_SAID = ("provider", "model", "status", "code", "retry_after", "request_id")
_VERDICTS = ("retryable", "failover", "counts_against_health")


def answer_data(answer: ChatResponse | End, scrubber: Scrubber) -> dict[str, JsonValue]:
    """What an answer holds; not who gave it, which the target that replays it says."""
    whole = ChatResponse(
        content=answer.content or (),
        model="",
        provider="",
        provider_model=answer.provider_model,
        stop_reason=answer.stop_reason,
        usage=answer.usage,
        response_id=answer.response_id,
        raw=answer.raw,
    )
    found = whole.model_dump(
        mode="json", exclude_defaults=True, exclude={"content", "model", "provider", "reasoning_content"}
    )
    if answer.content is not None:
        found["content"] = scrubber.parts([_part(part) for part in whole.content])
    if isinstance(answer, ChatResponse):
        if answer.cached:
            found["cached"] = True
        if answer.reasoning_content != reasoning_of(answer.content):
            found["reasoning_content"] = scrubber.value(answer.reasoning_content)
    return scrubber.fields(found, "raw")


def _part(part: ContentPart) -> JsonValue:
    return {"type": part.type, **part.model_dump(mode="json", exclude_defaults=True)}


def answer_from(data: Any, model: str, provider: str) -> ChatResponse:
    """The answer, as one of this model and provider.

    Raises:
        ValueError: It is none.
    """
    found = ChatResponse.model_validate({**data, "model": model, "provider": provider})
    if "reasoning_content" in data:
        return found
    return found.model_copy(update={"reasoning_content": reasoning_of(found.content)})


def event_data(event: StreamEvent, scrubber: Scrubber, told: Sequence[ContentPart]) -> dict[str, JsonValue]:
    """An event of a stream, under its name; its text is taken as it is.

    Args:
        event: The event.
        scrubber: What keeps secrets out of an `End`.
        told: What all the events before the `End` come to: an `End` that holds no more leaves its content out.
    """
    if isinstance(event, End):
        return {"end": answer_data(event if event.content != told else replace(event, content=None), scrubber)}
    name = _NAMES[type(event)]
    if isinstance(event, Chunk | ReasoningChunk | ThoughtSignatureChunk):
        return {name: event.content}
    said = {field.name: getattr(event, field.name) for field in fields(event)}
    return {
        name: {key: value for key, value in said.items() if value is not None and value is not False and value != ""}
    }


def event_from(data: Any) -> StreamEvent:
    """The event.

    Raises:
        ValueError: It is none.
    """
    ((name, said),) = ((name, said) for name, said in data.items() if name != "at")
    if name == "end":
        whole = answer_from(said, "", "")
        content = whole.content if "content" in said else None
        return End(whole.stop_reason, whole.usage, content, whole.response_id, whole.provider_model, whole.raw)
    if name in _PIECES:
        if not isinstance(said, str):
            raise ValueError(f"'{name}' is a text")
        return _PIECES[name](said)
    if name == "restart":
        return Restart(said.get("target"), said.get("model", ""), ErrorKind(said["reason"]), said.get("provider"))
    if name == "start":
        said = {"model": "", "provider": "", **said}
    if name not in _RECORDS:
        raise ValueError(f"there is no event '{name}'")
    return _RECORDS[name](**said)


def error_data(error: ExecutorError | RejectedError, scrubber: Scrubber) -> dict[str, JsonValue]:
    """A failure or a refusal, with its verdicts."""
    said = {name: getattr(error, name, None) for name in _SAID}
    found: dict[str, JsonValue] = {
        "refused": isinstance(error, RejectedError),
        "kind": str(error.kind),
        "message": scrubber.text(error.message),
        **{name: value for name, value in said.items() if value is not None},
        **{name: getattr(error, name) for name in _VERDICTS},
    }
    return found


def error_from(data: Any) -> ExecutorError | RejectedError:
    """The failure or refusal.

    Raises:
        ValueError: It is none.
    """
    kind, message = ErrorKind(data["kind"]), str(data["message"])
    found: ExecutorError | RejectedError
    if data.get("refused"):
        found = RejectedError(kind, message, retry_after=data.get("retry_after"))
    else:
        found = ExecutorError(kind, message, **{name: data.get(name) for name in _SAID})
    for name in _VERDICTS:
        if name in data:
            setattr(found, name, cast("bool", data[name]))
    return found
