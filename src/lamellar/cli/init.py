"""`lamellar init`: a stack to begin with."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from ..errors import ConfigError
from ..frozen import nearest
from .report import UsageError

__all__ = ["init", "starter"]

Template = Literal["preset", "minimal", "full"]

SCHEMA = "lamellar.schema.json"
"""The file that a starter names as its schema."""


def init(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write.")] = "stack.yaml",
    template: Annotated[
        str,
        typer.Option(
            "--template",
            metavar="NAME",
            help="preset: two targets and careful defaults. minimal: one provider, a timeout, retries. full: several "
            "stacks that share layers.",
        ),
    ] = "preset",
    schema: Annotated[
        bool,
        typer.Option("--schema/--no-schema", help=f"Write {SCHEMA} beside it, for editors.", show_default=False),
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> int:
    """Write a stack to begin with.

    The file says in comments what each part does, and what to change. It loads as it is; a key is needed when the
    stack is built.
    """
    for name in get_args(Template):
        if name == template:
            break
    else:
        said = nearest(template, get_args(Template))
        raise UsageError(f"--template: there is no template '{template}'{said}", "init")
    target = Path(file)
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{file}: a starter is YAML; name it {target.stem or 'stack'}.yaml", "init")
    _write(target, starter(template), force=force)
    beside = target.with_name(SCHEMA)
    wrote = [str(target)]
    if schema and (force or not beside.exists()):
        from ..schema import document_schema

        wrote.append(str(beside))
        _write(beside, json.dumps(document_schema(), indent=2, ensure_ascii=False) + "\n", force=True)
    sys.stdout.write(
        f"wrote {' and '.join(wrote)}\n\n"
        "Next:\n"
        f"  lamellar check {target}                             is it sound, and how long may a call take\n"
        f"  lamellar graph {target}                             what it looks like\n"
        f'  lamellar chat -c {target} -m gpt-4o-mini "Hello"    ask it; export the keys that it names\n'
    )
    return 0


def starter(template: str) -> str:
    """The text of a template."""
    return files("lamellar.cli").joinpath("starters", f"{template}.yaml").read_text(encoding="utf-8")


def _write(target: Path, text: str, *, force: bool) -> None:
    try:
        with target.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{target}: it is there already; name another file, or write over it with --force") from None
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror or error}") from None


init.__dict__["epilog"] = """\b
Examples:
  lamellar init
  lamellar init stacks/chat.yaml --template minimal
"""
