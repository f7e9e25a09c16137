"""TLS contexts and proxies from `NetworkOptions`: decided here once, so that the engines cannot differ."""

from __future__ import annotations

import ipaddress
import os
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from lamellar.errors import ConfigError

from .base import NetworkOptions, mask_userinfo

__all__ = ["ProxyRules", "TlsContext"]

_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})


class TlsContext:
    """The TLS context, made when the first https request needs it: loading the authorities costs some 20 ms.

    Args:
        options: Whom to trust, and our own certificate.
    """

    def __init__(self, options: NetworkOptions) -> None:
        self._options = options
        self._context: ssl.SSLContext | None = None

    def get(self) -> ssl.SSLContext:
        """The context.

        Raises:
            ConfigError: A file cannot be read, or holds no certificate or key.
        """
        if self._context is None:
            self._context = self._make()
        return self._context

    def _make(self) -> ssl.SSLContext:
        options = self._options
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not options.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            self._trust(context)
        if options.client_cert is not None:
            files = (options.client_cert,) if isinstance(options.client_cert, str) else options.client_cert
            try:
                context.load_cert_chain(*files)
            except (OSError, ValueError) as error:
                raise ConfigError(f"client_cert: {' and '.join(files)} cannot be used: {error}") from error
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        named = [("ca_bundle", self._options.ca_bundle)]
        if self._options.trust_env:
            named += [(name, os.environ.get(name)) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
        for name, path in named:
            if not path:
                continue
            try:
                if os.path.isdir(path):
                    context.load_verify_locations(capath=path)
                else:
                    context.load_verify_locations(cafile=path)
            except (OSError, ValueError) as error:
                raise ConfigError(f"{name}: {path} cannot be used: {error}") from error
            return
        try:
            import certifi
        except ImportError:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=certifi.where())


class ProxyRules:
    """Which proxy a URL goes through; answers are remembered by origin, in a bounded map.

    Args:
        options: An explicit proxy serves every URL; without one the environment is read, now.
    """

    def __init__(self, options: NetworkOptions) -> None:
        self._known: dict[tuple[str, str], str | None] = {}
        self._proxies: dict[str, str] = {}
        self._bypass: list[str] = []
        if options.proxy is not None:
            self._proxies = {"all": _proxy_url(options.proxy, "proxy")}
        elif options.trust_env:
            found = getproxies_environment()  # the environment only: no registry, no system settings
            self._bypass = [entry.strip().lower() for entry in found.pop("no", "").split(",") if entry.strip()]
            self._proxies = {
                scheme: _proxy_url(url, f"{scheme.upper()}_PROXY")
                for scheme, url in found.items()
                if scheme in ("http", "https", "all") and url
            }

    @property
    def uses_socks(self) -> bool:
        """Whether any of them is a SOCKS proxy, which aiohttp cannot use."""
        return any(url.startswith("socks") for url in self._proxies.values())

    def find(self, scheme: str, authority: str) -> str | None:
        """The proxy's URL, or None for a direct connection.

        Args:
            scheme: The URL's scheme.
            authority: The URL's host, with its port if it names one.
        """
        if not self._proxies:
            return None
        try:
            return self._known[scheme, authority]
        except KeyError:
            proxy = self._proxies.get(scheme) or self._proxies.get("all")
            if proxy is not None and self._bypass and self._bypassed(scheme, authority):
                proxy = None
            if len(self._known) < 1024:
                self._known[scheme, authority] = proxy
            return proxy

    def _bypassed(self, scheme: str, authority: str) -> bool:
        try:
            parts = urlsplit(f"{scheme}://{authority}")
            port = parts.port or (443 if scheme == "https" else 80)
        except ValueError:  # no URL at all: to be told by whoever is to call it
            return False
        host = (parts.hostname or "").rstrip(".")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            address = None
        for entry in self._bypass:
            if entry == "*":
                return True
            if address is not None and "/" in entry:
                try:
                    if address in ipaddress.ip_network(entry, strict=False):
                        return True
                except ValueError:
                    continue
            name, _, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
            if wanted and wanted != str(port):
                continue
            name = name.strip("[]").removeprefix("*").lstrip(".")
            if host == name or (address is None and host.endswith("." + name)):
                return True
        return False


def _proxy_url(text: str, field: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        known = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ConfigError(f"{field}: {mask_userinfo(text)} is no proxy; write http://host:port")
    return url
