"""What an HTTP engine is: it sends one request and hands back the answer's status, headers and body as it arrives.

The engines are the only code in Lamellar that touches a socket. They know nothing of providers, retries or events:
a failure leaves them as an `ExecutorError` (or, when the refusal is ours, a `RejectedError`) whose `provider` and
`model` the caller fills in, and every limit but the connect timeout is enforced above them, by cancelling the task
that waits.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from lamellar.errors import ConfigError
from lamellar.providers.wire import WireRequest
from lamellar.secrets import MASK

__all__ = ["DRAIN_BYTES", "DRAIN_SECONDS", "Engine", "EngineResponse", "NetworkOptions"]

DRAIN_BYTES = 64 * 1024
"""How much of a body that nobody wants is read to keep its connection."""

DRAIN_SECONDS = 0.1
"""How long that may take."""

_USERINFO = re.compile(r"(?<=//)[^/@\s]*(?=@)|^[^/@\s]+(?=@)")


@dataclass(frozen=True, slots=True, repr=False)
class NetworkOptions:
    """How an engine reaches the network. The same options mean the same on every engine.

    Args:
        proxy: URL of the proxy for every request, credentials allowed (they are masked in the repr); ``NO_PROXY``
            does not apply to it. None (default) asks the environment, if `trust_env`.
        trust_env: Whether ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR`` count. Default True. They are read when the first client is made.
        verify: Whether the server's certificate is checked. Default True.
        ca_bundle: File or directory of the certificate authorities to trust instead of the default ones.
        client_cert: Our own certificate: one PEM file with its key, or the certificate's file and the key's.
        max_connections: How many connections may be in use at a time; None is no limit, really. Default 1000. A call
            that gets none within its connect timeout is refused with ``pool_exhausted``.
        keepalive: Seconds that an idle connection is kept for the next call. Default 60.
        read_limit: Bytes of one answer that wait in memory before its socket is read no further (the aiohttp engine;
            httpx reads no further than it is asked). Default 65536.
    """

    proxy: str | None = None
    trust_env: bool = True
    verify: bool = True
    ca_bundle: str | None = None
    client_cert: str | tuple[str, str] | None = None
    max_connections: int | None = 1000
    keepalive: float = 60.0
    read_limit: int = 65536

    def __post_init__(self) -> None:
        if self.max_connections is not None and self.max_connections < 1:
            raise ConfigError(
                f"max_connections: {self.max_connections} connections serve no call; use None for no limit"
            )
        if self.keepalive < 0:
            raise ConfigError(f"keepalive: {self.keepalive} is negative; 0 keeps no connection")
        if self.read_limit < 1:
            raise ConfigError(f"read_limit: {self.read_limit} bytes are too few; leave it out for 65536")
        certificates = self.client_cert if isinstance(self.client_cert, tuple) else (self.client_cert,)
        for name, path in (("ca_bundle", self.ca_bundle), *(("client_cert", path) for path in certificates)):
            if path is not None and not os.path.exists(path):
                raise ConfigError(f"{name}: there is no file {path}")

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={mask_userinfo(value) if name == 'proxy' and isinstance(value, str) else value!r}"
            for name in self.__slots__
            for value in (getattr(self, name),)
        )
        return f"NetworkOptions({shown})"


def mask_userinfo(url: str) -> str:
    """The repr of `url` with its user name and password masked."""
    return repr(_USERINFO.sub(MASK, url))


class EngineResponse(ABC):
    """One answer: its status and headers are there, its body arrives.

    One task reads at a time. Every response ends with one of: `read` returned ``b""``, `abort`, `release`.
    """

    __slots__ = ("headers", "status")

    status: int
    """The HTTP status; redirects are not followed."""

    headers: Mapping[str, str]
    """The headers, by lower-case name; repeated ones are joined by a comma."""

    @abstractmethod
    async def read(self) -> bytes:
        """The next piece of the decoded body: as much as is there; ``b""`` at its end, and ever after.

        A read that fails or is cancelled has dropped the connection.

        Raises:
            ExecutorError: The body broke off, or is not what its headers promise.
            StreamClosedError: The response was aborted or released, before this read or while it waited.
        """

    @abstractmethod
    def abort(self) -> None:
        """Drop the connection, now. Idempotent; from any task of the loop. A waiting `read` is woken."""

    @abstractmethod
    async def release(self) -> None:
        """The rest of the answer is not wanted.

        What is about to arrive (64 KiB, a tenth of a second) is read and thrown away, so that the connection serves
        the next call; when that does not suffice it is dropped. Idempotent, and raises nothing but a cancellation.
        """


class Engine(ABC):
    """Sends requests. Its clients are kept per running event loop, so one engine serves several `asyncio.run`."""

    name: str
    """``aiohttp`` or ``httpx``."""

    @abstractmethod
    async def send(self, request: WireRequest, *, connect_timeout: float | None) -> EngineResponse:
        """Send `request` and return once the answer's status and headers are there.

        Args:
            request: What to send; its URL is sent as given.
            connect_timeout: Seconds for the wait for a free connection, and again for the name lookup, TCP and TLS;
                None is no limit. Nothing else is limited here.

        Raises:
            ExecutorError: The network or the server failed.
            RejectedError: No connection became free in time (``pool_exhausted``), or the engine is closed.
            StreamClosedError: The engine was closed while this call waited.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Refuse new calls, end the open ones and close the clients that this engine made. Idempotent."""
