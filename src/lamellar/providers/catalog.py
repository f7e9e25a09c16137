"""The endpoints, as data: one row a namespace."""

from __future__ import annotations

from dataclasses import dataclass

from . import model_families as known
from .abilities import Abilities
from .wire import Quirks

__all__ = ["CATALOG", "CatalogEntry"]


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: it is a key of caches, and hashed on every call
class CatalogEntry:
    """Where a namespace lives and how it is spoken to.

    Args:
        namespace: The provider's name.
        base_url: Its endpoint.
        key_variable: The environment variable that holds its key; None where there is no key.
        dialect: The name of its wire format.
        rules: Patterns of the model names that belong here without a namespace before them (`fnmatch`).
        key_optional: Whether it can do without a key.
        quirks: How it differs from the dialect's rule.
        key_header: The lower-case header that carries the key, where it is not the dialect's own.
        abilities: What all its models can do, as far as it is known.
        models: Patterns of its models' names (`fnmatch`), and what is known of those; see `abilities_of`.
        spec: The kind of the executor that speaks to it, where that takes more than a row can say; by this `Auto`
            makes it.
        address_of: The namespace whose variable for the endpoint counts here too, where its own is not set.
    """

    namespace: str
    base_url: str
    key_variable: str | None
    dialect: str
    rules: tuple[str, ...] = ()
    key_optional: bool = False
    quirks: Quirks = Quirks(cache="none")
    key_header: str | None = None
    abilities: Abilities = Abilities()
    models: tuple[tuple[str, Abilities], ...] = ()
    spec: str | None = None
    address_of: str | None = None

    @property
    def base_url_variable(self) -> str:
        """The environment variable that overrides the endpoint, such as ``GROQ_BASE_URL``."""
        return f"{self.namespace.upper()}_BASE_URL"

    @property
    def base_url_variables(self) -> tuple[str, ...]:
        """Every environment variable that overrides the endpoint; the first that is set counts."""
        shared = () if self.address_of is None else (f"{self.address_of.upper()}_BASE_URL",)
        return (self.base_url_variable, *shared)


_THINKING = Quirks(reasoning="thinking", cache="none")

_ROWS = (
    CatalogEntry(
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "chat",
        ("gpt*", "o1*", "o3*", "o4*", "chatgpt*", "codex*"),
        quirks=Quirks(idempotency_header="idempotency-key"),
        models=known.OPENAI,
    ),
    CatalogEntry(
        "openai_resp",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        "responses",
        ("gpt-5*", "gpt*codex*", "gpt*pro*", "codex-mini*", "o1-pro*", "o3-pro*"),
        quirks=Quirks(idempotency_header="idempotency-key"),
        address_of="openai",
        models=known.OPENAI,
    ),
    CatalogEntry(
        "anthropic",
        "https://api.anthropic.com/v1",
        "ANTHROPIC_API_KEY",
        "anthropic",
        ("claude*",),
        abilities=Abilities(audio=False),
        models=known.ANTHROPIC,
    ),
    CatalogEntry(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        "GEMINI_API_KEY",
        "gemini",
        ("gemini*",),
        models=known.GEMINI,
    ),
    CatalogEntry(
        "vertex",
        "https://aiplatform.googleapis.com/v1",
        "VERTEX_API_KEY",
        "vertex",
        key_header="authorization",
        spec="vertex",
        models=(*known.GEMINI, *known.ANTHROPIC),
    ),
    CatalogEntry(
        "azure",
        "https://RESOURCE.openai.azure.com/openai/v1",
        "AZURE_OPENAI_API_KEY",
        "chat",
        key_header="api-key",
        spec="azure_openai",
    ),
    CatalogEntry(
        "bedrock",
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "BEDROCK_API_KEY",
        "converse",
        spec="bedrock",
    ),
    CatalogEntry("cohere", "https://api.cohere.com/v2", "COHERE_API_KEY", "cohere", ("command*",), models=known.COHERE),
    CatalogEntry("ollama", "http://localhost:11434", None, "ollama", ("gpt-oss*",)),
    CatalogEntry("ollama_cloud", "https://ollama.com", "OLLAMA_API_KEY", "ollama"),
    CatalogEntry(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        "chat",
        ("mistral*", "magistral*", "ministral*", "codestral*"),
        quirks=Quirks(
            include_usage=False,
            max_tokens_field="max_tokens",
            seed_field="random_seed",
            reasoning_back="thinking",
            cache="none",
            documents="document_url",
            audio="text",
        ),
        models=known.MISTRAL,
    ),
    CatalogEntry(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        "chat",
        quirks=Quirks(reasoning="groq", cache="none"),
        models=known.OPEN_WEIGHTS,
    ),
    CatalogEntry(
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        "chat",
        ("deepseek-*",),
        quirks=Quirks(reasoning="thinking", reasoning_back="reasoning_content", cache="none"),
        models=known.DEEPSEEK,
    ),
    CatalogEntry("xai", "https://api.x.ai/v1", "XAI_API_KEY", "chat", ("grok*",), models=known.XAI),
    CatalogEntry(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        "chat",
        quirks=Quirks(reasoning="object", reasoning_back="reasoning", cache="parts", documents="file_url"),
    ),
    CatalogEntry("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "chat", models=known.OPEN_WEIGHTS),
    CatalogEntry(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        "chat",
        ("*fireworks*",),
    ),
    CatalogEntry("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "chat", models=known.OPEN_WEIGHTS),
    CatalogEntry(
        "perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", "chat", ("sonar*",), models=known.SONAR
    ),
    CatalogEntry("nebius", "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY", "chat", models=known.OPEN_WEIGHTS),
    CatalogEntry(
        "moonshot", "https://api.moonshot.cn/v1", "MOONSHOT_API_KEY", "chat", ("moonshot-*",), models=known.KIMI
    ),
    CatalogEntry("kimi", "https://api.moonshot.ai/v1", "KIMI_API_KEY", "chat", ("kimi-*",), models=known.KIMI),
    CatalogEntry(
        "zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", "chat", ("glm*",), quirks=_THINKING, models=known.GLM
    ),
    CatalogEntry(
        "bigmodel",
        "https://open.bigmodel.cn/api/paas/v4",
        "BIGMODEL_API_KEY",
        "chat",
        quirks=_THINKING,
        models=known.GLM,
    ),
    CatalogEntry(
        "aliyun",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "ALIYUN_API_KEY",
        "chat",
        ("qwen*",),
        models=known.QWEN,
    ),
    CatalogEntry(
        "qwen_cloud",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "QWEN_CLOUD_API_KEY",
        "chat",
        models=known.QWEN,
    ),
    CatalogEntry("aihubmix", "https://aihubmix.com/v1", "AIHUBMIX_API_KEY", "chat"),
    CatalogEntry("mimo", "https://api.mimo.com/openai/v1", "MIMO_API_KEY", "chat", ("mimo-*",)),
    CatalogEntry("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", "chat", models=known.OPEN_WEIGHTS),
    CatalogEntry("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN", "chat", models=known.OPEN_WEIGHTS),
    CatalogEntry("github", "https://models.github.ai/inference", "GITHUB_TOKEN", "chat"),
    CatalogEntry(
        "minimax",
        "https://api.minimax.io/anthropic/v1",
        "MINIMAX_API_KEY",
        "anthropic",
        ("minimax-*", "MiniMax-*"),
        models=known.MINIMAX,
    ),
    CatalogEntry("baidu", "https://qianfan.baidubce.com/v2", "BAIDU_API_KEY", "chat"),
    CatalogEntry("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_API_KEY", "chat", key_optional=True),
    CatalogEntry("vllm", "http://localhost:8000/v1", "VLLM_API_KEY", "chat", key_optional=True),
    CatalogEntry("llamacpp", "http://localhost:8080/v1", "LLAMACPP_API_KEY", "chat", key_optional=True),
)

CATALOG: dict[str, CatalogEntry] = {entry.namespace: entry for entry in _ROWS}
