"""Calling a user's function that says where a call goes: what it raises or returns wrongly is told with its name."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable

from ..errors import ErrorKind, LamellarError, RejectedError
from ..masking import scrub

__all__ = ["ask", "wrong_field", "wrong_type"]


async def ask(option: str, hook: Callable[..., object], argument: object, kind: ErrorKind) -> object:
    """What a hook answers.

    Args:
        option: The option it was given as.
        hook: The function; it may be a coroutine function.
        argument: What it takes.
        kind: The kind of the refusal, should it fail.

    Raises:
        RejectedError: It raised; the cause is kept, unless it would show a secret.
        LamellarError: It raised one of our own.
    """
    try:
        found = hook(argument)
        return await found if isawaitable(found) else found
    except LamellarError:
        raise
    except Exception as error:
        said = scrub(f"{type(error).__name__}: {error}".removesuffix(": "))[:1000]
        shown = f"{error!s} {error!r}"
        raise RejectedError(kind, f"auto.{option} failed with {said}") from (error if scrub(shown) == shown else None)


def wrong_field(option: str, found: object, field: str, said: object, expected: str) -> RejectedError:
    """The refusal of a call whose hook answered with the right type, of which a field is wrong: `said` stands there.

    That may be a secret, so only its type is told.
    """
    problem = "empty" if said == "" else type(said).__name__
    return RejectedError(
        ErrorKind.INVALID_REQUEST,
        f"auto.{option} returned a {type(found).__name__} whose {field} is {problem}, and {expected} is expected",
    )


def wrong_type(option: str, found: object, expected: str) -> RejectedError:
    """The refusal of a call whose hook answered with something else."""
    missing = "; is a `return` missing?" if found is None else ""
    return RejectedError(
        ErrorKind.INVALID_REQUEST, f"auto.{option} returned {type(found).__name__}, and {expected} is expected{missing}"
    )
