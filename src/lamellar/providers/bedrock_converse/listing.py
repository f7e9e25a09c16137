"""The list of models. Bedrock's own service for it is beside the one that runs them.

See https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html. It lists the foundation
models of the region, in one page; inference profiles are another list, which is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ..listing import ListedModel, ModelListing, ModelPage, get, models_in
from ..names import name_of
from ..wire import Endpoint, WireRequest

__all__ = ["CONVERSE_MODELS"]

_RUNTIME = re.compile(r"(?<=[/.])bedrock-runtime(?=[.-])")


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    base = _RUNTIME.sub("bedrock", endpoint.base_url, count=1)
    return get(replace(endpoint, base_url=base), "/foundation-models")


def _read(provider: str, body: Mapping[str, object]) -> ModelPage:
    return ModelPage(models_in(body, "modelSummaries", lambda item: _model(provider, item)))


def _model(provider: str, item: Mapping[str, object]) -> ListedModel | None:
    model = name_of(item.get("modelId"))
    return None if model is None else ListedModel(model, provider, display_name=name_of(item.get("modelName")))


CONVERSE_MODELS = ModelListing(_ask, _read)
