"""What tokens cost in US dollars, by the list of genai-prices (the extra `prices`), which is imported when first asked.

Prices: https://github.com/pydantic/genai-prices
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

    from .chat.usage import Usage

__all__ = ["is_installed", "price_of"]

_CALLED = {"bedrock": "aws", "kimi": "moonshotai", "bigmodel": "zhipuai"}
"""What the list calls a provider, where it does not know our namespace."""


def is_installed() -> bool:
    """Whether there is a list of prices to look into."""
    try:
        import genai_prices  # noqa: F401
    except ImportError:
        return False
    return True


def price_of(
    usage: Usage,
    model: str,
    *,
    provider: str | None = None,
    provider_model: str | None = None,
    at: float | None = None,
) -> float | None:
    """What these tokens cost, in US dollars.

    Args:
        usage: The tokens; those of prompt and answer must both be known.
        model: The model that was asked.
        provider: The provider's namespace; None finds it by the model's name.
        provider_model: The model that the provider says it used, which is looked up first.
        at: When it was asked, in seconds since the epoch, for prices that change; None is now.

    Returns:
        None where the price or the tokens are not known, or genai-prices is not installed.
    """
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    edition = get_snapshot().timestamp
    found = None
    for name in filter(None, (provider_model, model)):
        found = found or _find(name, provider, edition)
    return None if found is None else _total(*found, usage, at)


@lru_cache(maxsize=1024)
def _find(model: str, provider: str | None, edition: datetime) -> tuple[Provider, ModelInfo] | None:
    """The entry of a model in this edition of the list; its own look-up is not used, whose caches have no bound."""
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    providers = get_snapshot().providers
    if provider is not None:
        listed = find_provider_by_id(providers, _CALLED.get(provider, provider))
    else:
        asked = model.lower()
        listed = next((each for each in providers if each.model_match and each.model_match.is_match(asked)), None)
    entry = listed.find_model(model, all_providers=providers) if listed is not None else None
    return None if listed is None or entry is None else (listed, entry)


def _total(provider: Provider, model: ModelInfo, usage: Usage, at: float | None) -> float | None:
    from genai_prices import Usage as Priced

    when = None if at is None else datetime.fromtimestamp(at, UTC)
    for tokens in (_in_detail(usage), _in_sum(usage)):
        try:
            priced = Priced(**{name: count for name, count in tokens.items() if count is not None})
            return float(model.calc_price(priced, provider, genai_request_timestamp=when).total_price)
        except (ValueError, TypeError, LookupError):  # details that contradict each other, or that it cannot combine
            continue
    return None


def _in_detail(usage: Usage) -> dict[str, int | None]:
    prompt, completion = usage.prompt_details, usage.completion_details
    written = prompt.cache_creation if prompt is not None else None
    return {
        **_in_sum(usage),
        "cache_read_tokens": prompt.cached_tokens if prompt is not None else None,
        "cache_write_tokens": prompt.cache_creation_tokens if prompt is not None else None,
        "cache_write_1h_tokens": written.ephemeral_1h if written is not None else None,
        "input_audio_tokens": prompt.audio_tokens if prompt is not None else None,
        "output_audio_tokens": completion.audio_tokens if completion is not None else None,
    }


def _in_sum(usage: Usage) -> dict[str, int | None]:
    return {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
