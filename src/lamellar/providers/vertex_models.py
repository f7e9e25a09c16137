"""Vertex AI's models: each in the dialect of its publisher, at an address of its own.

Google's models speak generateContent, Anthropic's the Messages API. The model's name tells which it is: Claude is
Anthropic's and every other model Google's, unless the endpoint serves one publisher alone. A name may say where the
model is, as Google's own pages write it:

- ``gemini-2.5-flash``, ``claude-sonnet-4-5@20250929``: a model of the endpoint's project and location;
- ``google/gemini-2.5-flash``, ``publishers/google/models/gemini-2.5-flash``: the same, with its publisher;
- ``endpoints/123``: a tuned model of Google's, at an endpoint of the project;
- ``projects/p/locations/l/…``: any of these, in another project, at the host of its location where the endpoint's host
  is Google's own.

The base URL ends with the project and the location, or, where a gateway knows both, with the version of the API.

Left out on purpose, because nothing is lost: `store=False`, for Vertex AI stores no answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from ..chat.options import ChatOptions
from ..chat.request import ChatRequest
from ..chat.response import ChatResponse
from ..errors import ExecutorError
from .anthropic_messages.vertex import ANTHROPIC_VERTEX
from .generate_content import GENERATE_CONTENT
from .refusal import Refusal
from .vertex_locations import at_location
from .wire import Dialect, Endpoint, Exchange, StreamParser, WireRequest

if TYPE_CHECKING:
    from .vertex import Publisher

__all__ = ["VERTEX", "vertex_dialect"]

_NAME = re.compile(
    r"(?P<elsewhere>projects/[^/?#]+/locations/(?P<location>[a-z0-9\-]+)/)?"
    r"(?:publishers/(?P<published>google|anthropic)/models/|(?P<owner>google|anthropic)/|models/)?"
    r"(?P<name>(?:endpoints/)?[^/?#]+)\Z"
)


class _Place(NamedTuple):
    """Where a model is.

    Args:
        elsewhere: Its project and location, where they are not the endpoint's own; else empty.
        location: That location by itself.
        publisher: Whose it is.
        name: Its name, or its endpoint.
    """

    elsewhere: str
    location: str
    publisher: Publisher
    name: str

    def base(self, base_url: str) -> str:
        """The URL that the dialect's own path is appended to."""
        root, mark, query = base_url.partition("?")
        if self.elsewhere:
            root = at_location(root.partition("/projects/")[0], self.location)
            root = f"{root}/{self.elsewhere.rstrip('/')}"
        if not self.name.startswith("endpoints/"):
            root = f"{root}/publishers/{self.publisher}"
        return f"{root}{mark}{query}"


def _place(model: str, publisher: Publisher | None) -> _Place | None:
    """Where a model is, by its name; None for what is no name."""
    found = _NAME.match(model)
    if found is None:
        return None
    said = found["published"] or found["owner"]
    by_name = "anthropic" if found["name"].lower().startswith("claude") else "google"
    published = publisher or cast("Publisher", said or by_name)
    return _Place(found["elsewhere"] or "", found["location"] or "", published, found["name"])


def vertex_dialect(publisher: Publisher | None = None) -> Dialect:
    """The dialect of Vertex AI.

    Args:
        publisher: Whose models the endpoint serves; None tells it by each model's name.
    """

    def of(model: str) -> Dialect:
        place = _place(model, publisher)
        return ANTHROPIC_VERTEX if place is not None and place.publisher == "anthropic" else GENERATE_CONTENT

    def build_request(
        endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> WireRequest:
        place = _place(model, publisher)
        refuse = Refusal(endpoint, model)
        if place is None:
            raise refuse(
                "model", model, "give the model's name, such as 'gemini-2.5-flash', or its whole resource name"
            )
        if chat_req.store is not None and place.publisher == "google":
            if chat_req.store:
                refuse.or_drop("store", chat_req.store, "Vertex AI stores no answers: leave it unset")
            chat_req = chat_req.model_copy(update={"store": None})
        endpoint = replace(endpoint, base_url=place.base(endpoint.base_url))
        return of(model).build_request(endpoint, place.name, chat_req, options, stream=stream)

    def parse_response(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ChatResponse:
        return of(exchange.model).parse_response(exchange, status, headers, body)

    def parse_error(exchange: Exchange, status: int, headers: Mapping[str, str], body: bytes) -> ExecutorError:
        return of(exchange.model).parse_error(exchange, status, headers, body)

    def open_stream(exchange: Exchange, headers: Mapping[str, str]) -> StreamParser:
        return of(exchange.model).open_stream(exchange, headers)

    return Dialect("vertex", build_request, parse_response, parse_error, open_stream)


VERTEX = vertex_dialect()
