"""Azure's OpenAI service: OpenAI's own formats, at a resource and a deployment of the customer's."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator, model_validator

from ..coderef import CodeRef
from ..errors import ConfigError
from ..secrets import AnySecret
from .connection import checked_url, resolved
from .spec import HttpProvider

if TYPE_CHECKING:
    from .wire import Dialect, Endpoint

__all__ = ["AzureOpenAI"]

_ENDPOINT = "AZURE_OPENAI_ENDPOINT"
_TOKEN = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105 -- the variable's name
_WHOLE = re.compile(r"/(?:v1|models|deployments/[^/]+)\Z")
"""How an address ends that is whole: the v1 form, Foundry's model inference, one deployment of the classic form."""

_PATH = re.compile(r"/(?:chat/completions|responses)\Z")
_MICROSOFT = re.compile(r"\.(?:azure\.(?:com|us|cn)|microsoft\.com)\Z")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
"""How a version of the classic form begins; ``preview``, ``latest`` and ``v1`` are versions of the v1 form."""

_COUNTS_STREAMS_SINCE = "2024-09-01"
"""The version of the API from which on a stream can be asked for its usage."""


class AzureOpenAI(HttpProvider):
    """OpenAI's models on Azure (https://learn.microsoft.com/azure/foundry/openai/latest), by either of their APIs.

    `AzureOpenAI(resource="my-resource")` takes its key from `AZURE_OPENAI_API_KEY` and asks
    `https://my-resource.openai.azure.com/openai/v1` for the deployment that is called like the model.
    `AzureOpenAI()` takes the endpoint from `AZURE_OPENAI_ENDPOINT`, as the official SDK does, or `AZURE_BASE_URL`.

    Args:
        resource: The resource's name, in place of a `base_url`. Default: none.
        deployment: The deployment to ask, whatever model a call names; the model's name still says what the model
            takes and costs. Default: the deployment is called like the model.
        api_version: Asks for the classic form of the API in this version, such as ``2024-10-21``. One without a date
            (``preview``, ``latest``, ``v1``) is a version of the v1 form. Default: the v1 form, whose version need not
            be said.
        api: ``chat`` (Chat Completions) or ``responses``.
        token: A token of Microsoft Entra ID, in place of a key: `{env: NAME}`, `{file: path}` or text. Default: that in
            `AZURE_OPENAI_AD_TOKEN`, if neither a key nor a token is said.
        token_provider: A function that gives the token of this moment, a coroutine function or not; it is asked with
            every request, as `azure.identity.get_bearer_token_provider` makes one. Default: none.
        base_url: The endpoint, such as ``https://my-resource.openai.azure.com``. One that says the form of the API
            itself (it ends in ``/openai/v1`` or ``/openai/deployments/my-deployment``) is taken as it is.
        api_key: The key. Default: that in `AZURE_OPENAI_API_KEY`.
        headers: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "azure_openai"
    namespace: ClassVar[str] = "azure"

    resource: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9\-]*$")
    deployment: str | None = Field(default=None, pattern=r"^[\w.\-]+$")
    api_version: str | None = Field(default=None, pattern=r"^[\w.\-]+$")
    api: Literal["chat", "responses"] = "chat"
    token: AnySecret | None = None
    token_provider: CodeRef | None = None

    @field_validator("base_url", mode="before")
    @classmethod
    def _is_no_whole_url(cls, url: object) -> object:
        return _address(url, "base_url") if isinstance(url, str) else url

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if self.resource is not None and self.base_url is not None:
            raise ConfigError("resource and base_url both say where it is; leave one of them out")
        given = [name for name in ("api_key", "token", "token_provider") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} both say who asks; leave one of them out")
        if self.base_url is not None and "/deployments/" in self.base_url:
            if self.deployment is not None:
                raise ConfigError("base_url ends with a deployment, and deployment names one; leave one of them out")
            if self.api == "responses":
                raise ConfigError("base_url ends with a deployment, and the Responses API has none in its path")
        return self

    def wire_format(self) -> Dialect:
        """Chat Completions or Responses, asking for the deployment."""
        from .azure_listing import AZURE_MODELS
        from .deployments import at_deployment
        from .dialects import dialect_named

        in_path = self.api == "chat" and self._is_classic() and _WHOLE.search(self._root()) is None
        dialect = replace(dialect_named(self.api, self.namespace), models=AZURE_MODELS)
        return at_deployment(dialect, self.deployment, in_path=in_path)

    def _is_classic(self) -> bool:
        """Whether the version that is said is one of the classic form."""
        return self.api_version is not None and _DATED.match(self.api_version) is not None

    def _root(self) -> str:
        """The endpoint, whatever it says of the form."""
        if self.base_url is not None:
            return self.base_url
        if self.resource is not None:
            return f"https://{self.resource}.openai.azure.com"
        for variable in (self.entry.base_url_variable, _ENDPOINT):
            if found := os.environ.get(variable):
                return _address(found, variable)
        raise ConfigError(
            f'{self.label}: no endpoint; pass resource="my-resource" or base_url, or set the environment variable '
            f"{_ENDPOINT}"
        )

    def address(self) -> str:
        """The URL that the API's paths are appended to, with the version of the API as its query.

        Raises:
            ConfigError: Nothing says where the resource is.
        """
        root = self._root()
        if _WHOLE.search(root) is None:
            root = root if root.endswith("/openai") else f"{root}/openai"
            if not self._is_classic():
                root = f"{root}/v1"
        return root if self.api_version is None else f"{root}?api-version={quote(self.api_version, safe='')}"

    def keys(self) -> tuple[str, ...]:
        """The key, or the token in its place; none where a function gives it, or a gateway of one's own wants none.

        Raises:
            ConfigError: It is missing.
        """
        if self.token is not None:
            return (resolved(self.token, f"{self.label}.token"),)
        if self.token_provider is not None:
            return ()
        if self.api_key is not None:
            return super().keys()
        found = os.environ.get(_TOKEN) or os.environ.get(str(self.entry.key_variable))
        if found:
            return (found,)
        if self.base_url is not None and not _MICROSOFT.search(urlsplit(self.base_url).hostname or ""):
            return ()
        raise ConfigError(
            f"{self.label}.api_key: no key; set the environment variable {self.entry.key_variable}, "
            'pass api_key={"env": "NAME"}, or a token of Microsoft Entra ID as token or token_provider'
        )

    def endpoint(self, keys: tuple[str, ...] | None = None) -> Endpoint:
        """Where requests go, with who asks.

        Raises:
            ConfigError: The key or the endpoint is missing.
        """
        endpoint = super().endpoint(keys)
        if self.token is not None or (self.api_key is None and self.token_provider is None and os.environ.get(_TOKEN)):
            endpoint = replace(endpoint, key_header="authorization")
        if self.token_provider is not None:
            from .tokens import TokenSigner

            endpoint = replace(endpoint, sign=TokenSigner(f"{self.label}.token_provider", self.token_provider))
        counts = self.api_version is None or not self._is_classic() or self.api_version >= _COUNTS_STREAMS_SINCE
        return endpoint if counts else replace(endpoint, quirks=replace(endpoint.quirks, include_usage=False))

    def identity(self) -> object:
        """What every provider's holds, the API, and the deployment."""
        return {"azure": super().identity(), "api": self.api, "deployment": self.deployment}


def _address(url: str, field: str) -> str:
    """An endpoint, and not the whole URL of a call, as the portal shows it.

    Raises:
        ConfigError: It is that, or no URL.
    """
    base, mark, query = url.strip().partition("?")
    if _PATH.search(base.rstrip("/")) or (mark and "api-version=" in query):
        raise ConfigError(
            f"{field}: is the URL of a call; leave out what follows the deployment or `v1`, and pass the version of "
            "the API as api_version"
        )
    return checked_url(url, field)
