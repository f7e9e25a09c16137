"""Where in a model a complaint of pydantic's belongs, in the words of whoever wrote the data.

Pydantic's location of an error names fields and keys, and also which member of a union complained. A person wrote no
such member, so it is left out here, and used to tell which model's options are meant.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["Place", "inside", "locate", "members"]

_LABEL = re.compile(r"(str|int|float|bool|none|callable|bytes|any)$|[a-z\-]+\[.*\]$", re.DOTALL)
"""How pydantic calls a member of a union that is no model."""


class Place(NamedTuple):
    """Where an error belongs.

    Args:
        path: Field names, keys and indices.
        choice: As much of the path as leads to the first union whose members complain each for itself, or None.
        options: The names that are valid where the path ends.
    """

    path: tuple[str, ...]
    choice: tuple[str, ...] | None
    options: frozenset[str]


def locate(location: Sequence[int | str], model: type[BaseModel]) -> Place:
    """The place of pydantic's `location` in the data of a `model`."""
    path: list[str] = []
    choice: tuple[str, ...] | None = None
    options: frozenset[str] = frozenset()
    here: Any = model
    for part in location:
        choices = members(here)
        if len(choices) > 1:
            label, here = _choose(choices, str(part))
            if label:
                choice = tuple(path) if choice is None else choice
                continue
        else:
            here = choices[0] if choices else None
        if part != "[key]":
            options = _options(here)
            path.append(str(part))
            here = inside(here, part)
    return Place(tuple(path), choice, options)


def members(annotation: Any) -> list[Any]:
    """The members of a union, None left out; anything else is alone."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for each in get_args(annotation) if each is not type(None) for member in members(each)]
    return [annotation]


def _choose(members: Sequence[Any], part: str) -> tuple[bool, Any]:
    """Whether `part` is the label of a member, and the member it means."""
    models = [member for member in members if _is_model(member)]
    for member in models:
        tag = member.model_fields.get("type")
        if part == member.__name__ or (tag is not None and part == tag.default):
            return True, member
    label = _LABEL.match(part) is not None
    return label, None if label or not models else models[0]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _options(annotation: Any) -> frozenset[str]:
    """The names that may stand inside: a model's or a dataclass's fields."""
    if _is_model(annotation):
        return frozenset(annotation.model_fields)
    is_class = isinstance(annotation, type) and is_dataclass(annotation)
    return frozenset([each.name for each in fields(annotation)]) if is_class else frozenset()


def inside(annotation: Any, part: int | str) -> Any:
    """The annotation of what stands at `part`, or None when that is not known."""
    if _is_model(annotation):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field is not None else None
    origin, arguments = get_origin(annotation), get_args(annotation)
    if not isinstance(origin, type) or not arguments:
        return None
    if issubclass(origin, Mapping):
        return arguments[-1]
    if issubclass(origin, tuple) and isinstance(part, int) and arguments[-1] is not Ellipsis:
        return arguments[part] if part < len(arguments) else None
    return arguments[0]
