"""What the shell offers when Tab is pressed: names of stacks, and models. Files it knows by itself."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from ..errors import ConfigError
from ..plugin_errors import plugins_named

__all__ = ["model_names", "stack_names"]


def stack_names(context: typer.Context, incomplete: str) -> list[str]:
    """The stacks of the file that stands on the command line."""
    return sorted(name for name in _stacks(context) if name.startswith(incomplete))


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """The models of the targets in the file, or the namespaces of `namespace::model` where no file is said."""
    if context.params.get("config"):
        try:
            with plugins_named():
                found = {model for stack in _stacks(context).values() for model in _models(stack)}
        except ConfigError:
            return []
    else:
        from ..providers.catalog import CATALOG

        found = {f"{namespace}::" for namespace in CATALOG}
    return sorted(name for name in found if name.startswith(incomplete))


def _stacks(context: typer.Context) -> dict[str, object]:
    """The stacks of the file; none where it cannot be read: Tab tells no errors."""
    from ..stack import Stack

    # While the value of an option is still missing, the parser leaves the arguments where they are.
    said = context.params.get("config") or context.params.get("file") or context.params.get("files") or context.args
    file = said[-1] if isinstance(said, list | tuple) and said else said
    if not file:
        return {}
    try:
        return dict(Stack.load_all(str(file)))
    except ConfigError:
        return {}


def _models(spec: object) -> Iterator[str]:
    from ..spec import Spec
    from ..target import Target

    if isinstance(spec, Target) and spec.model is not None:
        yield spec.model
    if isinstance(spec, Spec):
        for child in spec.children():
            yield from _models(child)
