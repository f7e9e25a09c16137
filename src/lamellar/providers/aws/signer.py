"""Signs each request of one endpoint: what `Endpoint.sign` says."""

from __future__ import annotations

from collections.abc import Callable

from ..wire import WireRequest
from .credentials import CredentialSource
from .sigv4 import signature_headers

__all__ = ["AwsSigner"]

_HEADER = "authorization"


class AwsSigner:
    """Adds AWS's signature to a request. One that has an authorization of the caller's own keeps it.

    Args:
        source: Where the credentials come from.
        region: The region.
        service: The name under which AWS knows the service.
        wall: The clock's `wall`.
    """

    __slots__ = ("_region", "_service", "_source", "_wall")

    def __init__(self, source: CredentialSource, region: str, service: str, wall: Callable[[], float]) -> None:
        self._source = source
        self._region = region
        self._service = service
        self._wall = wall

    async def __call__(self, request: WireRequest) -> None:
        """Sign the request.

        Raises:
            ExecutorError: There are no credentials.
        """
        if _HEADER in request.headers:
            return
        credentials = await self._source.current()
        added = signature_headers(request, credentials, region=self._region, service=self._service, wall=self._wall())
        request.headers.update(added)

    def __repr__(self) -> str:
        return f"AwsSigner({self._service!r}, {self._region!r})"
