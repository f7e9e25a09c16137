"""Arguments of tool calls, on their way to a provider that wants an object of them."""

from __future__ import annotations

from typing import Any

from ..accumulate import parse_arguments
from ..chat.content import ToolCall
from .refusal import Refusal

__all__ = ["arguments_object"]


def arguments_object(part: ToolCall, where: str, refuse: Refusal) -> dict[str, Any]:
    """A call's arguments as an object; of none it is empty.

    Raises:
        ExecutorError: They are something else.
    """
    arguments: object = part.fn_arguments
    if isinstance(arguments, str):
        arguments = parse_arguments(arguments)
    elif arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        mend = "a tool call's arguments are a JSON object here: leave the broken call and its answer out"
        raise refuse(f"{where}.fn_arguments", part.fn_arguments, mend)
    return arguments
