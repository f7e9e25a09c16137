"""The base of every model a user hands in: frozen, strict about unknown names, and clear when something is wrong.

Pydantic does the checking. What it finds is told as one `ConfigError` that names the field, what was found there and
what would be right, with the nearest valid name for a misspelt one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .elsewhere import mend_for
from .errors import ConfigError
from .masking import masked, on_one_line, scrub, show
from .strict import strictly

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema, ErrorDetails

    from .places import Place

__all__ = ["Frozen", "describe_problems", "explain", "nearest", "schema_is_a_field"]

_WHOLE_PATH = r"[A-Za-z_][^\s:]*: "
_LENGTHS = {"too_short": "item", "too_long": "item", "string_too_short": "character", "string_too_long": "character"}
"""Complaints of pydantic about lengths, and what is counted."""

_PATH = r"[a-z_]\w*(?:\.(?:[^\s.:]|:(?! ))+)*: "
"""How a problem begins that names its place: names of options, and of what else mappings hold."""


class Frozen(BaseModel):
    """A frozen pydantic model whose constructor raises `ConfigError`, never pydantic's own error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema, with numbers and switches that are not guessed out of something else."""
        return strictly(handler(source))  # type: ignore[no-any-return]

    def __init__(self, /, *args: object, **data: Any) -> None:
        if args:
            raise ConfigError(_by_name(type(self), args))
        try:
            super().__init__(**data)
        except ValidationError as error:
            # `from None`: the pydantic error repeats the input, which may hold a key.
            raise explain(error, type(self)) from None

    # Told to pydantic so that nested models are still built in Rust, without this constructor.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Only what was said, and no secret: the repr is the code that makes it."""
        for name, value in super().__repr_args__():
            if name is None or name in self.model_fields_set:
                yield name, masked(value)

    def __str__(self) -> str:
        return repr(self)


def _by_name(model: type[BaseModel], args: tuple[object, ...]) -> str:
    """The mistake of options by position, and how they are written."""
    first = next(iter(model.model_fields), "option")
    found = show(args[0]) if isinstance(args[0], str | int | float) else type(args[0]).__name__
    said = f"{model.__name__}: options are given by name, such as {model.__name__}({first}=...)"
    return f"{said}; got {found} by position"


@contextmanager
def schema_is_a_field() -> Iterator[None]:
    """Define a model with a field named `schema`, though pydantic has a deprecated method of that name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message='Field name "schema"', category=UserWarning)
        yield


def explain(error: ValidationError, model: type[BaseModel], *, prefix: str = "") -> ConfigError:
    """One `ConfigError` out of pydantic's list of complaints about `model`."""
    problems = [_under(prefix, problem) for problem in describe_problems(error, model)]
    head = f"{model.__name__}: " if not prefix else ""
    return ConfigError(head + ("\n" + head).join(problems), problems=problems)


def _under(prefix: str, problem: str) -> str:
    """A problem below the model that `prefix` names; one of the model as a whole has no path to go on with."""
    if not prefix or re.match(_WHOLE_PATH, problem):
        return f"{prefix}{problem}"
    return f"{prefix.rstrip('.')}: {problem}"


def describe_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Each complaint as `field: what was expected, what was found`."""
    from .places import locate

    told: dict[str, list[tuple[int, str]]] = {}
    for detail in error.errors(include_url=False):
        place = locate(detail["loc"], model)
        spot = ".".join(place.path if place.choice is None else place.choice)
        told.setdefault(spot, []).append((_weight(detail, place), _tell(detail, place)))
    # Of the complaints of a union's members about one value, those of the member that came nearest are told.
    return [
        scrub(problem)
        for complaints in told.values()
        for text in dict.fromkeys(text for weight, text in complaints if weight == max(complaints)[0])
        for problem in text.split("\n")
    ]


def _weight(detail: ErrorDetails, place: Place) -> int:
    if place.choice is None:
        return 0
    if isinstance(detail.get("ctx", {}).get("error"), ConfigError):
        return 1000
    return len(place.path) - len(place.choice)


def _tell(detail: ErrorDetails, place: Place) -> str:
    kind, found, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    path = tuple(on_one_line(each) for each in place.path)
    location = ".".join(path)
    cause = context.get("error")
    if isinstance(cause, ConfigError):
        return "\n".join(_join(path, problem) for problem in cause.problems)
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        mend = mend_for(path[-1], place.options)
        return f"{location}: unknown option{f'; {mend}' if mend else nearest(path[-1], place.options)}"
    if kind == "missing":
        return f"{location}: required, but missing"
    if kind == "invalid_key":
        return f"{location}: the name of an option is text, got {show(found)}"
    if kind in _LENGTHS:
        return ": ".join(filter(None, (location, _length(kind, context, found))))
    if kind == "union_tag_invalid":
        tag = str(context["discriminator"]).strip("'")
        return f"{location}.{tag}: expected {context['expected_tags']}, got {show(context['tag'])}"
    if kind == "union_tag_not_found":
        tag = str(context["discriminator"]).strip("'")
        return f"{location}.{tag}: required, but missing; it says which kind this is"
    message = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if kind != "value_error":
        expected = (
            message.partition(", unable to")[0].replace("valid tuple", "list").replace("valid dictionary", "mapping")
        )
        message = f"expected {expected}, got {show(found)}"
    return ": ".join(filter(None, (location, message)))


def _length(kind: str, context: dict[str, Any], found: object) -> str:
    """What is too short or too long, and by how much."""
    bound, thing = context.get("min_length", context.get("max_length")), _LENGTHS[kind]
    actual = context.get("actual_length", len(found) if isinstance(found, Sized) else None)
    limit = "least" if "min_length" in context else "most"
    return f"expected at {limit} {bound} {thing}{'' if bound == 1 else 's'}, got {'more' if actual is None else actual}"


def _join(path: tuple[str, ...], problem: str) -> str:
    """A problem that was found deeper down, under its whole path."""
    inner = re.match(_PATH, problem)
    if inner is None:
        return ": ".join(filter(None, (".".join(path), problem)))
    if path and inner[0].split(".")[0].rstrip(": ") == path[-1]:
        path = path[:-1]  # the field's own validator names it too
    return ".".join((*path, problem))


def nearest(name: str, valid: Iterable[str]) -> str:
    """`; did you mean 'attempts'?` when a valid name is near, else the list of the valid ones."""
    from difflib import get_close_matches

    names = sorted(valid)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid names: {', '.join(names)}" if names else ""
