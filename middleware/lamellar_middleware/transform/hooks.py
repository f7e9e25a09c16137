"""Calling a user's function: what it returns is checked, and what it raises is told with its name."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable, iscoroutine
from typing import TypeVar

from lamellar.chat.events import Chunk, ReasoningChunk, StreamEvent, ThoughtSignatureChunk, ToolCallChunk
from lamellar.errors import ErrorKind, LamellarError, RejectedError
from lamellar.masking import scrub

__all__ = ["call_event_hook", "call_value_hook"]

T = TypeVar("T")

_CONTENT = (Chunk, ReasoningChunk, ThoughtSignatureChunk, ToolCallChunk)


async def call_value_hook(hook: Callable[..., object], value: T, expected: type[T], name: str, kind: ErrorKind) -> T:
    """What a hook makes of `value`.

    Args:
        hook: The function; it may be a coroutine function.
        value: What it takes.
        expected: What it must return.
        name: The option it was given as.
        kind: The kind of the refusal, should it fail.

    Raises:
        RejectedError: It raised, or returned something else.
        LamellarError: It raised one of our own.
    """
    try:
        found = hook(value)
        if isawaitable(found):
            found = await found
    except LamellarError:
        raise
    except Exception as error:
        raise _failed(name, kind, error) from _showable(error)
    if not isinstance(found, expected):
        raise _returned(name, kind, found, f"a {expected.__name__}")
    return found


def call_event_hook(hook: Callable[..., object], event: StreamEvent) -> list[StreamEvent]:
    """The events that a hook puts in the place of `event`.

    Raises:
        RejectedError: It raised, or returned something that is no event of content.
        LamellarError: It raised one of our own.
    """
    try:
        found = hook(event)
    except LamellarError:
        raise
    except Exception as error:
        raise _failed("event", ErrorKind.ANSWER_REJECTED, error) from _showable(error)
    told: list[StreamEvent] = []
    for each in found if isinstance(found, list | tuple) else () if found is None else (found,):
        if not isinstance(each, _CONTENT):
            if iscoroutine(each):
                each.close()  # or it would be complained of as never awaited
            raise _returned("event", ErrorKind.ANSWER_REJECTED, each, "an event of content, a list of them, or None")
        told.append(each)
    return told


def _failed(name: str, kind: ErrorKind, error: Exception) -> RejectedError:
    said = scrub(f"{type(error).__name__}: {error}".removesuffix(": "))[:1000]
    return RejectedError(kind, f"the `{name}` function of a transform failed with {said}")


def _showable(error: Exception) -> Exception | None:
    """The error as a cause, unless a traceback of it would show a secret."""
    shown = f"{error!s} {error!r}"
    return error if scrub(shown) == shown else None


def _returned(name: str, kind: ErrorKind, found: object, expected: str) -> RejectedError:
    return RejectedError(
        kind,
        f"the `{name}` function of a transform returned {type(found).__name__}, and {expected} is expected"
        + ("; is a `return` missing?" if found is None else ""),
    )
