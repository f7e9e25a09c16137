"""The options of Redact."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal, Self, TypeAlias

from pydantic import field_validator, model_validator

from lamellar.errors import ConfigError
from lamellar.spec import LayerSpec

from ..keyed import as_tuple

if TYPE_CHECKING:
    from lamellar.build import BuildContext
    from lamellar.executor import LlmExecutor

__all__ = ["BuiltIn", "Place", "Redact"]

BuiltIn: TypeAlias = Literal["email", "phone", "credit_card", "iban", "ipv4", "ssn", "api_key"]
"""What can be found without a pattern of one's own."""

Place: TypeAlias = Literal["system", "messages", "tools"]
"""Where in a request it is looked for."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DEFAULT = "[{name}_{number}]"


class Redact(LayerSpec):
    """Replace secrets and personal data in requests by placeholders, and put the values back in answers.

    Args:
        patterns: What is looked for: ``email``, ``phone`` (international and North American numbers), ``credit_card``
            (numbers that pass the Luhn test), ``iban`` (with right check digits), ``ipv4``, ``ssn`` (of the United
            States) and ``api_key`` (keys, bearer tokens, private keys, by their shapes).
        custom: More of it, by regular expressions of one's own: a name to a pattern.
        placeholder: What stands in the place of a value: ``{name}`` is the pattern's name in capitals, ``{number}``
            tells the values of one name apart. It begins with one sign and ends with another, such as brackets.
        where: Where it is looked for: ``system`` (the system prompt and system messages), ``messages`` (the texts and
            reasoning of the others) and ``tools`` (tool results, and arguments of earlier tool calls).
        restore: Whether the placeholders in an answer are replaced by the values: in its text, its reasoning and the
            arguments of its tool calls.

    Raises:
        ConfigError: A pattern is wrong, or there is nothing to look for.
    """

    kind: ClassVar[str] = "redact"
    asks_once: ClassVar[bool] = True

    patterns: tuple[BuiltIn, ...] = ("email", "phone", "credit_card", "iban", "ipv4", "ssn", "api_key")
    custom: dict[str, str] = {}
    placeholder: str = _DEFAULT
    where: tuple[Place, ...] = ("system", "messages", "tools")
    restore: bool = True

    @field_validator("patterns", "where", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return as_tuple(value)

    @field_validator("custom")
    @classmethod
    def _patterns_compile(cls, custom: dict[str, str]) -> dict[str, str]:
        for name, pattern in custom.items():
            if _NAME.fullmatch(name) is None:
                raise ConfigError(f"'{name}' is no name of a pattern; write letters, digits and underscores")
            try:
                empty = re.compile(pattern).match("") is not None
            except (re.error, OverflowError, RecursionError) as error:
                raise ConfigError(f"{name}: not a regular expression: {error}") from None
            if empty:
                raise ConfigError(f"{name}: it matches nothing at all; a pattern has at least one character")
        return custom

    @field_validator("placeholder")
    @classmethod
    def _placeholder_can_be_found(cls, template: str) -> str:
        plain = template.replace("{name}", "").replace("{number}", "")
        if template.count("{name}") != 1 or template.count("{number}") != 1:
            raise ConfigError(f"{{name}} and {{number}} once each are expected, such as {_DEFAULT!r}, got {template!r}")
        if not plain.isascii() or not plain.isprintable() or set(plain) & set('"\\{}'):
            # It must read the same in the JSON of a tool call's arguments.
            raise ConfigError(f"plain ASCII without quotes, backslashes and braces is expected, got {template!r}")
        first, last = template[0], template[-1]
        if any(each.isalnum() or each in "_{}" or plain.count(each) > 1 for each in (first, last)) or first == last:
            # So that no placeholder is a part of another, and where one begins and ends is plain to see.
            raise ConfigError(
                f"it begins with one sign and ends with another that stand nowhere else in it, such as {_DEFAULT!r}; "
                f"got {template!r}"
            )
        return template

    @model_validator(mode="after")
    def _something_to_look_for(self) -> Self:
        if not self.patterns and not self.custom:
            raise ConfigError("patterns: there is nothing to look for; name a pattern, or give one in `custom`")
        if not self.where:
            raise ConfigError("where: there is nowhere to look; name system, messages or tools")
        for name in self.custom:
            if name.lower() in self.patterns:
                raise ConfigError(f"custom: '{name}' is the name of a built-in pattern; give it another")
        return self

    def wrap(self, inner: LlmExecutor, context: BuildContext) -> LlmExecutor:
        """The layer round `inner`."""
        from .executor import RedactExecutor

        return RedactExecutor(inner, self)
