"""The headers of a request: what every dialect sends the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..chat.options import ChatOptions
    from .wire import Endpoint

__all__ = ["EVENT_STREAM", "JSON", "auth_headers", "request_headers"]

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_BEARER = "authorization"


def auth_headers(endpoint: Endpoint, *, key_header: str = _BEARER) -> dict[str, str]:
    """The header that carries the key; empty without one.

    Args:
        endpoint: Where the request goes; its own `key_header` wins.
        key_header: Where the dialect's own provider wants the key; in `authorization` it is a bearer token.
    """
    if not endpoint.api_key:
        return {}
    name = endpoint.key_header or key_header
    return {name: f"Bearer {endpoint.api_key}" if name == _BEARER else endpoint.api_key}


def request_headers(
    endpoint: Endpoint, options: ChatOptions, *, accept: str, key_header: str = _BEARER, **own: str
) -> dict[str, str]:
    """The headers of one request, by lower-case name: the dialect's, the endpoint's over them, the caller's over both.

    Args:
        endpoint: Where the request goes, with its key and its headers.
        options: The caller's, with `extra_headers`.
        accept: The media type that is awaited.
        key_header: See `auth_headers`.
        **own: The dialect's own headers, with underscores for hyphens.
    """
    headers = {"content-type": JSON, "accept": accept}
    for name, value in own.items():
        headers[name.replace("_", "-")] = value
    headers.update(auth_headers(endpoint, key_header=key_header))
    for more in (endpoint.headers, options.extra_headers or {}):
        headers.update({name.lower(): value for name, value in more.items()})
    return headers
