"""Sizes as people write them: bytes as a number, or "512kB", "64MB", "1.5GB"; "64MiB" where powers of two are meant."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

from .masking import show

__all__ = ["Size", "in_bytes", "parse_size"]

_UNITS = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([kmgt]i?b|b)?\s*", re.IGNORECASE | re.ASCII)


def parse_size(value: object) -> int:
    """Bytes, from a number or from text such as "64MB"; a fraction of a byte is dropped.

    Raises:
        ValueError: It is neither, or it is negative or not finite.
    """
    number = _from_text(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"expected a size such as 65536, '512kB', '64MB' or '1GiB', got {show(value)}")
    if not 0 <= number < math.inf:
        raise ValueError(f"expected a size of zero bytes or more, got {show(number)}")
    return int(number)


def _from_text(text: str) -> int | float | None:
    said = _TEXT.fullmatch(text)
    if said is None:
        return None
    unit = _UNITS[(said[2] or "b").lower()]
    return (int(said[1]) if said[1].isdigit() and len(said[1]) < 18 else float(said[1])) * unit


Size = Annotated[int | str, BeforeValidator(parse_size, json_schema_input_type=int | str)]
"""Bytes as a number or as text such as "64MB"; always an int after validation (`in_bytes` tells the type checker)."""


def in_bytes(value: int | str) -> int:
    """The number behind a validated `Size`."""
    return int(value)
