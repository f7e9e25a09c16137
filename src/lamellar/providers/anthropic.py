"""Anthropic's Messages, and every server that speaks it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from .spec import HttpProvider

__all__ = ["Anthropic"]


class Anthropic(HttpProvider):
    """Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages), or any server that speaks it.

    `Anthropic()` takes its key from `ANTHROPIC_API_KEY` and its endpoint from `ANTHROPIC_BASE_URL`, if that is set. The
    endpoint may be written with a version at its end or without one, as the official SDK writes it.

    Args:
        version: The version of the API, sent as `anthropic-version`. Default: the one that is spoken here.
        beta: Betas to take part in, sent as `anthropic-beta`. A call's own `anthropic-beta` header replaces them.
            Default: none.
        base_url: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "anthropic"
    namespace: ClassVar[str] = "anthropic"

    version: str = Field(default="2023-06-01", pattern=r"^[\w.-]+$")
    beta: tuple[Annotated[str, Field(pattern=r"^[\w.-]+$")], ...] = ()

    @field_validator("beta", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def own_headers(self) -> dict[str, str]:
        """The version and the betas beside the user's headers, which win."""
        said = {"anthropic-version": self.version}
        if self.beta:
            said["anthropic-beta"] = ",".join(self.beta)
        given = super().own_headers()
        named = {name.lower() for name in given}
        return {**{name: value for name, value in said.items() if name not in named}, **given}

    def identity(self) -> object:
        """What every provider's holds, and the version and the betas, which change answers."""
        return {"anthropic": super().identity(), "version": self.version, "beta": sorted(self.beta)}
