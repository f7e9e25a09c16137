"""What a document says by reference, written out: `use`, values from elsewhere, and files beside the document.

The walk follows the types of the specs, for only they tell an executor's place from an option that is a mapping, and a
reference to a value from a value that happens to look like one. What is of the wrong shape is left as it is:
validation finds it, and says so better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from ..errors import ConfigError
from ..frozen import nearest
from ..masking import show
from ..places import inside, members
from ..registry import lookup
from ..spec import ExecutorSpec, LayerSpec, Spec
from ..stack import Stack
from ..target import Target
from .documents import Entry
from .nodes import MAX_DEPTH, Mark, Node, mapping, sequence
from .values import is_reference, look_up, secret_beside, takes_secret, takes_value

__all__ = ["Expander"]


class Expander:
    """Writes out the stacks of a document.

    Args:
        entries: What `use` may name.
        problems: Where problems are told.
    """

    def __init__(self, entries: Mapping[str, Entry], problems: list[str]) -> None:
        self._entries = entries
        self._problems = problems
        self._done: dict[str, Node] = {}
        self._refused: dict[str, str] = {}
        self._under_way: list[str] = []

    def body(self, entry: Entry) -> Node:
        """The layers and the executor of an entry, with all that they refer to.

        Raises:
            ConfigError: It is beyond the bounds once it is written out.
        """
        if entry.name in self._refused:
            raise ConfigError(self._refused[entry.name])
        if entry.name not in self._done:
            self._under_way.append(entry.name)
            try:
                self._done[entry.name] = self._model(entry.body, Stack, entry.path)
            except ConfigError as error:
                self._refused[entry.name] = str(error)
                raise
            finally:
                self._under_way.pop()
        return self._done[entry.name]

    def _tell(self, mark: Mark, path: str, text: str) -> None:
        self._problems.append(mark.tell(f"{path}: {text}" if path else text))

    # -- the walk ----------------------------------------------------------------------------------------------------

    def _value(self, node: Node, annotation: Any, path: str) -> Node:
        choices = members(annotation)
        if str in choices and (Target in choices or ExecutorSpec in choices) and is_reference(node):
            return self._looked_up(node, choices, path)  # a name, though a mapping may be a plate here
        if Target in choices:
            return self._target(node, path)
        if ExecutorSpec in choices:
            return self._executor(node, path)
        if LayerSpec in choices:
            return self._plate(node, LayerSpec, path)
        if node.items is not None:
            return self._list(node, choices, path)
        if node.entries is None:
            return node
        if takes_secret(choices):
            return secret_beside(node)
        if takes_value(choices):
            found = self._looked_up(node, choices, path)
            if found is not node:
                return found
        for choice in choices:
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                return self._model(node, choice, path)
            each = inside(choice, "")
            if each is not None:
                return self._rebuilt(node, {name: self._value(got, each, _at(path, name)) for name, got in _of(node)})
        return node

    def _looked_up(self, node: Node, choices: list[Any], path: str) -> Node:
        try:
            return look_up(node, choices)
        except ConfigError as error:
            self._tell(node.mark, path, error.problems[0])
            return Node(None, node.mark, told=True)

    def _list(self, node: Node, choices: list[Any], path: str) -> Node:
        items: list[Node] = []
        used = False
        for place, item in enumerate(node.items or ()):
            annotation = next((got for got in (inside(choice, place) for choice in choices) if got is not None), None)
            if annotation is None:
                items.append(item)
            elif LayerSpec in members(annotation) and _named(item) is not None:
                items += self._layers_of(item, f"{path}[{place}]")
                used = True
            else:
                found = self._value(item, annotation, f"{path}[{place}]")
                items.append(replace(found, origin=f"{path}[{place}]") if used else found)
        return replace(sequence(items, node.mark), origin=node.origin)

    def _model(self, node: Node, model: type[BaseModel], path: str) -> Node:
        if node.entries is None:
            return node
        entries = {
            name: self._value(each, model.model_fields[name].annotation, _at(path, name))
            if name in model.model_fields
            else each
            for name, each in node.entries.items()
        }
        if issubclass(model, Stack | Target) and "executor" in entries:
            entries = _unpacked(entries, path)
        return self._rebuilt(node, entries)

    def _plate(self, node: Node, base: type[Spec], path: str) -> Node:
        """A layer or an executor: `{kind: options}`."""
        if node.entries is None or len(node.entries) != 1:
            return node
        ((kind, options),) = node.entries.items()
        try:
            model = lookup(kind, base)
        except ConfigError:
            return node
        return self._rebuilt(node, {kind: self._model(options, model, _at(path, kind))})

    def _executor(self, node: Node, path: str) -> Node:
        if _named(node) is None:
            return self._plate(node, ExecutorSpec, path)
        stack = self._stack_of(node, path)
        if stack is None:
            return Node("openai", node.mark, told=True)
        return mapping({"stack": stack}, {}, node.mark)

    def _target(self, node: Node, path: str) -> Node:
        if node.entries is None:
            return node
        if node.entries.keys() & Target.model_fields.keys():
            if "use" in node.entries:
                self._tell(node.mark_of("use"), path, "`use` stands in the executor's place: `executor: {use: …}`")
                said = {name: each for name, each in _of(node) if name != "use"}
                node = self._rebuilt(node, {"executor": Node("openai", node.mark, told=True), **said})
            return self._model(node, Target, path)
        executor = self._executor(node, path)
        if "stack" not in (executor.entries or ()):
            return executor
        unpacked = _unpacked({"executor": executor}, path)
        return executor if unpacked["executor"] is executor else mapping(unpacked, {}, node.mark)

    def _rebuilt(self, node: Node, entries: Mapping[str, Node]) -> Node:
        return replace(mapping(entries, node.keys, node.mark), origin=node.origin)

    # -- use ---------------------------------------------------------------------------------------------------------

    def _stack_of(self, node: Node, path: str) -> Node | None:
        """The stack that `{use: name}` names, or None once it is told why there is none."""
        entry = self._entry_of(node, path)
        if entry is None:
            return None
        if entry.is_group:
            said = f"'{entry.name}' is a group of layers, and an executor is expected here; use it in `layers`"
            self._tell(node.mark, path, said)
            return None
        body = self.body(entry)
        layers = (body.entries or {}).get("layers")
        if layers is not None and layers.items is None:
            return None  # told where it stands
        return _known_as(entry, body)

    def _layers_of(self, node: Node, path: str) -> tuple[Node, ...]:
        """The layers of what `{use: name}` names; none once it is told why."""
        entry = self._entry_of(node, path)
        if entry is None:
            return ()
        layers = (_known_as(entry, self.body(entry)).entries or {}).get("layers")
        return tuple(layers.items) if layers is not None and layers.items is not None else ()

    def _entry_of(self, node: Node, path: str) -> Entry | None:
        named = _named(node)
        name = None if named is None else named.value
        if named is None or not isinstance(name, str):
            self._tell(node.mark, path, f"use: expected the name of a stack, got {show(name)}")
            return None
        if name in self._under_way:
            round_ = " → ".join((*self._under_way[self._under_way.index(name) :], name))
            self._tell(node.mark, path, f"use: '{name}' would stand within itself ({round_})")
            return None
        if len(self._under_way) >= MAX_DEPTH:
            raise node.mark.error(f"{path}: stacks that use each other deeper than {MAX_DEPTH} levels")
        if name not in self._entries:
            known = nearest(name, self._entries) or "; a document names them under `stacks:`"
            self._tell(node.mark, path, f"use: there is no stack {show(name).removeprefix('str ')}{known}")
            return None
        return self._entries[name]


def _of(node: Node) -> list[tuple[str, Node]]:
    return list((node.entries or {}).items())


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _named(node: Node) -> Node | None:
    """What `{use: …}` names; None of anything else."""
    entries = node.entries
    return entries["use"] if entries is not None and entries.keys() == {"use"} else None


def _known_as(entry: Entry, body: Node) -> Node:
    """A body whose parts are told by their own paths, wherever they are used."""
    entries = dict(body.entries or {})
    layers, executor = entries.get("layers"), entries.get("executor")
    if layers is not None and layers.items is not None:
        entries["layers"] = _numbered(layers, _at(entry.path, "layers"))
    if executor is not None and executor.origin is None:
        entries["executor"] = replace(executor, origin=_at(entry.path, "executor"))
    return replace(body, value=entries, origin=body.origin or entry.path)


def _numbered(layers: Node, path: str) -> Node:
    items = [
        each if each.origin is not None else replace(each, origin=f"{path}[{place}]")
        for place, each in enumerate(layers.items or ())
    ]
    return replace(layers, value=items, origin=path)


def _unpacked(entries: Mapping[str, Node], path: str) -> dict[str, Node]:
    """A stack in the executor's place as its layers and its executor, as `Stack` and `Target` do it with objects."""
    executor = entries["executor"].entries
    stack = executor["stack"].entries if executor is not None and executor.keys() == {"stack"} else None
    own = entries.get("layers")
    if stack is None or not {"executor"} <= stack.keys() <= {"layers", "executor"} or (own and own.items is None):
        return dict(entries)
    layers = stack.get("layers")
    if layers is not None and layers.items is None:
        return dict(entries)
    mark = entries["executor"].mark
    there = _at(path, "executor.stack")
    added = () if layers is None else _numbered(layers, layers.origin or _at(there, "layers")).items or ()
    before = () if own is None else _numbered(own, own.origin or _at(path, "layers")).items or ()
    inner = stack["executor"]
    inner = inner if inner.origin is not None else replace(inner, origin=_at(there, "executor"))
    unpacked = {**entries, "executor": inner}
    if before or added:
        unpacked["layers"] = sequence((*before, *added), own.mark if own is not None else mark)
    return unpacked
