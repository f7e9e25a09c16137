"""The endpoints, as data: one row a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import Quirks

__all__ = ["CATALOG", "CatalogEntry"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """Where a namespace lives and how it is spoken to.

    Args:
        namespace: The provider's name.
        base_url: Its endpoint.
        key_variable: The environment variable that holds its key.
        base_url_variable: The environment variable that overrides the endpoint.
        dialect: The name of its wire format.
        quirks: How it differs from the dialect's rule.
    """

    namespace: str
    base_url: str
    key_variable: str
    base_url_variable: str
    dialect: str
    quirks: Quirks = Quirks()


CATALOG: dict[str, CatalogEntry] = {
    entry.namespace: entry
    for entry in (CatalogEntry("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "OPENAI_BASE_URL", "chat"),)
}
