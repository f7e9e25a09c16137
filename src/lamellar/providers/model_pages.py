"""A provider's list of models, fetched: page after page, in bounded time, errors classified like those of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic_core import from_json

from ..errors import ErrorKind, ExecutorError
from .error_bodies import malformed
from .listing import UnreadableListError

if TYPE_CHECKING:
    from ..clock import Clock
    from .engines.base import EngineResponse
    from .listing import ListedModel, ModelListing
    from .wire import Dialect, Endpoint, Exchange, WireRequest

__all__ = ["fetch_models"]

_PAGES = 100
"""Pages of a list; the longest that is known has two."""


class Asker(Protocol):
    """A leaf that can send a request of its own."""

    @property
    def name(self) -> str:
        """The provider's namespace."""
        ...

    @property
    def dialect(self) -> Dialect:
        """The wire format."""
        ...

    @property
    def clock(self) -> Clock:
        """Where its time comes from."""
        ...

    def keyed(self) -> tuple[Endpoint, str | None]:
        """Where requests go, with the key whose turn it is."""
        ...

    def exchange(self, request: WireRequest) -> Exchange:
        """What the answer to a request is read with."""
        ...

    async def transmit(
        self, exchange: Exchange, request: WireRequest, endpoint: Endpoint, key: str | None
    ) -> EngineResponse:
        """Send a request; a response that is not an error."""
        ...

    async def read_whole(self, response: EngineResponse, exchange: Exchange) -> bytes:
        """Its body."""
        ...


async def fetch_models(leaf: Asker, timeout: float) -> tuple[ListedModel, ...]:
    """Every model that a leaf's provider offers.

    Args:
        leaf: The leaf.
        timeout: Seconds that all the pages together may take.

    Raises:
        ExecutorError: The provider failed; or its API has no list of models: kind ``invalid_request``, code
            ``unsupported``.
    """
    listing = leaf.dialect.models
    if listing is None:
        raise ExecutorError(
            ErrorKind.INVALID_REQUEST,
            f"list_models: the API that '{leaf.name}' is called by lists no models; name another provider with "
            "namespace=, or look in the provider's console",
            provider=leaf.name,
            code="unsupported",
        )
    limit = leaf.clock.timeout_at(leaf.clock.now() + timeout)
    try:
        async with limit:
            return await _pages(leaf, listing)
    except ExecutorError as error:
        error.model = error.model or None  # none was asked
        raise
    except TimeoutError:
        if not limit.expired:
            raise
    raise ExecutorError(
        ErrorKind.TIMEOUT, f"no list of models within {timeout:g} s", provider=leaf.name, code="list_models"
    )


async def _pages(leaf: Asker, listing: ModelListing) -> tuple[ListedModel, ...]:
    models: list[ListedModel] = []
    after: str | None = None
    seen: set[str | None] = {after}
    for _ in range(_PAGES):
        endpoint, key = leaf.keyed()
        request = listing.ask(endpoint, after)
        exchange = leaf.exchange(request)
        response = await leaf.transmit(exchange, request, endpoint, key)
        body = await leaf.read_whole(response, exchange)
        try:
            page = listing.read(leaf.name, _object_in(leaf.dialect, exchange, response, body))
        except UnreadableListError as problem:
            raise malformed(exchange, response.status, f"the list of models {problem}", body) from None
        models.extend(page.models)
        after = page.next
        if after is None or not page.models:
            return tuple(models)
        if after in seen:
            break
        seen.add(after)
    raise ExecutorError(
        ErrorKind.MALFORMED,
        f"the list of models has no end: after {len(models)} of them it begins again",
        provider=leaf.name,
        status=200,
    )


def _object_in(dialect: Dialect, exchange: Exchange, response: EngineResponse, body: bytes) -> dict[str, object]:
    try:
        found: object = from_json(body)
    except ValueError:
        raise malformed(exchange, response.status, "the list of models is not JSON", body) from None
    if isinstance(found, list):
        return {"data": found}
    if not isinstance(found, dict):
        raise malformed(exchange, response.status, "the list of models is no object", body)
    if found.get("error"):
        raise dialect.parse_error(exchange, response.status, response.headers, body)
    return found
