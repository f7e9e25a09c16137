"""A row of the catalogue as options: what a user says of a provider of one's own, or over one of ours."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from pydantic import Field, field_validator

from ..errors import ConfigError
from ..frozen import nearest
from ..masking import show
from .abilities import SaidAbilities
from .catalog import CATALOG, CatalogEntry
from .connection import Connection
from .dialects import DIALECTS
from .wire import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Row", "unknown_namespace"]


class Row(Connection):
    """A provider of one's own, or what is different about one of the catalogue.

    Args:
        dialect: The wire format: ``chat`` (Chat Completions), ``anthropic``, ``gemini`` … Default: the catalogue's.
        key_variable: The environment variable that holds the key, which must then be set. Default: the catalogue's.
        key_header: The lower-case header that carries the key. Default: the dialect's own.
        quirks: How the endpoint differs from the dialect's rule, by the names of `Quirks`. Default: as the catalogue
            has it; a provider of one's own follows the rule.
        rules: Patterns (`fnmatch`) of the model names that `Auto` takes here without a namespace before them, instead
            of the catalogue's for this provider. Default: the catalogue's.
        models: What is known of its models, by patterns of their names; the more specific pattern wins, and all of
            them win over what the catalogue knows of the same names. Default: nothing more.
        base_url: See `Connection`, as for all other options.
    """

    dialect: str | None = None
    key_variable: str | None = Field(default=None, min_length=1)
    key_header: str | None = Field(default=None, pattern=r"^[a-z0-9\-]+$")
    quirks: dict[str, bool | str | None] = {}
    rules: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    models: dict[str, SaidAbilities] = {}

    @field_validator("dialect")
    @classmethod
    def _known_dialect(cls, dialect: str | None) -> str | None:
        if dialect is not None and dialect not in DIALECTS:
            raise ConfigError(f"unknown dialect '{dialect}'{nearest(dialect, DIALECTS)}")
        return dialect

    @field_validator("quirks")
    @classmethod
    def _known_quirks(cls, said: dict[str, bool | str | None]) -> dict[str, bool | str | None]:
        forms = _forms_of_quirks()
        for name, value in said.items():
            if name not in forms:
                raise ConfigError(f"unknown quirk '{name}'{nearest(name, forms)}")
            forms[name].check(name, value)
        return said

    @field_validator("rules", mode="before")
    @classmethod
    def _one_or_many(cls, rules: object) -> object:
        return (rules,) if isinstance(rules, str) else rules

    def over_catalog(self, namespace: str) -> CatalogEntry:
        """The row of this namespace, with what is said here over what the catalogue has.

        Raises:
            ConfigError: The catalogue has no such row, and dialect or endpoint are not said.
        """
        listed = CATALOG.get(namespace)
        if listed is None:
            if self.dialect is None and self.base_url is None:
                raise unknown_namespace(namespace, CATALOG)
            if self.dialect is None or self.base_url is None:
                missing, said = ("dialect", "base_url") if self.dialect is None else ("base_url", "dialect")
                raise ConfigError(
                    f"{missing}: required, but missing: '{namespace}' is no provider of the catalogue, and one of "
                    f"one's own says it beside its {said}"
                )
            listed = CatalogEntry(
                namespace,
                self.base_url,
                self.key_variable,
                self.dialect,
                quirks=Quirks(cache="none"),
                key_optional=True,
            )
        return replace(
            listed,
            dialect=self.dialect or listed.dialect,
            key_variable=self.key_variable or listed.key_variable,
            key_header=self.key_header or listed.key_header,
            quirks=replace(listed.quirks, **cast("dict[str, Any]", self.quirks)),
            rules=listed.rules if self.rules is None else self.rules,
            models=(*listed.models, *self.models.items()),
        )


class _Form(NamedTuple):
    """What a quirk may be.

    Args:
        words: The words that mean something; empty where any word does, or it is no word.
        is_word: Whether it is a word, and not true or false.
        may_lack: Whether it may be None.
    """

    words: tuple[str, ...]
    is_word: bool
    may_lack: bool

    def check(self, name: str, value: bool | str | None) -> None:
        """Let it pass.

        Raises:
            ConfigError: It is something else.
        """
        if value is None and self.may_lack:
            return
        if not self.is_word:
            right, expected = isinstance(value, bool), "true or false"
        elif self.words:
            right, expected = value in self.words, f"one of {', '.join(self.words)}"
        else:
            right, expected = isinstance(value, str) and bool(value), "a word"
        if not right:
            close = nearest(value, self.words) if isinstance(value, str) else ""
            raise ConfigError(f"{name}: expected {expected}, got {show(value)}{close}")


@cache
def _forms_of_quirks() -> Mapping[str, _Form]:
    """What each quirk may be, as `Quirks` declares it."""
    forms = {}
    for name, hint in get_type_hints(Quirks).items():
        members = (hint,) if get_origin(hint) is Literal else get_args(hint) or (hint,)
        words = [word for member in members if get_origin(member) is Literal for word in get_args(member)]
        forms[name] = _Form(tuple(words), bool not in members, type(None) in members)
    return forms


def unknown_namespace(namespace: str, known: Iterable[str], where: str = "") -> ConfigError:
    """The mistake of a namespace that nobody knows.

    Args:
        namespace: What was written.
        known: The namespaces there are.
        where: What it stood in, as words that follow the name.
    """
    told = f"unknown namespace '{namespace}'{where}{nearest(namespace, known)}"
    return ConfigError(
        f"{told}{'' if told.endswith('?') else '.'} A provider of one's own says `dialect` and `base_url`"
    )
