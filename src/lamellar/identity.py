"""What of a stack changes an answer: the identity that cache keys are made of. Never a key, a secret or a limit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .masking import is_secret_name

if TYPE_CHECKING:
    from pydantic import JsonValue

    from .chat.options import CommonOptions
    from .spec import Spec

__all__ = ["identity_of", "identity_of_options", "take_identity"]


def identity_of(specs: Iterable[Spec]) -> list[object]:
    """The identities of these specs, in order, without those that change no answer (theirs is None).

    Raises:
        ConfigError: One of them holds code without an importable name, so it cannot be told from another.
    """
    return [found for spec in specs if (found := spec.identity()) is not None]


def identity_of_options(options: CommonOptions) -> dict[str, JsonValue]:
    """What of these options is sent: not `call`, no flag that says what is kept, no header that holds a credential."""
    said: dict[str, JsonValue] = options.model_dump(
        mode="json", exclude_none=True, exclude={"call", "capture_raw_body", "extra_headers"}
    )
    headers: dict[str, JsonValue] = {
        name.lower(): value if isinstance(value, str) else {"env": value.env, "file": value.file}
        for name, value in (options.extra_headers or {}).items()
        if not is_secret_name(name)
    }
    return {**said, "extra_headers": dict(sorted(headers.items()))} if headers else said


def take_identity(data: object) -> object:
    """`identity=` as another name for `fingerprint=`: as a field it would hide the method that every spec has."""
    if isinstance(data, dict) and "identity" in data and "fingerprint" not in data:
        return {"fingerprint" if name == "identity" else name: value for name, value in data.items()}
    return data
