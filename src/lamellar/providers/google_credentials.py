"""Google's application default credentials: a service account's file, a developer's own login, a machine's identity.

What they are and where they are looked for is Google's own library's business (the extra ``vertex``; see
https://docs.cloud.google.com/docs/authentication/application-default-credentials). It speaks to the network and waits
for it, so it works in a thread: once when the first request is signed, and again whenever the token is about to expire,
for all requests of a loop together.
"""

from __future__ import annotations

import asyncio
from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakKeyDictionary

from ..errors import ErrorKind, ExecutorError
from .classify import clean
from .wire import WireRequest

if TYPE_CHECKING:
    from google.auth.transport.requests import Request

    from .engines.base import NetworkOptions

__all__ = ["Credentials", "DefaultCredentials", "google_auth_is_installed"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HEADER = "authorization"


class Credentials(Protocol):
    """What is used of Google's class, which is typed in part only."""

    @property
    def valid(self) -> bool:
        """Whether the token holds for some minutes more."""
        ...

    def apply(self, headers: dict[str, str]) -> None:
        """Put the token, and the quota's project, into a request's headers."""
        ...

    def refresh(self, request: Request) -> None:
        """Fetch another token."""
        ...


def google_auth_is_installed() -> bool:
    """Whether Google's library is there, with the transport that it needs."""
    try:
        return find_spec("google.auth") is not None and find_spec("requests") is not None
    except ModuleNotFoundError:  # no package of Google's at all
        return False


class DefaultCredentials:
    """Signs requests with the application default credentials.

    A request that has a token already, from the caller's own headers, keeps it.

    Args:
        network: The way to the network; its proxy and its certificates hold for the token's server too.
    """

    def __init__(self, network: NetworkOptions) -> None:
        self._network = network
        self._credentials: Credentials | None = None
        self._renewals: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[ExecutorError | None]] = (
            WeakKeyDictionary()
        )

    async def __call__(self, request: WireRequest) -> None:
        """Sign the request.

        Raises:
            ExecutorError: There are no credentials, they are refused (``unauthorized``), or the server that gives
                tokens cannot be reached (``connection``).
        """
        if _HEADER in request.headers:
            return
        credentials = self._credentials
        if credentials is None or not credentials.valid:
            credentials = await self._renewed()
        credentials.apply(request.headers)  # the quota's project too, where there is one

    async def _renewed(self) -> Credentials:
        """The credentials with a fresh token; who comes while they are renewed waits with the others."""
        loop = asyncio.get_running_loop()
        task = self._renewals.get(loop)
        if task is None:
            task = self._renewals[loop] = loop.create_task(self._renew())
            task.add_done_callback(lambda _: self._renewals.pop(loop, None))
        failure = await asyncio.shield(task)  # one caller that leaves does not take the others' token
        if failure is not None or self._credentials is None:
            raise copy(failure) if failure is not None else ExecutorError(ErrorKind.UNAUTHORIZED, "no credentials")
        return self._credentials

    async def _renew(self) -> ExecutorError | None:
        """The failure as a value: several callers may raise it, each a copy of its own."""
        try:
            self._credentials = await asyncio.to_thread(_fresh, self._credentials, self._network)
        except Exception as error:
            return _failure(error)
        return None


def _fresh(credentials: Credentials | None, network: NetworkOptions) -> Credentials:
    """The credentials with a token; this waits for the network, so it runs in a thread."""
    import google.auth
    from google.auth.transport.requests import Request

    request = Request()
    try:
        _reach(request, network)
        if credentials is None:
            found, _ = google.auth.default(scopes=[_SCOPE], request=request)
            credentials = cast("Credentials", found)
        if not credentials.valid:
            credentials.refresh(request)
        return credentials
    finally:
        request.session.close()


def _reach(request: Request, network: NetworkOptions) -> None:
    """Go the same way as the calls themselves. The machine's own metadata server (plain HTTP) is beside it, always."""
    session = request.session
    if network.proxy is not None:
        session.proxies["https"] = network.proxy
    if not network.verify:
        session.verify = False
    elif network.ca_bundle is not None:
        session.verify = network.ca_bundle
    if network.client_cert is not None:
        session.cert = network.client_cert


def _failure(error: Exception) -> ExecutorError:
    """What went wrong, without frames that would hold the credentials."""
    from google.auth import exceptions

    unreachable = isinstance(error, exceptions.TransportError) or bool(getattr(error, "retryable", False))
    return ExecutorError(
        ErrorKind.CONNECTION if unreachable else ErrorKind.UNAUTHORIZED,
        f"Google's application default credentials gave no token: {clean(str(error)) or type(error).__name__}",
        code="default_credentials",
    )
