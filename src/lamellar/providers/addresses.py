"""Where a request goes: a base URL and a path."""

from __future__ import annotations

__all__ = ["address"]


def address(base_url: str, path: str) -> str:
    """The URL of `path`, which goes before a query in the base URL, such as Azure's `api-version`."""
    base, mark, query = base_url.partition("?")
    return f"{base.rstrip('/')}/{path}{mark}{query}"
