"""Callables in specs: objects in code, `"module:attribute"` in files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from .errors import ConfigError

__all__ = ["CodeRef", "import_reference", "reference_to"]


def import_reference(value: object) -> object:
    """The object behind `"module:attribute"`; anything but text is left as it is.

    Raises:
        ConfigError: There is no such module or attribute.
    """
    if not isinstance(value, str):
        return value
    module_name, separator, path = value.partition(":")
    if not separator or not module_name or not path:
        raise ConfigError(f"{value!r} names no callable; write 'package.module:name'")
    try:
        found: Any = import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:  # importing runs the module, and that may fail in any way
        raise ConfigError(f"{value!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ConfigError(f"{value!r} is not callable, it is a {type(found).__name__}")
    return found


def reference_to(value: Callable[..., object]) -> str:
    """`"module:attribute"` of a callable.

    Raises:
        ConfigError: It has no importable name (a lambda, a closure, a bound method, an object).
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not module or not name or "<" in name or module == "__main__":
        raise ConfigError(f"{value!r} has no importable name, so it cannot be written to a file; define it in a module")
    reference = f"{module}:{name}"
    try:
        found = import_reference(reference)
    except ConfigError:
        found = None
    if found != value:
        raise ConfigError(f"{value!r} is not what '{reference}' names, so it cannot be written to a file")
    return reference


CodeRef = Annotated[
    Callable[..., Any],
    BeforeValidator(import_reference),
    PlainSerializer(reference_to, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[\\w.]+:[\\w.]+$"}),
]
"""A callable, or its import reference in a file."""
