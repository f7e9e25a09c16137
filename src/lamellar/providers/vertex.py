"""Google's Vertex AI: Gemini and Claude in a project of the customer's."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from ..errors import ConfigError
from .connection import checked_url
from .spec import HttpProvider

if TYPE_CHECKING:
    from .wire import Dialect, Endpoint

__all__ = ["Publisher", "Vertex"]

Publisher: TypeAlias = Literal["google", "anthropic"]
"""Whose models they are."""

_PROJECT = ("VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
_LOCATION = ("VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION")
_VERSIONED = re.compile(r"/v\d\w*(?:/|\Z)")
_CREDENTIALS = frozenset({"authorization", "x-goog-api-key"})


class Vertex(HttpProvider):
    """Google's Vertex AI (https://docs.cloud.google.com/vertex-ai/generative-ai/docs): Gemini and Claude.

    `Vertex(project="my-project", location="europe-west4")` asks Gemini models in Google's own format and Claude models
    in Anthropic's, as the model's name says. Who asks is known by an access token (`api_key`, or `VERTEX_API_KEY`),
    which expires after an hour, or by Google's application default credentials, which renew theirs: they need the
    extra ``vertex``. What has no option of ours, such as `safetySettings`, goes into a call's `extra_body`.

    Args:
        project: The project's id. Default: `VERTEX_PROJECT_ID`, then `GOOGLE_CLOUD_PROJECT`.
        location: The region, a multi-region (``us``, ``eu``), or ``global``. Default: the one in `base_url`, where
            that is a host of Google's, then `VERTEX_LOCATION`, then `GOOGLE_CLOUD_LOCATION`, then ``global``.
        publisher: Whose models are asked, ``google`` or ``anthropic``, whatever they are called. Default: as the
            model's name says.
        api_version: The version of the API, for an endpoint that does not say it. Default: ``v1``.
        default_credentials: Whether the application default credentials are used. Default: where there is no token,
            and the endpoint is Google's own.
        base_url: The endpoint; by default `VERTEX_BASE_URL`, then the location's own. Version, project and location
            are appended where it does not say them.
        headers: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "vertex"
    namespace: ClassVar[str] = "vertex"

    project: str | None = Field(default=None, pattern=r"^[\w.:\-]+$")
    location: str | None = Field(default=None, pattern=r"^[a-z0-9\-]+$")
    publisher: Publisher | None = None
    api_version: str = Field(default="v1", pattern=r"^v\d\w*$")
    default_credentials: bool | None = None

    @model_validator(mode="after")
    def _one_who_asks(self) -> Self:
        if self.default_credentials and self.api_key is not None:
            raise ConfigError("api_key and default_credentials both say who asks; leave one of them out")
        return self

    def wire_format(self) -> Dialect:
        """Google's own format and Anthropic's, each for its models."""
        from .vertex_models import vertex_dialect

        return vertex_dialect(self.publisher)

    def address(self) -> str:
        """The URL that the models' paths are appended to: it ends with the project and the location.

        Raises:
            ConfigError: Nothing says which project it is, or host and location are not of one place.
        """
        from .vertex_locations import host_of, location_in

        own = self._own_root()
        there = None if own is None else location_in(own)
        location = self.location or there or _variable(_LOCATION) or "global"
        root = own or f"https://{host_of(location)}"
        if _VERSIONED.search(root) is None:
            root = f"{root}/{self.api_version}"
        if "/projects/" in root:
            return root
        if there is not None and there != location:
            raise ConfigError(
                f"{self.label}.location: '{location}', and the host of the base_url is that of '{there}'; leave one of "
                "them out"
            )
        project = self.project or _variable(_PROJECT)
        if project is not None:
            return f"{root}/projects/{project}/locations/{location}"
        if _is_google(root):
            raise ConfigError(
                f'{self.label}.project: no project; pass project="my-project", or set the environment variable '
                f"{_PROJECT[0]} or {_PROJECT[1]}"
            )
        return root

    def _own_root(self) -> str | None:
        if self.base_url is not None:
            return self.base_url
        variable = self.entry.base_url_variable
        found = os.environ.get(variable)
        return checked_url(found, variable) if found else None

    def keys(self) -> tuple[str, ...]:
        """The access token; none where the default credentials are used, or a gateway of one's own wants none.

        Raises:
            ConfigError: There is none, and the default credentials cannot be used.
        """
        if self.api_key is not None:
            return super().keys()
        variable = str(self.entry.key_variable)
        key = None if self.default_credentials else os.environ.get(variable)
        if key:
            return (key,)
        if self._asks_by_default_credentials():
            from .google_credentials import google_auth_is_installed

            if not google_auth_is_installed():
                raise ConfigError(
                    f"{self.label}.api_key: no access token; set the environment variable {variable}, or install "
                    "google-auth for the application default credentials: pip install 'lamellar[vertex]'"
                )
        elif self.base_url is None and self.default_credentials is False and not self._signs_itself():
            raise ConfigError(
                f"{self.label}.api_key: no access token; set the environment variable {variable}, or leave "
                "default_credentials out"
            )
        return ()

    def _asks_by_default_credentials(self) -> bool:
        """Whether they are meant, where there is no token."""
        if self.default_credentials is not None:
            return self.default_credentials
        root = self._own_root()
        return (root is None or _is_google(root)) and not self._signs_itself()

    def _signs_itself(self) -> bool:
        return any(name.lower() in _CREDENTIALS for name in self.headers)

    def endpoint(self, keys: tuple[str, ...] | None = None) -> Endpoint:
        """Where requests go, with who asks.

        Raises:
            ConfigError: The project is missing, or whoever asks.
        """
        keys = self.keys() if keys is None else keys
        endpoint = super().endpoint(keys)
        if keys or not self._asks_by_default_credentials():
            return endpoint
        from .google_credentials import DefaultCredentials

        return replace(endpoint, sign=DefaultCredentials(self.network()))

    def identity(self) -> object:
        """What every provider's holds, and whose models are asked."""
        return {"vertex": super().identity(), "publisher": self.publisher}


def _variable(names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := os.environ.get(name))), None)


def _is_google(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(".googleapis.com")
