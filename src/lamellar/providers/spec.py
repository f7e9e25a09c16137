"""What the declarations of all HTTP providers have in common: the endpoint, the key, and the way to the network."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field, field_validator

from ..errors import ConfigError
from ..masking import is_secret_name, scrub
from ..secrets import AnySecret, Secret, as_secret
from ..spec import ExecutorSpec
from .catalog import CATALOG, CatalogEntry

if TYPE_CHECKING:
    import httpx

    from ..build import BuildContext
    from ..executor import LlmExecutor
    from .engines.base import Engine, NetworkOptions
    from .wire import Dialect, Endpoint

__all__ = ["HttpProvider"]

_NETWORK = frozenset({"proxy", "ca_bundle", "client_cert", "verify", "max_connections", "engine"})
_logger = logging.getLogger("lamellar.providers")


class HttpProvider(ExecutorSpec):
    """A provider that is reached by HTTP.

    Args:
        base_url: The endpoint; by default the provider's own variable (such as `OPENAI_BASE_URL`), then its address.
        api_key: The key: `{env: NAME}`, `{file: path}` or text; by default the provider's own variable (such as
            `OPENAI_API_KEY`). An endpoint of one's own (`base_url`) may do without.
        headers: Headers sent with every request; a value may be `{env: NAME}` or `{file: path}`. A literal in a header
            that holds a credential, such as `authorization`, is a secret like any other.
        proxy: URL of a proxy for every request; by default what the environment says (`HTTPS_PROXY`, `NO_PROXY` …).
        ca_bundle: A file of certificate authorities to trust instead of the usual ones.
        client_cert: A client certificate: a PEM file with its key, or the certificate's and the key's file.
        verify: Whether the server's certificate is checked.
        max_connections: Connections at a time; None is no limit. A call that finds none free within the connect
            limit is refused (`pool_exhausted`).
        engine: ``aiohttp``, ``httpx``, or ``auto``: aiohttp where it is installed.
    """

    namespace: ClassVar[str]
    """The provider's row in the catalogue."""

    base_url: str | None = None
    api_key: AnySecret | None = None
    headers: dict[str, str | Secret] = {}
    proxy: AnySecret | None = None
    ca_bundle: str | None = None
    client_cert: str | tuple[str, str] | None = None
    verify: bool = True
    max_connections: int | None = Field(default=1000, gt=0)
    engine: Literal["auto", "aiohttp", "httpx"] = "auto"

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        return None if url is None else _checked_url(url, "base_url")

    @field_validator("headers", mode="before")
    @classmethod
    def _hide_credentials(cls, headers: object) -> object:
        if not isinstance(headers, dict):
            return headers
        return {
            name: as_secret(value) if isinstance(value, dict) or is_secret_name(name) else value
            for name, value in headers.items()
        }

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
            base_url = _checked_url(found, entry.base_url_variable) if found else entry.base_url
        return Endpoint(entry.namespace, base_url, self._key(), self.own_headers(), entry.quirks)

    def own_headers(self) -> dict[str, str]:
        """Headers sent with every request."""
        return {name: _resolve(value, f"{self.kind}.headers.{name}") for name, value in self.headers.items()}

    def _key(self) -> str | None:
        if self.api_key is not None:
            return _resolve(self.api_key, f"{self.kind}.api_key")
        variable = self.entry.key_variable
        key = os.environ.get(variable) if variable is not None else None
        if not key and variable is not None and self.base_url is None and not self.entry.key_optional:
            raise ConfigError(
                f"{self.kind}.api_key: no key; set the environment variable {variable}, "
                f'or pass api_key={{"env": "NAME"}}'
            )
        return key or None

    def make(self, context: BuildContext) -> LlmExecutor:
        """The leaf, in the plate of an attempt.

        Raises:
            ConfigError: The key is missing, or an option of the network is wrong.
        """
        from .http import HttpExecutor

        endpoint = self.endpoint()
        leaf = HttpExecutor(endpoint, self.dialect(), self._engine(context), context.clock, context.limits.connect)
        context.own(leaf)
        return context.attempt(leaf)

    def _engine(self, context: BuildContext) -> Engine:
        """The engine: one per stack for each way to the network, so that targets share connections."""
        from .engines import HttpxEngine, make_engine

        if context.http_client is not None:
            self._warn_of(context.http_client)
            return context.once("injected", lambda: HttpxEngine(cast("httpx.AsyncClient", context.http_client)))
        network = self.network()
        return context.once((self.engine, network), lambda: make_engine(network, self.engine))

    def _warn_of(self, client: object) -> None:
        """Tell what an injected client makes of no effect, and what it does twice."""
        from .engines import retries_by_itself

        ignored = sorted(self.model_fields_set & _NETWORK)
        if ignored:
            _logger.warning("%s: %s without effect: the injected client has its own", self.kind, ", ".join(ignored))
        retries = retries_by_itself(client)
        if retries is not None:
            _logger.warning("the injected client retries by itself (%s), beneath the stack's own retries", retries)

    def network(self) -> NetworkOptions:
        """The way to the network."""
        from .engines import NetworkOptions

        return NetworkOptions(
            proxy=None if self.proxy is None else _resolve(self.proxy, f"{self.kind}.proxy"),
            verify=self.verify,
            ca_bundle=self.ca_bundle,
            client_cert=self.client_cert,
            max_connections=self.max_connections,
        )

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


def _resolve(secret: Secret | str, field: str) -> str:
    return secret if isinstance(secret, str) else secret.resolve(field)


def _checked_url(url: str, field: str) -> str:
    scheme, separator, rest = url.strip().partition("://")
    if scheme.lower() not in ("http", "https") or not separator or not rest.strip("/"):
        raise ConfigError(f"{field}: expected a URL such as https://api.example.com/v1, got {scrub(url)!r}")
    if "@" in rest.partition("/")[0]:
        raise ConfigError(f"{field}: holds a user name or password; put them into headers: {{authorization: …}}")
    if "?" in rest or "#" in rest:
        raise ConfigError(f"{field}: holds a query or a fragment, and paths are appended to it; leave that out")
    return url.strip().rstrip("/")
