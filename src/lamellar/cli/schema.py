"""`lamellar schema`: the JSON Schema of stack documents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError

__all__ = ["schema"]


def schema(
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write it to this file. By default to standard output."),
    ] = None,
) -> int:
    """Print the JSON Schema of stack files, for editors.

    It covers YAML, TOML and JSON, and every kind of layer and executor that is installed, third-party ones included,
    with options, defaults and descriptions. Write it anew when a plugin or a new version is installed.
    """
    from ..schema import document_schema

    text = json.dumps(document_schema(), indent=2) + "\n"
    if out is None or out == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return 0
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from None
    return 0


schema.__dict__["epilog"] = """\b
Examples:
  lamellar schema -o lamellar.schema.json

\b
In a YAML file, the line that tells most editors:
  # yaml-language-server: $schema=lamellar.schema.json
"""
