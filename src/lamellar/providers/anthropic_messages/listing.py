"""Anthropic's list of models: `GET /models`, a page at a time by `after_id`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..listing import ListedModel, ModelListing, ModelPage, date_in, first_count, get, models_in
from ..names import name_of
from .request import VERSION, VERSIONED

if TYPE_CHECKING:
    from ..wire import Endpoint, WireRequest

__all__ = ["ANTHROPIC_MODELS"]


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    query = {"limit": "1000"} if after is None else {"limit": "1000", "after_id": after}
    versioned = VERSIONED.search(endpoint.base_url.partition("?")[0].rstrip("/"))
    path = "/models" if versioned else "/v1/models"
    return get(endpoint, path, key_header="x-api-key", query=query, anthropic_version=VERSION)


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    models = models_in(body, "data", lambda item: _model(provider, item))
    return ModelPage(models, name_of(body.get("last_id")) if body.get("has_more") is True else None)


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("id"))
    if model is None:
        return None
    return ListedModel(
        model,
        provider,
        date_in(item.get("created_at")),
        first_count(item.get("max_input_tokens")),
        first_count(item.get("max_tokens")),
        name_of(item.get("display_name")),
    )


ANTHROPIC_MODELS = ModelListing(_ask, _read)
