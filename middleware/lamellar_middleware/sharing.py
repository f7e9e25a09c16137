"""What a layer keeps for itself, or has in common with all who say the same name in `share=`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from lamellar.errors import ConfigError

if TYPE_CHECKING:
    from lamellar.build import BuildContext

__all__ = ["Shareable", "Shared", "own_or_shared"]


class Shareable(Protocol):
    """The options of a layer whose state may be shared."""

    @property
    def share(self) -> str | None:
        """The name it is shared under; None shares with nobody."""
        ...

    def terms(self) -> dict[str, object]:
        """The options that all who share it must agree on."""
        ...


class Shared(Protocol):
    """The state of such a layer."""

    @property
    def spec(self) -> Shareable:
        """The options of whoever was the first to ask for it."""
        ...


SharedT = TypeVar("SharedT", bound=Shared)


def own_or_shared(
    spec: Shareable,
    kind: type[SharedT],
    make: Callable[[], SharedT],
    context: BuildContext,
    *,
    differ: str = "which differ",
    same: Sequence[str] = (),
    renew: Callable[[SharedT, SharedT], None] | None = None,
) -> SharedT:
    """The state of a layer: one of its own, or the one that is shared under its name.

    Args:
        spec: The layer's options.
        kind: What the state is.
        make: Makes it, where the layer is alone or the first of that name.
        context: What is shared, by name.
        differ: What is wrong where two do not agree, for the error.
        same: The options they must agree on, two or more, where the error is to list them.
        renew: Told a new state and the old one of a reloaded stack where the terms have changed (`BuildContext.keep`).

    Raises:
        ConfigError: Something else is shared under that name, or on other terms.
    """
    if spec.share is None:
        return context.keep(kind, make, terms=spec.terms(), renew=renew)
    found = context.share(spec.share, kind, make, terms=spec.terms(), renew=renew)
    if found.spec.terms() != spec.terms():
        options = f"{', '.join(same[:-1])} and {same[-1]}" if same else "options"
        raise ConfigError(
            f"share: '{spec.share}' is shared by {found.spec!r} and {spec!r}, {differ}; give both the same {options}, "
            "or one of them another name"
        )
    return found
