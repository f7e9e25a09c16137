"""Stacks out of documents: read, put together, written out, validated, and all that is wrong told at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from ..errors import ConfigError
from ..frozen import explain
from .complaints import Complaint, place
from .documents import Document, Entry, gather
from .expand import Expander
from .nodes import MAX_VALUES, Mark, Node, Source
from .reading import read_file, read_text

if TYPE_CHECKING:
    import os

    from ..stack import Stack

__all__ = ["load", "load_all", "loads"]

StackT = TypeVar("StackT", bound="Stack")


def load(model: type[StackT], path: str | os.PathLike[str], name: str | None = None) -> StackT:
    """A stack of a file."""
    document, stacks = _of_file(model, path)
    return stacks[document.choose(name)]


def loads(model: type[StackT], text: str, format: str, name: str | None = None) -> StackT:  # noqa: A002
    """A stack out of text."""
    document = gather(read_text(text, format, Source()), None)
    stacks = _stacks(model, document)
    return stacks[document.choose(name)]


def load_all(model: type[StackT], path: str | os.PathLike[str]) -> dict[str, StackT]:
    """Every stack of a file, and of those it includes."""
    return _of_file(model, path)[1]


def _of_file(model: type[StackT], path: str | os.PathLike[str]) -> tuple[Document, dict[str, StackT]]:
    file = Path(path)
    document = gather(read_file(file), file)
    return document, _stacks(model, document)


def _stacks(model: type[StackT], document: Document) -> dict[str, StackT]:
    problems = document.problems
    expander = Expander(document.entries, problems)
    stacks: dict[str, StackT] = {}
    said: set[tuple[Mark, str]] = set()
    values = 0
    for entry in document.entries.values():
        try:
            body = expander.body(entry)
        except ConfigError as error:  # beyond the bounds once it is written out
            problems += error.problems
            continue
        values += body.size
        if values > MAX_VALUES:
            told = (
                f"{entry.path}: the stacks of a file have more than {MAX_VALUES} values in all, references written out"
            )
            problems.append(entry.mark.tell(told))
            break
        stack, complaints = _validated(model, entry, body)
        for each in complaints:
            if (each.mark, each.text) not in said:  # an alias leads to the same place more than once
                said.add((each.mark, each.text))
                problems.append(str(each))
        if stack is not None and not entry.is_group:
            stacks[entry.name] = stack
    if problems:
        once = tuple(dict.fromkeys(problems))
        raise ConfigError("\n".join(once), problems=once)
    return stacks


def _validated(model: type[StackT], entry: Entry, body: Node) -> tuple[StackT | None, list[Complaint]]:
    """The stack of an entry, as far as it is one, and what is wrong with it."""
    data = dict((body.entries or {}).items())
    said: list[str] = []
    if "executor" not in data:
        if not entry.is_group:
            # Told with everything else that is wrong, for instance a misspelt `executor`.
            said.append("executor: required, but missing; for example `executor: openai`")
        data["executor"] = Node("openai", body.mark)
    stack: StackT | None = None
    try:
        stack = model.model_validate({name: each.data() for name, each in data.items()})
    except ValidationError as error:
        said += explain(error, model, prefix="").problems
    except ConfigError as error:
        said += error.problems
    placed = [place(problem, body, entry.path) for problem in said]
    return stack, [each for each in placed if each is not None]
