"""The error of a stream that broke: what it delivered, and why it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ErrorKind, LamellarError, StreamInterruptedError, StreamTruncatedError

if TYPE_CHECKING:
    from .accumulate import Accumulator
    from .chat.usage import Usage

__all__ = ["interrupted"]


def interrupted(error: LamellarError, delivered: Accumulator, usage: Usage | None) -> StreamInterruptedError:
    """The interruption to raise.

    Args:
        error: What broke the stream; of an interruption its own cause.
        delivered: What the consumer has got.
        usage: What the provider has reported.
    """
    cause = error.cause if isinstance(error, StreamInterruptedError) else error
    truncated = getattr(cause, "kind", None) is ErrorKind.TRUNCATED
    return (StreamTruncatedError if truncated else StreamInterruptedError)(
        cause,
        partial=delivered.parts(whole=False),
        usage=usage or getattr(error, "usage", None),
        open_tool_call=delivered.open_tool_call,
    )
