"""Specimens of every registered spec: one with each option said, whatever kinds are registered later."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from itertools import chain
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lamellar.errors import ConfigError
from lamellar.providers import OpenAI
from lamellar.rates import Rate
from lamellar.registry import kinds, lookup
from lamellar.secrets import Secret
from lamellar.spec import ExecutorSpec, LayerSpec, Spec
from lamellar.target import Target

NUMBERS = (1, 2, 5, 50, 0.5, 0.01)
TEXTS = (
    "name",
    "https://example.com/v1",
    "5s",
    "os.path:join",
    "*",
    "64GB",
    "groq",
    "chat",
    "include_usage",
    "v1beta1",
)

TOGETHER: dict[str, dict[str, Any]] = {
    "Bedrock": {"access_key_id": {"env": "SOME_KEY"}, "secret_access_key": {"env": "SOME_KEY"}},
}
"""Options that are nothing without each other, by the name of the spec."""


def every_spec() -> Iterator[tuple[str, Spec]]:
    """A named specimen for each kind as it comes, and for each option of each kind."""
    for base in (LayerSpec, ExecutorSpec):
        for kind in kinds(base):  # type: ignore[type-abstract]
            model = lookup(kind, base)  # type: ignore[type-abstract]
            yield kind, plain(model)
            for name in model.model_fields:
                if name != "version" and not code_only(model.model_fields[name]):
                    yield f"{kind}.{name}", with_option(model, name)


def code_only(field: FieldInfo) -> bool:
    """Whether the option is an object that no file can hold."""
    return any(getattr(each, "code_only", False) for each in field.metadata)


@cache
def plain(model: type[BaseModel]) -> Any:
    """The model with nothing said but what it cannot do without."""
    return model(**needs(model))


@cache
def with_option(model: type[BaseModel], name: str) -> Any:
    """The model with this option said, and not as its default."""
    for made in chain(attempts(model, name, needs(model)), in_company(model, name)):
        if getattr(made, name) != model.model_fields[name].default:
            return made
    raise AssertionError(f"no value for {model.__name__}.{name} could be thought of; teach tests/specimens.py one")


@cache
def needs(model: type[BaseModel]) -> dict[str, Any]:
    """What the model cannot do without: what has no default, and one option more if it demands one."""
    required = {name: next(values(field)) for name, field in model.model_fields.items() if field.is_required()}
    try:
        model(**required)
    except ConfigError:
        options = sorted(model.model_fields, key=lambda name: name not in required)
        made = next(each for name in options for each in attempts(model, name, required))
        return {name: getattr(made, name) for name in made.model_fields_set}
    return required


def in_company(model: type[BaseModel], name: str) -> Iterator[Any]:
    """The model with this option and another, for one that can act only with another."""
    yield from attempts(model, name, TOGETHER.get(model.__name__, {}))
    for other in model.model_fields:
        for company in attempts(model, other, needs(model)):
            yield from attempts(model, name, {each: getattr(company, each) for each in company.model_fields_set})


def attempts(model: type[BaseModel], name: str, needed: Mapping[str, Any]) -> Iterator[Any]:
    for value in values(model.model_fields[name]):
        try:
            yield model(**{**needed, name: value})
        except ConfigError:
            continue


def values(field: FieldInfo) -> Iterator[Any]:
    """Values that an option might take, by its annotation."""
    yield from _values(field.annotation)


def _values(annotation: Any) -> Iterator[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _values(arguments[0])
    elif origin in (Union, types.UnionType):
        for each in arguments:
            yield from _values(each)
    elif origin is Literal:
        yield from arguments
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        for value in _values(arguments[1]):
            for key in _values(arguments[0]):
                yield {key: value}
    elif isinstance(origin, type) and issubclass(origin, tuple | list | set | frozenset):
        if Ellipsis in arguments or len(arguments) == 1:
            for value in _values(arguments[0]):
                yield origin((value,))
                yield origin((value, value))
        else:
            yield origin(next(_values(each)) for each in arguments)
    elif annotation in (int, float):
        yield from NUMBERS
    elif annotation is bool:
        yield from (True, False)
    elif annotation is str:
        yield from (*TEXTS, "temperature", "model", "tag:team", "<{name}-{number}>")
    elif origin is Callable or annotation is Callable or getattr(origin, "__name__", "") == "Callable":
        yield "os.path:join"
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from annotation
    elif annotation is Secret:
        yield from ({"env": "SOME_KEY"}, {"file": "/run/secrets/key"})
    elif annotation is Rate:
        yield "500/min"
    elif annotation is Target:
        yield Target(OpenAI(), model="gpt-4o-mini")
    elif annotation is ExecutorSpec:
        yield OpenAI()
    elif annotation is LayerSpec:
        yield plain(lookup("retry", LayerSpec))  # type: ignore[type-abstract]
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name in annotation.model_fields:
            if name != "call":
                yield with_option(annotation, name)
    elif isinstance(annotation, type) and is_dataclass(annotation):
        for name, hint in get_type_hints(annotation).items():
            if get_origin(hint) is ClassVar:
                continue
            yield from (annotation(**{name: value}) for value in _values(hint) if value is not None)
    else:
        yield from (*TEXTS, *NUMBERS, {"a": 1})
