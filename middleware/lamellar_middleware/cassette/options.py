"""Options that Record and Replay have in common."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from lamellar.errors import ConfigError
from lamellar.masking import show

__all__ = ["CassettePath", "Patterns"]


def _path(value: str | Path) -> str:
    text = os.fspath(value)
    if not text.strip():
        raise ConfigError("the path of a file, got an empty one")
    return text


def _patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            re.compile(value)
        except re.error as error:
            raise ConfigError(f"{show(value)} is no regular expression: {error}") from None
    return values


CassettePath = Annotated[str | Path, AfterValidator(_path)]
"""The path of a cassette; always text after validation."""

Patterns = Annotated[tuple[str, ...], AfterValidator(_patterns)]
"""Regular expressions that compile."""
