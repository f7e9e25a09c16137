"""YAML as nodes: PyYAML's events, read without recursion, with bounds, and with nothing made but plain data.

Anchors, aliases and merge keys work; an alias is the same node once more. What YAML would make of some plain words
differs from what TOML and JSON can say, and is not followed: dates and `1:30` are text, as they are in JSON, and `1e3`
is a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError
from ..masking import show
from .nodes import MAX_DEPTH, MAX_VALUES, Mark, Node, Scalar, Source, mapping, scalar, sequence, too_deep, too_large

__all__ = ["import_yaml", "read_yaml", "write_yaml"]

_TAG = "tag:yaml.org,2002:"
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_HANDLE = "found undefined tag handle"
_INT = re.compile(r"[-+]?(0b[01_]+|0x[\da-f_]+|0o?[0-7_]*|[1-9][\d_]*)", re.IGNORECASE)
_BREAKS = re.compile("[\x85\u2028\u2029]")
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?e[-+]?\d+\Z", re.IGNORECASE | re.ASCII)


def import_yaml() -> Any:
    """PyYAML.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise ConfigError("reading YAML needs PyYAML; install it with: pip install 'lamellar[yaml]'") from None
    return yaml


def write_yaml(data: object) -> str:
    """Plain data as YAML that `read_yaml` reads as the same data."""
    yaml = import_yaml()

    # Nothing is written by reference, and what we read as a number and PyYAML does not is put in quotes.
    dumper_type: Any = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda _self, _data: True})

    def represent_text(dumper: Any, text: str) -> Any:
        # Any other quotes fold these line breaks into a space.
        return dumper.represent_scalar(f"{_TAG}str", text, style='"' if _BREAKS.search(text) else None)

    dumper_type.add_representer(str, represent_text)
    dumper_type.add_implicit_resolver(f"{_TAG}float", _EXPONENT, list("-+0123456789"))
    return str(yaml.dump(data, Dumper=dumper_type, sort_keys=False, allow_unicode=True))


def read_yaml(text: str, source: Source) -> Node | None:
    """The nodes of a document; None for an empty one.

    Raises:
        ConfigError: It is not YAML, more than plain data, or beyond the bounds.
    """
    yaml = import_yaml()
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        return _Builder(loader, yaml, source).document()
    except yaml.YAMLError as error:
        said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
        if said.startswith(_HANDLE):
            said = f"{_HANDLE}; put text that begins with `!` in quotes"  # PyYAML would repeat that text
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = getattr(error, "position", None)
        if mark is not None:
            place = Mark(source, mark.line + 1, mark.column + 1)
        elif isinstance(at, int):  # a character that YAML does not take
            place = Mark(source, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        else:
            place = Mark(source)
        raise place.error(f"not YAML: {said}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise Mark(source).error(f"not YAML: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    mark: Mark
    anchor: str | None
    named: bool
    inside: list[Node] = field(default_factory=list)


class _Builder:
    """Builds the nodes of one document."""

    def __init__(self, loader: Any, yaml: Any, source: Source) -> None:
        self._loader = loader
        self._yaml = yaml
        self._source = source
        self._anchors: dict[str, Node | None] = {}  # None while what it names is being read
        self._open: list[_Open] = []
        self._values = 0
        self._root: Node | None = None
        self._merges: dict[int, Node] = {}  # kept, so that no other node gets the same id

    def document(self) -> Node | None:
        """All of it."""
        yaml, documents = self._yaml, 0
        while self._loader.check_event():
            event = self._loader.get_event()
            mark = Mark(self._source, event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise mark.error("a second document begins here; several stacks of a file stand under `stacks:`")
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._alias(event.anchor, mark), None)
            elif isinstance(event, yaml.ScalarEvent):
                self._add(self._scalar(event, mark), event.anchor)
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                self._begin(event, mark, named=isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                done = self._open.pop()
                node = self._mapping(done) if done.named else sequence(done.inside, done.mark)
                self._add(node, done.anchor)
        root = self._root
        return None if root is None or root.value is None else root

    def _begin(self, event: Any, mark: Mark, *, named: bool) -> None:
        if event.tag not in (None, "!", _TAG + ("map" if named else "seq")):
            raise _tagged(mark)
        if len(self._open) >= MAX_DEPTH:
            raise too_deep(mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Open(mark, event.anchor, named))

    def _add(self, node: Node, anchor: str | None) -> None:
        self._count(1, node.mark)
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].inside.append(node)
        else:
            self._root = node

    def _count(self, values: int, mark: Mark) -> None:
        self._values += values
        if self._values > 2 * MAX_VALUES:  # names and values
            raise too_large(mark)

    def _alias(self, name: str, mark: Mark) -> Node:
        if name not in self._anchors:
            raise mark.error("not YAML: there is no anchor before this alias; put text that begins with `*` in quotes")
        found = self._anchors[name]
        if found is None:
            raise mark.error(f"the alias '*{name}' stands within what it stands for; it would never end")
        return found

    def _scalar(self, event: Any, mark: Mark) -> Node:
        tag = event.tag
        if tag in (None, "!"):
            tag = self._loader.resolve(self._yaml.ScalarNode, event.value, event.implicit)
        if not str(tag).startswith(_TAG):
            raise _tagged(mark)
        kind = tag.removeprefix(_TAG)
        if kind == "str" and event.implicit[0] and _EXPONENT.fullmatch(event.value):
            kind = "float"
        node = scalar(_value(kind, event.value, mark), mark)
        if kind == "merge":
            self._merges[id(node)] = node
        return node

    def _mapping(self, done: _Open) -> Node:
        entries: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        merged: Node | None = None
        for key, value in zip(done.inside[::2], done.inside[1::2], strict=True):
            twice = key.mark.error(f"not YAML: '{key.value}' is said twice in one mapping")
            if id(key) in self._merges:
                if merged is not None:
                    raise twice
                merged = value
                continue
            if not isinstance(key.value, str):
                found = show(key.value)
                raise key.mark.error(f"the name of an option is text, got {found}; put it in quotes if it is a name")
            if key.value in entries:
                raise twice
            entries[key.value], keys[key.value] = value, key.mark
        for each in () if merged is None else (merged,) if merged.items is None else merged.items:
            if each.entries is None:
                raise each.mark.error(f"not YAML: `<<` merges mappings, got {show(each.value)}")
            self._count(len(each.entries), done.mark)
            for name, value in each.entries.items():
                if name not in entries:  # what is said here, or merged first, wins
                    entries[name], keys[name] = value, each.mark_of(name)
        return mapping(entries, keys, done.mark)


def _value(kind: str, text: str, mark: Mark) -> Scalar:
    """What a plain or tagged scalar means."""
    word = text.lower()
    if kind in ("str", "merge", "value", "timestamp"):
        return text
    if kind == "null":
        return None
    if kind == "bool" and word in (*_TRUE, *_FALSE):
        return word in _TRUE
    if kind in ("int", "float") and ":" in text:
        return text
    digits = word.replace("_", "")
    if kind == "int" and len(digits) > 70:
        raise mark.no_number()
    if kind == "int" and _INT.fullmatch(digits):
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
        return int(f"{octal[1]}0o{octal[2]}", 0) if octal else int(digits, 0)
    if kind == "float" and len(digits) <= 400:
        named = re.fullmatch(r"([-+]?)\.(inf|nan)", digits)
        try:
            return float(named[1] + named[2]) if named else float(digits)
        except ValueError:
            pass
    if kind in ("bool", "int", "float"):
        raise mark.error(f"not YAML: the tag says {kind}, and what follows is none")
    raise _tagged(mark)


def _tagged(mark: Mark) -> ConfigError:
    """The error of a tag. It is not shown: it may be a password that begins with an exclamation mark."""
    return mark.error(
        "not YAML that a stack may hold: a tag would make an object; leave it out, or put text that begins with `!` "
        "in quotes"
    )
