"""The names that are recorded: one table a generation of the conventions, and ours beside them.

G1 is v1.41 of the semantic conventions (https://opentelemetry.io/docs/specs/semconv/gen-ai/), the last before those
for generative AI moved to a repository of their own. The constants of `opentelemetry-semantic-conventions` are
deprecated as moved, so the names stand here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ATTEMPT_BACKOFF",
    "ATTEMPT_INPUT_TOKENS",
    "ATTEMPT_KIND",
    "ATTEMPT_MODEL",
    "ATTEMPT_NUMBER",
    "ATTEMPT_OUTPUT_TOKENS",
    "ATTEMPT_PROVIDER",
    "ATTEMPT_REQUEST_ID",
    "ATTEMPT_TARGET",
    "CACHE_HIT",
    "ERROR_TYPE",
    "FALLBACK_INDEX",
    "FINISH_REASONS",
    "G1",
    "HTTP_STATUS",
    "METRIC_ATTEMPTS",
    "METRIC_CACHE_LOOKUPS",
    "METRIC_FALLBACKS",
    "METRIC_INTERRUPTIONS",
    "METRIC_LIMITER_WAIT",
    "OPERATION",
    "PROVIDERS",
    "RATELIMIT_WAIT",
    "SERVER_ADDRESS",
    "SERVER_PORT",
    "STREAM_OUTCOME",
    "TIME_BUCKETS",
    "TOKEN_BUCKETS",
    "Generation",
]

OPERATION = "chat"


@dataclass(frozen=True, slots=True)
class Generation:
    """The names of one generation of the conventions."""

    schema_url: str

    operation_name: str = "gen_ai.operation.name"
    provider_name: str = "gen_ai.provider.name"
    conversation_id: str = "gen_ai.conversation.id"
    output_type: str = "gen_ai.output.type"

    request_model: str = "gen_ai.request.model"
    request_stream: str = "gen_ai.request.stream"
    request_max_tokens: str = "gen_ai.request.max_tokens"
    request_temperature: str = "gen_ai.request.temperature"
    request_top_p: str = "gen_ai.request.top_p"
    request_frequency_penalty: str = "gen_ai.request.frequency_penalty"
    request_presence_penalty: str = "gen_ai.request.presence_penalty"
    request_seed: str = "gen_ai.request.seed"
    request_stop_sequences: str = "gen_ai.request.stop_sequences"
    request_choice_count: str = "gen_ai.request.choice.count"

    response_id: str = "gen_ai.response.id"
    response_model: str = "gen_ai.response.model"
    response_finish_reasons: str = "gen_ai.response.finish_reasons"
    response_time_to_first_chunk: str = "gen_ai.response.time_to_first_chunk"

    usage_input: str = "gen_ai.usage.input_tokens"
    usage_output: str = "gen_ai.usage.output_tokens"
    usage_cache_read: str = "gen_ai.usage.cache_read.input_tokens"
    usage_cache_creation: str = "gen_ai.usage.cache_creation.input_tokens"
    usage_reasoning: str = "gen_ai.usage.reasoning.output_tokens"

    input_messages: str = "gen_ai.input.messages"
    output_messages: str = "gen_ai.output.messages"
    system_instructions: str = "gen_ai.system_instructions"
    tool_definitions: str = "gen_ai.tool.definitions"

    metric_duration: str = "gen_ai.client.operation.duration"
    metric_token_usage: str = "gen_ai.client.token.usage"  # noqa: S105 -- tokens of text
    metric_time_to_first_chunk: str = "gen_ai.client.operation.time_to_first_chunk"
    metric_time_per_output_chunk: str = "gen_ai.client.operation.time_per_output_chunk"
    token_type: str = "gen_ai.token.type"  # noqa: S105 -- tokens of text


G1 = Generation(schema_url="https://opentelemetry.io/schemas/1.41.0")

# Names of the general conventions.
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
HTTP_STATUS = "http.response.status_code"

# Ours. An attempt's own facts are not under `gen_ai`, where a backend would count and price them a second time.
ATTEMPT_NUMBER = "lamellar.attempt.number"
ATTEMPT_KIND = "lamellar.attempt.kind"
ATTEMPT_TARGET = "lamellar.attempt.target"
ATTEMPT_PROVIDER = "lamellar.attempt.provider"
ATTEMPT_MODEL = "lamellar.attempt.model"
ATTEMPT_REQUEST_ID = "lamellar.attempt.request_id"
ATTEMPT_BACKOFF = "lamellar.attempt.backoff"
ATTEMPT_INPUT_TOKENS = "lamellar.attempt.input_tokens"
ATTEMPT_OUTPUT_TOKENS = "lamellar.attempt.output_tokens"
FALLBACK_INDEX = "lamellar.fallback.index"
RATELIMIT_WAIT = "lamellar.ratelimit.wait"
STREAM_OUTCOME = "lamellar.stream.outcome"
CACHE_HIT = "lamellar.cache.hit"

METRIC_ATTEMPTS = "lamellar.attempts"
METRIC_FALLBACKS = "lamellar.fallbacks"
METRIC_CACHE_LOOKUPS = "lamellar.cache.lookups"
METRIC_LIMITER_WAIT = "lamellar.ratelimit.wait"
METRIC_INTERRUPTIONS = "lamellar.stream.interruptions"

TIME_BUCKETS = tuple([0.01 * 2**k for k in range(14)])
"""Seconds, from 10 ms to 82 s."""

TOKEN_BUCKETS = tuple([4**k for k in range(14)])
"""Tokens, from 1 to 67 million."""

PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "kimi": "moonshot_ai",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai_resp": "openai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""What the conventions call a provider, where that is not its namespace."""

FINISH_REASONS = {
    "completed": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_call": "tool_call",
    "content_filter": "content_filter",
    "other": "other",
}
"""What the conventions call a reason to stop."""
