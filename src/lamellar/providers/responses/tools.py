"""Tools and the choice among them, in the provider's form."""

from __future__ import annotations

from typing import Any

from ...chat.tools import Tool, ToolChoice

__all__ = ["choice_of", "tool_of"]


def tool_of(tool: Tool) -> dict[str, Any]:
    """A function, or one of the provider's own tools, whose configuration is in the provider's own form.

    One of the provider's own is named by its type (``web_search``), or has the type in its configuration, beside a name
    of the user's choice. A function may have a configuration too: further fields of it, such as ``defer_loading``.
    """
    if tool.config is not None and tool.schema is None:
        return {"type": tool.name, **tool.config}
    sent: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        sent["description"] = tool.description
    sent["parameters"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    sent["strict"] = bool(tool.strict)  # unsaid means strict here, and would make every parameter a required one
    return {**sent, **(tool.config or {})}


def choice_of(choice: ToolChoice, tools: tuple[Tool, ...] | None) -> str | dict[str, Any]:
    """The choice: a word, a function by name, or one of the provider's own tools by its type."""
    if choice.kind != "tool":
        return choice.kind
    found = next((tool for tool in tools or () if tool.name == choice.name), None)
    if found is None or found.config is None or found.schema is not None:
        return {"type": "function", "name": choice.name}
    sent = tool_of(found)
    named = ("name",) if sent["type"] == "custom" else ("server_label",) if sent["type"] == "mcp" else ()
    return {"type": sent["type"], **{name: sent[name] for name in named if name in sent}}
