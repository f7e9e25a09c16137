"""What the declarations of all HTTP providers have in common: endpoint, key, and the leaf they make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from ..errors import ConfigError
from .access import NetworkSpec
from .catalog import CATALOG, CatalogEntry
from .connection import Connection, checked_url, resolved

if TYPE_CHECKING:
    from ..build import BuildContext
    from ..executor import LlmExecutor
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

    def dialect(self) -> Dialect:
        """The wire format.

        Raises:
            ConfigError: It is not built.
        """
        from .dialects import dialect_named

        return dialect_named(self.entry.dialect, self.entry.namespace)

    def endpoint(self) -> Endpoint:
        """Where requests go, with the key resolved.

        Raises:
            ConfigError: The key is missing, or the URL is none.
        """
        from .wire import Endpoint

        entry = self.entry
        base_url = self.base_url
        if base_url is None:
            found = os.environ.get(entry.base_url_variable)
            base_url = checked_url(found, entry.base_url_variable) if found else entry.base_url
        first, *_ = *self.keys(), None
        return Endpoint(entry.namespace, base_url, first, self.own_headers(), entry.quirks)

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
        from .http import HttpExecutor
        from .keys import KeyPool

        dialect, endpoint = self.dialect(), self.endpoint()
        pool = KeyPool(self.keys(), context.clock)
        leaf = HttpExecutor(endpoint, dialect, self.make_engine(context), context.clock, context.limits.connect, pool)
        context.own(leaf)
        return context.attempt(leaf)

    @property
    def label(self) -> str:
        """The namespace."""
        return self.entry.namespace

    def identity(self) -> object:
        """Dialect, endpoint and headers; never a key, and of a secret header only its name."""
        entry = self.entry
        base_url = self.base_url or os.environ.get(entry.base_url_variable) or entry.base_url
        headers = {name: value if isinstance(value, str) else None for name, value in sorted(self.headers.items())}
        return {entry.namespace: {"dialect": entry.dialect, "base_url": base_url, "headers": headers}}
