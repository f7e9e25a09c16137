"""The two spellings of a limit, `requests="500/min"` and `requests_per_minute=500`: each is known under both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamellar.errors import ConfigError
from lamellar.rates import Rate, parse_rate

if TYPE_CHECKING:
    from .spec import RateLimit

__all__ = ["as_rates", "both_spellings"]

_PERIODS = {"requests": ("second", "minute", "day"), "tokens": ("minute", "day")}


def as_rates(value: object) -> tuple[Rate, ...]:
    """One rate or several, as text or as rates; each of another period.

    Raises:
        ValueError: One is no rate, or two are of the same period.
    """
    rates = tuple(map(parse_rate, value if isinstance(value, list | tuple) else (value,)))
    for rate in rates:
        if [each.per for each in rates].count(rate.per) > 1:
            raise ValueError(f"two rates per {rate.per}; one of them never limits")
    return rates


def both_spellings(spec: RateLimit) -> dict[str, object]:
    """Every limit of `spec` under both of its names, so that two specs that say the same are equal.

    Raises:
        ConfigError: A limit is said twice and differs, or there is none for the period of a rate.
    """
    found: dict[str, object] = {}
    for unit, periods in _PERIODS.items():
        said = {rate.per: rate for rate in getattr(spec, unit)}
        for per in said.keys() - set(periods):
            known = f"{', '.join(periods[:-1])} or {periods[-1]}"
            raise ConfigError(f"{unit}: a limit of {unit} is per {known}, got {said[per]!r}")
        rates = []
        for per in periods:
            name = f"{unit}_per_{per}"
            amount: int | None = getattr(spec, name)
            if per in said and amount not in (None, said[per].amount):
                raise ConfigError(f"{unit}: {said[per]!r} and {name}={amount} differ; say one of them")
            rate = said.get(per) or (None if amount is None else Rate(amount, per))
            if rate is not None:
                rates.append(rate)
                found[name] = rate.amount
        found[unit] = tuple(rates)
    return found
