"""Azure's deployments: a dialect whose model is known on the server by a name of the customer's own.

The call keeps the model's name, which says what the model takes and costs; the request names the deployment.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from ..chat.options import ChatOptions
from ..chat.request import ChatRequest
from .refusal import Refusal
from .wire import Dialect, Endpoint, WireRequest

__all__ = ["at_deployment"]

_NO_OPTIONS = ChatOptions()


def at_deployment(dialect: Dialect, deployment: str | None, *, in_path: bool) -> Dialect:
    """The dialect, asking for a deployment.

    Args:
        dialect: The dialect; its body has a `model`.
        deployment: The deployment's name; None: it is called like the model.
        in_path: Whether the deployment stands in the URL too, as `/deployments/{name}` at the end of the base URL's
            path.
    """
    if deployment is None and not in_path:
        return dialect

    def build_request(
        endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> WireRequest:
        name = deployment or model
        if in_path:
            if not name.strip(". "):
                raise Refusal(endpoint, model)("model", model, "give the deployment's name")
            base, mark, query = endpoint.base_url.partition("?")
            endpoint = replace(endpoint, base_url=f"{base}/deployments/{quote(name, safe='')}{mark}{query}")
        if name != model:
            options = options or _NO_OPTIONS
            options = options.model_copy(update={"extra_body": {"model": name, **(options.extra_body or {})}})
        return dialect.build_request(endpoint, model, chat_req, options, stream=stream)

    return replace(dialect, build_request=build_request)
