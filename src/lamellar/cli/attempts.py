"""The record of a call's tries, as a table for people and as data for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from .terminal import plain, seconds

if TYPE_CHECKING:
    from rich.console import Console

    from ..call import AttemptRecord
    from ..chat.usage import Usage

__all__ = ["attempts_data", "print_attempts", "usage_data"]

_ANY_WIDTH = 10_000
"""Columns that no table needs: what one would like to have is measured within them."""


def print_attempts(out: Console, attempts: Sequence[AttemptRecord], *, indent: int = 0) -> None:
    """Print `attempts` as a table, one row each."""
    table = _table(attempts, indent, gap=2)
    if out.measure(table, options=out.options.update(max_width=_ANY_WIDTH)).maximum > out.width:
        table = _table(attempts, indent, gap=1)  # rather than fold the names in it
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as text:
        out.print(table)
    for line in text.get().splitlines():
        out.print(line.rstrip(), soft_wrap=True)


def _table(attempts: Sequence[AttemptRecord], indent: int, *, gap: int) -> Table:
    named = any(not each.target.endswith(each.model) for each in attempts)
    columns: list[tuple[str, Callable[[AttemptRecord], str | Text], bool]] = [
        ("#", lambda each: str(each.number), True),
        ("target", lambda each: plain(each.target), False),
        *([("model", lambda each: plain(each.model), False)] if named else []),
        ("outcome", _outcome, False),
        ("status", lambda each: str(each.status or ""), True),
        ("waited", lambda each: seconds(each.waited + each.backoff or None), True),
        ("took", lambda each: seconds(each.latency), True),
        ("first", lambda each: seconds(each.first_content), True),
        ("tokens", _tokens, True),
    ]
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    if indent:
        table.add_column("", width=indent - gap)
    for name, _, right in columns:
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for each in attempts:
        table.add_row(*([""] if indent else []), *[cell(each) for _, cell, _ in columns])
    return table


def _outcome(each: AttemptRecord) -> Text:
    if each.outcome is None:
        return Text("open")
    if each.kind is None:
        return Text(each.outcome, style="green" if each.outcome == "completed" else "yellow")
    return Text(each.kind, style="yellow")


def _tokens(each: AttemptRecord) -> str:
    usage = each.usage
    if usage is None:
        return ""
    told = [str(count) if count is not None else "?" for count in (usage.prompt_tokens, usage.completion_tokens)]
    return " + ".join(told)


def attempts_data(attempts: Sequence[AttemptRecord]) -> list[dict[str, Any]]:
    """`attempts` as JSON data: every field of each record, None where it is unknown."""
    return [_data(each) for each in attempts]


def _data(each: AttemptRecord) -> dict[str, Any]:
    data = asdict(each)
    del data["limit_headers"]
    limits = each.rate_limits
    return {**data, "usage": usage_data(each.usage), "rate_limits": None if limits is None else asdict(limits)}


def usage_data(usage: Usage | None) -> dict[str, Any] | None:
    """`usage` as JSON data: the three sums always, the details as far as they are known."""
    if usage is None:
        return None
    sums = {name: getattr(usage, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    return {**sums, **usage.model_dump(mode="json", exclude_none=True)}
