"""Where in a document a complaint of a spec belongs: `stack.yaml:7:5: stacks.base.layers[1].retry.atempts: …`.

Validation tells the path in the data. The nodes that the data was made of are gone down the same way, and tell the
place; what was brought in by `use` is told by the path where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..masking import on_one_line, show
from .nodes import Mark, Node, unseen

__all__ = ["Complaint", "place"]

_PART = r"(?:[^\s.:]|:(?! ))+"
_TELLING = 6
"""Characters at the beginning of a value by which it is found in a message."""

_PATH = re.compile(rf"{_PART}(?:\.{_PART})*: ")


class Complaint(NamedTuple):
    """A problem and its place.

    Args:
        mark: Where in which file it is.
        path: Where in the document.
        text: What is wrong.
    """

    mark: Mark
    path: str
    text: str

    def __str__(self) -> str:
        return self.mark.tell(": ".join(filter(None, (self.path, self.text))))


def place(problem: str, node: Node, path: str) -> Complaint | None:
    """The complaint of a problem; None if what is wrong was told before.

    Args:
        problem: What validation says: a path of names with dots between them, a colon, and what is wrong.
        node: What was validated.
        path: Where that stands in its document.
    """
    rest, mark, ends = problem, node.mark, False
    while not ends:
        step = _step(rest, node)
        if step is None:
            break
        name, inner, found = step
        rest, ends = rest[len(name) + 1 :], rest[len(name)] == ":"
        node, mark = inner, found
        path = node.origin or _joined(path, name)
        if node.told:
            return None
    if ends:
        rest = rest.removeprefix(" ")
    else:
        deeper = _PATH.match(rest)
        if deeper is not None:
            for part in deeper[0].removesuffix(": ").split("."):
                path = _joined(path, part)
            rest = rest[deeper.end() :]
    return Complaint(mark, path, _without_hidden(rest, node) + node.note)


def _step(rest: str, node: Node) -> tuple[str, Node, Mark] | None:
    """The name with which `rest` begins, and what stands there; names may hold dots themselves."""
    if node.entries is not None:
        shown = {on_one_line(each): each for each in node.entries}
        names = [each for each in shown if rest.startswith((f"{each}.", f"{each}: "))]
        if not names:
            return None
        name = max(names, key=len)
        return name, node.entries[shown[name]], node.mark_of(shown[name])
    number = re.match(r"\d{1,6}(?=\.|: )", rest)
    if node.items is None or number is None or int(number[0]) >= len(node.items):
        return None
    item = node.items[int(number[0])]
    return number[0], item, item.mark


def _without_hidden(text: str, node: Node) -> str:
    """`text` without the values that come from elsewhere, here or below."""
    for value in _hidden(node):
        for shown in (show(value), repr(value)) if isinstance(value, str) else (show(value),):
            text = text.replace(shown, unseen(value))
        if isinstance(value, str) and len(value) >= _TELLING:  # also where a message shows only how it begins
            text = re.sub(rf"['\"]?{re.escape(value[:_TELLING])}[^\s'\"]*['\"]?", unseen(value), text)
    return text


def _hidden(node: Node) -> Iterator[object]:
    if node.hidden:
        yield node.value
    for each in (node.entries or {}).values() if node.items is None else node.items:
        yield from _hidden(each)


def _joined(path: str, name: str) -> str:
    if name.isdigit():
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name
