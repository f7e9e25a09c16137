"""What is known of the models behind the catalogue's rows, as data: patterns of names, and what those models can do.

From the providers' own pages of models, as of early 2026. A window stands where a name pins it, and is the largest that
a model of that name is offered with, betas included; where an alias moves on to newer models, none stands. What a page
does not say is left open.

A "no" refuses calls, so one stands only where no call of the kind can succeed. It is not said where

- the provider makes text of a file by itself, before the model sees it (Mistral, OpenRouter, Fireworks);
- a gateway cuts prompts to size or goes to another model (OpenRouter, Fireworks);
- the name is the customer's own, or covers several models (Azure's deployments);
- others may have named their model after this one: a pattern begins with the maker's name, or with the host's own.
"""

from __future__ import annotations

from .abilities import Abilities

__all__ = [
    "ANTHROPIC",
    "COHERE",
    "DEEPSEEK",
    "GEMINI",
    "GLM",
    "KIMI",
    "MINIMAX",
    "MISTRAL",
    "OPENAI",
    "OPEN_WEIGHTS",
    "QWEN",
    "SONAR",
    "XAI",
    "Models",
]

Models = tuple[tuple[str, Abilities], ...]
"""Patterns of names (`fnmatch`, in any case), and what is known of the models they match."""


def _text(window: int | None = None, *, tools: bool | None = None, json_schema: bool | None = None) -> Abilities:
    """A model of text alone, at a provider that takes no file either."""
    return Abilities(
        images=False, documents=False, audio=False, tools=tools, json_schema=json_schema, context_window=window
    )


def _blind(window: int | None = None, *, tools: bool | None = None, json_schema: bool | None = None) -> Abilities:
    """A model of text alone, at a provider that may make text of a file."""
    return Abilities(images=False, audio=False, tools=tools, json_schema=json_schema, context_window=window)


def _seeing(window: int | None = None, *, tools: bool | None = True, json_schema: bool | None = True) -> Abilities:
    """A model that sees images."""
    return Abilities(images=True, tools=tools, json_schema=json_schema, context_window=window)


# https://platform.openai.com/docs/models
OPENAI: Models = (
    ("gpt-3.5*", _text(16_385, json_schema=False)),
    ("gpt-4", _text(8_192, json_schema=False)),
    ("gpt-4-0314", _text(8_192, json_schema=False)),
    ("gpt-4-0613", _text(8_192, json_schema=False)),
    ("gpt-4-32k*", _text(32_768, json_schema=False)),
    ("gpt-4-1106-preview", _text(128_000, json_schema=False)),
    ("gpt-4-0125-preview", _text(128_000, json_schema=False)),
    ("gpt-4-turbo-preview", _text(128_000, json_schema=False)),
    ("gpt-4-turbo", _seeing(128_000, json_schema=False)),
    ("gpt-4-turbo-2024*", _seeing(128_000, json_schema=False)),
    ("gpt-4o*", _seeing(128_000)),
    ("gpt-4o-2024-05-13", _seeing(128_000, json_schema=False)),
    ("gpt-4o*audio*", Abilities(images=False, audio=True)),
    ("chatgpt-4o*", _seeing(128_000, tools=False, json_schema=None)),
    ("gpt-4.1*", _seeing(1_047_576)),
    ("gpt-4.5*", _seeing(128_000)),
    ("gpt-5*", _seeing()),
    ("gpt-5", _seeing(400_000)),
    ("gpt-5-20*", _seeing(400_000)),
    ("gpt-5-mini*", _seeing(400_000)),
    ("gpt-5-nano*", _seeing(400_000)),
    ("gpt-5.1*", _seeing(400_000)),
    ("gpt-5.2*", _seeing(400_000)),
    ("gpt-oss-*", _blind(131_072)),
    ("o1*", _seeing(200_000)),
    ("o1-mini*", _text(128_000, tools=False, json_schema=False)),
    ("o1-preview*", _text(128_000, tools=False, json_schema=False)),
    ("o3*", _seeing(200_000)),
    ("o3-mini*", _text(200_000, tools=True, json_schema=True)),
    ("o4-mini*", _seeing(200_000)),
)

_PREFILLED = Abilities(prefill=True)

# https://platform.claude.com/docs/en/about-claude/models/overview; a million tokens is a beta of some models.
# Prefilling ends with Claude 4.6: https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6
ANTHROPIC: Models = (
    ("claude-2*", _text(200_000, tools=False)),
    ("claude-instant*", _text(100_000, tools=False)),
    ("claude-3*", _seeing(200_000, json_schema=None)),
    ("claude-3*", _PREFILLED),
    ("claude-opus-4*", _seeing(json_schema=None)),
    ("claude-sonnet-4*", _seeing(json_schema=None)),
    ("claude-haiku-4-5*", Abilities(tools=True, images=True, prefill=True, context_window=200_000)),
    ("claude-opus-4-0", _PREFILLED),
    ("claude-opus-4-1*", Abilities(prefill=True, context_window=200_000)),
    ("claude-opus-4-20*", Abilities(prefill=True, context_window=200_000)),
    ("claude-opus-4-5*", Abilities(prefill=True, context_window=200_000)),
    ("claude-opus-4-6*", Abilities(prefill=False, context_window=1_000_000)),
    ("claude-sonnet-4-0", _PREFILLED),
    ("claude-sonnet-4-20*", Abilities(prefill=True, context_window=1_000_000)),
    ("claude-sonnet-4-5*", Abilities(prefill=True, context_window=1_000_000)),
    ("claude-sonnet-4-6*", Abilities(prefill=False, context_window=1_000_000)),
)

_EVERY_MEDIUM = Abilities(tools=True, images=True, documents=True, audio=True, json_schema=True)

# https://ai.google.dev/gemini-api/docs/models
GEMINI: Models = (
    ("gemini-1.5-flash*", Abilities(context_window=1_048_576)),
    ("gemini-1.5-pro*", Abilities(context_window=2_097_152)),
    ("gemini-2.0-flash*", Abilities(context_window=1_048_576)),
    ("gemini-2.5-flash*", Abilities(context_window=1_048_576)),
    ("gemini-2.5-flash", _EVERY_MEDIUM),
    ("gemini-2.5-flash-lite", _EVERY_MEDIUM),
    ("gemini-2.5-pro*", Abilities(context_window=1_048_576)),
    ("gemini-2.5-pro", _EVERY_MEDIUM),
    ("gemini-3-pro-preview", Abilities(tools=True, images=True, documents=True, audio=True, context_window=1_048_576)),
)

# https://docs.mistral.ai/getting-started/models
# Documents go through Mistral's own recognition of text, whatever the model:
# https://docs.mistral.ai/capabilities/document_ai/document_qna
MISTRAL: Models = (
    ("codestral-2*", _blind(256_000)),
    ("mistral-large-240*", _blind(131_072)),
    ("mistral-large-2411", _blind(131_072)),
    ("open-mistral-7b*", _blind(32_768)),
    ("open-mistral-nemo*", _blind(131_072)),
    ("open-mixtral-8x7b*", _blind(32_768)),
    ("open-mixtral-8x22b*", _blind(65_536)),
    ("pixtral*", Abilities(images=True)),
    ("pixtral-12b-2409", Abilities(context_window=131_072)),
    ("pixtral-large-2411", Abilities(context_window=131_072)),
)

# https://api-docs.deepseek.com/api/create-chat-completion: a message's content is a text, and nothing else.
DEEPSEEK: Models = (("deepseek-chat", _text()), ("deepseek-reasoner", _text()))

# https://docs.x.ai/docs/models; of files it is not said which models take them.
XAI: Models = (
    ("grok-2-1212", _blind(131_072)),
    ("grok-2-vision*", Abilities(images=True)),
    ("grok-3", _blind(131_072, tools=True)),
    ("grok-3-mini", _blind(131_072, tools=True)),
    ("grok-4", _seeing(256_000)),
    ("grok-4-0709", _seeing(256_000)),
    ("grok-4-fast*", _seeing(2_000_000)),
    ("grok-4-1-fast*", _seeing(2_000_000)),
    ("grok-code-fast-1*", _blind(256_000, tools=True)),
)

# https://docs.cohere.com/docs/models
COHERE: Models = (
    ("command-r*", _text(128_000)),
    ("command-a-03-2025", _text(256_000, tools=True, json_schema=True)),
    ("command-a-reasoning-08-2025", Abilities(context_window=256_000)),
    ("command-a-vision-07-2025", Abilities(images=True, tools=False, context_window=128_000)),
)

# https://docs.perplexity.ai/getting-started/models
SONAR: Models = (
    ("sonar", Abilities(context_window=128_000)),
    ("sonar-pro", Abilities(context_window=200_000)),
)

# https://platform.moonshot.ai/docs/introduction
KIMI: Models = (
    ("moonshot-v1-*", _blind()),
    ("moonshot-v1-8k*", Abilities(context_window=8_192)),
    ("moonshot-v1-32k*", Abilities(context_window=32_768)),
    ("moonshot-v1-128k*", Abilities(context_window=131_072)),
    ("moonshot-v1-*-vision-*", Abilities(images=True)),
    ("kimi-k2-*", _blind(262_144, tools=True)),
)

# https://docs.z.ai/guides/llm; files are an input of those that see.
GLM: Models = (
    ("glm-4.5", _blind(131_072)),
    ("glm-4.5-*", _blind(131_072)),
    ("glm-4.5v*", Abilities(images=True)),
    ("glm-4.6", _blind(204_800)),
    ("glm-4.6v*", Abilities(images=True, documents=True)),
    ("glm-4.7", _blind(204_800)),
    ("glm-4.7-*", _blind(204_800)),
)

# https://www.alibabacloud.com/help/en/model-studio/models
QWEN: Models = (
    ("qwen3-coder*", _blind()),
    ("qwen3-max*", _blind(262_144)),
    ("qwen-vl*", Abilities(images=True)),
    ("qwen3-vl*", Abilities(images=True)),
)

# https://platform.minimax.io/docs/api-reference/text-anthropic-api: neither images nor documents.
MINIMAX: Models = (
    ("minimax-m2*", _text(tools=True)),
    ("minimax-m2", Abilities(context_window=204_800)),
    ("minimax-m2.1*", Abilities(context_window=204_800)),
)

# Open weights under their makers' own names, which most hosts keep, and under those that Groq, Cerebras and SambaNova
# give them. What others made of them is called after its maker, and is not meant.
OPEN_WEIGHTS: Models = (
    ("gpt-oss-*", _blind(131_072)),
    ("openai/gpt-oss-*", _blind(131_072)),
    ("llama3.1-*", _blind(131_072)),
    ("llama-3.1-8b-instant", _blind(131_072)),
    ("llama-3.3-70b*", _blind(131_072)),
    ("meta-llama-3.1-*", _blind(131_072)),
    ("meta-llama-3.3-*", _blind(131_072)),
    ("meta-llama/llama-3.1-*", _blind(131_072)),
    ("meta-llama/llama-3.3-*", _blind(131_072)),
    ("meta-llama/meta-llama-3.1-*", _blind(131_072)),
    ("meta-llama/llama-4-*", Abilities(images=True)),
    ("deepseek-r1*", _blind()),
    ("deepseek-v3-*", _blind()),
    ("deepseek-v3.1*", _blind()),
    ("deepseek-ai/deepseek-r1*", _blind()),
    ("deepseek-ai/deepseek-v3", _blind()),
    ("deepseek-ai/deepseek-v3-*", _blind()),
    ("deepseek-ai/deepseek-v3.1*", _blind()),
    ("qwen/qwen3-coder*", _blind()),
    ("mistralai/mixtral-8x7b-*", _blind(32_768)),
    ("mistralai/mixtral-8x22b-*", _blind(65_536)),
)
