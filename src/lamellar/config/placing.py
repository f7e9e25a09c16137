"""Where in a document the plates of its stacks are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from .complaints import place
from .documents import gather
from .expand import Expander
from .nodes import Mark, Node
from .reading import read_file

if TYPE_CHECKING:
    import os

__all__ = ["Placing", "placings"]

Placing: TypeAlias = "Callable[[str], tuple[Mark, str]]"
"""Takes a path in a stack, such as ``executor.fallback.targets[1]``; the place, and the path in the document."""

_STEP = re.compile(r"\[(?:'(?P<name>[^']*)'|(?P<number>\d+))\]")


def placings(path: str | os.PathLike[str]) -> dict[str, Placing]:
    """For each stack of a file, by name: what tells the places of its plates.

    Raises:
        ConfigError: The file cannot be read, or what it says is wrong.
    """
    file = Path(path)
    document = gather(read_file(file), file)
    expander = Expander(document.entries, document.problems)
    return {entry.name: _placing(expander.body(entry), entry.path) for entry in document.entries.values()}


def _placing(body: Node, path: str) -> Placing:
    def find(plate: str) -> tuple[Mark, str]:
        dotted = _STEP.sub(lambda step: f".{step['number'] or step['name']}", plate)
        found = place(f"{dotted}: here", body, path)
        if found is None:  # it was told before, which is nothing that happens to a valid document
            return body.mark, plate
        return found.mark, found.path

    return find
