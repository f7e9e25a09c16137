"""Cohere's list of models: `GET /v1/models`, a page at a time by `page_token`; the second version has none.

Only the models that chat are asked for; see https://docs.cohere.com/reference/list-models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..listing import ListedModel, ModelListing, ModelPage, get, models_in
from ..names import name_of

if TYPE_CHECKING:
    from ..wire import Endpoint, WireRequest

__all__ = ["COHERE_MODELS"]


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    base, mark, query = endpoint.base_url.partition("?")
    root = base.rstrip("/")
    if root.endswith("/v2"):
        endpoint = replace(endpoint, base_url=f"{root[:-3]}/v1{mark}{query}")
    asked = {"page_size": "1000", "endpoint": "chat"}
    return get(endpoint, "/models", query=asked if after is None else {**asked, "page_token": after})


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    models = models_in(body, "models", lambda item: _model(provider, item))
    return ModelPage(models, name_of(body.get("next_page_token")))


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("name"))
    return None if model is None else ListedModel(model, provider, context_window=_window(item.get("context_length")))


def _window(value: object) -> int | None:
    """A number of tokens; Cohere's own client takes it for one with a fraction."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12 else None


COHERE_MODELS = ModelListing(_ask, _read)
