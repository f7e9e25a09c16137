"""Which provider a model's name belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from ..errors import ConfigError
from .abilities import specificity
from .catalog import CATALOG, CatalogEntry
from .row import unknown_namespace

__all__ = ["Directory", "ModelChoice", "choose"]

_SEPARATOR = "::"
"""Between a namespace and a model's name."""

_LAST_RESORT = "ollama"


class ModelChoice(NamedTuple):
    """Where a model's name leads.

    Args:
        entry: The provider's row in the catalogue.
        model: The name the provider knows the model by.
        guessed: Whether no rule knew the name, so that it is taken for a model of a local Ollama.
    """

    entry: CatalogEntry
    model: str
    guessed: bool = False


class Directory:
    """The rows of the catalogue and those of one's own, and the way from a model's name to one of them.

    Args:
        own: Rows of one's own by namespace, instead of the catalogue's of that name. Default: none.
    """

    def __init__(self, own: Mapping[str, CatalogEntry] | None = None) -> None:
        own = own or {}
        self.rows: Mapping[str, CatalogEntry] = {**CATALOG, **own}
        ranked = [
            ((specificity(rule), entry.namespace in own), rule, entry)
            for entry in self.rows.values()
            for rule in entry.rules
        ]
        self._rules = sorted(ranked, key=lambda each: each[0], reverse=True)
        self._find = lru_cache(maxsize=1024)(self._search)

    def choose(self, model: str) -> ModelChoice:
        """The provider that a model's name belongs to.

        An explicit namespace (`groq::llama-3.3-70b-versatile`) decides; else the most specific name rule (`gpt-5*`
        before `gpt*`), of equally specific ones the user's own; else the model is taken for one of a local Ollama, as
        Rust's genai does.

        Raises:
            ConfigError: There is no such namespace, or no name after it.
        """
        return self._find(model)

    def _search(self, model: str) -> ModelChoice:
        namespace, separator, name = model.partition(_SEPARATOR)
        if separator:
            if namespace not in self.rows:
                mistake = unknown_namespace(namespace, self.rows, f" in '{model}'")
                raise ConfigError(f"model: {mistake}")
            if not name:
                raise ConfigError(f"model: '{model}' names no model after the namespace")
            return ModelChoice(self.rows[namespace], name)
        for _, rule, entry in self._rules:
            if fnmatchcase(model, rule):
                return ModelChoice(entry, model)
        return ModelChoice(self.rows[_LAST_RESORT], model, guessed=True)

    def advice(self, model: str) -> str:
        """What to write instead of a name that no rule knows, in sentences."""
        beginnings = {rule.partition("*")[0] for _, rule, _ in self._rules} - {""}
        close = get_close_matches(model.partition("-")[0], sorted(beginnings), n=1)
        meant = f"Did you mean '{close[0]}...'? " if close else ""
        return f"{meant}Else write the namespace before it, such as openai::{model}"


_CATALOG = Directory()


def choose(model: str) -> ModelChoice:
    """The provider of the catalogue that a model's name belongs to; see `Directory.choose`.

    Raises:
        ConfigError: There is no such namespace, or no name after it.
    """
    return _CATALOG.choose(model)
