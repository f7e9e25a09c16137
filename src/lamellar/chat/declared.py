"""Options of a call as a stack declares them: a header that holds a credential is a secret, named and not written."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, field_validator

from ..call import CallContext
from ..masking import is_secret_name
from ..secrets import Secret, as_secret
from .options import ChatOptions, CommonOptions

__all__ = ["AnyOptions", "DeclaredOptions", "OptionFields"]


class OptionFields(CommonOptions):
    """The options that a provider may be told, for plates that say them: all of `ChatOptions` but `call`."""

    @field_validator("extra_headers", mode="before")
    @classmethod
    def _hide_credentials(cls, headers: object) -> object:
        if not isinstance(headers, dict):
            return headers
        return {
            name: as_secret(value) if isinstance(value, dict) or is_secret_name(name) else value
            for name, value in headers.items()
        }


class DeclaredOptions(OptionFields):
    """`ChatOptions` as a stack says them.

    Args:
        extra_headers: Headers added to the request; a value may be `{env: NAME}` or `{file: path}`. A literal in a
            header that holds a credential, such as `authorization`, is a secret like any other.
        call: What is said to the stack about the call; never on the wire.
    """

    call: CallContext | None = None

    def resolved(self, field: str) -> ChatOptions:
        """The options of a call, with the secrets in their place.

        Args:
            field: Who says them, named in the error.

        Raises:
            ConfigError: What a secret refers to is missing, or holds what no header may.
        """
        said: dict[str, object] = {name: value for name, value in self if name in self.model_fields_set}
        if self.extra_headers is not None:
            said["extra_headers"] = {
                name: value if isinstance(value, str) else value.resolve(f"{field}.extra_headers.{name}")
                for name, value in self.extra_headers.items()
            }
        return ChatOptions.model_validate(said)

    def __repr_name__(self) -> str:
        """How people write it in code: as the options of a call, unless it holds what those cannot."""
        holds_secret = any(isinstance(value, Secret) for value in (self.extra_headers or {}).values())
        return type(self).__name__ if holds_secret else ChatOptions.__name__


def _as_declared(value: object) -> object:
    if not isinstance(value, ChatOptions):
        return value
    return DeclaredOptions.model_validate({name: getattr(value, name) for name in value.model_fields_set})


AnyOptions = Annotated[DeclaredOptions, BeforeValidator(_as_declared)]
"""Options of a call, as a stack says them or as a call does."""
