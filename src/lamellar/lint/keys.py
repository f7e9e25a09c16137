"""Keys that are needed and not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from ..errors import ConfigError
from ..frozen import Frozen
from ..secrets import Secret
from ..spec import Spec
from .finding import Finding, finding
from .plates import Plate

__all__ = ["keys"]


@runtime_checkable
class _KeyHolder(Protocol):
    def keys(self) -> tuple[str, ...]: ...


def keys(plates: Sequence[Plate]) -> Iterator[Finding]:
    """Each secret that cannot be had here and now. No value of one is ever looked at."""
    for plate in plates:
        for problem in _missing(plate):
            what, _, mend = problem.partition("; ")
            yield finding(
                "missing-key", plate, f"{what}, so the stack cannot be built here", mend or "put it where it is named"
            )


def _missing(plate: Plate) -> Iterator[str]:
    for name, value in plate.spec:
        yield from _unresolved(f"{plate.label}.{name}", value)
    spec = plate.spec
    if plate.is_leaf and plate.option("api_key") is None and isinstance(spec, _KeyHolder):
        try:
            spec.keys()
        except ConfigError as error:
            yield str(error)


def _unresolved(field: str, value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        try:
            value.resolve(field)
        except ConfigError as error:
            yield str(error)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _unresolved(f"{field}.{name}", each)
    elif isinstance(value, tuple):
        for number, each in enumerate(value):
            yield from _unresolved(f"{field}[{number}]", each)
    elif isinstance(value, Frozen) and not isinstance(value, Spec):
        for name, each in value:
            yield from _unresolved(f"{field}.{name}", each)
