"""Gemini's list of models: `GET /models`, a page at a time by `pageToken`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..listing import ListedModel, ModelListing, ModelPage, first_count, get, models_in
from ..names import name_of

if TYPE_CHECKING:
    from ..wire import Endpoint, WireRequest

__all__ = ["GEMINI_MODELS"]


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    query = {"pageSize": "1000"} if after is None else {"pageSize": "1000", "pageToken": after}
    return get(endpoint, "/models", key_header="x-goog-api-key", query=query)


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    following = name_of(body.get("nextPageToken"))
    if not body.keys() - {"nextPageToken"}:
        return ModelPage((), following)  # Google's JSON leaves an empty list out
    return ModelPage(models_in(body, "models", lambda item: _model(provider, item)), following)


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("name"))
    if model is None:
        return None
    return ListedModel(
        model.removeprefix("models/"),
        provider,
        context_window=first_count(item.get("inputTokenLimit")),
        max_output_tokens=first_count(item.get("outputTokenLimit")),
        display_name=name_of(item.get("displayName")),
    )


GEMINI_MODELS = ModelListing(_ask, _read)
