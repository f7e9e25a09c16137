"""One rule of a route: conditions, and where a call goes that meets them all."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Self

from pydantic import Field, model_validator

from lamellar.coderef import CodeRef, reference_to
from lamellar.errors import ConfigError
from lamellar.frozen import Frozen

__all__ = ["RouteRule", "names_a_tag"]

_CONDITIONS = ("model", "tag", "above_tokens", "when")


class RouteRule(Frozen):
    """Where a call goes that meets these conditions; several conditions must all hold.

    Args:
        model: The caller's model name, or a pattern of it such as ``gpt-*``.
        tag: A tag of the call's `CallContext`: ``team=search``, a pattern such as ``team=search-*``, or ``team`` for
            any value of it.
        above_tokens: The prompt has more tokens than this, by a guess of four bytes to a token.
        when: Called with the model, the request and the options; True goes to `to`, a route's name goes there, False or
            None to the next rule. It is no coroutine. If it fails, the call does. In files ``"module:function"``.
        to: The name of a route. It may be left out where `when` tells it.
        identity: What stands for `when` in the key of a `Cache` outside; needed for a function without an importable
            name, such as a lambda.

    Raises:
        ConfigError: There is no condition, or nowhere to go.
    """

    model: str | None = None
    tag: str | None = None
    above_tokens: int | None = Field(default=None, ge=0)
    when: CodeRef | None = None
    to: str | None = None
    identity: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if all(getattr(self, name) is None for name in _CONDITIONS):
            raise ConfigError(f"a rule needs a condition, one of {', '.join(_CONDITIONS)}; for all calls use `default`")
        if self.to is None and self.when is None:
            raise ConfigError("to: a rule without `when` needs the name of a route to go to")
        if self.identity is not None and self.when is None:
            raise ConfigError("identity: it stands for `when`, and there is none; leave it out")
        if self.tag is not None and not names_a_tag(self.tag):
            raise ConfigError(f"tag: expected 'name=value' or 'name', got {self.tag!r}")
        return self

    def said(self) -> dict[str, object]:
        """The rule as JSON data, for cache keys.

        Raises:
            ConfigError: `when` has no importable name, and no identity stands for it.
        """
        plain: dict[str, object] = self.model_dump(
            mode="json", exclude={"when", "identity"}, exclude_none=True, exclude_unset=True
        )
        if self.when is not None:
            plain["when"] = self.identity if self.identity is not None else _reference(self.when)
        return plain

    @property
    def condition(self) -> str:
        """When it holds, in few words."""
        said = [
            None if self.model is None else f"model {self.model}",
            None if self.tag is None else f"tag {self.tag}",
            None if self.above_tokens is None else f"above {self.above_tokens} tokens",
            None if self.when is None else f"when {getattr(self.when, '__name__', 'a function says so')}",
        ]
        return " and ".join(filter(None, said))

    def wants(self, model: str, tags: dict[str, str]) -> bool:
        """Whether the conditions on model and tag hold."""
        if self.model is not None and not fnmatchcase(model, self.model):
            return False
        if self.tag is None:
            return True
        name, wanted, value = self.tag.partition("=")
        return name in tags and (not wanted or fnmatchcase(tags[name], value))


def names_a_tag(text: str) -> bool:
    """Whether this is ``name`` or ``name=value``."""
    return bool(text.partition("=")[0].strip())


def _reference(when: CodeRef) -> str:
    try:
        return reference_to(when)
    except ConfigError as error:
        raise ConfigError(f"when: {error}; or give the rule an identity='...'") from None
