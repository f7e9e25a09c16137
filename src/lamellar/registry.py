"""Which kinds of layer and executor there are: entry points, read once they are needed."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from .errors import ConfigError
from .frozen import explain, nearest
from .plugin_errors import plugins_named
from .plugins import GROUPS, Found, find_plugins, load_plugin, origin
from .spec import ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["available", "kinds", "lookup", "origin_of", "parse"]

_WORDS: dict[type[Spec], str] = {LayerSpec: "layer", ExecutorSpec: "executor"}
_logger = logging.getLogger("lamellar.registry")

S = TypeVar("S", bound=Spec)


@cache
def _everything() -> Mapping[type[Spec], Mapping[str, Found]]:
    return find_plugins()


def _registered(base: type[Spec]) -> Mapping[str, Found]:
    return _everything()[base]


def kinds(base: type[Spec]) -> tuple[str, ...]:
    """The registered names of layers (`LayerSpec`) or executors (`ExecutorSpec`), of plugins that are broken too."""
    return tuple(sorted(_registered(base)))


def available(base: type[S]) -> dict[str, type[S]]:
    """Every kind that can be used, with its class. A broken plugin is left out, and told of in a warning once.

    Args:
        base: `LayerSpec` or `ExecutorSpec`.
    """
    found: dict[str, type[S]] = {}
    for kind in kinds(base):
        try:
            found[kind] = lookup(kind, base)
        except ConfigError as error:
            _warn_once(str(error))
    return found


@cache
def _warn_once(problem: str) -> None:
    _logger.warning("%s", problem)


def lookup(kind: str, base: type[S]) -> type[S]:
    """The spec class that is registered as `kind`.

    Raises:
        ConfigError: There is none of that name, or its plugin cannot be used; the distribution that it comes with, and
            how to mend it, are named.
    """
    found = _registered(base)
    if kind not in found:
        other = next((each for each in GROUPS if each is not base and kind in _registered(each)), None)
        if other is not None:
            raise ConfigError(f"'{kind}' is {_a(other)}, and {_a(base)} is expected here")
        raise ConfigError(f"unknown {_WORDS[base]} '{kind}'{nearest(kind, found)}")
    for overruled in found[kind].overruled:
        _warn_once(overruled)
    return load_plugin(kind, found[kind], base)


def origin_of(model: type[Spec]) -> str:
    """Where a class of specs comes from: its place in the code, and the distribution that registers it."""
    for named in _everything().values():
        for point in named[model.kind].points if model.kind in named else ():
            if point.module.partition(".")[0] == model.__module__.partition(".")[0]:
                return origin(point)
    return f"{model.__module__}:{model.__qualname__}"


def _a(base: type[Spec]) -> str:
    return "an executor" if base is ExecutorSpec else "a layer"


def parse(value: object, base: type[S]) -> S:
    """A spec out of what stands in a file: a bare kind, `{kind: options}`, or the spec itself.

    Raises:
        ConfigError: It is none of these.
    """
    if isinstance(value, base):
        return value
    if isinstance(value, str):
        return _make(lookup(value, base), {})
    if isinstance(value, dict) and len(value) == 1:
        ((kind, options),) = value.items()
        return _make(lookup(str(kind), base), {} if options is None else options)
    if isinstance(value, dict):
        raise ConfigError(
            f"expected one {_WORDS[base]}, got a mapping of {len(value)} names ({', '.join(map(str, value))}); "
            "indent the options below the name"
        )
    if isinstance(value, type) and issubclass(value, Spec):
        raise ConfigError(f"expected {_a(base)}, got the class {value.__name__}; write {value.__name__}()")
    if isinstance(value, Spec) and value.kind == "target":
        raise ConfigError(f"expected {_a(base)}, got a Target; targets stand in a composite such as Fallback(...)")
    if value is None:
        raise ConfigError(f"expected {_a(base)}, got nothing")
    word = "the layer " if isinstance(value, LayerSpec) else "the executor " if isinstance(value, ExecutorSpec) else ""
    raise ConfigError(f"expected {_a(base)}, got {word}{type(value).__name__}")


def _make(model: type[S], options: object) -> S:
    if not isinstance(options, dict):
        raise ConfigError(f"{model.kind}: expected a mapping of options, got {type(options).__name__}")
    with plugins_named(model):
        try:
            return model.model_validate(options)
        except ValidationError as error:
            raise explain(error, model, prefix=f"{model.kind}.") from None
