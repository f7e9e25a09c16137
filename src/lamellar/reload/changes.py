"""What is different between two stacks, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice

from ..frozen import Frozen
from ..masking import is_secret_name, masked
from ..secrets import Secret
from ..spec import Spec
from ..target import Target

__all__ = ["changes"]

_MOST = 50
"""Lines that are told of one reload."""

_LONG = 60
"""Characters of a value that are shown."""


def changes(old: Spec, new: Spec) -> tuple[str, ...]:
    """What `new` says otherwise than `old`: a line for each option, with its place; no secret in any."""
    found = list(islice(_between("", old, new), _MOST + 1))
    return (*found[:_MOST], "and more") if len(found) > _MOST else tuple(found)


def _between(path: str, old: object, new: object) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Frozen) and type(old) is type(new) and not isinstance(old, Secret):
        for name in type(old).model_fields:
            before, after = getattr(old, name), getattr(new, name)
            place = _join(path, name)
            if isinstance(after, Spec) and type(before) is type(after):
                place = f"{place}.{after.kind}"
            yield from _between(place, before, after)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _of_mappings(path, old, new)
    elif _are_plates(old) and _are_plates(new):
        yield from _of_plates(path, old, new)  # type: ignore[arg-type]
    else:
        now, before = _shown(new), _shown(old)
        yield f"{path}: {now}, was {before}" if now != before else f"{path}: changed"


def _of_mappings(path: str, old: dict[object, object], new: dict[object, object]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        place = _join(path, str(name))
        if name not in new:
            yield f"{place}: left out"
        elif name not in old:
            yield f"{place}: added"
        elif is_secret_name(name):
            yield from () if old[name] == new[name] else (f"{place}: changed",)
        else:
            yield from _between(place, old[name], new[name])


def _of_plates(path: str, old: Sequence[Spec], new: Sequence[Spec]) -> Iterator[str]:
    """Plates that were put in, taken out, or changed; each is known again by what it is called."""
    matcher = SequenceMatcher(None, [*map(_name, old)], [*map(_name, new)], autojunk=False)
    for verb, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if verb == "equal":
            for at, (before, after) in enumerate(zip(old[old_from:old_to], new[new_from:new_to], strict=True)):
                place = f"{path}[{new_from + at}]"
                yield from _between(place if isinstance(after, Target) else f"{place}.{after.kind}", before, after)
            continue
        for at, plate in enumerate(old[old_from:old_to], old_from):
            yield f"{path}[{at}]: {_name(plate)} left out"
        for at, plate in enumerate(new[new_from:new_to], new_from):
            yield f"{path}[{at}]: {_name(plate)} added"


def _are_plates(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, Spec) for each in value)


def _name(spec: Spec) -> str:
    return f"target {spec.label}" if isinstance(spec, Target) else spec.kind


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(value: object) -> str:
    """A value in few words; a plate by its name, a secret masked."""
    if isinstance(value, Spec):
        return _name(value)
    text = value if isinstance(value, str) else repr(masked(value))
    text = str(masked(text))
    return text if len(text) <= _LONG else text[: _LONG - 3] + "..."
