"""What a model can do, as far as it is known: told by the catalogue, and by the user over it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import ConfigDict, Field, PlainSerializer

if TYPE_CHECKING:
    from .catalog import CatalogEntry

__all__ = ["Abilities", "SaidAbilities", "abilities_of", "specificity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a model, or every model of a provider, can do.

    None is "not known", as every field is by default: nothing is refused for it.

    Args:
        tools: Whether it calls tools.
        images: Whether it reads images.
        documents: Whether it reads documents, such as PDF files.
        audio: Whether it hears audio.
        prefill: Whether it goes on from a partial assistant message.
        json_schema: Whether it answers by a JSON Schema.
        context_window: Tokens that prompt and answer may have together.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    tools: bool | None = None
    images: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    prefill: bool | None = None
    json_schema: bool | None = None
    context_window: Annotated[int, Field(gt=0)] | None = None

    def over(self, other: Abilities) -> Abilities:
        """What is known here, and of what is not, what `other` knows."""
        if self == _UNKNOWN:
            return other
        return Abilities(**{name: getattr(other if own is None else self, name) for name, own in self.items()})

    def items(self) -> tuple[tuple[str, bool | int | None], ...]:
        """Every ability by its name, in order, known or not."""
        return tuple([(each.name, getattr(self, each.name)) for each in fields(self)])

    def known(self) -> dict[str, bool | int]:
        """Only what is known, by name."""
        return {name: value for name, value in self.items() if value is not None}

    def __repr__(self) -> str:
        return f"Abilities({', '.join([f'{name}={value!r}' for name, value in self.known().items()])})"


SaidAbilities = Annotated[Abilities, PlainSerializer(Abilities.known, return_type=dict[str, bool | int])]
"""As an option of a spec: written to a file as what is known, without the rest."""

_UNKNOWN = Abilities()


def specificity(pattern: str) -> int:
    """How much of a name a pattern spells out: of several that match, the one that spells out most is meant."""
    return len(pattern.replace("*", ""))


@lru_cache(maxsize=1024)
def abilities_of(entry: CatalogEntry, model: str) -> Abilities:
    """What is known of a model behind a row of the catalogue.

    Every pattern of the row that the model's name matches says its part, the more specific one over the less specific
    one, and all of them over what holds for the whole row.
    """
    known, name = entry.abilities, model.lower()  # the hosts of open weights write the same names in either case
    for pattern, said in sorted(entry.models, key=lambda each: specificity(each[0])):
        if fnmatchcase(name, pattern.lower()):
            known = said.over(known)
    return known
