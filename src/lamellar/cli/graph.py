"""`lamellar graph`: a stack as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from ..frozen import nearest
from .report import UsageError
from .stack_file import StackName, load_stack
from .terminal import plain

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["graph"]

Format = Literal["text", "mermaid", "svg"]

_ENDINGS: dict[str, Format] = {".txt": "text", ".mmd": "mermaid", ".mermaid": "mermaid", ".svg": "svg"}


def graph(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The stack: a YAML, TOML or JSON file.")],
    name: StackName = None,
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="OUT", help="Write the picture to this file; `-` is standard output."),
    ] = None,
    format: Annotated[  # noqa: A002 -- the option's own name
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="text, mermaid or svg. By default what OUT ends with says it, else text."
        ),
    ] = None,
) -> int:
    """Draw a stack.

    A picture shows the layers from outermost to innermost, the targets with what leads to each, and the options that
    the file says. It needs no keys, asks nobody and shows no secret.

    text is a tree. mermaid is a flowchart that GitHub and most wikis render. svg is an image that reads in light and
    dark.
    """
    chosen = _format(format, out)
    picture = _draw(load_stack(file, name), chosen, name or Path(file).stem)
    if out is None or out == "-":
        sys.stdout.write(plain(picture))
        sys.stdout.flush()
        return 0
    target = Path(out)
    try:
        if target.exists() and target.samefile(file):
            raise UsageError(f"-o: {out} is the stack itself; write the picture to another file", "graph")
        target.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"-o: {out} cannot be written: {error.strerror or error}", "graph") from None
    return 0


graph.__dict__["epilog"] = """\b
Examples:
  lamellar graph stack.yaml
  lamellar graph stack.yaml -s production -o production.svg
  lamellar graph stack.yaml --format mermaid >> README.md

\b
OUT by its ending:
  .txt              text
  .mmd, .mermaid    mermaid
  .svg              svg
"""


def _format(said: str | None, out: str | None) -> Format:
    if said is not None:
        for known in get_args(Format):
            if said == known:
                return known  # type: ignore[no-any-return]
        raise UsageError(f"--format: there is no format '{said}'{nearest(said, get_args(Format))}", "graph")
    if out is None or out == "-":
        return "text"
    ending = Path(out).suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(f"-o: what is '{out}'? End it with {', '.join(_ENDINGS)}, or say --format", "graph")
    return _ENDINGS[ending]


def _draw(stack: Stack, format: Format, title: str) -> str:  # noqa: A002
    if format == "svg":
        return stack.to_svg(title=title)
    return stack.to_mermaid() if format == "mermaid" else stack.describe() + "\n"
