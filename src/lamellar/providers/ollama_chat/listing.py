"""The models that an Ollama server holds: `GET /api/tags`, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..listing import ListedModel, ModelListing, ModelPage, date_in, get, models_in
from ..names import name_of

if TYPE_CHECKING:
    from ..wire import Endpoint, WireRequest

__all__ = ["OLLAMA_MODELS"]


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    root = endpoint.base_url.partition("?")[0].rstrip("/")
    return get(endpoint, "/tags" if root.endswith("/api") else "/api/tags")


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    return ModelPage(models_in(body, "models", lambda item: _model(provider, item)))


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("name")) or name_of(item.get("model"))
    return None if model is None else ListedModel(model, provider, date_in(item.get("modified_at")))


OLLAMA_MODELS = ModelListing(_ask, _read)
