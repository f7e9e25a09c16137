"""What nobody has recorded: 5xx, 529, and a 429 with each kind of hint, in every dialect.

These cases are synthetic: written by hand from what the providers document, and from what their SDKs look for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lamellar.errors import ErrorKind, ExecutorError
from lamellar.providers.dialects import DIALECTS, dialect_named
from lamellar.providers.wire import Exchange

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
ALL = tuple(sorted(DIALECTS))
OPENAI = ("chat", "responses")
GOOGLE = ("gemini", "vertex", "anthropic_vertex")
CLAUDE = ("anthropic", "anthropic_vertex")


@dataclass(frozen=True)
class Provider:
    """Who speaks a dialect, and the model that is asked."""

    namespace: str
    model: str


PROVIDERS = {
    "anthropic": Provider("anthropic", "claude-haiku-4-5"),
    "anthropic_vertex": Provider("vertex", "claude-sonnet-4-5@20250929"),
    "chat": Provider("openai", "gpt-4o-mini"),
    "cohere": Provider("cohere", "command-a-03-2025"),
    "converse": Provider("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "gemini": Provider("gemini", "gemini-2.5-flash"),
    "ollama": Provider("ollama_cloud", "gpt-oss:120b"),
    "responses": Provider("openai_resp", "gpt-5-mini"),
    "vertex": Provider("vertex", "gemini-2.5-flash"),
}


def read(
    dialect: str, status: int, body: object, headers: Mapping[str, str] | None = None, *, wall: float | None = NOW
) -> ExecutorError:
    """The error that a dialect makes of a response; a text is the body as it stands, all else is JSON."""
    who = PROVIDERS[dialect]
    exchange = Exchange(who.namespace, who.model, wall=None if wall is None else lambda: wall)
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = dialect_named(dialect, who.namespace).parse_error(exchange, status, headers or {}, data)
    assert (error.status, error.provider, error.model) == (status, who.namespace, who.model)
    return error


def openai(message: str, type_: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": None, "code": code}}


def claude(message: str, type_: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_011"}


def google(message: str, code: int, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": list(details)} if details else error}


def aws(message: str, name: str) -> dict[str, Any]:
    return {"__type": f"com.amazon.coral.service#{name}", "message": message}


FAILED = "The server had an error while processing your request. Sorry about that!"
BUSY = "The engine is currently overloaded, please try again later."
LATE = "The server took too long to answer."
WORDS = {500: FAILED, 502: "Bad gateway.", 503: BUSY, 504: LATE, 529: BUSY}
ANTHROPIC_TYPES = {504: "timeout_error", 529: "overloaded_error"}
GOOGLE_STATUSES = {500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
AWS_NAMES = {500: "InternalServerException", 503: "ServiceUnavailableException"}


def told(dialect: str, status: int) -> object:
    """A provider's own body for a status of its servers."""
    message = WORDS[status]
    match dialect:
        case "chat" | "responses":
            return openai(message, "server_error")
        case "anthropic" | "anthropic_vertex":
            return claude(message, ANTHROPIC_TYPES.get(status, "api_error"))
        case "gemini" | "vertex":
            return google(message, status, GOOGLE_STATUSES.get(status, "UNKNOWN"))
        case "converse":
            return aws(message, AWS_NAMES[status]) if status in AWS_NAMES else {"message": message}
        case "cohere":
            return {"id": "r-1", "message": message}
        case "ollama":
            return {"error": message}
    raise AssertionError(f"write what a provider of the dialect {dialect!r} says")


KINDS = {
    500: ErrorKind.SERVER_ERROR,
    502: ErrorKind.SERVER_ERROR,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}


class TestSyntheticServerErrors:
    @pytest.mark.parametrize("status", KINDS)
    @pytest.mark.parametrize("dialect", ALL)
    def test_are_told_by_the_provider(self, dialect: str, status: int):
        error = read(dialect, status, told(dialect, status))
        assert error.kind == KINDS[status]
        assert WORDS[status] in error.message
        assert error.retryable is (status != 504), "a route that was silent once is left for the next target"
        assert error.failover
        assert error.counts_against_health
        assert error.retry_after is None

    @pytest.mark.parametrize("status", KINDS)
    @pytest.mark.parametrize("dialect", ALL)
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("<html><head><title>Bad Gateway</title></head></html>", "an HTML page titled 'Bad Gateway'"),
            ("upstream connect error\nor disconnect", "upstream connect error or disconnect"),
            ("", "the provider gave no message"),
        ],
        ids=["page", "text", "nothing"],
    )
    def test_are_told_by_what_stands_before_it(self, dialect: str, status: int, body: str, message: str):
        error = read(dialect, status, body, {"content-type": "text/html"})
        assert error.kind == KINDS[status]
        assert message in error.message

    @pytest.mark.parametrize("status", KINDS)
    @pytest.mark.parametrize(("told_wait", "seconds"), [("7", 7.0), ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0)])
    @pytest.mark.parametrize("dialect", ALL)
    def test_say_when_to_come_back(self, dialect: str, status: int, told_wait: str, seconds: float):
        assert read(dialect, status, told(dialect, status), {"retry-after": told_wait}).retry_after == seconds

    @pytest.mark.parametrize("status", KINDS)
    @pytest.mark.parametrize("dialect", ALL)
    def test_say_nothing_by_limits_that_are_full_by_chance(self, dialect: str, status: int):
        headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "60s"}
        assert read(dialect, status, told(dialect, status), headers).retry_after is None

    @pytest.mark.parametrize("platform", [False, True], ids=["of the model", "of the platform"])
    def test_of_claude_on_vertex_are_in_either_form(self, platform: bool):
        body = [google(BUSY, 503, "UNAVAILABLE")] if platform else claude(BUSY, "overloaded_error")
        assert read("anthropic_vertex", 503, body).kind == "overloaded"


LIMITED: dict[str, object] = {
    "anthropic": claude("This request would exceed your organization's rate limit of 50 requests.", "rate_limit_error"),
    "anthropic_vertex": [google("Quota exceeded for online_prediction_requests.", 429, "RESOURCE_EXHAUSTED")],
    "chat": openai("Rate limit reached for gpt-4o-mini on requests per min.", "requests", "rate_limit_exceeded"),
    "cohere": {"id": "r-1", "message": "You are past the per minute request limit."},
    "converse": aws("Too many requests.", "ThrottlingException"),
    "gemini": google("You exceeded your current quota.", 429, "RESOURCE_EXHAUSTED"),
    "ollama": {"error": "too many requests"},
    "responses": openai("Rate limit reached for gpt-5-mini on tokens per min.", "tokens", "rate_limit_exceeded"),
    "vertex": google("Resource exhausted. Please try again later.", 429, "RESOURCE_EXHAUSTED"),
}
"""A 429 of each dialect without a hint."""

RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}


@dataclass(frozen=True)
class Hint:
    """How a provider says when to come back.

    Args:
        seconds: What it means.
        headers: What it says in headers.
        body: What it says in place of the usual body.
        dialects: Where it is said.
    """

    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    body: object = None
    dialects: tuple[str, ...] = ALL


def again(dialect: str, when: str) -> object:
    """OpenAI's sentence, at the end of its message."""
    told: Any = json.loads(json.dumps(LIMITED[dialect]))
    told["error"]["message"] += f" Limit: 3 / min. Please try again in {when}. Contact us through our help center."
    return told


ANTHROPIC_LIMITS = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "12",
    "anthropic-ratelimit-requests-reset": "2023-11-14T22:14:20Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:43Z",
}
OPENAI_LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "8.64s",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-tokens": "6m0s",
}
HINTS = {
    "seconds": Hint(21.0, {"retry-after": "21"}),
    "a part of a second": Hint(0.5, {"Retry-After": "0.5"}),
    "a date": Hint(30.0, {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}),
    "a date that has passed": Hint(0.0, {"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}),
    "milliseconds": Hint(1.5, {"retry-after-ms": "1500", "retry-after": "2"}),
    "a limit that is full": Hint(360.0, OPENAI_LIMITS, dialects=OPENAI),
    "two limits that are full": Hint(360.0, {**OPENAI_LIMITS, "x-ratelimit-remaining-requests": "0"}, dialects=OPENAI),
    "a limit that is full, and seconds": Hint(2.0, {**OPENAI_LIMITS, "retry-after": "2"}, dialects=OPENAI),
    "milliseconds until it is not": Hint(
        0.012, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12ms"}, dialects=OPENAI
    ),
    "a moment at Anthropic": Hint(23.0, ANTHROPIC_LIMITS, dialects=("anthropic",)),
    "a moment at Anthropic, and seconds": Hint(5.0, {**ANTHROPIC_LIMITS, "retry-after": "5"}, dialects=("anthropic",)),
    "details at Google": Hint(
        34.4, body=google("Exhausted.", 429, "RESOURCE_EXHAUSTED", {"@type": "other"}, RETRY_INFO), dialects=GOOGLE
    ),
    "details at Google, in a list": Hint(
        34.4, body=[google("Exhausted.", 429, "RESOURCE_EXHAUSTED", RETRY_INFO)], dialects=GOOGLE
    ),
    "a sentence of Google's": Hint(
        12.5, body=google("Exhausted. Please retry in 12.5s.", 429, "RESOURCE_EXHAUSTED"), dialects=GOOGLE
    ),
    **{
        f"a sentence of OpenAI's in {dialect}, {when}": Hint(seconds, body=again(dialect, when), dialects=(dialect,))
        for dialect in OPENAI
        for when, seconds in (("1.2s", 1.2), ("20ms", 0.02), ("7m12s", 432.0))
    },
}


class TestSyntheticRateLimits:
    @pytest.mark.parametrize("dialect", ALL)
    def test_without_a_hint(self, dialect: str):
        error = read(dialect, 429, LIMITED[dialect])
        assert error.kind == "rate_limited"
        assert (error.retryable, error.failover, error.counts_against_health) == (True, True, False)
        assert error.retry_after is None

    @pytest.mark.parametrize(
        ("dialect", "hint"),
        [
            pytest.param(dialect, hint, id=f"{name}-{dialect}")
            for name, hint in HINTS.items()
            for dialect in hint.dialects
        ],
    )
    def test_with_a_hint(self, dialect: str, hint: Hint):
        error = read(dialect, 429, LIMITED[dialect] if hint.body is None else hint.body, hint.headers)
        assert error.kind == "rate_limited"
        assert error.retryable
        assert error.retry_after == pytest.approx(hint.seconds)

    @pytest.mark.parametrize("dialect", ALL)
    def test_with_a_date_and_the_servers_clock_alone(self, dialect: str):
        dates = {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}
        assert read(dialect, 429, LIMITED[dialect], dates, wall=None).retry_after == 30.0
        del dates["date"]
        assert read(dialect, 429, LIMITED[dialect], dates, wall=None).retry_after is None

    @pytest.mark.parametrize("dialect", ALL)
    def test_with_a_hint_that_is_none(self, dialect: str):
        for hint in ("soon", "-1", "nan", "inf", ""):
            assert read(dialect, 429, LIMITED[dialect], {"retry-after": hint}).retry_after is None


class TestSyntheticVerdicts:
    """`x-should-retry`, as OpenAI and Anthropic send it, and whatever gateway copies them."""

    @pytest.mark.parametrize("said", [True, False])
    @pytest.mark.parametrize("status", [429, *KINDS])
    @pytest.mark.parametrize("dialect", ALL)
    def test_are_the_servers_where_it_says_one(self, dialect: str, status: int, said: bool):
        body = LIMITED[dialect] if status == 429 else told(dialect, status)
        error = read(dialect, status, body, {"x-should-retry": str(said).lower()})
        assert error.retryable is said
        assert error.failover, "another target may do better all the same"
        assert error.kind == ("rate_limited" if status == 429 else KINDS[status])


DAILY = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "50"}],
}
SPENT = {
    "a month's credit at OpenAI": (
        "chat",
        429,
        openai("You exceeded your current quota, please check your plan.", "insufficient_quota", "insufficient_quota"),
    ),
    "the same by Responses": (
        "responses",
        429,
        openai("You exceeded your current quota, please check your plan.", "insufficient_quota", "insufficient_quota"),
    ),
    "credit at Anthropic": (
        "anthropic",
        400,
        claude("Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
    ),
    "a bill at Anthropic": ("anthropic", 402, claude("There's an issue with your billing.", "billing_error")),
    "a day's requests at Gemini": ("gemini", 429, google("Exhausted.", 429, "RESOURCE_EXHAUSTED", DAILY, RETRY_INFO)),
    "a month's calls at Cohere": (
        "cohere",
        429,
        {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
    ),
    "a day's tokens at Bedrock": (
        "converse",
        429,
        aws("Too many tokens per day, please wait before trying again.", "ThrottlingException"),
    ),
    "a week's usage at Ollama": ("ollama", 429, {"error": "you've reached your weekly usage limit"}),
}


@pytest.mark.parametrize("said", [{}, {"retry-after": "2", "x-should-retry": "true"}], ids=["plain", "come back"])
@pytest.mark.parametrize(("dialect", "status", "body"), SPENT.values(), ids=SPENT)
def test_synthetic_quota_that_no_wait_of_seconds_mends(dialect: str, status: int, body: object, said: dict[str, str]):
    error = read(dialect, status, body, said)
    assert error.kind == "quota_exhausted"
    assert (error.retryable, error.failover, error.counts_against_health) == (False, True, True)
