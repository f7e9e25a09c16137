"""Phrases that tell two failures apart when no code does: a prompt that is too long, and a blocked one.

One table per provider, and one for all. They are looked at after status and code, in lower case, so a phrase is written
in lower case here. A provider that is not in a table has the common phrases only: OpenAI's own words are copied by most
servers that speak its dialect.
"""

from __future__ import annotations

import re

__all__ = [
    "CONTENT_FILTER",
    "CONTEXT_OVERFLOW",
    "MISSING_MODEL",
    "NO_MODEL_AT_404",
    "QUOTA",
    "says_content_filter",
    "says_context_overflow",
]

COMMON = "*"

CONTEXT_OVERFLOW: dict[str, tuple[str, ...]] = {
    COMMON: (
        r"context_length_exceeded",
        r"maximum context length",
        r"maximum model length",
        r"exceeds? (?:the |this model'?s )?(?:maximum |available )?context (?:window|length|size|limit)",
        r"context window (?:exceeds|exceeded|overflow)",
        r"context length exceeded",
        r"maximum prompt length",
        r"prompt is too long",
        r"prompt too long",
        r"reduce the length of the (?:messages|prompt|input)",
        r"too many input tokens",
    ),
    "anthropic": (r"exceed context limit", r"input length and `?max_tokens`? exceed"),
    "gemini": (r"input token count .{0,60}exceeds the maximum", r"token count .{0,40}exceeds"),
    "vertex": (
        r"input token count .{0,60}exceeds the maximum",
        r"token count .{0,40}exceeds",
        r"prompt is too long",
        r"exceed context limit",
        r"input length and `?max_tokens`? exceed",
    ),
    "bedrock": (r"input is too long", r"too many tokens"),
    "mistral": (r"too large for model with \d+ maximum context",),
    "groq": (r"request too large for model",),
    "xai": (r"maximum prompt length is \d+",),
    "together": (r"`?inputs`? tokens \+ `?max_new_tokens`? must be",),
    "huggingface": (r"`?inputs`? tokens \+ `?max_new_tokens`? must be", r"`?inputs`? must have less than \d+ tokens"),
    "cohere": (r"too many tokens", r"total number of tokens .{0,60}cannot exceed"),
    "cerebras": (r"current length is \d+ while limit is \d+",),
    "aliyun": (r"range of input length should be", r"input length .{0,40}exceed"),
    "qwen_cloud": (r"range of input length should be", r"input length .{0,40}exceed"),
    "moonshot": (r"exceeded model token limit",),
    "kimi": (r"exceeded model token limit",),
    "zai": (r"prompt exceeds max length", r"prompt 超长"),
    "bigmodel": (r"prompt exceeds max length", r"prompt 超长"),
    "github": (r"request body too large for .{0,60}model", r"tokens_limit_reached"),
    "minimax": (r"context window exceeds limit",),
    "ollama": (r"input length exceeds", r"exceeds the context length"),
    "llamacpp": (r"exceeds the available context size",),
    "lmstudio": (r"greater than the context length", r"context overflow"),
    "vllm": (r"is longer than the maximum model length",),
}

CONTENT_FILTER: dict[str, tuple[str, ...]] = {
    COMMON: (
        r"content_policy_violation",
        r"content management policy",
        r"content[ _]filter(?:ed|ing)?\b.{0,40}(?:trigger|block|polic)",
        r"(?:blocked|filtered|flagged|rejected) by .{0,40}(?:content filter|content policy|safety|moderation)",
        r"result of our safety system",
        r"violat\w+ our (?:usage|content) polic",
        r"responsibleaipolicyviolation",
    ),
    "anthropic": (r"blocked by content filtering policy",),
    "gemini": (r"prohibited[ _]content", r"blocked due to safety"),
    "vertex": (
        r"prohibited[ _]content",
        r"blocked due to safety",
        r"responsible ai practices",
        r"blocked by content filtering policy",
    ),
    "bedrock": (r"blocked by our content filters", r"guardrail"),
    "azure": (r"prompt triggering azure openai's content",),
    "xai": (r"content violates usage guidelines", r"usage guidelines"),
    "openrouter": (r"requires moderation", r"your input was flagged"),
    "cohere": (r"\bblocked output\b",),
    "deepseek": (r"content exists risk",),
    "aliyun": (r"inappropriate content",),
    "qwen_cloud": (r"inappropriate content",),
    "moonshot": (r"considered high risk",),
    "kimi": (r"considered high risk",),
    "zai": (r"unsafe or sensitive content", r"敏感内容"),
    "bigmodel": (r"unsafe or sensitive content", r"敏感内容"),
    "minimax": (r"new_sensitive",),
}

QUOTA = re.compile(
    r"insufficient (?:balance|credits?|funds|quota)|credit balance is too low|insufficient_quota"
    r"|(?:run out of|used all|out of) (?:available )?credits|billing (?:hard )?limit|not enough credits"
    r"|requires more credits"
    r"|exceeded your (?:monthly|current) (?:included credits|quota|spending)|spending limit|payment required|arrearage"
    r"|credits are depleted|spending cap|reached your specified api usage limits"
    r"|account is not active|free (?:tier|quota) .{0,40}exhausted|no resource package|余额不足"
)
"""Money is the matter, whatever the status says."""

GOOGLE_QUOTA = re.compile(r"exceeded your current quota")
"""Google says so of its limits per minute too, with a hint when to come back."""

NO_MODEL_AT_404 = re.compile(r"\bmodels?\b|\bdeployment\b|no endpoints found|no allowed providers|\bmodel:")
"""At a 404: it is the model that is missing, not the route."""

MISSING_MODEL = re.compile(
    r"\bmodel\b.{0,120}?(?:does not exist|doesn't exist|do(?:es)? not have access|not found|not exist\b)"
    r"|not a valid model|unknown model|invalid model|no such model|model not exist|model_not_found"
)
"""At another status, where more must be said."""


def says_context_overflow(message: str, provider: str) -> bool:
    """Whether `message` says that the prompt is too long for the model."""
    return _says(_CONTEXT, message, provider)


def says_content_filter(message: str, provider: str) -> bool:
    """Whether `message` says that the content was blocked."""
    return _says(_FILTER, message, provider)


def _compiled(table: dict[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(phrases), re.DOTALL) for name, phrases in table.items()}


_CONTEXT = _compiled(CONTEXT_OVERFLOW)
_FILTER = _compiled(CONTENT_FILTER)


def _says(patterns: dict[str, re.Pattern[str]], message: str, provider: str) -> bool:
    own = patterns.get(provider)
    return bool(patterns[COMMON].search(message) or (own is not None and own.search(message)))
