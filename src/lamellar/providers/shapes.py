"""What an answer holds, where it may be something else than the provider says."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["WrongShapeError", "text_in"]


class WrongShapeError(ValueError):
    """Something is not what the provider sends; told as a malformed answer."""


def text_in(holder: Mapping[str, object], name: str) -> str:
    """A text that may be absent.

    Args:
        holder: The object with the text.
        name: Its field.

    Raises:
        WrongShapeError: It is something else.
    """
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongShapeError(f"`{name}` is a {type(value).__name__}, not a text")
    return value
