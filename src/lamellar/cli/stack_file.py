"""The stack that a command works on: a file, and which of its stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .completion import stack_names
from .report import UsageError

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["StackName", "load_stack"]

StackName = Annotated[
    str | None,
    typer.Option(
        "-s",
        "--stack",
        metavar="NAME",
        autocompletion=stack_names,
        help="Which stack, in a file that holds several. Without it, the one that the file calls `default`.",
    ),
]
"""The option `-s`, the same for every command that takes a file."""


def load_stack(config: str | None, name: str | None = None, *, command: str = "") -> Stack:
    """The stack `name` of the file `config`.

    Args:
        config: Path of a YAML, TOML or JSON file. None is the preset, which finds the provider by the model's name.
        name: Which of its stacks. None is its default, or its only one.
        command: The command that asks, for a mistake in its options.

    Raises:
        UsageError: A stack is named, and no file.
        ConfigError: The file, or what it says, is wrong; each problem is told with its place.
    """
    from ..stack import Stack

    if config is not None:
        from ..config import StackNotNamedError

        try:
            return Stack.load(config, name)
        except StackNotNamedError as error:
            raise StackNotNamedError(error.file, error.stacks, "-s") from None
    if name is not None:
        raise UsageError("-s names a stack of a file: pass the file with -c", command)
    from ..providers import Auto

    return Stack.preset(Auto())
