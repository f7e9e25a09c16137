"""Our own httpx clients: one for direct connections, and one a proxy."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from lamellar._version import __version__

from .base import NetworkOptions
from .decoding import offered
from .network import ProxyRules, TlsContext

if TYPE_CHECKING:
    import httpx

__all__ = ["Pools"]


class Pools:
    """The clients of one loop, made when the first call needs them.

    Args:
        options: How to reach the network.
        tls: The TLS context, shared with other loops.
    """

    def __init__(self, options: NetworkOptions, tls: TlsContext) -> None:
        self._options = options
        self._tls = tls
        self._proxies = ProxyRules(options)
        self._clients: dict[str | None, httpx.AsyncClient] = {}

    def choose(self, url: str) -> tuple[httpx.AsyncClient, str | None]:
        """The client for `url`, and its proxy's URL."""
        scheme, _, rest = url.partition("://")
        proxy = self._proxies.find(scheme, rest.partition("/")[0].partition("?")[0])
        if proxy not in self._clients:
            self._clients[proxy] = self._open(proxy)
        return self._clients[proxy], proxy

    def _open(self, proxy: str | None) -> httpx.AsyncClient:
        import httpx

        options = self._options
        context = self._tls.get()
        secure = proxy is not None and proxy.startswith("https")
        return httpx.AsyncClient(
            verify=context,
            proxy=None if proxy is None else httpx.Proxy(proxy, ssl_context=context if secure else None),
            limits=httpx.Limits(
                max_connections=options.max_connections,
                max_keepalive_connections=None if options.keepalive else 0,
                keepalive_expiry=options.keepalive,
            ),
            headers={"User-Agent": f"lamellar/{__version__}", "Accept-Encoding": offered()},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close them."""
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose()
