"""Where one provider is and how one is known there, as options."""

from __future__ import annotations

from pydantic import field_validator

from ..errors import ConfigError
from ..frozen import Frozen
from ..masking import is_secret_name, scrub
from ..secrets import AnySecret, Secret, as_secret
from .abilities import SaidAbilities

__all__ = ["Connection", "checked_url", "resolved"]


class Connection(Frozen):
    """One provider's endpoint and key.

    Args:
        base_url: The endpoint; by default the provider's own variable (such as `OPENAI_BASE_URL`), then its address.
        api_key: The key: `{env: NAME}`, `{file: path}` or text; by default the provider's own variable (such as
            `OPENAI_API_KEY`). An endpoint of one's own (`base_url`) may do without. Several keys in a list are used in
            turn; one that is limited, spent or refused is set aside for a while.
        headers: Headers sent with every request; a value may be `{env: NAME}` or `{file: path}`. A literal in a header
            that holds a credential, such as `authorization`, is a secret like any other.
        lenient: Whether an option that this provider cannot say and that only steers the answer (a seed, a penalty, a
            verbosity) is left out, with a line in the log (`lamellar.providers`, level INFO), instead of refused.
            What carries meaning, such as an image, a tool or a schema, is refused all the same. Default: refused.
        abilities: What its models can do, over what the catalogue knows; see `Abilities`. Default: nothing more.
    """

    base_url: str | None = None
    api_key: AnySecret | tuple[AnySecret, ...] | None = None
    headers: dict[str, str | Secret] = {}
    lenient: bool = False
    abilities: SaidAbilities | None = None

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        return None if url is None else checked_url(url, "base_url")

    @field_validator("api_key")
    @classmethod
    def _some_key(cls, keys: Secret | tuple[Secret, ...] | None) -> Secret | tuple[Secret, ...] | None:
        if keys == ():
            raise ConfigError("an empty list of keys; name at least one, or leave api_key out")
        if isinstance(keys, tuple) and len(set(keys)) < len(keys):
            raise ConfigError("the same key twice; each is used in turn anyway")
        return keys

    @field_validator("headers", mode="before")
    @classmethod
    def _hide_credentials(cls, headers: object) -> object:
        if not isinstance(headers, dict):
            return headers
        return {
            name: as_secret(value) if isinstance(value, dict) or is_secret_name(name) else value
            for name, value in headers.items()
        }


def resolved(secret: Secret | str, field: str) -> str:
    """The text of a secret or of plain text.

    Raises:
        ConfigError: What the secret refers to is missing; `field` is named.
    """
    return secret if isinstance(secret, str) else secret.resolve(field)


def checked_url(url: str, field: str) -> str:
    """A URL that paths can be appended to.

    Raises:
        ConfigError: It is none; `field` is named.
    """
    scheme, separator, rest = url.strip().partition("://")
    if scheme.lower() not in ("http", "https") or not separator or not rest.strip("/"):
        raise ConfigError(f"{field}: expected a URL such as https://api.example.com/v1, got {scrub(url)!r}")
    if "@" in rest.partition("/")[0]:
        raise ConfigError(f"{field}: holds a user name or password; put them into headers: {{authorization: …}}")
    if "?" in rest or "#" in rest:
        raise ConfigError(f"{field}: holds a query or a fragment, and paths are appended to it; leave that out")
    return url.strip().rstrip("/")
