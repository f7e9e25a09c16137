"""Tools and the choice among them, in the provider's form."""

from __future__ import annotations

from typing import Any

from ...chat.options import ChatOptions
from ...chat.tools import Tool
from ..refusal import Refusal
from .blocks import cache_point

__all__ = ["tool_config"]


def tool_config(
    tools: tuple[Tool, ...] | None, options: ChatOptions, refuse: Refusal, *, has_calls: bool
) -> dict[str, Any] | None:
    """The body's `toolConfig`; None without tools.

    Args:
        tools: The caller's.
        options: The caller's.
        refuse: Makes the error.
        has_calls: Whether the conversation has tools' calls or answers in it: then the provider demands the tools.

    Raises:
        ExecutorError: A tool or a choice cannot be said.
    """
    if options.parallel_tool_calls is False:
        mend = "nothing keeps a model from calling several tools here: leave it out, and answer each call"
        refuse.or_drop("parallel_tool_calls", options.parallel_tool_calls, mend)
    choice = options.tool_choice
    if not tools:
        if choice is not None and choice.kind in ("required", "tool"):
            raise refuse("tool_choice", choice.kind, "there are no tools to choose from: give some")
        return None
    if choice is not None and choice.kind == "none":
        if has_calls:
            mend = (
                "the provider has no such choice: leave the tools' calls and answers out of the messages, or use 'auto'"
            )
            raise refuse("tool_choice", choice.kind, mend)
        return None  # a model that is told of no tool calls none
    found: list[dict[str, Any]] = []
    for at, tool in enumerate(tools):
        found.append(_tool(tool, f"tools[{at}]", refuse))
        if tool.cache_control is not None:
            found.append(cache_point(tool.cache_control))
    config: dict[str, Any] = {"tools": found}
    if choice is not None:
        config["toolChoice"] = (
            {"tool": {"name": choice.name}}
            if choice.kind == "tool"
            else ({"any" if choice.kind == "required" else "auto": {}})
        )
    return config


def _tool(tool: Tool, where: str, refuse: Refusal) -> dict[str, Any]:
    """A function, or one of the provider's own tools by its name; a function's `config` is further fields of it.

    Raises:
        ExecutorError: It is a tool of a model's maker, which this form has no place for.
    """
    config = tool.config
    if config is not None and tool.schema is None:
        if "type" in config:
            mend = 'what a model\'s maker offers goes into extra_body={"additionalModelRequestFields": {"tools": […]}}'
            raise refuse(f"{where}.config.type", config["type"], mend)
        return {"systemTool": {"name": tool.name, **config}}
    sent: dict[str, Any] = {"name": tool.name}
    if tool.description:
        sent["description"] = tool.description
    schema = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    sent["inputSchema"] = {"json": schema}
    if tool.strict is not None:
        sent["strict"] = tool.strict
    sent.update(config or {})
    return {"toolSpec": sent}
