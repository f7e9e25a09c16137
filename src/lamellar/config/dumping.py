"""A stack as the text of a file: what `load` reads as the same stack, or an error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from ..errors import ConfigError
from ..masking import on_one_line
from ..spec import Spec
from .nodes import MAX_DEPTH, MAX_VALUES, Mark, Source, scalar

if TYPE_CHECKING:
    from ..stack import Stack

__all__ = ["dump"]


def dump(stack: Stack, format: str) -> str:  # noqa: A002
    """A stack as text of a file."""
    _check_values(stack)
    data = _data(stack)
    _check_size(data)
    if format == "json":
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if format == "yaml":
        from .yaml_text import write_yaml

        return write_yaml(data)
    if format == "toml":
        try:
            import tomli_w
        except ImportError:
            raise ConfigError("writing TOML needs tomli-w; install it with: pip install 'lamellar[toml]'") from None
        try:
            return str(tomli_w.dumps(data))
        except TypeError as error:  # None, of which TOML knows nothing
            raise ConfigError(f"TOML cannot say this: {error}; write YAML or JSON") from None
    raise ConfigError(f"format: expected yaml, toml or json, got {format!r}")


def _data(stack: Stack) -> dict[str, object]:
    try:
        return {"version": stack.version, **stack.model_dump(mode="json", exclude_unset=True)}
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ConfigError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise ConfigError(str(cause)) from None
        refused = str(error).partition("ConfigError: ")[2]
        if refused:
            raise ConfigError(refused) from None
        raise


def _check_values(stack: Stack) -> None:
    """Refuse numbers and text that no file says: as data some of them would silently become something else."""
    waiting: list[tuple[object, str, int]] = [(stack, "", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        inside = _inside(value, path)
        if depth > 2 * MAX_DEPTH:  # a bound for what is done here; what is exact is told of the data
            raise _too_deep(path)
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{path}: a file cannot hold the number {value}; say it in code, or leave it out")
        if isinstance(value, str | int):
            try:
                scalar(value, Mark(Source()))
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from None
        waiting += [(each, where, depth + 1) for each, where in inside]


def _inside(value: object, path: str) -> list[tuple[object, str]]:
    """What stands in a value, with the paths under which a file says it."""
    if isinstance(value, Spec) and value.kind not in ("stack", "target"):
        path = _at(path, value.kind)
    if isinstance(value, BaseModel):
        return [
            (getattr(value, name), _at(path, name))
            for name in type(value).model_fields
            if name in value.model_fields_set
        ]
    if isinstance(value, Mapping):
        names = [(name, f"{path}: a name") for name in value]
        return names + [(each, _at(path, on_one_line(str(name)))) for name, each in value.items()]
    if isinstance(value, tuple | list):
        return [(each, f"{path}[{place}]") for place, each in enumerate(value)]
    return []


def _check_size(data: object) -> None:
    """Refuse what is beyond the bounds of a document."""
    waiting: list[tuple[object, str, int]] = [(data, "", 1)]
    values = 0
    while waiting:
        value, path, depth = waiting.pop()
        values += 1
        if values > MAX_VALUES:
            raise ConfigError(f"{path}: a file holds {MAX_VALUES} values at most, and this stack has more")
        if isinstance(value, dict | list) and depth > MAX_DEPTH:
            raise _too_deep(path)
        if isinstance(value, dict):
            waiting += [(each, _at(path, on_one_line(str(name))), depth + 1) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(each, f"{path}[{place}]", depth + 1) for place, each in enumerate(value)]


def _too_deep(path: str) -> ConfigError:
    shown = path if len(path) <= 200 else f"{path[:200]}..."
    return ConfigError(f"{shown}: nested deeper than {MAX_DEPTH} levels, which no file may be")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
