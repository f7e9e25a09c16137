"""`lamellar providers`: the catalogue, or one row of it in full."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from .report import UsageError
from .terminal import console

if TYPE_CHECKING:
    from ..providers.abilities import Abilities
    from ..providers.catalog import CatalogEntry

__all__ = ["providers"]

_NAME = "providers"


def providers(
    namespace: Annotated[str | None, typer.Argument(help="One provider, to be shown in full.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: a list of rows, or the one that is named.")
    ] = False,
) -> int:
    """List the providers that a model's name can lead to.

    For each its name (the namespace, as in groq::llama-3.3-70b-versatile), the dialect it speaks, its endpoint, the
    environment variable that holds its key, whether that is set, and the names of models that lead to it by themselves.
    A key's value is never shown.
    """
    from ..providers.catalog import CATALOG

    if namespace is None:
        rows = list(CATALOG.values())
        _print_json([_data(row) for row in rows]) if as_json else _print_table(rows)
        return 0
    row = CATALOG.get(namespace)
    if row is None:
        from ..frozen import nearest

        raise UsageError(f"there is no provider '{namespace}'{nearest(namespace, CATALOG)}", _NAME)
    _print_json(_data(row)) if as_json else _print_row(row)
    return 0


providers.__dict__["epilog"] = """\b
Examples:
  lamellar providers
  lamellar providers groq
  lamellar providers --json | jq '.[] | select(.key_set) | .namespace'
"""


def _is_set(row: CatalogEntry) -> bool:
    return row.key_variable is not None and bool(os.environ.get(row.key_variable))


def _address(row: CatalogEntry) -> str:
    """Where calls go: the variable's, if it is set."""
    from ..secrets import scrub

    found = (os.environ.get(variable) for variable in row.base_url_variables)
    return scrub(next(filter(None, found), row.base_url))


def _key(row: CatalogEntry) -> str:
    if row.key_variable is None:
        return "none needed"
    state = "set" if _is_set(row) else "not needed" if row.key_optional else "not set"
    return f"{row.key_variable} ({state})"


def _data(row: CatalogEntry) -> dict[str, Any]:
    return {
        "namespace": row.namespace,
        "dialect": row.dialect,
        "executor": row.spec or "provider",
        "base_url": _address(row),
        "base_url_variable": row.base_url_variable,
        "key_variable": row.key_variable,
        "key_set": _is_set(row),
        "key_optional": row.key_variable is None or row.key_optional,
        "rules": list(row.rules),
        "quirks": _quirks(row),
        "abilities": row.abilities.known(),
        "models": [{"pattern": pattern, **abilities.known()} for pattern, abilities in row.models],
    }


def _quirks(row: CatalogEntry) -> dict[str, Any]:
    """How it differs from its dialect's rule."""
    from ..providers.wire import Quirks

    rule = asdict(Quirks())
    return {name: value for name, value in asdict(row.quirks).items() if value != rule[name]}


def _print_json(data: object) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def _print_table(rows: list[CatalogEntry]) -> None:
    out = console()
    cells = [[row.namespace, row.dialect, _key(row), _address(row), " ".join(row.rules)] for row in rows]
    titles = ["namespace", "dialect", "key", "endpoint", "models"]
    widths = [max(len(line[column]) for line in [titles, *cells]) for column in range(len(titles))]
    out.print(Text(_line(titles, widths), style="dim"), soft_wrap=True)
    for row, line in zip(rows, cells, strict=True):
        ready = _is_set(row) or row.key_variable is None or row.key_optional
        out.print(Text(_line(line, widths), style="" if ready else "dim"), soft_wrap=True)
    out.print()
    out.print("One in full, with what its models can do: lamellar providers NAMESPACE", soft_wrap=True)


def _line(cells: list[str], widths: list[int]) -> str:
    return "  ".join([cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]).rstrip()


def _print_row(row: CatalogEntry) -> None:
    out = console()
    facts = {
        "namespace": row.namespace,
        "dialect": row.dialect,
        "endpoint": f"{_address(row)} ({row.base_url_variable} changes it)",
        "key": _key(row),
        "models": " ".join(row.rules) or f"by namespace alone: {row.namespace}::MODEL",
        "declared as": f"`{row.spec}`" if row.spec else f'Provider("{row.namespace}")',
        "quirks": ", ".join([f"{name}={value!r}" for name, value in _quirks(row).items()]) or "none",
        "abilities": _told(row.abilities) or "by model",
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        out.print(Text(f"{name:<{width}}  ", style="dim").append(value, style="not dim"), soft_wrap=True)
    if row.models:
        out.print()
        width = max(len(pattern) for pattern, _ in row.models)
        for pattern, abilities in row.models:
            out.print(f"{pattern:<{width}}  {_told(abilities)}", soft_wrap=True)


def _told(abilities: Abilities) -> str:
    """What is known, in words: `tools, no images, 128000 tokens`."""
    said = abilities.known()
    window = said.pop("context_window", None)
    words = [name if able else f"no {name}" for name, able in said.items()]
    return ", ".join([*words, *([] if window is None else [f"{window} tokens"])])
