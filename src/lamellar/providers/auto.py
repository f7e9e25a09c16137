"""Auto: the provider is found by the model's name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from pydantic import ValidationError, field_validator, model_validator

from ..coderef import CodeRef, reference_to
from ..errors import ConfigError
from ..frozen import explain, nearest
from ..identity import take_identity
from ..spec import ExecutorSpec
from .abilities import Abilities, abilities_of
from .access import NetworkSpec
from .catalog import CATALOG, CatalogEntry
from .directory import Directory
from .provider import Namespace, Provider
from .row import Row
from .spec import HttpProvider

if TYPE_CHECKING:
    from ..build import BuildContext
    from .auto_executor import AutoExecutor

__all__ = ["HOOKS", "Auto"]

HOOKS = ("model_mapper", "auth_resolver", "target_resolver")
"""The options that are functions, in the order they are asked."""


class Auto(NetworkSpec):
    """Finds the provider by the model's name, the counterpart of the client of Rust's genai.

    `groq::llama-3.3-70b-versatile` names the namespace, `claude-haiku-4-5` is found by rule. A provider is made when
    it is first asked for, with the key from its own variable (such as `GROQ_API_KEY`): keys are needed only for what
    is used. In a `Target` with a model of its own it is made, and complained of, when the stack is built.

    Three functions may have a say in every call, each a coroutine function or not, and asked in this order. What they
    answer is not kept. One that raises or answers with something else refuses the call, with its name in the error; an
    error of Lamellar's own tree passes as it is.

    Args:
        providers: Providers of one's own, and what is different about those of the catalogue, by namespace; see `Row`.
            Default: the catalogue as it is.
        model_mapper: Takes the model's name and returns the one that is meant, before the provider is looked for.
            Default: the name as it is.
        auth_resolver: Takes a `ModelName` and returns the `Auth` of this call, or None for the usual key. Default: the
            usual key.
        target_resolver: Takes the `ServiceTarget` that was found and returns the one to go to. Default: the one found.
        fingerprint: What stands for the functions in the key of a `Cache` outside; needed where one of them has no
            importable name, such as a lambda. Default: their names.
        proxy: See `NetworkSpec`, as for all other options.

    Raises:
        ConfigError: A namespace in `providers` is unknown, and its dialect or endpoint is not said. At the call: that
            the key is missing, or that the provider speaks a dialect which is not built.
    """

    kind: ClassVar[str] = "auto"
    model_config = {"arbitrary_types_allowed": True}

    providers: dict[Namespace, Row] = {}
    model_mapper: CodeRef | None = None
    auth_resolver: CodeRef | None = None
    target_resolver: CodeRef | None = None
    fingerprint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _identity_says_the_same(cls, data: object) -> object:
        return take_identity(data)

    @field_validator("providers")
    @classmethod
    def _listed_or_whole(cls, providers: dict[str, Row]) -> dict[str, Row]:
        for namespace, row in providers.items():
            row.over_catalog(namespace)
        return providers

    def make(self, context: BuildContext) -> AutoExecutor:
        """The executor; the providers are made as they are asked for."""
        from .auto_executor import AutoExecutor

        executor = AutoExecutor(self, context)
        context.own(executor)
        if context.model is not None and not any(getattr(self, name) for name in HOOKS):
            executor.leaf_for(executor.directory.choose(context.model))
        return executor

    def rows(self) -> dict[str, CatalogEntry]:
        """The rows that are of one's own or are changed, by namespace."""
        return {namespace: row.over_catalog(namespace) for namespace, row in self.providers.items()}

    def provider(self, namespace: str, *, dialect: str | None = None, base_url: str | None = None) -> HttpProvider:
        """The declaration of one provider, with what was said of it here.

        Args:
            namespace: Its name.
            dialect: Another wire format than its own.
            base_url: Another endpoint than its own.

        Raises:
            ConfigError: Nobody knows it, or it has no such options.
        """
        said = {name: getattr(self, name) for name in NetworkSpec.model_fields if name in self.model_fields_set}
        row = self.providers.get(namespace, _NOTHING_SAID)
        said |= {name: getattr(row, name) for name in row.model_fields_set}
        if base_url is not None:
            said["base_url"] = base_url
        listed = CATALOG.get(namespace)
        if dialect is None and row.dialect is None and listed is not None and listed.spec is not None:
            return _by_its_own_spec(listed.spec, said)
        if dialect is not None:
            said["dialect"] = dialect
        return Provider(namespace, **said)

    def abilities_for(self, model: str) -> Abilities | None:
        """What is known of a model; None where a function decides whose it is.

        Raises:
            ConfigError: There is no such namespace, or no name after it.
        """
        if self.model_mapper is not None or self.target_resolver is not None:
            return None
        choice = Directory(self.rows()).choose(model)
        known = abilities_of(choice.entry, choice.model)
        said = self.providers.get(choice.entry.namespace, _NOTHING_SAID).abilities
        return known if said is None else said.over(known)

    def identity(self) -> object:
        """The endpoints that are not the providers' own, the rules of names, and the functions.

        Raises:
            ConfigError: A function has no importable name, and nothing stands for it.
        """
        told = set(self.providers) | {
            row.namespace for row in CATALOG.values() if not os.environ.keys().isdisjoint(row.base_url_variables)
        }
        said: dict[str, object] = {"auto": [self.provider(namespace).identity() for namespace in sorted(told)]}
        rules = {name: list(row.rules) for name, row in sorted(self.providers.items()) if row.rules is not None}
        if rules:
            said["rules"] = rules
        named = [name for name in HOOKS if getattr(self, name) is not None]
        if named:
            said["functions"] = self.fingerprint or {name: self._reference(name) for name in named}
        return said

    def _reference(self, name: str) -> str:
        try:
            return reference_to(getattr(self, name))
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}; or give Auto fingerprint='...'") from None


_NOTHING_SAID = Row()


def _by_its_own_spec(kind: str, said: dict[str, object]) -> HttpProvider:
    """A provider whose declaration takes more than a row says."""
    from ..registry import lookup

    spec = lookup(kind, ExecutorSpec)  # type: ignore[type-abstract]
    if not issubclass(spec, HttpProvider):
        raise ConfigError(f"the executor '{kind}' is not reached by HTTP, so a row of the catalogue cannot name it")
    for name in said:
        if name not in spec.model_fields:
            raise ConfigError(f"providers: '{name}' is no option of '{kind}'{nearest(name, spec.model_fields)}")
    try:
        return spec.model_validate(said)
    except ValidationError as error:
        raise explain(error, spec, prefix=f"{kind}.") from None
