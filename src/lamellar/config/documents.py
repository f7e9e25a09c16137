"""What a document is: one stack, or several by name, with those of the documents it includes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError
from ..frozen import nearest
from ..masking import show
from .nodes import Mark, Node, mapping
from .reading import read_file

__all__ = ["UNNAMED", "Document", "Entry", "StackNotNamedError", "gather"]

UNNAMED = "default"
"""What the stack of a document is called that is one stack."""

_MAX_FILES = 100
_OWN = ("version", "stacks", "default", "include")
_NAME = re.compile(r"[\w.-]{1,100}")


class StackNotNamedError(ConfigError):
    """A document holds several stacks, and nothing says which one is meant.

    Args:
        file: The file; None for text that was handed in.
        stacks: Their names.
        way: How one is named where the question comes from.
    """

    def __init__(self, file: str | None, stacks: Sequence[str], way: str = "") -> None:
        mend = f"name one{f' with `{way} {stacks[0]}`' if way else ''}, or write `default: {stacks[0]}`"
        super().__init__(": ".join(filter(None, (file, f"it holds several stacks ({', '.join(stacks)}); {mend}"))))
        self.file = file
        self.stacks = tuple(stacks)


@dataclass(frozen=True, slots=True)
class Entry:
    """A stack of a document, or a group of layers.

    Args:
        name: What `use` calls it.
        body: What is said of it.
        path: Where it stands in its document; nothing for a document that is one stack.
        mark: Where that is.
    """

    name: str
    body: Node
    path: str
    mark: Mark

    @property
    def is_group(self) -> bool:
        """Whether it has layers only, to be used among the layers of others."""
        said = self.body.entries
        return bool(self.path) and said is not None and "layers" in said and "executor" not in said


@dataclass(slots=True)
class Document:
    """A document and those it includes.

    Args:
        mark: Where it begins.
        entries: Its stacks and groups of layers, by name.
        default: The name of the stack that is meant where none is named, as it is said; None if it is not said.
        problems: What is wrong so far.
    """

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)
    default: Node | None = None
    problems: list[str] = field(default_factory=list)

    def choose(self, name: str | None) -> str:
        """The name of the stack that is meant by `name`.

        Raises:
            ConfigError: There is none of that name, or it is not said which one is meant.
        """
        stacks = [each.name for each in self.entries.values() if not each.is_group]
        if name is not None:
            shown = show(name).removeprefix("str ")
            if name in stacks:
                return name
            if name in self.entries:
                raise self._error(f"'{name}' is a group of layers; a stack has an `executor:`")
            if stacks == [UNNAMED] and not self.entries[UNNAMED].path:
                raise self._error(f"it is one stack without a name, and {shown} is asked for; leave the name out")
            raise self._error(f"there is no stack {shown}{nearest(name, stacks)}")
        if self.default is not None:
            return str(self.default.value)
        if UNNAMED in self.entries and not self.entries[UNNAMED].path:
            return UNNAMED  # what it includes is there to be used
        if len(stacks) == 1:
            return stacks[0]
        if not stacks:
            raise self._error("it holds no stack, only layers to be used; a stack has an `executor:`")
        raise StackNotNamedError(self.mark.source.name, stacks)

    def _error(self, text: str) -> ConfigError:
        return ConfigError(": ".join(filter(None, (self.mark.source.name, text))))


def gather(root: Node, file: Path | None) -> Document:
    """The document that `root` is, with all that it includes."""
    return _Gatherer(root, file).document


class _Gatherer:
    """Follows the includes of one document."""

    def __init__(self, root: Node, file: Path | None) -> None:
        self.document = Document(root.mark)
        self._problems = self.document.problems
        self._open: list[Path] = []
        self._files: set[Path] = set()
        if file is not None:
            self._open.append(file.resolve())
            self._files.update(self._open)
        self._take(root, included=False)

    def _take(self, node: Node, *, included: bool) -> None:
        said = dict(node.entries or {})
        include = said.pop("include", None)
        several = bool(said.keys() & {"stacks", "default"}) or (include is not None and not said.keys() - {"version"})
        if several:
            self._several(node, said, included=included)
        elif included:
            self._tell(node.mark, "it is one stack without a name; to be included, it stands under `stacks:` by a name")
        else:
            body = mapping(said, node.keys, node.mark)
            self.document.entries[UNNAMED] = Entry(UNNAMED, body, "", node.mark)
        if include is not None:
            self._include(include)
        if not included:
            self._check_default()

    def _several(self, node: Node, said: dict[str, Node], *, included: bool) -> None:
        for name in said.keys() - set(_OWN):
            if name in ("layers", "executor"):
                mend = "; a document is one stack (`layers`, `executor`) or several by name (`stacks`)"
            else:
                mend = nearest(name, _OWN)
            self._tell(node.mark_of(name), f"{name}: unknown option{mend}")
        version = said.get("version")
        if version is not None and (version.value != 1 or type(version.value) is not int):
            found = show(version.value) if version.items is None else "list"
            told = f"version: this Lamellar reads version 1 of the format, got {found}; write `version: 1`"
            self._tell(node.mark_of("version"), told)
        if not included:
            self.document.default = said.get("default")
        stacks = said.get("stacks")
        if stacks is None:
            return
        if not stacks.entries:
            found = "list" if stacks.items is not None else "none" if stacks.entries == {} else show(stacks.value)
            self._tell(node.mark_of("stacks"), f"stacks: expected stacks by name, got {found}")
        for name, body in (stacks.entries or {}).items():
            self._entry(name, body, stacks.mark_of(name))

    def _entry(self, name: str, body: Node, mark: Mark) -> None:
        path = f"stacks.{name}"
        if not _NAME.fullmatch(name):
            self._tell(mark, f"{show(name)}: a name has 1 to 100 letters, digits, `_`, `-` and `.`")
            return
        if body.entries is None:
            found = "list" if body.items is not None else show(body.value)
            self._tell(mark, f"{path}: expected a mapping with `layers` and `executor`, got {found}")
            return
        there = self.document.entries.get(name)
        if there is not None:
            self._tell(mark, f"{path}: '{name}' is said twice; the other stands at {there.mark}")
            return
        if "version" in body.entries:
            self._tell(body.mark_of("version"), f"{path}.version: the version is said once, at the top of the file")
            body = mapping({key: each for key, each in body.entries.items() if key != "version"}, body.keys, body.mark)
        self.document.entries[name] = Entry(name, body, path, mark)

    def _include(self, node: Node) -> None:
        files = node.items if node.items is not None else (node,)
        for place, each in enumerate(files):
            path = f"include[{place}]" if node.items is not None else "include"
            if not isinstance(each.value, str) or not each.value:
                found = "list" if each.items is not None else show(each.value)
                self._tell(each.mark, f"{path}: expected the path of a file, got {found}")
                continue
            try:
                self._file(each, path)
            except ConfigError as error:
                self._problems.extend(error.problems)

    def _file(self, said: Node, path: str) -> None:
        try:
            file = said.mark.source.folder / Path(str(said.value)).expanduser()
            real = file.resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise said.mark.error(f"{path}: {show(said.value)} is no path: {error}") from None
        if real in self._open:
            others = [each.name for each in self._open[self._open.index(real) + 1 :]]
            way = f", by way of {', '.join(others)}" if others else ""
            raise said.mark.error(f"{path}: {file} includes itself{way}") from None
        if real in self._files:
            return  # two of the files need it, and it is there
        if len(self._files) >= _MAX_FILES:
            raise said.mark.error(f"{path}: more than {_MAX_FILES} files are included")
        self._files.add(real)
        try:
            node = read_file(file)
        except ConfigError as error:
            if error.problems[0].startswith(f"{file}:") and ": cannot be read" in error.problems[0]:
                raise said.mark.error(f"{path}: {error}") from None
            raise
        self._open.append(real)
        self._take(node, included=True)
        self._open.pop()

    def _check_default(self) -> None:
        default = self.document.default
        if default is None:
            return
        entry = self.document.entries.get(default.value) if isinstance(default.value, str) else None
        if entry is None or entry.is_group:
            stacks = [each.name for each in self.document.entries.values() if not each.is_group]
            mend = nearest(str(default.value), stacks) if isinstance(default.value, str) else ""
            found = "list" if default.items is not None else show(default.value)
            self._tell(default.mark, f"default: expected the name of a stack, got {found}{mend}")

    def _tell(self, mark: Mark, text: str) -> None:
        self._problems.append(mark.tell(text))
