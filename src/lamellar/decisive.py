"""Which of several errors a stack raises in the end."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import ErrorKind, LamellarError, RejectedError

__all__ = ["decisive", "latest"]

_PERMANENT = frozenset(
    {
        ErrorKind.INVALID_REQUEST,
        ErrorKind.UNAUTHORIZED,
        ErrorKind.PERMISSION_DENIED,
        ErrorKind.MODEL_NOT_FOUND,
        ErrorKind.CONTEXT_OVERFLOW,
    }
)
_TRANSIENT = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.CONNECTION,
        ErrorKind.TIMEOUT,
        ErrorKind.TRUNCATED,
        ErrorKind.MALFORMED,
    }
)


def latest(errors: Sequence[LamellarError]) -> LamellarError:
    """The error that decides among the tries of one target: the last one that is no refusal.

    Args:
        errors: One error a try, in the order they came; at least one.
    """
    return next((error for error in reversed(errors) if not isinstance(error, RejectedError)), errors[-1])


def decisive(errors: Sequence[LamellarError]) -> LamellarError:
    """The error that decides a call: the last one, unless it would mask the one that matters.

    A refusal never masks a provider's error, and a permanent error of a later target (its key, its model, its window)
    never masks an earlier transient one: then it is the latest transient error.

    Args:
        errors: One error a target, in the order they came; at least one.
    """
    told = [error for error in errors if not isinstance(error, RejectedError)]
    if not told:
        return errors[-1]
    last = told[-1]
    if getattr(last, "kind", None) in _PERMANENT:
        for earlier in reversed(told[:-1]):
            if getattr(earlier, "kind", None) in _TRANSIENT:
                return earlier
    return last
