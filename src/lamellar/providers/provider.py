"""Any provider of the catalogue, or one of one's own, as a leaf."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from ..errors import ConfigError
from ..secrets import Secret
from .catalog import CatalogEntry
from .row import Row
from .spec import HttpProvider

__all__ = ["Namespace", "Provider"]

Namespace = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
"""The name of a provider: letters, digits, `_`, `.` and `-`."""


class Provider(HttpProvider, Row):
    """A provider by its name in the catalogue, or one of one's own.

    `Provider("groq")` takes its key from `GROQ_API_KEY` and its endpoint from `GROQ_BASE_URL`, if that is set.
    `Provider("mine", dialect="chat", base_url="http://localhost:8000/v1")` is any server that speaks a dialect; what
    it is called here is what errors, records and metrics call it. `lamellar providers` prints the catalogue.

    Args:
        namespace: The provider's name.
        dialect: See `Row`, as for all that a row of the catalogue says.
        base_url: See `HttpProvider`, as for all other options.

    Raises:
        ConfigError: The catalogue does not know the name, and dialect or endpoint are not said; or it takes more than
            a row says, and has an executor of its own.
    """

    kind: ClassVar[str] = "provider"

    namespace: Namespace  # type: ignore[misc] # what is fixed for each other provider is an option here

    def __init__(self, *names: str, **data: Any) -> None:
        super().__init__(*names[1:], **({"namespace": names[0]} if names else {}), **data)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _listed_or_whole(self) -> Self:
        row = self.over_catalog(self.namespace)
        if row.spec is not None and self.dialect is None:
            raise ConfigError(f"'{self.namespace}' takes more than a row says; declare it as `{row.spec}`")
        return self

    @property
    def entry(self) -> CatalogEntry:
        """The row: the catalogue's, with what is said here over it."""
        return self.over_catalog(self.namespace)

    def keys(self) -> tuple[str, ...]:
        """The keys, resolved; none for an endpoint that does without.

        Raises:
            ConfigError: One is missing. A `key_variable` that is said is meant: it must be set.
        """
        if self.api_key is None and self.key_variable is not None:
            return (Secret(env=self.key_variable).resolve(f"{self.label}.key_variable"),)
        return super().keys()

    def identity(self) -> object:
        """What every provider's holds, and the quirks that were said, which change requests."""
        said = super().identity()
        return {"provider": said, "quirks": dict(sorted(self.quirks.items()))} if self.quirks else said
