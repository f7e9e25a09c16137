"""`lamellar models`: what the providers of a stack say that they offer."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ..errors import LamellarError
from .report import UsageError, error_data, exit_code, tell
from .terminal import console, plain

if TYPE_CHECKING:
    from ..providers.listing import ListedModel
    from ..root import StackExecutor

__all__ = ["models"]


def models(
    namespace: Annotated[str | None, typer.Argument(help="The provider to ask, such as groq.")] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="The stack whose providers to ask: a YAML, TOML or JSON file. Without one, any provider by its name.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: the models, or the error.")] = False,
) -> int:
    """List the models that a provider offers, as it says itself.

    Keys come from the environment variables that the stack names, or the providers' own. `lamellar providers` prints
    the names of the providers.
    """
    if namespace is None and config is None:
        raise UsageError("no provider: name one, such as groq, or pass a stack with -c", "models")
    try:
        found = asyncio.run(_ask(_executor(config), namespace))
    except LamellarError as error:
        if not as_json:
            raise
        _print_json(error_data(error))
        tell(error, table=False)
        return exit_code(error)
    if as_json:
        _print_json({"models": [_data(each) for each in found]})
    else:
        _print_table(found)
    return 0


models.__dict__["epilog"] = """\b
Examples:
  lamellar models groq
  lamellar models -c stack.yaml
  lamellar models openai --json | jq -r '.models[].id'
"""


def _executor(config: str | None) -> StackExecutor:
    from ..providers import Auto
    from ..stack import Stack

    return (Stack(Auto()) if config is None else Stack.load(config)).build()


async def _ask(executor: StackExecutor, namespace: str | None) -> tuple[ListedModel, ...]:
    async with executor:
        return await executor.list_models(namespace)


def _data(model: ListedModel) -> dict[str, Any]:
    return {**asdict(model), "created": None if model.created is None else model.created.isoformat()}


def _print_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def _print_table(found: tuple[ListedModel, ...]) -> None:
    """One line a model; a column of which nobody says anything is left out."""
    titles = ["provider", "model", "name", "created", "window", "answer"]
    rows = [
        [
            each.provider,
            each.id,
            each.display_name or "",
            "" if each.created is None else each.created.date().isoformat(),
            "" if each.context_window is None else str(each.context_window),
            "" if each.max_output_tokens is None else str(each.max_output_tokens),
        ]
        for each in found
    ]
    shown = [place for place in range(len(titles)) if place < 2 or any(row[place] for row in rows)]
    lines = [[plain(row[place]) for place in shown] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = console()
    for number, line in enumerate(lines):
        text = "  ".join([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]).rstrip()
        out.print(Text(text, style="" if number else "dim"), soft_wrap=True)
