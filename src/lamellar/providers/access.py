"""The way to the network, as options that whatever is reached by HTTP takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, cast

from pydantic import Field

from ..secrets import AnySecret
from ..spec import ExecutorSpec
from .connection import resolved

if TYPE_CHECKING:
    import httpx

    from ..build import BuildContext
    from .engines.base import Engine, NetworkOptions

__all__ = ["NetworkSpec"]

_logger = logging.getLogger("lamellar.providers")


class NetworkSpec(ExecutorSpec):
    """What is reached by HTTP.

    Args:
        proxy: URL of a proxy for every request; by default what the environment says (`HTTPS_PROXY`, `NO_PROXY` …).
        ca_bundle: A file of certificate authorities to trust instead of the usual ones.
        client_cert: A client certificate: a PEM file with its key, or the certificate's and the key's file.
        verify: Whether the server's certificate is checked.
        max_connections: Connections at a time; None is no limit. A call that finds none free within the connect
            limit is refused (`pool_exhausted`).
        engine: ``aiohttp``, ``httpx``, or ``auto``: aiohttp where it is installed.
    """

    proxy: AnySecret | None = None
    ca_bundle: str | None = None
    client_cert: str | tuple[str, str] | None = None
    verify: bool = True
    max_connections: int | None = Field(default=1000, gt=0)
    engine: Literal["auto", "aiohttp", "httpx"] = "auto"

    def make_engine(self, context: BuildContext) -> Engine:
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

        ignored = sorted(self.model_fields_set & NetworkSpec.model_fields.keys())
        if ignored:
            _logger.warning("%s: %s without effect: the injected client has its own", self.kind, ", ".join(ignored))
        retries = retries_by_itself(client)
        if retries is not None:
            _logger.warning("the injected client retries by itself (%s), beneath the stack's own retries", retries)

    def network(self) -> NetworkOptions:
        """The way to the network."""
        from .engines import NetworkOptions

        return NetworkOptions(
            proxy=None if self.proxy is None else resolved(self.proxy, f"{self.kind}.proxy"),
            verify=self.verify,
            ca_bundle=self.ca_bundle,
            client_cert=self.client_cert,
            max_connections=self.max_connections,
        )
