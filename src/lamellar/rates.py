"""Rates as people write them: "500/min", "10/s", "200k/day", "1.5M/day"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import core_schema

from .masking import show

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = ["Rate", "parse_rate"]

_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_SHORT = {"second": "s", "minute": "min", "hour": "h", "day": "day"}
_NAMES = {
    **{name: name for name in _PERIODS},
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
}
_TIMES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_TEXT = re.compile(
    r"\s*(\d{1,15})(?:\.(\d{1,9}))?\s*([kmgb]?)\s*(?:/|\s+per\s+)\s*([a-z]+)\s*", re.IGNORECASE | re.ASCII
)


_TEXT_SCHEMA = core_schema.str_schema()


@dataclass(frozen=True, slots=True, repr=False)
class Rate:
    """So many a period: `Rate(500, "minute")`, written "500/min".

    Args:
        amount: How many; a whole number above zero.
        per: The period: ``second``, ``minute``, ``hour`` or ``day``.

    Raises:
        ValueError: The amount is not above zero, or there is no such period.
    """

    amount: int
    per: str

    def __post_init__(self) -> None:
        if isinstance(self.amount, bool) or not isinstance(self.amount, int) or self.amount <= 0:
            raise ValueError(f"expected a rate of a whole number above zero, got {show(self.amount)}")
        if self.per not in _PERIODS:
            raise ValueError(f"expected a rate per {', '.join(_PERIODS)}, got {show(self.per)}")

    @property
    def period(self) -> float:
        """Seconds of its period."""
        return _PERIODS[self.per]

    def __str__(self) -> str:
        for letter, times in (("M", 10**6), ("k", 10**3)):
            if self.amount % times == 0:
                return f"{self.amount // times}{letter}/{_SHORT[self.per]}"
        return f"{self.amount}/{_SHORT[self.per]}"

    def __repr__(self) -> str:
        return repr(str(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A `Rate`, or text that says one; text again when dumped."""
        return core_schema.no_info_plain_validator_function(
            parse_rate, serialization=core_schema.to_string_ser_schema(), json_schema_input_schema=_TEXT_SCHEMA
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text, with examples."""
        return {**handler(_TEXT_SCHEMA), "examples": ["500/min", "200k/day"]}


def parse_rate(value: object) -> Rate:
    """A rate, from text such as "500/min".

    Raises:
        ValueError: It is no rate, or one of a fraction.
    """
    if isinstance(value, Rate):
        return value
    said = _TEXT.fullmatch(value) if isinstance(value, str) else None
    per = None if said is None else _NAMES.get(said[4].lower(), _NAMES.get(said[4].lower().removesuffix("s")))
    if said is None or per is None:
        raise ValueError(f"expected a rate such as '500/min', '10/s', '5k/h' or '2M/day', got {show(value)}")
    digits = (said[2] or "").rstrip("0")
    amount, rest = divmod(int(said[1] + digits) * _TIMES[said[3].lower()], 10 ** len(digits))
    if rest:
        raise ValueError(f"expected a rate of a whole number, got {show(value)}")
    return Rate(amount, per)
