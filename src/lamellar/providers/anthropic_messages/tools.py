"""Tools and the choice among them, in the provider's form."""

from __future__ import annotations

import re
from typing import Any

from ...chat.options import ChatOptions
from ...chat.tools import Tool
from ..refusal import Refusal
from .blocks import cache_mark
from .models import ModelTraits

__all__ = ["choice_of", "tool_of"]

_BUILT_IN = {
    "bash": "bash_20250124",
    "code_execution": "code_execution_20250825",
    "memory": "memory_20250818",
    "str_replace_based_edit_tool": "text_editor_20250728",
    "web_fetch": "web_fetch_20250910",
    "web_search": "web_search_20250305",
}
"""The version of a built-in tool that is meant where none is said."""

_DATED = re.compile(r"(?P<name>\w+)_\d{8}\Z")
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def tool_of(tool: Tool, where: str, refuse: Refusal) -> dict[str, Any]:
    """A function, or one of the provider's own tools, whose configuration is in the provider's own form.

    A built-in is named by its versioned type (``web_search_20250305``), or by its name, with the type in the
    configuration or, for those in `_BUILT_IN`, without. A function may have a configuration too: further fields of
    it, such as ``defer_loading``.

    Raises:
        ExecutorError: It is neither.
    """
    config = tool.config
    sent: dict[str, Any] = {"name": tool.name}
    dated = _DATED.match(tool.name)
    if config is None or tool.schema is not None:
        if tool.description is not None:
            sent["description"] = tool.description
        sent["input_schema"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
        if tool.strict is not None:
            sent["strict"] = tool.strict
    elif dated is not None and "type" not in config:
        sent = {"type": tool.name, "name": dated["name"]}
    elif tool.name in _BUILT_IN:
        sent["type"] = _BUILT_IN[tool.name]
    elif "type" not in config:
        mend = f"say which built-in it is, such as {_BUILT_IN['web_search']!r}; a function has a schema"
        raise refuse(f"{where}.config.type", None, mend)
    sent.update(config or {})
    if tool.cache_control is not None:
        sent["cache_control"] = cache_mark(tool.cache_control)
    return sent


def choice_of(options: ChatOptions, traits: ModelTraits, refuse: Refusal, *, has_tools: bool) -> dict[str, Any] | None:
    """The choice among the tools. Without tools there is none to make, and the provider takes no `tool_choice`.

    Raises:
        ExecutorError: The model cannot be made to call a tool, and it was asked to be.
    """
    choice = options.tool_choice
    one_at_a_time = options.parallel_tool_calls is False
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if has_tools and one_at_a_time else None
    if not has_tools and choice.kind in ("auto", "none"):
        return None
    if choice.kind in ("required", "tool") and not traits.forced_tools:
        mend = "this model cannot be made to call a tool: use 'auto', and say in the prompt that it shall"
        raise refuse("tool_choice", choice.kind, mend)
    sent: dict[str, Any]
    sent = {"type": "tool", "name": choice.name} if choice.kind == "tool" else {"type": _CHOICES[choice.kind]}
    if one_at_a_time and choice.kind != "none":
        sent["disable_parallel_tool_use"] = True
    return sent
