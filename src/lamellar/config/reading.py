"""Files and text as nodes."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import ConfigError
from ..files_read import note_file
from .json_text import read_json
from .nodes import Mark, Node, Source

__all__ = ["format_of", "read_file", "read_text", "text_of"]

MAX_BYTES = 1 << 20

_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}


def format_of(file: Path) -> str:
    """The format of a file, by its ending.

    Raises:
        ConfigError: It is none of ours.
    """
    suffix = file.suffix.lower()
    if suffix not in _FORMATS:
        raise ConfigError(f"{file}: unknown kind of file '{suffix}'; name it .yaml, .toml or .json")
    return _FORMATS[suffix]


def text_of(file: Path, bound: int) -> str:
    """What stands in a file.

    Raises:
        ConfigError: It cannot be read, is no file, is larger than `bound` bytes, or not UTF-8.
    """
    note_file(file)
    try:
        kind = file.stat().st_mode
        if not stat.S_ISREG(kind):  # a pipe would be waited for, a device might never end
            what = "it is a directory" if stat.S_ISDIR(kind) else "it is no regular file"
            raise ConfigError(f"{file}: cannot be read: {what}")
        with file.open("rb") as opened:
            content = opened.read(bound + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{str(file)!r}: cannot be read: {error}") from None
    if len(content) > bound:
        raise ConfigError(f"{file}: larger than {bound} bytes; is this the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def read_file(file: Path) -> Node:
    """The document in a file.

    Raises:
        ConfigError: It cannot be read, or is no mapping.
    """
    format_ = format_of(file)
    return read_text(text_of(file, MAX_BYTES), format_, Source(str(file), file.parent))


def read_text(text: str, format_: str, source: Source) -> Node:
    """The document in a text.

    Raises:
        ConfigError: It cannot be read, or is no mapping.
    """
    if not isinstance(text, str):
        raise ConfigError(f"text: expected str, got {type(text).__name__}; for a file there is Stack.load(path)")
    if len(text) > MAX_BYTES:
        raise Mark(source).error(f"larger than {MAX_BYTES} bytes; is this a stack?")
    if format_ == "json":
        document = read_json(text, source)
    elif format_ == "toml":
        from .toml_text import read_toml

        document = read_toml(text, source)
    elif format_ == "yaml":
        from .yaml_text import read_yaml

        document = read_yaml(text, source)
    else:
        raise ConfigError(f"format: expected yaml, toml or json, got {format_!r}")
    if document is None:
        raise Mark(source).error("the file is empty; it needs at least `executor:`")
    if document.entries is None:
        found = "list" if document.items is not None else type(document.value).__name__
        raise document.mark.error(f"expected a mapping with `version`, `layers` and `executor`, got {found}")
    return document
