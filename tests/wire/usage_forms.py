"""The normal form of usage, written down a second time, straight from the rules."""

from __future__ import annotations

from typing import Any

from lamellar.chat.usage import Usage


def chat(raw: dict[str, Any]) -> dict[str, int]:
    prompt = raw.get("prompt_tokens_details") or {}
    completion = raw.get("completion_tokens_details") or {}
    form = {
        "prompt_tokens": raw.get("prompt_tokens"),
        "completion_tokens": raw.get("completion_tokens"),
        "total_tokens": raw.get("total_tokens"),
        "cached_tokens": prompt.get("cached_tokens"),
        "cache_creation_tokens": prompt.get("cache_write_tokens"),
        "prompt_audio_tokens": prompt.get("audio_tokens"),
        "reasoning_tokens": completion.get("reasoning_tokens"),
        "completion_audio_tokens": completion.get("audio_tokens"),
        "accepted_prediction_tokens": completion.get("accepted_prediction_tokens"),
        "rejected_prediction_tokens": completion.get("rejected_prediction_tokens"),
    }
    for elsewhere in ("cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens"):
        if form["cached_tokens"] is None:
            form["cached_tokens"] = raw.get(elsewhere)
    reasoning = form["reasoning_tokens"] or 0
    # xAI counts reasoning beside the completion; the completion includes it here.
    if reasoning and form["total_tokens"] == form["prompt_tokens"] + form["completion_tokens"] + reasoning:
        form["completion_tokens"] += reasoning
    return {name: value for name, value in form.items() if value is not None}


def gemini(raw: dict[str, Any]) -> dict[str, int]:
    def some(*names: str) -> int | None:
        found = [raw[name] for name in names if raw.get(name) is not None]
        return sum(found) if found else None

    def audio(*names: str) -> int | None:
        entries = [entry for name in names for entry in raw.get(name) or ()]
        heard = [entry["tokenCount"] for entry in entries if entry["modality"] == "AUDIO" and "tokenCount" in entry]
        return sum(heard) if heard else None

    form = {
        "prompt_tokens": some("promptTokenCount", "toolUsePromptTokenCount"),
        "completion_tokens": some("candidatesTokenCount", "thoughtsTokenCount"),
        "total_tokens": some("totalTokenCount"),
        "cached_tokens": some("cachedContentTokenCount"),
        "prompt_audio_tokens": audio("promptTokensDetails", "toolUsePromptTokensDetails"),
        "reasoning_tokens": some("thoughtsTokenCount"),
        "completion_audio_tokens": audio("candidatesTokensDetails"),
    }
    return {name: value for name, value in form.items() if value is not None}


def anthropic(raw: dict[str, Any]) -> dict[str, int]:
    """The prompt is what was sent, written to the cache, and read from it; the provider gives no total."""
    creation = raw.get("cache_creation") or {}
    read, written = raw.get("cache_read_input_tokens"), raw.get("cache_creation_input_tokens")
    prompt = raw["input_tokens"] + (read or 0) + (written or 0)
    form = {
        "prompt_tokens": prompt,
        "completion_tokens": raw["output_tokens"],
        "total_tokens": prompt + raw["output_tokens"],
        "cached_tokens": read,
        "cache_creation_tokens": written,
        "cache_creation_5m": creation.get("ephemeral_5m_input_tokens"),
        "cache_creation_1h": creation.get("ephemeral_1h_input_tokens"),
        "reasoning_tokens": (raw.get("output_tokens_details") or {}).get("thinking_tokens"),
    }
    return {name: value for name, value in form.items() if value is not None}


def ollama(raw: dict[str, Any]) -> dict[str, int]:
    """What was not counted because it was cached is not known; there is no total."""
    form = {"prompt_tokens": raw.get("prompt_eval_count"), "completion_tokens": raw.get("eval_count")}
    found = {name: value for name, value in form.items() if value is not None}
    return {**found, "total_tokens": sum(found.values())} if len(found) == len(form) else found


def cohere(raw: dict[str, Any]) -> dict[str, int]:
    """What the model read and wrote; the billed units are another sum. There is no total."""
    tokens = raw.get("tokens") or raw.get("billed_units") or {}
    form = {
        "prompt_tokens": tokens.get("input_tokens"),
        "completion_tokens": tokens.get("output_tokens"),
        "cached_tokens": raw.get("cached_tokens"),
    }
    if form["prompt_tokens"] is not None and form["completion_tokens"] is not None:
        form["total_tokens"] = form["prompt_tokens"] + form["completion_tokens"]
    return {name: int(value) for name, value in form.items() if value is not None}


def responses(raw: dict[str, Any]) -> dict[str, int]:
    prompt, completion = raw.get("input_tokens_details") or {}, raw.get("output_tokens_details") or {}
    form = {
        "prompt_tokens": raw["input_tokens"],
        "completion_tokens": raw["output_tokens"],
        "total_tokens": raw["total_tokens"],
        "cached_tokens": prompt.get("cached_tokens"),
        "cache_creation_tokens": prompt.get("cache_write_tokens"),
        "reasoning_tokens": completion.get("reasoning_tokens"),
    }
    return {name: value for name, value in form.items() if value is not None}


def bedrock(raw: dict[str, Any]) -> dict[str, int]:
    """The prompt is what was sent, written to the cache, and read from it, as the provider's own total says."""
    read, written = raw.get("cacheReadInputTokens"), raw.get("cacheWriteInputTokens")
    by_lifetime = {detail["ttl"]: detail["inputTokens"] for detail in raw.get("cacheDetails") or ()}
    form = {
        "prompt_tokens": raw["inputTokens"] + (read or 0) + (written or 0),
        "completion_tokens": raw["outputTokens"],
        "total_tokens": raw["totalTokens"],
        "cached_tokens": read,
        "cache_creation_tokens": written,
        "cache_creation_5m": by_lifetime.get("5m"),
        "cache_creation_1h": by_lifetime.get("1h"),
    }
    return {name: value for name, value in form.items() if value is not None}


def flat(usage: Usage | None) -> dict[str, int]:
    """Ours, in the same shape."""
    if usage is None:
        return {}
    prompt, completion = usage.prompt_details, usage.completion_details
    creation = prompt.cache_creation if prompt else None
    form = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": prompt.cached_tokens if prompt else None,
        "cache_creation_tokens": prompt.cache_creation_tokens if prompt else None,
        "cache_creation_5m": creation.ephemeral_5m if creation else None,
        "cache_creation_1h": creation.ephemeral_1h if creation else None,
        "prompt_audio_tokens": prompt.audio_tokens if prompt else None,
        "reasoning_tokens": completion.reasoning_tokens if completion else None,
        "completion_audio_tokens": completion.audio_tokens if completion else None,
        "accepted_prediction_tokens": completion.accepted_prediction_tokens if completion else None,
        "rejected_prediction_tokens": completion.rejected_prediction_tokens if completion else None,
    }
    return {name: value for name, value in form.items() if value is not None}
