"""The base of every model a user hands in: frozen, strict about unknown names, and clear when something is wrong.

Pydantic does the checking. What it finds is told as one `ConfigError` that names the field, what was found there and
what would be right, with the nearest valid name for a misspelt one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError

__all__ = ["Frozen", "describe_problems", "explain", "nearest", "schema_is_a_field"]


class Frozen(BaseModel):
    """A frozen pydantic model whose constructor raises `ConfigError`, never pydantic's own error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            # `from None`: the pydantic error repeats the input, which may hold a key.
            raise explain(error, type(self)) from None

    # Told to pydantic so that nested models are still built in Rust, without this constructor.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


@contextmanager
def schema_is_a_field() -> Iterator[None]:
    """Define a model with a field named `schema`, though pydantic has a deprecated method of that name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)
        yield


def explain(error: ValidationError, model: type[BaseModel], *, prefix: str = "") -> ConfigError:
    """One `ConfigError` out of pydantic's list of complaints about `model`."""
    problems = [f"{prefix}{problem}" for problem in describe_problems(error, model)]
    head = f"{model.__name__}: " if not prefix else ""
    return ConfigError(head + ("\n" + head).join(problems), problems=problems)


def describe_problems(error: ValidationError, model: type[BaseModel]) -> Iterable[str]:
    """Each complaint as `field: what was expected, what was found`."""
    for detail in error.errors(include_url=False):
        kind = str(detail["type"])
        location = [str(part) for part in detail["loc"]]
        found = detail.get("input")
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):
            for problem in cause.problems:
                yield ": ".join(filter(None, (".".join(location), problem)))
        elif kind == "extra_forbidden":
            yield _unknown(location, model)
        elif kind == "missing":
            yield f"{'.'.join(location)}: required, but missing"
        else:
            message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
            if kind != "value_error":
                message = f"expected {message}, got {_show(found)}"
            yield ": ".join(filter(None, (".".join(location), message)))


def nearest(name: str, valid: Iterable[str]) -> str:
    """`; did you mean 'attempts'?` when a valid name is near, else the list of the valid ones."""
    names = sorted(valid)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid names: {', '.join(names)}" if names else ""


def _unknown(location: list[str], model: type[BaseModel]) -> str:
    fields: Iterable[str] = model.model_fields if len(location) == 1 else ()
    return f"{'.'.join(location)}: unknown option{nearest(location[-1], fields)}"


def _show(value: object) -> str:
    if value is None or isinstance(value, bool | int | float):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, str):
        text = value if len(value) <= 40 else value[:37] + "..."
        return f"str {text!r}"
    return type(value).__name__
