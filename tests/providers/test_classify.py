"""The classification table. What nobody has recorded, with its body and its hints, is in `test_synthetic_errors.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamellar.errors import ErrorKind
from lamellar.providers.classify import MESSAGE_LIMIT, classify, clean, provider_error, request_id
from lamellar.providers.phrases import CONTENT_FILTER, CONTEXT_OVERFLOW


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "quota_exhausted"),
        (403, "permission_denied"),
        (404, "invalid_request"),
        (405, "invalid_request"),
        (408, "server_error"),
        (409, "server_error"),
        (413, "invalid_request"),
        (422, "invalid_request"),
        (425, "server_error"),
        (429, "rate_limited"),
        (498, "overloaded"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "overloaded"),
        (504, "timeout"),
        (520, "server_error"),
        (524, "timeout"),
        (529, "overloaded"),
        (302, "invalid_request"),
    ],
)
def test_a_status_alone(status: int, kind: str):
    assert classify(status, None, None, "", "openai") == kind


SAID = [
    # status, code, type, message, provider, kind
    (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", "openai", "quota_exhausted"),
    (429, "rate_limit_exceeded", "tokens", "Rate limit reached for gpt-4o", "openai", "rate_limited"),
    (429, None, "rate_limit_error", "Number of request tokens has exceeded", "anthropic", "rate_limited"),
    (
        429,
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan",
        "gemini",
        "rate_limited",
    ),
    (400, None, "invalid_request_error", "Your credit balance is too low to access", "anthropic", "quota_exhausted"),
    (402, None, "unknown_error", "Insufficient Balance", "deepseek", "quota_exhausted"),
    (
        403,
        None,
        None,
        "Your team has run out of credits or reached its monthly spending limit",
        "xai",
        "quota_exhausted",
    ),
    (429, "1113", None, "余额不足或无可用资源包,请充值。", "zai", "quota_exhausted"),
    (429, "1302", None, "High concurrency", "zai", "rate_limited"),
    (500, None, "overloaded_error", "Overloaded", "anthropic", "overloaded"),
    (529, None, "overloaded_error", "Overloaded", "anthropic", "overloaded"),
    (503, 503, "UNAVAILABLE", "The model is overloaded", "gemini", "overloaded"),
    (503, "slow_down", "server_error", "Slow down", "openai", "overloaded"),
    (404, "model_not_found", "invalid_request_error", "The model `x` does not exist", "groq", "model_not_found"),
    (404, "DeploymentNotFound", "invalid_request_error", "The API deployment", "azure", "model_not_found"),
    (404, None, "not_found_error", "model: claude-9", "anthropic", "model_not_found"),
    (404, 404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta", "gemini", "model_not_found"),
    (404, 404, None, "No endpoints found for acme/llama.", "openrouter", "model_not_found"),
    (404, None, None, "404 page not found", "ollama", "invalid_request"),
    (404, None, "invalid_request_error", "Invalid URL (POST /v1/chat/complete)", "openai", "invalid_request"),
    (400, "1500", "invalid_model", "Invalid model: mistral-huge", "mistral", "model_not_found"),
    (400, 400, None, "acme/llama is not a valid model ID", "openrouter", "model_not_found"),
    (400, "invalid_image_url", "invalid_request_error", "Error while downloading", "openai", "invalid_request"),
    (400, "tool_use_failed", "invalid_request_error", "Tool choice is required", "groq", "invalid_request"),
    (400, 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", "gemini", "unauthorized"),
    (400, None, None, "Incorrect API key provided: xx", "xai", "unauthorized"),
    (401, "invalid_api_key", "invalid_request_error", "Incorrect API key", "openai", "unauthorized"),
    (403, "unsupported_country_region_territory", None, "Country not supported", "openai", "permission_denied"),
    (403, None, "permission_error", "Your API key lacks", "anthropic", "permission_denied"),
    (400, "context_length_exceeded", "invalid_request_error", "too long", "openai", "context_overflow"),
    (400, "string_above_max_length", None, "string too long", "openai", "context_overflow"),
    (
        413,
        "tokens_limit_reached",
        None,
        "Request body too large for gpt-4o model. Max size: 8000",
        "github",
        "context_overflow",
    ),
    (
        413,
        "rate_limit_exceeded",
        "tokens",
        "Request too large for model `x` on tokens per minute",
        "groq",
        "context_overflow",
    ),
    (413, None, "request_too_large", "Request exceeds the maximum size", "anthropic", "invalid_request"),
    (400, "content_filter", None, "The response was filtered", "azure", "content_filtered"),
    (400, "content_policy_violation", None, "Your request was rejected", "openai", "content_filtered"),
    (400, "ResponsibleAIPolicyViolation", None, "", "azure", "content_filtered"),
    (
        403,
        403,
        None,
        "Your chosen model requires moderation and your input was flagged for x",
        "openrouter",
        "content_filtered",
    ),
    (400, "data_inspection_failed", "data_inspection_failed", "Input data may contain", "aliyun", "content_filtered"),
    (504, None, "timeout_error", "Request timed out", "anthropic", "timeout"),
    (503, None, "timeout_error", "upstream", "anthropic", "timeout"),
    (422, None, None, "max_tokens must be positive", "mistral", "invalid_request"),
]


@pytest.mark.parametrize(("status", "code", "type_", "message", "provider", "kind"), SAID)
def test_what_is_said_with_a_status(
    status: int, code: str | int | None, type_: str | None, message: str, provider: str, kind: str
):
    assert classify(status, code, type_, message, provider) == kind


@pytest.mark.parametrize(("status", "code", "type_", "message", "provider", "kind"), SAID)
def test_the_same_in_band_with_the_status_as_its_code(
    status: int, code: str | int | None, type_: str | None, message: str, provider: str, kind: str
):
    if code is None or isinstance(code, int):
        assert classify(200, status, type_, message, provider) == kind
        assert classify(None, str(status), type_, message, provider) == kind


@pytest.mark.parametrize(
    ("code", "type_", "message", "kind"),
    [
        (None, None, "Something broke", "server_error"),
        (None, "weird_error", "", "server_error"),
        (None, "overloaded_error", "Overloaded", "overloaded"),
        (None, "rate_limit_error", "", "rate_limited"),
        (None, "invalid_request_error", "bad", "invalid_request"),
        ("tool_use_failed", "invalid_request_error", "Tool call validation failed", "invalid_request"),
        (None, "invalid_request_error", "prompt is too long: 9 tokens", "context_overflow"),
        (None, "invalid_request_error", "The model `x` does not exist", "model_not_found"),
        ("context_length_exceeded", None, "", "context_overflow"),
        (None, "authentication_error", "", "unauthorized"),
        (None, "api_error", "Internal", "server_error"),
        ("server_error", None, "", "server_error"),
        (402, None, "Insufficient credits", "quota_exhausted"),
        (502, None, "Provider returned error", "server_error"),
        (7, None, "", "server_error"),
        (None, None, "You have insufficient credits", "quota_exhausted"),
    ],
)
def test_in_band_without_a_status(code: str | int | None, type_: str | None, message: str, kind: str):
    assert classify(200, code, type_, message, "openrouter") == kind
    assert classify(None, code, type_, message, "openrouter") == kind


TOO_LONG = [
    (
        "openai",
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens.",
    ),
    ("openai", "Your input exceeds the context window of this model. Please adjust your input and try again."),
    ("anthropic", "prompt is too long: 213462 tokens > 200000 maximum"),
    ("anthropic", "input length and `max_tokens` exceed context limit: 197202 + 21333 > 200000"),
    ("gemini", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    ("vertex", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    (
        "mistral",
        "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    ),
    ("groq", "Please reduce the length of the messages or completion."),
    ("groq", "Request too large for model `llama` in organization on tokens per minute (TPM): Limit 6000"),
    ("xai", "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
    ("openrouter", "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000"),
    ("together", "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193."),
    ("huggingface", "Input validation error: `inputs` must have less than 4096 tokens."),
    ("fireworks", "The prompt is too long: 150000, model maximum context length: 131071"),
    ("cerebras", "Current length is 9000 while limit is 8192"),
    ("cohere", "too many tokens: total number of tokens in the prompt cannot exceed 4081"),
    ("bedrock", "Input is too long for requested model."),
    ("deepseek", "This model's maximum context length is 65536 tokens."),
    ("aliyun", "Range of input length should be [1, 30720]"),
    ("qwen_cloud", "Range of input length should be [1, 30720]"),
    ("moonshot", "Invalid request: Your request exceeded model token limit: 8192"),
    ("kimi", "Invalid request: Your request exceeded model token limit: 8192"),
    ("zai", "Prompt exceeds max length"),
    ("bigmodel", "Prompt 超长"),
    ("github", "Request body too large for gpt-4o model. Max size: 8000 tokens."),
    ("minimax", "invalid params, context window exceeds limit"),
    ("ollama", "the input length exceeds the context length"),
    ("llamacpp", "the request exceeds the available context size, try increasing it"),
    ("lmstudio", "The number of tokens to keep from the initial prompt is greater than the context length"),
    ("vllm", "The decoder prompt (length 9000) is longer than the maximum model length of 4096."),
]

BLOCKED = [
    ("openai", "Your request was rejected as a result of our safety system."),
    ("openai", "Invalid prompt: your prompt was flagged as potentially violating our usage policy."),
    ("azure", "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."),
    ("anthropic", "Output blocked by content filtering policy"),
    ("gemini", "The prompt was blocked due to safety"),
    ("vertex", "The response is blocked due to prohibited_content"),
    ("bedrock", "The generated text has been blocked by our content filters."),
    ("xai", "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE"),
    ("openrouter", "Your chosen model requires moderation and your input was flagged for violence"),
    ("cohere", "blocked output: please try again with another prompt"),
    ("deepseek", "Content Exists Risk"),
    ("aliyun", "Input data may contain inappropriate content."),
    ("qwen_cloud", "Input data may contain inappropriate content."),
    ("moonshot", "The request was rejected because it was considered high risk"),
    ("kimi", "The request was rejected because it was considered high risk"),
    ("zai", "The system detected potentially unsafe or sensitive content in input or generation."),
    ("bigmodel", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
    ("minimax", "input new_sensitive"),
]


@pytest.mark.parametrize(("provider", "message"), TOO_LONG)
def test_phrases_of_context_overflow(provider: str, message: str):
    for status in (400, 413, 422):
        assert classify(status, None, "invalid_request_error", message, provider) is ErrorKind.CONTEXT_OVERFLOW
    assert classify(200, None, None, message, provider) is ErrorKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize(("provider", "message"), BLOCKED)
def test_phrases_of_the_content_filter(provider: str, message: str):
    for status in (400, 403):
        assert classify(status, None, "invalid_request_error", message, provider) is ErrorKind.CONTENT_FILTERED
    assert classify(200, None, None, message, provider) is ErrorKind.CONTENT_FILTERED


def test_every_providers_own_phrases_are_tested():
    assert set(CONTEXT_OVERFLOW) - {"*"} <= {provider for provider, _ in TOO_LONG}
    assert set(CONTENT_FILTER) - {"*"} <= {provider for provider, _ in BLOCKED}


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 200000. This model supports at most 16384 completion tokens",
        "Unknown parameter: 'context'",
        "Invalid type for 'messages[0].content'",
        "tools[0].function.name is too long",
        "The content of the message must be a string",
    ],
)
def test_an_ordinary_mistake_is_neither(message: str):
    for provider in ("openai", "anthropic", "groq", "mistral"):
        assert classify(400, None, "invalid_request_error", message, provider) is ErrorKind.INVALID_REQUEST


def test_messages_are_scrubbed_before_they_are_cut():
    key = "sk-proj-" + "a" * 60
    assert key not in clean(f"Incorrect API key provided: {key}")
    assert "hunter22" not in clean("the key hunter22 is wrong", "hunter22")
    long = clean("x" * (MESSAGE_LIMIT - 20) + f" {key} " + "y" * 5000)
    assert len(long) <= MESSAGE_LIMIT
    assert "sk-proj" not in long


def test_an_error_has_everything():
    error = provider_error(
        provider="openai",
        model="gpt-4o",
        status=429,
        headers={"X-Request-Id": "req_1", "retry-after": "3", "cf-ray": "ray"},
        message="Slow down",
        code="rate_limit_exceeded",
    )
    assert (error.kind, error.status, error.code) == ("rate_limited", 429, "rate_limit_exceeded")
    assert (error.retry_after, error.request_id) == (3.0, "req_1")
    assert (error.provider, error.model, error.message) == ("openai", "gpt-4o", "Slow down")
    assert error.retryable


def test_should_retry_overrides_but_never_mends_what_no_retry_mends():
    def error(status: int, said: str, code: str | None = None) -> bool:
        headers = {"x-should-retry": said}
        made = provider_error(provider="p", model="m", status=status, headers=headers, message="", code=code)
        return made.retryable

    assert error(429, "false") is False
    assert error(504, "true") is True
    assert error(429, "true", "insufficient_quota") is False
    assert error(400, "true", "context_length_exceeded") is False


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"cf-ray": "c", "x-request-id": "x"}, "x"),
        ({"cf-ray": "c", "Request-Id": "r"}, "r"),
        ({"cf-ray": "c", "x-amzn-RequestId": "a"}, "a"),
        ({"cf-ray": "c"}, "c"),
        ({}, None),
    ],
)
def test_request_ids(headers: dict[str, str], found: str | None):
    assert request_id(headers) == found


@given(
    st.none() | st.integers(100, 700),
    st.none() | st.text(max_size=30) | st.integers(),
    st.none() | st.text(max_size=30),
    st.text(max_size=200),
    st.sampled_from(["openai", "gemini", "zai", "nobody", ""]),
)
def test_anything_has_a_kind(status, code, type_, message, provider):
    assert classify(status, code, type_, message, provider) in ErrorKind
