"""Secrets: references to them in configuration, and their removal from everything that is shown.

A key is named, not written: `{env: OPENAI_API_KEY}` or `{file: /run/secrets/key}`. A literal is accepted, prints as
`**********`, and refuses to be dumped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ModelWrapValidatorHandler, field_serializer, model_serializer, model_validator

from .errors import ConfigError
from .frozen import Frozen, nearest
from .masking import MASK, scrub

__all__ = ["MASK", "AnySecret", "Secret", "as_secret", "scrub"]


class Secret(Frozen):
    """A secret by reference, or a masked literal.

    Written as `{env: NAME}`, `{file: path}`, or a plain string (a literal).

    Args:
        env: Name of the environment variable that holds it.
        file: Path of the file that holds it; surrounding white space is stripped.
        literal: The secret itself. It is never printed, and dumping it raises.
    """

    env: str | None = None
    file: str | None = None
    literal: str | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _from_text(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, str):
            value = {"literal": value}
        elif not isinstance(value, cls | dict):
            raise ConfigError(f"expected a key as text, {{env: NAME}} or {{file: path}}, got {type(value).__name__}")
        if isinstance(value, dict) and "default" in value:
            raise ConfigError("a key has no default, which would be a secret in a file; leave the option out instead")
        if isinstance(value, dict) and not all(_is_name_of_a_part(name) for name in value):
            # The names are not shown: a key may stand among them by mistake.
            raise ConfigError("expected a key as text, {env: NAME} or {file: path}, got a mapping of other names")
        secret = handler(value)
        said = [part for part in (secret.env, secret.file, secret.literal) if part is not None]
        if len(said) != 1:
            raise ConfigError("a secret is exactly one of {env: NAME}, {file: path} or a plain string")
        if not said[0].strip():
            raise ConfigError("a secret is not empty; leave it out, or write {env: NAME} or {file: path}")
        return secret

    @field_serializer("literal")
    def _never_dump(self, literal: str | None) -> None:
        if literal is not None:
            raise ConfigError(
                "a literal secret is not written to a file: use {env: NAME} and put the key into that variable"
            )

    @model_serializer(mode="plain")
    def _dump(self) -> dict[str, str]:
        self._never_dump(self.literal)
        return {"env": self.env} if self.env is not None else {"file": str(self.file)}

    def resolve(self, field: str) -> str:
        """The secret's value.

        Args:
            field: What it is for, named in the error.

        Raises:
            ConfigError: The variable is unset or empty, or the file cannot be read.
        """
        if self.literal is not None:
            value: str | None = self.literal
        elif self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise ConfigError(f"{field}: the environment variable {self.env} is not set; export it")
        else:
            try:
                value = Path(str(self.file)).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{field}: cannot read the secret's file {self.file}: {_reason(error)}") from None
            if not value:
                raise ConfigError(f"{field}: the secret's file {self.file} is empty")
        return str(value)

    def __repr__(self) -> str:
        if self.literal is not None:
            return f"Secret('{MASK}')"
        return f"Secret(env={self.env!r})" if self.env is not None else f"Secret(file={self.file!r})"

    __str__ = __repr__

    def __repr_args__(self) -> Any:
        """What pydantic shows of it inside another model's repr."""
        yield ("literal", MASK) if self.literal is not None else ("env", self.env) if self.env else ("file", self.file)


def as_secret(value: object) -> Secret:
    """Text and references as a `Secret`; nothing else passes, or it would be shown like any other value."""
    return value if isinstance(value, Secret) else Secret.model_validate(value)


AnySecret = Annotated[Secret | str, BeforeValidator(as_secret)]
"""A `Secret`, or what becomes one at validation: text, `{env: NAME}`, `{file: path}`."""


def _is_name_of_a_part(name: object) -> bool:
    """Whether this is `env`, `file` or `literal`, or one of them misspelt."""
    return isinstance(name, str) and (name in Secret.model_fields or "did you mean" in nearest(name, ("env", "file")))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not UTF-8 text"
