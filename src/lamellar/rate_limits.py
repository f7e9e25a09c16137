"""What a provider's answer says of its rate limits: kept as headers, and read when somebody asks.

The names are those of OpenAI and most of its dialect (`x-ratelimit-remaining-tokens`), Anthropic
(`anthropic-ratelimit-input-tokens-reset`, RFC 3339), Mistral (`x-ratelimit-limit-tokens-minute`, `ratelimitbysize-*`),
Together (`x-ratelimit-limit`) and Azure, all of which were seen in recorded answers, and Fireworks
(`x-ratelimit-limit-tokens-prompt`; https://docs.fireworks.ai/guides/quotas_usage/rate-limits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, SchemaSerializer, core_schema

from .masking import scrub

__all__ = ["LimitHeaders", "RateLimitState", "RateLimits"]

_MOST = 48
"""Headers that are kept; the most that was seen on one answer is 13."""

_LONGEST = 100
"""Characters of a header's name or value that is kept; a longer one tells no limit."""

_MEASURES = ("limit", "remaining", "reset")
_WINDOWS = ("second", "minute", "hour", "day", "week", "month")
_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", "ratelimit-", "x-ratelimitbysize-", "ratelimitbysize-")
_UNITS = {
    "requests": "requests",
    "request": "requests",
    "req": "requests",
    "": "requests",
    "tokens": "tokens",
    "input-tokens": "input_tokens",
    "output-tokens": "output_tokens",
    "tokens-prompt": "input_tokens",
    "tokens-generated": "output_tokens",
}


@dataclass(frozen=True, slots=True)
class RateLimitState:
    """One limit as it stood when the answer was made. None is "not said".

    Args:
        limit: How many are allowed in the limit's window.
        remaining: How many of them are left.
        reset: Seconds from the answer until the limit is whole again.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None

    @property
    def share(self) -> float:
        """The share that is left, from 0 to 1; 1 where it is not known."""
        if self.remaining == 0 or self.limit == 0:
            return 0.0
        if self.remaining is None or self.limit is None:
            return 1.0
        return min(1.0, self.remaining / self.limit)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a provider said of its limits beside an answer; None where it said nothing.

    Of several windows for the same thing (a minute's and a month's), the one of which the least is left.

    Args:
        requests: Calls.
        tokens: Tokens, of prompt and answer together.
        input_tokens: Tokens of prompts, where they have a limit of their own.
        output_tokens: Tokens of answers, where they have a limit of their own.
    """

    requests: RateLimitState | None = None
    tokens: RateLimitState | None = None
    input_tokens: RateLimitState | None = None
    output_tokens: RateLimitState | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], now_wall: float | None = None) -> Self | None:
        """The limits that an answer's headers tell, or None when they tell none.

        Args:
            headers: The answer's headers.
            now_wall: When it came, in seconds since the epoch, for resets that are moments. The answer's own `date`
                goes before it: those moments are of the same clock.
        """
        from .header_times import number_of, reset_of, wall_of

        wall = wall_of(headers) or now_wall
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, value in headers.items():
            told = _meaning(name.lower())
            if told is None:
                continue
            unit, window, measure = told
            number = reset_of(value, wall) if measure == "reset" else number_of(value)
            if number is not None:
                found.setdefault(unit, {}).setdefault(window, {})[measure] = number
        if not found:
            return None
        return cls(**{unit: _tightest(windows) for unit, windows in found.items()})


def _meaning(name: str) -> tuple[str, str, str] | None:
    """What a header's name says: the unit, the window (or none) and the measure."""
    prefix = next((each for each in _PREFIXES if name.startswith(each)), None)
    if prefix is None:
        return None
    words = name[len(prefix) :].split("-")
    measure = next((word for word in words if word in _MEASURES), None)
    if measure is None:
        return None
    words.remove(measure)
    window = words.pop() if words and words[-1] in _WINDOWS else ""
    said = "-".join(words)
    unit = "tokens" if "bysize" in prefix and not said else _UNITS.get(said)
    return None if unit is None else (unit, window, measure)


def _tightest(windows: Mapping[str, Mapping[str, float]]) -> RateLimitState:
    """The window of which the least is left; of equals the shortest."""
    order = ("", *_WINDOWS)
    states = [_state(windows[window]) for window in sorted(windows, key=order.index)]
    return min(states, key=lambda state: state.share)


def _state(measures: Mapping[str, float]) -> RateLimitState:
    limit, remaining = measures.get("limit"), measures.get("remaining")
    return RateLimitState(
        None if limit is None else int(limit), None if remaining is None else int(remaining), measures.get("reset")
    )


_TEXTS = core_schema.dict_schema(core_schema.str_schema(), core_schema.str_schema())
_AS_A_DICT = core_schema.plain_serializer_function_ser_schema(dict, return_schema=_TEXTS)


class LimitHeaders(Mapping[str, str]):
    """Those headers of an answer that tell of rate limits, with its `date`. They are picked out when they are read.

    What is pickled or dumped is only these: a bounded number of short values, none of which looks like a secret.

    Args:
        headers: All the headers of the answer; kept as they are until something is read.
    """

    __slots__ = ("_headers", "_picked")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._picked = False

    def _kept(self) -> Mapping[str, str]:
        if not self._picked:
            self._headers = _picked(self._headers)
            self._picked = True
        return self._headers

    def __getitem__(self, name: str) -> str:
        return self._kept()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept())

    def __len__(self) -> int:
        return len(self._kept())

    def __repr__(self) -> str:
        return f"LimitHeaders({dict(self._kept())!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str]]]:
        return type(self), (dict(self._kept()),)

    __pydantic_serializer__ = SchemaSerializer(
        core_schema.any_schema(serialization=_AS_A_DICT)
    )  # for records whose fields are dumped as what they are

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """A mapping of texts."""
        return core_schema.no_info_wrap_validator_function(
            lambda value, check: value if isinstance(value, cls) else cls(check(value)),
            _TEXTS,
            serialization=_AS_A_DICT,
        )


def _picked(headers: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        wanted = lower == "date" or lower.startswith(_PREFIXES)
        if wanted and max(len(lower), len(value)) <= _LONGEST and scrub(value) == value:
            kept[lower] = value
            if len(kept) == _MOST:
                break
    return kept if kept.keys() - {"date"} else {}
