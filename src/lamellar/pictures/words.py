"""An option's value in few words: as a file spells it, on one line, and without a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..durations import parse_duration, spell_duration
from ..masking import MASK, is_secret_name, scrub
from ..secrets import Secret
from ..sizes import parse_size

__all__ = ["clipped", "one_line", "option", "text_width"]

_LONGEST = 200
"""Characters of one option, at most."""

_MOST = 20
"""Members of one list or mapping that are told."""

_DEEPEST = 6

_BYTES = (("GB", 10**9), ("GiB", 2**30), ("MB", 10**6), ("MiB", 2**20), ("kB", 1000), ("KiB", 1024))


def option(name: str, value: object, field: FieldInfo | None = None) -> str:
    """An option and its value, such as ``ttl: 10m``.

    Args:
        name: The option.
        value: Its value, as it is after validation.
        field: How it is declared: a number may be a duration or a size.
    """
    said = MASK if is_secret_name(name) and isinstance(value, str) else _Speller(field).spell(value)
    return clipped(one_line(scrub(f"{name}: {said}")), _LONGEST)


def one_line(text: str) -> str:
    """`text` without line breaks, and without characters that no picture can show."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def clipped(text: str, width: int) -> str:
    """`text` in at most `width` columns; what is cut off is told by an ellipsis."""
    if text_width(text) <= width:
        return text
    kept, room = "", width - 1
    for letter in text:
        room -= text_width(letter)
        if room < 0:
            break
        kept += letter
    return kept.rstrip() + "…"


def text_width(text: str) -> int:
    """Columns of `text` in a monospaced font: wide letters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


class _Speller:
    """Spells the values of one option.

    Args:
        field: How the option is declared.
    """

    def __init__(self, field: FieldInfo | None) -> None:
        meant = set() if field is None else {*_functions(field.metadata), *_validators(field.annotation)}
        self._durations, self._sizes = parse_duration in meant, parse_size in meant

    def spell(self, value: object, depth: int = 0) -> str:
        """`value` as a file spells it; what lies too deep is left out."""
        if depth > _DEEPEST:
            return "…"
        if value is None:
            return "null"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, Enum):
            return str(value.value)
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, str):
            return value or '""'
        if isinstance(value, Secret):
            return _secret(value)
        if isinstance(value, BaseModel):
            fields = type(value).model_fields
            said = [(name, each) for name, each in value if name in value.model_fields_set]
            return _mapping([(name, each, _Speller(fields.get(name))) for name, each in said], depth)
        if isinstance(value, Mapping):
            return _mapping([(str(name), each, self) for name, each in islice(value.items(), _MOST + 1)], depth)
        if isinstance(value, tuple | list | set | frozenset):
            members = [self.spell(each, depth + 1) for each in islice(value, _MOST + 1)]
            return f"[{_some(sorted(members) if isinstance(value, set | frozenset) else members)}]"
        return _thing(value)

    def _number(self, value: float) -> str:
        if self._durations:
            return spell_duration(value)
        if self._sizes and isinstance(value, int):
            return next((f"{value // unit}{name}" for name, unit in _BYTES if value and value % unit == 0), str(value))
        # Python refuses to write integers of thousands of digits.
        return str(value) if isinstance(value, int) and abs(value) < 10**30 else f"{value:g}"


def _mapping(members: Sequence[tuple[str, object, _Speller]], depth: int) -> str:
    said = [
        f"{name}: {MASK if is_secret_name(name) and isinstance(value, str) else speller.spell(value, depth + 1)}"
        for name, value, speller in members
    ]
    return f"{{{_some(said)}}}"


def _some(said: Sequence[str]) -> str:
    return ", ".join([*said[:_MOST], "…"] if len(said) > _MOST else said)


def _secret(value: Secret) -> str:
    if value.literal is not None:
        return MASK
    return f"{{env: {value.env}}}" if value.env is not None else f"{{file: {value.file}}}"


def _thing(value: object) -> str:
    """What only code can say, by its name; a value of a type of its own, as that writes it."""
    if callable(value):
        where, name = getattr(value, "__module__", None), getattr(value, "__qualname__", type(value).__qualname__)
        return f"{where}:{name}" if where else str(name)
    if type(value).__str__ is not object.__str__:
        return str(value)
    return type(value).__name__


def _validators(annotation: Any) -> set[object]:
    """The functions that pydantic runs on a value of this annotation, those of its members included."""
    found = _functions(getattr(annotation, "__metadata__", ()))
    for member in get_args(annotation):
        found |= _validators(member)
    return found


def _functions(metadata: Iterable[object]) -> set[object]:
    return {getattr(each, "func", None) for each in metadata}
