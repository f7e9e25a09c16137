"""Azure's list of models: those that a resource may deploy, beside whichever form of the API is spoken.

`GET /openai/models` of the classic form, with its version, and `GET /openai/v1/models` of the v1 form; see
https://learn.microsoft.com/rest/api/azureopenai/models/list. One deployment has no list of its own, and neither has
Foundry's model inference.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .classify import unsupported
from .listing import OPENAI_MODELS, ModelListing
from .wire import Endpoint, WireRequest

__all__ = ["AZURE_MODELS"]

_DEPLOYMENT = re.compile(r"/deployments/[^/]+\Z")


def _ask(endpoint: Endpoint, after: str | None) -> WireRequest:
    base, mark, query = endpoint.base_url.partition("?")
    if base.endswith("/models"):
        raise unsupported(
            "list_models",
            "Azure's model inference",
            "it has no list: ask at the resource's /openai/v1, or look in the portal",
            provider=endpoint.namespace,
            model="",
        )
    resource = _DEPLOYMENT.sub("", base)
    if resource != base and not mark:
        resource = f"{resource}/v1"  # the classic list is asked for with a version
    return OPENAI_MODELS.ask(replace(endpoint, base_url=f"{resource}{mark}{query}"), after)


AZURE_MODELS = ModelListing(_ask, OPENAI_MODELS.read)
