"""What the declarations of all HTTP providers have in common: endpoint, key, and the leaf they make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ..errors import ConfigError
from ..secrets import Secret
from .abilities import Abilities, abilities_of
from .access import NetworkSpec
from .catalog import CATALOG, CatalogEntry
from .connection import Connection, checked_url, resolved

if TYPE_CHECKING:
    from ..build import BuildContext
    from ..executor import LlmExecutor
    from .http import HttpExecutor
    from .wire import Dialect, Endpoint

__all__ = ["HttpProvider"]


class HttpProvider(NetworkSpec, Connection):
    """A provider that is reached by HTTP.

    Args:
        base_url: See `Connection`, as for the key and the headers.
        proxy: See `NetworkSpec`, as for all other options.
    """

    namespace: ClassVar[str]
    """The provider's row in the catalogue."""

    @property
    def entry(self) -> CatalogEntry:
        """The provider's row in the catalogue."""
        return CATALOG[self.namespace]

    def wire_format(self) -> Dialect:
        """The wire format.

        Raises:
            ConfigError: It is not built.
        """
        from .dialects import dialect_named

        return dialect_named(self.entry.dialect, self.entry.namespace)

    def address(self) -> str:
        """The base URL: the one that was given, the variable's, or the provider's own.

        Raises:
            ConfigError: It is none.
        """
        if self.base_url is not None:
            return self.base_url
        for variable in self.entry.base_url_variables:
            found = os.environ.get(variable)
            if found:
                return checked_url(found, variable)
        return self.entry.base_url

    def endpoint(self, keys: tuple[str, ...] | None = None) -> Endpoint:
        """Where requests go, with the first key.

        Args:
            keys: The keys, where they are resolved already.

        Raises:
            ConfigError: The key is missing, or the URL is none.
        """
        from .wire import Endpoint

        entry = self.entry
        first, *_ = *(self.keys() if keys is None else keys), None
        return Endpoint(
            entry.namespace,
            self.address(),
            first,
            self.own_headers(),
            entry.quirks,
            entry.key_header,
            lenient=self.lenient,
        )

    def own_headers(self) -> dict[str, str]:
        """Headers sent with every request."""
        return {name: resolved(value, f"{self.label}.headers.{name}") for name, value in self.headers.items()}

    def keys(self) -> tuple[str, ...]:
        """The keys, resolved; none for an endpoint that does without.

        Raises:
            ConfigError: One is missing.
        """
        if isinstance(self.api_key, tuple):
            return tuple([resolved(each, f"{self.label}.api_key[{at}]") for at, each in enumerate(self.api_key)])
        if self.api_key is not None:
            return (resolved(self.api_key, f"{self.label}.api_key"),)
        variable = self.entry.key_variable
        key = os.environ.get(variable) if variable is not None else None
        if not key and variable is not None and self.base_url is None and not self.entry.key_optional:
            raise ConfigError(
                f"{self.label}.api_key: no key; set the environment variable {variable}, "
                f'or pass api_key={{"env": "NAME"}}'
            )
        return (key,) if key else ()

    def make(self, context: BuildContext) -> LlmExecutor:
        """The leaf, in the plate of an attempt.

        Raises:
            ConfigError: The key is missing, or an option of the network is wrong.
        """
        leaf = self.leaf(context, self.keys())
        context.own(leaf)
        return context.attempt(leaf)

    def leaf(self, context: BuildContext, keys: tuple[str, ...]) -> HttpExecutor:
        """The leaf by itself, which nobody owns yet.

        Args:
            context: What it is made with.
            keys: The keys, resolved.

        Raises:
            ConfigError: An option is wrong.
        """
        from .guard import guard_for
        from .http import HttpExecutor
        from .keys import KeyPool

        dialect = self.wire_format()
        # What the target says of its model is said nearest to the call.
        said = Abilities(prefill=context.prefill or None, context_window=context.context_window)
        endpoint = self.endpoint(keys)
        return HttpExecutor(
            endpoint,
            dialect,
            self.make_engine(context),
            context.clock,
            context.limits.connect,
            context.keep(
                KeyPool, lambda: KeyPool(keys, context.clock), terms=(self.label, keys), renew=KeyPool.succeed
            ),
            guard_for(self.entry, said, self.abilities or Abilities()),
            tuple([endpoint.headers[name] for name, value in self.headers.items() if isinstance(value, Secret)]),
        )

    def abilities_for(self, model: str) -> Abilities:
        """What is known of a model: what was said of this provider's, and what the catalogue knows."""
        known = abilities_of(self.entry, model)
        return known if self.abilities is None else self.abilities.over(known)

    @property
    def label(self) -> str:
        """The namespace."""
        return self.entry.namespace

    def identity(self) -> object:
        """Dialect, endpoint and headers; never a key, and of a secret header only its name.

        Raises:
            ConfigError: Nothing says where the endpoint is.
        """
        entry = self.entry
        headers = {name: value if isinstance(value, str) else None for name, value in sorted(self.headers.items())}
        said = {"dialect": entry.dialect, "base_url": self.address(), "headers": headers}
        return {entry.namespace: {**said, "lenient": True} if self.lenient else said}
