"""Values that stand elsewhere: `{env: NAME}` and `{file: path}`, each with a `default` if one likes, for any scalar.

They are looked up when the document is read, and a spec never sees them: what code says and what a file says are the
same specs, and a dump writes the value. Whether a mapping is such a reference, the type of the option tells: of an
option that takes mappings (headers, a body's extra fields) it is a value like any other. Text is read as the option's
type wants it: `"3"` from the environment is a number for a count, and an error for a switch.

Secrets are not looked up here but when the stack is built, so that a stack can be read, checked and drawn without keys,
and no key stands in a spec. They take no `default`, for that would be a secret written into a file.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Literal, get_origin

from pydantic import BaseModel

from ..errors import ConfigError
from ..files_read import note_file
from ..masking import show
from ..secrets import Secret
from .nodes import Node, Scalar, mapping, scalar, unseen
from .reading import text_of

__all__ = ["is_reference", "look_up", "secret_beside", "takes_secret", "takes_value"]

_MAX_BYTES = 1 << 16
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def takes_secret(members: Sequence[object]) -> bool:
    """Whether an option whose type has these members may be a key."""
    return Secret in members


def takes_value(members: Sequence[object]) -> bool:
    """Whether an option whose type has these members takes scalars, and no mapping that might look like a reference."""
    return any(_is_scalar(each) for each in members) and not any(_is_mapping(each) for each in members)


def _is_scalar(member: object) -> bool:
    if isinstance(member, type):
        return issubclass(member, int | float | str | bool | Enum | Path)
    return get_origin(member) is Literal or get_origin(member) is Callable or member is Callable


def _is_mapping(member: object) -> bool:
    origin = get_origin(member) or member
    if not isinstance(origin, type):
        return get_origin(member) is not Literal and not _is_scalar(member)  # an alias such as JsonValue
    if issubclass(origin, BaseModel):
        return bool(origin.model_fields.keys() & {"env", "file"})
    return issubclass(origin, Mapping) or origin is object


def secret_beside(node: Node) -> Node:
    """A reference to a key, whose relative file is found beside the document wherever the process goes."""
    file = None if node.entries is None else node.entries.get("file")
    if node.entries is None or file is None or not isinstance(file.value, str):
        return node
    if node.mark.source.name is None or not file.value or file.value.startswith("~"):
        return node
    try:
        beside = os.path.abspath(node.mark.source.folder / file.value)
    except (OSError, ValueError):
        return node
    return mapping({**node.entries, "file": scalar(beside, file.mark)}, node.keys, node.mark)


def is_reference(node: Node) -> bool:
    """Whether this is a reference to a value, and can be nothing else."""
    said = set() if node.entries is None else set(node.entries)
    return len(said & {"env", "file"}) == 1 and said <= {"env", "file", "default"}


def look_up(node: Node, members: Sequence[object]) -> Node:
    """The value that a reference stands for; a node that is no reference, as it is.

    Raises:
        ConfigError: It says too much, or what it names is not there or not of the type; no path is told, only why.
    """
    entries = node.entries
    if entries is None or not entries.keys() & {"env", "file"}:
        return node
    wrong = sorted(entries.keys() - {"env", "file", "default"})
    if wrong:
        raise ConfigError(f"a value from elsewhere takes `env` or `file`, and `default`; '{wrong[0]}' is neither")
    if "env" in entries and "file" in entries:
        raise ConfigError("a value comes from `env` or from `file`, not from both")
    ((way, named),) = [(name, each) for name, each in entries.items() if name != "default"]
    name = named.value
    if not isinstance(name, str) or not name:
        what = "the name of an environment variable" if way == "env" else "the path of a file"
        raise ConfigError(f"{way}: expected {what}, got {show(name) if named.items is None else 'list'}")
    default = entries.get("default")
    if default is not None and (default.entries is not None or default.items is not None):
        raise ConfigError("default: expected a number, text or a switch")
    text, note = _variable(name) if way == "env" else _content(node.mark.source.folder, name)
    if text is None:
        if default is None:
            mend = "export it" if way == "env" else "write it"
            raise ConfigError(f"{note} is not there; {mend}, or add a `default` beside its name")
        return replace(default, note=f" (the default, for {note} is not there)")
    try:
        return replace(scalar(_typed(text, members), node.mark), note=f" (from {note})", hidden=True)
    except ConfigError as error:
        reason = error.problems[0].removeprefix(f"{node.mark}: ")
        raise ConfigError(f"{reason} (from {note})") from None


def _variable(name: str) -> tuple[str | None, str]:
    try:
        found = os.environ.get(name)
    except ValueError as error:
        raise ConfigError(f"env: {show(name)} is no name of an environment variable: {error}") from None
    return found or None, f"the environment variable {name}"


def _content(folder: Path, name: str) -> tuple[str | None, str]:
    try:
        file = folder / Path(name).expanduser()
        note_file(file)
        there = file.exists()
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"file: {show(name)} is no path: {error}") from None
    return text_of(file, _MAX_BYTES).strip() if there else None, f"the file {file}"


def _typed(text: str, members: Sequence[object]) -> Scalar:
    """`text` as one of the types that an option takes.

    Raises:
        ConfigError: It is none of them.
    """
    word = text.strip()
    if bool in members and word.lower() in (*_TRUE, *_FALSE):
        return word.lower() in _TRUE
    if int in members and re.fullmatch(r"[-+]?\d{1,18}", word, re.ASCII):
        return int(word)
    if float in members and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?", word, re.ASCII | re.IGNORECASE):
        number = float(word)
        if math.isfinite(number):
            return number
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}
    if all(each in wanted for each in members):
        expected = " or ".join(said for kind, said in wanted.items() if kind in members)
        raise ConfigError(f"expected {expected}, got {unseen(text)}")
    return text
