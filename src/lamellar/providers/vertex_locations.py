"""Vertex AI's locations, and the hosts at which they are reached: each has its own.

See https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["at_location", "host_of", "location_in"]

_GLOBAL = "global"
_MULTI_REGIONS = ("us", "eu")
_HOST = re.compile(
    r"(?:(?P<region>[a-z0-9\-]+)-aiplatform|aiplatform(?:\.(?P<place>[a-z0-9\-]+)\.rep)?)\.googleapis\.com\Z"
)


def host_of(location: str) -> str:
    """Where a location is reached."""
    if location == _GLOBAL:
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def location_in(url: str) -> str | None:
    """The location whose host a URL names; None where the host is none of Google's public ones."""
    found = _HOST.match(urlsplit(url).hostname or "")
    return None if found is None else found["region"] or found["place"] or _GLOBAL


def at_location(url: str, location: str) -> str:
    """A URL at the host of a location, where it names another location's; a host of one's own stays."""
    there = location_in(url)
    if there is None or there == location:
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port is not None else ""
    return parts._replace(netloc=f"{host_of(location)}{port}").geturl()
