"""Who asks, for one call: what a resolver of `Auto` answers with, in place of the usual key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_plus

from ..errors import ConfigError
from ..masking import MASK, scrub
from ..secrets import Secret

if TYPE_CHECKING:
    from ..chat.options import ChatOptions
    from ..chat.request import ChatRequest
    from .wire import BuildRequest, Dialect, Endpoint, WireRequest

__all__ = ["Auth", "ModelName", "ServiceTarget"]


@dataclass(frozen=True, slots=True, repr=False)
class Auth:
    """Who asks: a key, headers, or nobody. Made by `from_env`, `of_key`, `override` and `none`; its repr is masked."""

    kind: Literal["env", "key", "override", "none"]
    secret: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_env(cls, name: str) -> Auth:
        """The key in the environment variable `name`, read when the call is made.

        Raises:
            ConfigError: The name is empty, or no text. At the call: the variable is not set.
        """
        if not isinstance(name, str):
            raise ConfigError(f"Auth.from_env: expected the name of a variable as text, got {type(name).__name__}")
        if not name:
            raise ConfigError("Auth.from_env: the name of the variable is empty")
        return cls("env", name)

    @classmethod
    def of_key(cls, key: str) -> Auth:
        """This key.

        Raises:
            ConfigError: It is empty, or no text.
        """
        if not isinstance(key, str) or not key.strip():
            raise ConfigError("Auth.of_key: expected a key as text; for an endpoint without one use Auth.none()")
        return cls("key", key)

    @classmethod
    def override(cls, url: str | None = None, headers: Mapping[str, str] | None = None) -> Auth:
        """The request as it is made, but for its URL and its headers; no other key is sent.

        Args:
            url: The whole URL of the request, path and query included, in place of the dialect's; the same for whole
                answers and for streams. Default: the dialect's own.
            headers: Headers laid over the dialect's and the caller's. Default: none.

        Raises:
            ConfigError: Neither is said, or one of them cannot be sent.
        """
        if url is None and not headers:
            raise ConfigError("Auth.override: say a url, headers, or both; for no key at all use Auth.none()")
        if url is not None and not isinstance(url, str):
            raise ConfigError(f"Auth.override: expected a URL as text, got {type(url).__name__}")
        if url is not None and not url.lower().startswith(("http://", "https://")):
            raise ConfigError(
                f"Auth.override: expected a URL such as https://api.example.com/v1/chat, got {scrub(url)!r}"
            )
        if headers is not None and not isinstance(headers, Mapping):
            raise ConfigError(f"Auth.override: expected headers by name, got {type(headers).__name__}")
        for name, value in (headers or {}).items():
            if not isinstance(name, str):
                raise ConfigError(f"Auth.override: the name of a header is text, got {type(name).__name__}")
            if not isinstance(value, str):
                raise ConfigError(f"Auth.override: the header {name!r} is text, got {type(value).__name__}")
            if "\n" in name + value or "\r" in name + value:
                raise ConfigError(f"Auth.override: the header {name!r} holds a line break")
        return cls("override", url=url, headers={name.lower(): value for name, value in (headers or {}).items()})

    @classmethod
    def none(cls) -> Auth:
        """No key."""
        return cls("none")

    def applied(self, endpoint: Endpoint, dialect: Dialect) -> tuple[Endpoint, Dialect]:
        """Endpoint and dialect of one call that is made by whoever this says, and by nobody else.

        Raises:
            ConfigError: The environment variable is not set.
        """
        key = self.secret
        if self.kind == "env":
            key = Secret(env=self.secret).resolve(f"{endpoint.namespace}: Auth.from_env")
        endpoint = replace(endpoint, api_key=key, sign=None)
        if self.kind == "override":
            dialect = replace(dialect, build_request=_Overridden(dialect.build_request, self))
        return endpoint, dialect

    def hidden(self) -> tuple[str, ...]:
        """What of the override must not appear in an error: each header's value, and each of the URL's query."""
        if self.kind != "override":
            return ()
        values = tuple(self.headers.values())
        query = (self.url or "").partition("?")[2]
        parts = [part.partition("=")[2] for part in query.split("&")]
        said = (*values, *[value.rpartition(" ")[2] for value in values], *parts, *map(unquote_plus, parts))
        return tuple(filter(None, dict.fromkeys(said)))

    def __repr__(self) -> str:
        if self.kind == "env":
            return f"Auth.from_env({self.secret!r})"
        if self.kind == "key":
            return f"Auth.of_key({MASK!r})"
        if self.kind == "none":
            return "Auth.none()"
        url = None if self.url is None else _shown(self.url)
        return f"Auth.override(url={url!r}, headers={dict.fromkeys(self.headers, MASK)!r})"


def _shown(url: str) -> str:
    """A URL as a repr may show it: without a user's name and password, and without its query."""
    address, query, _ = url.partition("?")
    return scrub(address) + (f"?{MASK}" if query else "")


class _Overridden:
    """Makes a dialect's requests, with another URL and other headers."""

    __slots__ = ("_auth", "_build")

    def __init__(self, build: BuildRequest, auth: Auth) -> None:
        self._build = build
        self._auth = auth

    def __call__(
        self, endpoint: Endpoint, model: str, chat_req: ChatRequest, options: ChatOptions | None, *, stream: bool
    ) -> WireRequest:
        request = self._build(endpoint, model, chat_req, options, stream=stream)
        auth = self._auth
        return replace(request, url=auth.url or request.url, headers={**request.headers, **auth.headers})


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model, and whose it is.

    Args:
        namespace: The provider's name in the catalogue, or that of a row of one's own.
        model: The name the provider knows the model by.
    """

    namespace: str
    model: str


@dataclass(frozen=True, slots=True, repr=False)
class ServiceTarget:
    """Where one call goes; `dataclasses.replace` makes another out of it.

    Args:
        namespace: The provider's name. One that no row has is the name of a server of one's own.
        model: The name the provider knows the model by.
        dialect: The wire format.
        base_url: The endpoint.
        auth: Who asks; None is the usual key of the namespace.
    """

    namespace: str
    model: str
    dialect: str
    base_url: str
    auth: Auth | None = None

    def __repr__(self) -> str:
        return (
            f"ServiceTarget(namespace={self.namespace!r}, model={self.model!r}, dialect={self.dialect!r}, "
            f"base_url={_shown(self.base_url) if isinstance(self.base_url, str) else self.base_url!r}, "
            f"auth={self.auth!r})"
        )
