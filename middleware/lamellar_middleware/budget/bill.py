"""What a call costs: guessed before it is made, and summed over its tries when it is over."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lamellar.call import Outcome
from lamellar.chat.usage import Usage
from lamellar.errors import ErrorKind
from lamellar.masking import scrub

from ..shared import NEVER_CONNECTED
from ..tokens import prompt_tokens
from .ledger import Amount

if TYPE_CHECKING:
    from lamellar.call import AttemptRecord
    from lamellar.chat.options import ChatOptions
    from lamellar.chat.request import ChatRequest

    from .spec import Budget, TokenPrice

__all__ = ["Pricing", "bill", "guess", "known"]

_logger = logging.getLogger("lamellar.budget")

_MOST_COMPLAINTS = 64

_SAID_NO = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.QUOTA_EXHAUSTED,
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER_ERROR,
        ErrorKind.CONTEXT_OVERFLOW,
        ErrorKind.CONTENT_FILTERED,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.UNAUTHORIZED,
        ErrorKind.PERMISSION_DENIED,
        ErrorKind.MODEL_NOT_FOUND,
    }
)
"""Failures in which the provider answered that there is no answer: it bills none."""


class Pricing:
    """What tokens cost: by prices of the user's own first, then by genai-prices.

    Args:
        prices: The user's own, by patterns of model names.
        counts_money: Whether anybody asks; else everything costs nothing.
    """

    def __init__(self, prices: dict[str, TokenPrice], *, counts_money: bool) -> None:
        self._prices = prices
        self._counts = counts_money
        self._complained: set[tuple[str, str | None]] = set()

    def expected(self, tokens: Usage, model: str, at: float) -> float:
        """What a call of the caller's model is expected to cost; nothing where the model's price is not known."""
        if not self._counts:
            return 0.0
        return self._price(tokens, model, None, None, at) or 0.0

    def of(self, tokens: Usage, record: AttemptRecord, provider_model: str | None) -> float:
        """What a try has cost. Where its price is not known that is told once, and it counts as nothing."""
        if not self._counts:
            return 0.0
        found = self._price(tokens, record.model, record.provider, provider_model, record.started)
        if found is None:
            self._complain(record.model, record.provider)
        return found or 0.0

    def _price(
        self, tokens: Usage, model: str, provider: str | None, provider_model: str | None, at: float
    ) -> float | None:
        for name in filter(None, (model, provider_model)):
            for pattern, price in self._prices.items():
                if fnmatchcase(name, pattern):
                    return _priced(tokens, price)
        from lamellar.prices import price_of

        return price_of(tokens, model, provider=provider, provider_model=provider_model, at=at)

    def _complain(self, model: str, provider: str | None) -> None:
        if (model, provider) not in self._complained and len(self._complained) < _MOST_COMPLAINTS:
            self._complained.add((model, provider))
            said = f"the price of {model!r} at {provider} is not known, so it counts as nothing; say it in `prices`"
            _logger.warning("%s", scrub(said))


def _priced(tokens: Usage, price: TokenPrice) -> float:
    prompt, cached = tokens.prompt_tokens or 0, 0
    if price.cached_input is not None and tokens.prompt_details is not None:
        cached = min(prompt, tokens.prompt_details.cached_tokens or 0)
    total = (prompt - cached) * price.input + cached * (price.cached_input or 0.0)
    return (total + (tokens.completion_tokens or 0) * price.output) / 1e6


def guess(spec: Budget, model: str, chat_req: ChatRequest, options: ChatOptions | None) -> Usage:
    """The tokens of a call before it is made."""
    prompt = prompt_tokens(chat_req)
    if spec.estimate is not None:
        try:
            total = max(0, int(spec.estimate(model, chat_req, options)))
            prompt = min(prompt, total)
            return Usage(prompt_tokens=prompt, completion_tokens=total - prompt)
        except Exception:  # a guess that cannot be made is no reason not to ask
            _logger.exception("the estimate of tokens failed; the built-in one is used")
    bound = options.max_tokens if options is not None else None
    return Usage(prompt_tokens=prompt, completion_tokens=spec.default_output_tokens if bound is None else bound)


def bill(
    tries: tuple[AttemptRecord, ...], guessed: Usage, pricing: Pricing, *, provider_model: str | None, cached: bool
) -> Amount:
    """What these tries have cost together.

    Args:
        tries: The tries of a call, in order.
        guessed: What each of them counts as where its usage is not known.
        pricing: The prices.
        provider_model: The model that the last of them says it used.
        cached: Whether the answer came from a cache.
    """
    if cached and tries and tries[-1].outcome not in (Outcome.FAILED, Outcome.REFUSED):
        tries = tries[:-1]  # a stack in the leaf's place answered from its cache
    total = Amount()
    for record in tries:
        if not _is_free(record):
            tokens = known(record.usage, guessed)
            said = provider_model if record is tries[-1] and record.outcome is not Outcome.FAILED else None
            cost = pricing.of(tokens, record, said)
            total = total.plus(Amount((tokens.prompt_tokens or 0) + (tokens.completion_tokens or 0), cost))
    return total


def known(usage: Usage | None, guessed: Usage) -> Usage:
    """What the provider has told, and the guess for what it has not."""
    if usage is None:
        return guessed
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if prompt is not None and completion is not None:
        return usage
    if prompt is None and completion is None:
        if total is None:
            return guessed
        prompt = min(guessed.prompt_tokens or 0, total)
    if total is not None:
        prompt = max(0, total - (completion or 0)) if prompt is None else prompt
        completion = max(0, total - prompt) if completion is None else completion
    return usage.model_copy(
        update={
            "prompt_tokens": guessed.prompt_tokens if prompt is None else prompt,
            "completion_tokens": guessed.completion_tokens if completion is None else completion,
        }
    )


def _is_free(record: AttemptRecord) -> bool:
    """Whether a try has cost nothing: nobody told its usage, and nothing came of it."""
    if record.usage is not None or record.first_content is not None:
        return False
    if record.outcome is Outcome.REFUSED or record.kind in _SAID_NO:
        return True
    return record.kind is ErrorKind.CONNECTION and record.code in NEVER_CONNECTED
