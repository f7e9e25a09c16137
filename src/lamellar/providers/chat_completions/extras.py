"""What a stream delivers beside text, reasoning and tool calls, put together again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...chat.content import Custom

__all__ = ["Extras"]


class Extras:
    """The extras of one streamed answer, each as one `Custom` part in the end."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, name: str, value: object) -> None:
        """Add a delta's field."""
        before = self._found.get(name)
        if before is None:
            before = [] if isinstance(value, list) else {} if isinstance(value, dict) else ""
        if isinstance(before, str) and isinstance(value, str):
            self._found[name] = before + value
        elif isinstance(before, list) and isinstance(value, list):
            join = _JOIN.get(name)
            self._found[name] = join(before, value) if join else [*before, *value]
        elif isinstance(before, dict) and isinstance(value, dict):
            self._found[name] = (
                _lists_joined(before, value) if name == "logprobs" else _joined(before, value, ("data", "transcript"))
            )
        else:
            self._found[name] = value

    def replace(self, name: str, value: object) -> None:
        """Set a field of which every chunk repeats the whole."""
        if value:
            self._found[name] = value

    def parts(self, provider: str) -> Iterable[Custom]:
        """The extras, in the order in which they first came."""
        return (Custom(model=provider, data={name: value}) for name, value in self._found.items())


def _joined(before: dict[str, Any], value: dict[str, Any], growing: tuple[str, ...]) -> dict[str, Any]:
    """One object out of two deltas of it: some texts grow, the rest is replaced by what says something."""
    whole = dict(before)
    for key, piece in value.items():
        old = whole.get(key)
        if key in growing and isinstance(old, str) and isinstance(piece, str):
            whole[key] = old + piece
        elif piece not in (None, "") or key not in whole:
            whole[key] = piece
    return whole


def _lists_joined(before: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """One object out of two of lists, such as the log probabilities of each delta's tokens."""
    whole = dict(before)
    for key, piece in value.items():
        old = whole.get(key)
        if isinstance(old, list) and isinstance(piece, list):
            old.extend(piece)  # our own: one long answer has many deltas
        elif piece is not None or key not in whole:
            whole[key] = list(piece) if isinstance(piece, list) else piece
    return whole


def _reasoning_details(before: list[Any], value: list[Any]) -> list[Any]:
    """OpenRouter: neighbouring deltas of one index and type are one entry; encrypted ones come whole."""
    details = list(before)
    for entry in value:
        last = details[-1] if details else None
        if (
            isinstance(entry, dict)
            and isinstance(last, dict)
            and entry.get("type") == last.get("type") != "reasoning.encrypted"
            and entry.get("index") == last.get("index")
        ):
            details[-1] = _joined(last, entry, ("text", "summary"))
        else:
            details.append(entry)
    return details


def _executed_tools(before: list[Any], value: list[Any]) -> list[Any]:
    """Groq: a tool is told when it starts and again, by the same index, when it has an output."""
    tools = list(before)
    for entry in value:
        index = entry.get("index") if isinstance(entry, dict) else None
        at = next((n for n, tool in enumerate(tools) if isinstance(tool, dict) and tool.get("index") == index), None)
        if index is None or at is None:
            tools.append(entry)
        else:
            tools[at] = _joined(tools[at], entry, ())
    return tools


_JOIN = {"reasoning_details": _reasoning_details, "executed_tools": _executed_tools}
