"""Auto: the provider is found by the model's name."""

from __future__ import annotations

import logging
import os
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import field_validator

from ..errors import ConfigError
from ..executor import CompositeExecutor, LlmExecutor, Operation, ResultT
from ..frozen import nearest
from .access import NetworkSpec
from .catalog import CATALOG, CatalogEntry
from .connection import Connection
from .dialects import DIALECTS
from .spec import HttpProvider

if TYPE_CHECKING:
    from ..build import BuildContext
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest

__all__ = ["Auto", "AutoExecutor", "ModelChoice", "choose"]

_SEPARATOR = "::"
"""Between a namespace and a model's name."""

_LAST_RESORT = "ollama"
_logger = logging.getLogger("lamellar.auto")


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


@lru_cache(maxsize=1024)
def choose(model: str) -> ModelChoice:
    """The provider that a model's name belongs to.

    An explicit namespace (`groq::llama-3.3-70b-versatile`) decides; else the most specific name rule (`gpt-5*` before
    `gpt*`); else the model is taken for one of a local Ollama, as Rust's genai does.

    Raises:
        ConfigError: There is no such namespace, or no name after it.
    """
    namespace, separator, name = model.partition(_SEPARATOR)
    if separator:
        if namespace not in CATALOG:
            raise ConfigError(f"model: unknown namespace '{namespace}' in '{model}'{nearest(namespace, CATALOG)}")
        if not name:
            raise ConfigError(f"model: '{model}' names no model after the namespace")
        return ModelChoice(CATALOG[namespace], name)
    matching = [
        (len(rule.replace("*", "")), entry)
        for entry in CATALOG.values()
        for rule in entry.rules
        if fnmatchcase(model, rule)
    ]
    if not matching:
        return ModelChoice(CATALOG[_LAST_RESORT], model, guessed=True)
    return ModelChoice(max(matching, key=lambda match: match[0])[1], model)


class _Listed(HttpProvider):
    """One row of the catalogue as a provider."""

    kind: ClassVar[str] = "listed"

    row: str

    @property
    def entry(self) -> CatalogEntry:
        """The row."""
        return CATALOG[self.row]


class Auto(NetworkSpec):
    """Finds the provider by the model's name, the counterpart of the client of Rust's genai.

    `groq::llama-3.3-70b-versatile` names the namespace, `claude-haiku-4-5` is found by rule. A provider is made when
    it is first asked for, with the key from its own variable (such as `GROQ_API_KEY`): keys are needed only for what
    is used. In a `Target` with a model of its own it is made, and complained of, when the stack is built.

    Args:
        providers: Endpoint, key and headers by namespace, where they are not the provider's own; see `Connection`.
        proxy: See `NetworkSpec`, as for all other options.

    Raises:
        ConfigError: A namespace in `providers` is unknown. At the call: that the key is missing, or that the provider
            speaks a dialect which is not built.
    """

    kind: ClassVar[str] = "auto"

    providers: dict[str, Connection] = {}

    @field_validator("providers")
    @classmethod
    def _known_namespaces(cls, providers: dict[str, Connection]) -> dict[str, Connection]:
        for namespace in providers:
            if namespace not in CATALOG:
                raise ConfigError(f"unknown namespace '{namespace}'{nearest(namespace, CATALOG)}")
        return providers

    def make(self, context: BuildContext) -> AutoExecutor:
        """The executor; the providers are made as they are asked for."""
        executor = AutoExecutor(self, context)
        if context.model is not None:
            executor.leaf_for(choose(context.model))
        return executor

    def provider(self, namespace: str) -> HttpProvider:
        """The declaration of one provider, with what was said of it here."""
        network = {name: getattr(self, name) for name in NetworkSpec.model_fields if name in self.model_fields_set}
        said = self.providers.get(namespace, Connection())
        own = {name: getattr(said, name) for name in said.model_fields_set}
        return _Listed(row=namespace, **network, **own)

    def identity(self) -> object:
        """The endpoints that are not the providers' own."""
        told = set(self.providers) | {row.namespace for row in CATALOG.values() if row.base_url_variable in os.environ}
        return {"auto": [self.provider(namespace).identity() for namespace in sorted(told)]}


def _explained(error: ConfigError, choice: ModelChoice) -> str:
    """What is wrong with a model's provider, and what to write instead."""
    told, row = str(error), choice.entry
    if row.dialect in DIALECTS:
        return told
    instead = f"; {row.instead.format(model=choice.model)}" if row.instead else ""
    if not choice.guessed:
        return f"model: '{choice.model}' belongs to '{row.namespace}': {told}{instead}"
    beginnings = {rule.partition("*")[0] for entry in CATALOG.values() for rule in entry.rules}
    close = get_close_matches(choice.model.partition("-")[0], beginnings, n=1)
    meant = f"Did you mean '{close[0]}...'? " if close else ""
    return (
        f"model: no rule knows the name '{choice.model}', so it is taken for a model of a local Ollama, and {told}"
        f"{instead}. {meant}Else write the namespace before it, such as openai::{choice.model}"
    )


class AutoExecutor(CompositeExecutor):
    """Asks the provider that the model's name leads to.

    Args:
        spec: The options.
        context: What the providers are made with.
    """

    def __init__(self, spec: Auto, context: BuildContext) -> None:
        super().__init__(spec.kind, ())
        self.spec = spec
        self._context = context
        self._leaves: dict[str, LlmExecutor] = {}

    def children(self) -> tuple[LlmExecutor, ...]:
        """The providers that were asked so far."""
        return tuple(self._leaves.values())

    def leaf_for(self, choice: ModelChoice) -> LlmExecutor:
        """The provider's executor, made if this is the first call to it.

        Raises:
            ConfigError: Its key is missing, or its dialect is not built.
        """
        leaf = self._leaves.get(choice.entry.namespace)
        if leaf is None:
            try:
                leaf = self.spec.provider(choice.entry.namespace).make(self._context)
            except ConfigError as error:
                raise ConfigError(_explained(error, choice)) from None
            self._leaves[choice.entry.namespace] = leaf
        return leaf

    async def _exec(
        self, operation: Operation[ResultT], model: str, chat_req: ChatRequest, options: ChatOptions | None
    ) -> ResultT:
        choice = choose(model)
        if choice.guessed:
            _logger.info("no rule knows the model '%s'; it is taken for a model of a local Ollama", model)
        return await operation(self.leaf_for(choice), choice.model, chat_req, options)
