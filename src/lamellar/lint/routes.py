"""Routes and rules that no call ever takes, because another takes it first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from re import sub

from .finding import Finding, finding
from .plates import Plate

__all__ = ["routes"]

_CONDITIONS = ("model", "tag", "above_tokens", "when")


def routes(plates: Sequence[Plate]) -> Iterator[Finding]:
    """What is never reached in each route."""
    for plate in plates:
        names = plate.option("routes")
        if plate.kind == "route" and isinstance(names, Mapping):
            inside = [each for each in plates if each.above and each.above[-1] is plate]
            yield from _route(plate, [str(name) for name in names], inside)


def _route(plate: Plate, names: Sequence[str], inside: Sequence[Plate]) -> Iterator[Finding]:
    found = plate.option("rules")
    rules: Sequence[object] = found if isinstance(found, tuple) else ()
    for number, rule in enumerate(rules):
        earlier = next((at for at in range(number) if _takes_all_of(rules[at], rule)), None)
        if earlier is not None:
            yield _never(plate, f"rules[{number}]", f"rules[{earlier}] takes every call that it would")
    taken = [str(_said(rule, "model") or "*") for rule in rules if _is_plain(rule)]
    default = plate.option("default")
    led_to = {_said(rule, "to") for rule in rules} | {default if isinstance(default, str) else None}
    asks_code = any(_said(rule, "when") is not None for rule in rules)
    by_place = dict(zip(names, inside, strict=False))
    for name in names:
        if name in led_to or asks_code:
            continue
        by_rule = next((each for each in taken if covers(each, name)), None)
        other = next((each for each in names if each != name and covers(each, name) and covers(name, each)), None)
        if by_rule is not None:
            yield _never(by_place.get(name, plate), f"the route '{name}'", f"a rule takes every model like '{by_rule}'")
        elif other is not None and names.index(other) < names.index(name):
            yield _never(by_place.get(name, plate), f"the route '{name}'", f"the route '{other}' takes the same models")
    if default is not None and not isinstance(default, str):
        everything = next((each for each in (*taken, *names) if covers(each, "*")), None)
        if everything is not None:
            yield _never(inside[-1] if inside else plate, "the default", f"'{everything}' takes every model")


def _never(plate: Plate, what: str, why: str) -> Finding:
    return finding(
        "route-unreachable",
        plate,
        f"{what} is never taken, because {why}",
        "take it out, or narrow what comes before it",
    )


def _said(rule: object, name: str) -> object:
    return getattr(rule, name, None)


def _is_plain(rule: object) -> bool:
    """Whether a rule takes every call to a model, whatever else it is."""
    return all(_said(rule, name) is None for name in _CONDITIONS if name != "model")


def _takes_all_of(earlier: object, later: object) -> bool:
    """Whether the earlier rule holds wherever the later one does."""
    if _said(earlier, "when") is not None:
        return False
    model, tag, tokens = (_said(earlier, name) for name in ("model", "tag", "above_tokens"))
    of_model, of_tag, of_tokens = (_said(later, name) for name in ("model", "tag", "above_tokens"))
    if model is not None and (of_model is None or not covers(str(model), str(of_model))):
        return False
    if tag is not None and (of_tag is None or not _covers_tag(str(tag), str(of_tag))):
        return False
    return tokens is None or (isinstance(tokens, int) and isinstance(of_tokens, int) and tokens <= of_tokens)


def _covers_tag(wide: str, narrow: str) -> bool:
    name, said, value = wide.partition("=")
    of_name, of_said, of_value = narrow.partition("=")
    return name == of_name and (not said or (bool(of_said) and covers(value, of_value)))


def covers(wide: str, narrow: str) -> bool:
    """Whether every name that the pattern `narrow` takes is taken by `wide` too; False where that is hard to tell.

    Signs that stand in no name are put in the place of what is wild in `narrow`, several times as many: only what is
    wild in `wide` takes them all.
    """
    unknown = sub(r"\[!?\]?[^\]]*\]|\?", "\0", narrow)
    return all(fnmatchcase(unknown.replace("*", filling), wide) for filling in ("", "\0", "\1\0\1"))
