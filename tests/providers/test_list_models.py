"""Which models a provider offers, asked over real HTTP in each dialect's form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from lamellar import (
    ConfigError,
    ErrorKind,
    ExecutorError,
    RejectedError,
    Stack,
    SyncExecutor,
    Target,
)
from lamellar.middleware import Fallback, Retry
from lamellar.providers import (
    Anthropic,
    Auto,
    AzureOpenAI,
    Cohere,
    Gemini,
    ListedModel,
    Ollama,
    OpenAI,
    OpenAIResponses,
    Vertex,
)
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import HtmlPage, Reply, RequestLog, Silence, Status, server_error
from lamellar.testing.simulator.steps import Scene, Step, whole

KEY = "sk-sentinel-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Page(Reply):
    """A body of JSON."""

    body: object

    def steps(self, scene: Scene) -> Iterator[Step]:
        return whole(200, json.dumps(self.body).encode())


FORMS = [
    pytest.param(OpenAI, "chat", "openai", "/v1/models", "authorization", id="chat"),
    pytest.param(OpenAIResponses, "responses", "openai_resp", "/v1/models", "authorization", id="responses"),
    pytest.param(Anthropic, "anthropic", "anthropic", "/v1/models?limit=1000", "x-api-key", id="anthropic"),
    pytest.param(Gemini, "gemini", "gemini", "/v1beta/models?pageSize=1000", "x-goog-api-key", id="gemini"),
    pytest.param(Cohere, "cohere", "cohere", "/v1/models?page_size=1000&endpoint=chat", "authorization", id="cohere"),
    pytest.param(Ollama, "ollama", "ollama", "/api/tags", "authorization", id="ollama"),
]


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
@pytest.mark.parametrize(("provider", "dialect", "namespace", "path", "header"), FORMS)
async def test_each_dialect_has_its_form(
    provider: type, dialect: str, namespace: str, path: str, header: str, engine: str
) -> None:
    with ProviderSimulator(dialect=dialect, models=["one", "two"], require_key=KEY) as simulator:
        leaf = provider(base_url=simulator.base_url, api_key=KEY, engine=engine, headers={"x-mine": "1"})
        async with Stack(Retry(), leaf).build() as executor:
            models = await executor.list_models()
        (request,) = simulator.requests
    assert [(each.id, each.provider) for each in models] == [("one", namespace), ("two", namespace)]
    assert (request.method, request.path, request.body) == ("GET", path, b"")
    assert KEY in request.headers[header]
    assert (request.headers["x-mine"], request.headers["accept"]) == ("1", "application/json")
    assert KEY not in request.path


BEFORE = datetime(2025, 3, 1, tzinfo=UTC)
RFC_3339 = "2025-03-01T00:00:00Z"


@pytest.mark.parametrize(
    ("provider", "dialect", "item", "body", "listed"),
    [
        (
            OpenAI,
            "chat",
            {"id": "m", "created": int(BEFORE.timestamp()), "context_window": 8192, "max_completion_tokens": 4096},
            "data",
            ListedModel("m", "openai", BEFORE, 8192, 4096),
        ),
        (
            OpenAI,
            "chat",
            {"id": "a/m", "name": "M", "context_length": 9, "top_provider": {"max_completion_tokens": 5}},
            "data",
            ListedModel("a/m", "openai", None, 9, 5, "M"),
        ),
        (
            OpenAI,
            "chat",
            {"id": "m", "created": -1, "max_model_len": True, "context_length": "9", "name": "m"},
            "data",
            ListedModel("m", "openai"),
        ),
        (
            Anthropic,
            "anthropic",
            {"id": "m", "display_name": "M", "created_at": RFC_3339, "max_input_tokens": 9, "max_tokens": 5},
            "data",
            ListedModel("m", "anthropic", BEFORE, 9, 5, "M"),
        ),
        (
            Gemini,
            "gemini",
            {"name": "models/m", "displayName": "M", "inputTokenLimit": 9, "outputTokenLimit": 5},
            "models",
            ListedModel("m", "gemini", None, 9, 5, "M"),
        ),
        (Cohere, "cohere", {"name": "m", "context_length": 9.0}, "models", ListedModel("m", "cohere", None, 9)),
        (
            Ollama,
            "ollama",
            {"name": "m:latest", "modified_at": "2025-03-01T02:00:00+02:00"},
            "models",
            ListedModel("m:latest", "ollama", BEFORE),
        ),
    ],
)  # fmt: skip
async def test_what_a_provider_says_of_a_model(
    provider: type, dialect: str, item: dict[str, object], body: str, listed: ListedModel
) -> None:
    page = Page({body: [item, "nonsense", {"id": 0.5, "name": []}]})
    with ProviderSimulator(dialect=dialect, rules={"/": page}) as simulator:
        async with Stack(provider(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            assert await executor.list_models() == (listed,)


IDS = [{"id": "a"}, {"id": "b"}]
NAMES = [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("provider", "dialect", "body"),
    [
        (OpenAI, "chat", {"object": "list", "data": []}),
        (OpenAI, "chat", []),
        (Ollama, "ollama", {"models": None}),  # as Go writes an empty one
        (Gemini, "gemini", {}),  # as Google does
    ],
)
async def test_a_list_may_be_empty(provider: type, dialect: str, body: object) -> None:
    with ProviderSimulator(dialect=dialect, rules={"/": Page(body)}) as simulator:
        async with Stack(provider(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            assert await executor.list_models() == ()


@pytest.mark.parametrize(("provider", "dialect"), [(Anthropic, "anthropic"), (Gemini, "gemini"), (Cohere, "cohere")])
async def test_what_is_no_list_is_no_empty_one(provider: type, dialect: str) -> None:
    with ProviderSimulator(dialect=dialect, rules={"/": Page({"x": 1})}) as simulator:
        async with Stack(provider(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            with pytest.raises(ExecutorError, match=r"the list of models has no '.*' that is a list") as caught:
                await executor.list_models()
    assert caught.value.kind is ErrorKind.MALFORMED


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("/openai/v1", "/openai/v1/models"),
        ("/openai/deployments/d", "/openai/v1/models"),
        ("/openai/deployments/d?api-version=2024-10-21", "/openai/models?api-version=2024-10-21"),
        ("/openai?api-version=2024-10-21", "/openai/models?api-version=2024-10-21"),
    ],
)
def test_azure_lists_a_resources_models_not_a_deployments(base_url: str, url: str) -> None:
    address, _, version = base_url.partition("?api-version=")
    spec = AzureOpenAI(base_url=f"https://r.openai.azure.com{address}", api_key=KEY, api_version=version or None)
    listing = spec.wire_format().models
    assert listing is not None
    assert listing.ask(spec.endpoint(), None).url == f"https://r.openai.azure.com{url}"


async def test_azures_model_inference_has_no_list() -> None:
    spec = AzureOpenAI(base_url="https://r.services.ai.azure.com/models", api_key=KEY)
    async with Stack(spec).build() as executor:
        with pytest.raises(ExecutorError, match=r"list_models: .*look in the portal") as caught:
            await executor.list_models()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.INVALID_REQUEST, "unsupported")


async def test_a_bare_list_is_a_list_too() -> None:
    with ProviderSimulator(rules={"/v1/models": Page([{"id": "m"}])}) as simulator:
        async with Stack(OpenAI(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            assert [each.id for each in await executor.list_models()] == ["m"]


@pytest.mark.parametrize(
    ("provider", "dialect", "pages", "asked"),
    [
        (
            Anthropic,
            "anthropic",
            [{"data": IDS, "has_more": True, "last_id": "b"}, {"data": [{"id": "c"}], "has_more": False}],
            "after_id=b",
        ),
        (
            Gemini,
            "gemini",
            [{"models": NAMES, "nextPageToken": "b&c"}, {"models": [{"name": "models/c"}]}],
            "pageToken=b%26c",
        ),
        (
            Cohere,
            "cohere",
            [{"models": NAMES, "next_page_token": "p2"}, {"models": [{"name": "c"}]}],
            "page_token=p2",
        ),
        (
            OpenAI,
            "chat",
            [{"data": IDS, "has_more": True, "last_id": "b"}, {"data": [{"id": "c"}]}],
            "after=b",
        ),
    ],
)  # fmt: skip
async def test_every_page_is_asked_for(provider: type, dialect: str, pages: list[object], asked: str) -> None:
    def page(request: RequestLog) -> Reply:
        return Page(pages[1] if asked in request.path else pages[0])

    with ProviderSimulator(dialect=dialect, rules={"/": page}) as simulator:
        async with Stack(provider(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            assert [each.id for each in await executor.list_models()] == ["a", "b", "c"]
        assert simulator.request_count == 2


async def test_a_list_without_an_end_is_given_up() -> None:
    again = Page({"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    with ProviderSimulator(dialect="anthropic", rules={"/": again}) as simulator:
        async with Stack(Anthropic(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.list_models()
        assert simulator.request_count == 2
    assert caught.value.kind is ErrorKind.MALFORMED

    def endless(request: RequestLog) -> Reply:
        last = str(simulator.request_count)
        return Page({"data": [{"id": "a"}], "has_more": True, "last_id": last})

    with ProviderSimulator(dialect="anthropic", rules={"/": endless}) as simulator:
        async with Stack(Anthropic(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            with pytest.raises(ExecutorError):
                await executor.list_models()
        assert simulator.request_count == 100


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (server_error(), ErrorKind.SERVER_ERROR, 500),
        (Status(401), ErrorKind.UNAUTHORIZED, 401),
        (HtmlPage(404), ErrorKind.INVALID_REQUEST, 404),
        (HtmlPage(), ErrorKind.MALFORMED, 200),
        (Page("models"), ErrorKind.MALFORMED, 200),
        (Page({"x": 1}), ErrorKind.MALFORMED, 200),
        (Page({"data": {"id": "m"}}), ErrorKind.MALFORMED, 200),
        (Page({"data": ["m", {"id": 0.5}]}), ErrorKind.MALFORMED, 200),
        (Page({"error": {"message": "no", "code": "insufficient_quota"}}), ErrorKind.QUOTA_EXHAUSTED, 200),
    ],
)
async def test_its_errors_are_classified_like_a_calls(engine: str, reply: Reply, kind: ErrorKind, status: int) -> None:
    with ProviderSimulator(rules={"/": reply}) as simulator:
        leaf = OpenAI(base_url=simulator.base_url, api_key=KEY, engine=engine)
        async with Stack(leaf).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.list_models()
    assert (caught.value.kind, caught.value.status, caught.value.provider) == (kind, status, "openai")
    assert caught.value.model is None
    assert KEY not in str(caught.value)


async def test_it_takes_bounded_time() -> None:
    with ProviderSimulator(rules={"/": Silence()}) as simulator:
        async with Stack(OpenAI(base_url=simulator.base_url, api_key=KEY)).build() as executor:
            with pytest.raises(ExecutorError) as caught:
                await executor.list_models(timeout="50ms")
            with pytest.raises(ConfigError, match="timeout"):
                await executor.list_models(timeout="soon")
    assert (caught.value.kind, caught.value.code) == (ErrorKind.TIMEOUT, "list_models")


async def test_an_api_without_a_list_says_so() -> None:
    async with Stack(Vertex(api_key=KEY, project="p", location="us")).build() as executor:
        with pytest.raises(ExecutorError) as caught:
            await executor.list_models()
    assert (caught.value.kind, caught.value.code) == (ErrorKind.INVALID_REQUEST, "unsupported")
    assert caught.value.provider in caught.value.message


async def test_every_leaf_of_a_stack_is_asked_once() -> None:
    with (
        ProviderSimulator(models=["gpt"]) as simulator,
        ProviderSimulator(dialect="anthropic", models=["claude"]) as other,
    ):
        openai = OpenAI(base_url=simulator.base_url, api_key=KEY)
        anthropic = Anthropic(base_url=other.base_url, api_key=KEY)
        stack = Stack(Fallback(Target(Retry(), openai, model="a"), Target(openai, model="b"), anthropic))
        async with stack.build() as executor:
            assert [each.id for each in await executor.list_models()] == ["gpt", "claude"]
            assert (simulator.request_count, other.request_count) == (1, 1)
            assert [each.id for each in await executor.list_models("anthropic")] == ["claude"]
            with pytest.raises(ConfigError, match=r"no provider 'anthropc' in this stack.*'anthropic'"):
                await executor.list_models("anthropc")
        with pytest.raises(RejectedError):
            await executor.list_models()
        assert simulator.request_count == 1


async def test_auto_asks_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    with ProviderSimulator(models=["llama"], require_key=KEY) as simulator:
        auto = Auto(providers={"groq": {"base_url": simulator.base_url, "api_key": KEY}})
        async with Stack(auto).build() as executor:
            with pytest.raises(ConfigError, match="name the one to ask"):
                await executor.list_models()
            for _ in range(2):
                assert [(each.id, each.provider) for each in await executor.list_models("groq")] == [("llama", "groq")]
            assert [each.id for each in await executor.list_models()] == ["llama"], "groq was asked before"
            with pytest.raises(ConfigError, match="MISTRAL_API_KEY"):
                await executor.list_models("mistral")
            with pytest.raises(ConfigError, match=r"namespace: unknown namespace 'grok'; did you mean 'groq'") as told:
                await executor.list_models("grok")
    assert "any" not in str(told.value), "nobody typed a model"


def test_synchronous_code_asks_too() -> None:
    with ProviderSimulator(models=["one"]) as simulator:
        stack = Stack(OpenAI(base_url=simulator.base_url, api_key=KEY))
        with SyncExecutor(stack.build()) as executor:
            assert [each.id for each in executor.list_models()] == ["one"]
