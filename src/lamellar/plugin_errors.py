"""Errors in the code of a plugin: told as what they are, with the name of the plugin, and not taken for ours.

Whatever asks plates that may be a third party's does it within `plugins_named`. An error that comes out of a method of
such a plate becomes a `ConfigError` that names its kind and its distribution. An error out of our own plates stays as
it is: that is a bug, and must look like one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING

from .errors import ConfigError, LamellarError
from .masking import scrub
from .spec import ExecutorSpec, LayerSpec, Spec

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["is_ours", "plugins_named"]

_OURS = frozenset({"lamellar", "lamellar_middleware"})


@contextmanager
def plugins_named(model: type[Spec] | None = None) -> Iterator[None]:
    """Tell errors in the methods of third-party plates with the plate's name.

    Args:
        model: What is validated, for functions of its that are no methods; None where nothing is.

    Raises:
        ConfigError: A third-party plate has raised what is no error of ours; that is the cause.
    """
    try:
        yield
    except LamellarError:
        raise
    except Exception as error:
        found = _culprit(error)
        if found is None and model is not None and not is_ours(model):
            found = model, "model_validate"
        if found is None:
            raise
        raise _told(found, error) from error


def _told(found: tuple[type[Spec], str], error: Exception) -> ConfigError:
    """What is said of a plate in whose method this was raised."""
    from .registry import origin_of

    model, method = found
    word = "layer" if issubclass(model, LayerSpec) else "executor" if issubclass(model, ExecutorSpec) else "plate"
    told = scrub(f"{type(error).__name__}: {error}".removesuffix(": "))
    return ConfigError(
        f"{model.kind}: the {word} '{model.kind}' ({origin_of(model)}) failed in `{method}`: {told}; "
        "mend its code, or take it out of the stack"
    )


def is_ours(model: type[Spec]) -> bool:
    """Whether it comes with Lamellar."""
    return model.__module__.partition(".")[0] in _OURS


def _culprit(error: Exception) -> tuple[type[Spec], str] | None:
    """The third-party plate in whose method this was raised, and the method; None where the innermost plate is ours."""
    plates = [(found, frame.f_code.co_name) for frame, _ in walk_tb(error.__traceback__) if (found := _plate(frame))]
    return plates[-1] if plates and not is_ours(plates[-1][0]) else None


def _plate(frame: FrameType) -> type[Spec] | None:
    """The class of the plate whose method this frame runs."""
    owner = frame.f_locals.get("self", frame.f_locals.get("cls"))
    model = owner if isinstance(owner, type) else type(owner)
    return model if issubclass(model, Spec) else None
