"""Azure OpenAI as a declaration: where a call goes, who asks, and what is wrong with what was said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lamellar import ChatOptions, ChatRequest, ConfigError, Stack
from lamellar.errors import ExecutorError
from lamellar.providers import Auto, AzureOpenAI
from lamellar.providers.wire import WireRequest
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer

HELLO = ChatRequest.from_user("hi")
CLASSIC = "https://res.openai.azure.com/openai/deployments"


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "AZURE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def sent(
    spec: AzureOpenAI, model: str = "gpt-4o", options: ChatOptions | None = None, *, stream: bool = False
) -> WireRequest:
    return spec.wire_format().build_request(spec.endpoint(), model, HELLO, options, stream=stream)


def body(request: WireRequest) -> Any:
    return json.loads(request.body)


class TestWhereACallGoes:
    @pytest.mark.parametrize(
        ("said", "url"),
        [
            ({"resource": "res"}, "https://res.openai.azure.com/openai/v1/chat/completions"),
            (
                {"base_url": "https://res.openai.azure.com/"},
                "https://res.openai.azure.com/openai/v1/chat/completions",
            ),
            (
                {"base_url": "https://res.openai.azure.com/openai"},
                "https://res.openai.azure.com/openai/v1/chat/completions",
            ),
            (
                {"base_url": "https://res.services.ai.azure.com/openai/v1"},
                "https://res.services.ai.azure.com/openai/v1/chat/completions",
            ),
            (
                {"base_url": "https://res.openai.azure.com/openai/v1/", "api_version": "preview"},
                "https://res.openai.azure.com/openai/v1/chat/completions?api-version=preview",
            ),
            *[
                (
                    {"resource": "res", "api_version": version, "deployment": "prod"},
                    f"https://res.openai.azure.com/openai/v1/chat/completions?api-version={version}",
                )
                for version in ("preview", "latest", "v1")
            ],
            (
                {"resource": "res", "api_version": "2024-10-21"},
                f"{CLASSIC}/gpt-4o/chat/completions?api-version=2024-10-21",
            ),
            (
                {"resource": "res", "api_version": "2024-10-21", "deployment": "prod.a"},
                f"{CLASSIC}/prod.a/chat/completions?api-version=2024-10-21",
            ),
            (
                {"base_url": f"{CLASSIC}/mine", "api_version": "2024-10-21"},
                f"{CLASSIC}/mine/chat/completions?api-version=2024-10-21",
            ),
            (
                {"base_url": "https://res.services.ai.azure.com/models", "api_version": "2024-05-01-preview"},
                "https://res.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview",
            ),
            ({"base_url": "https://gateway.test/team"}, "https://gateway.test/team/openai/v1/chat/completions"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_by_chat_completions(self, said: dict[str, str], url: str):
        assert sent(AzureOpenAI(api_key="k-123456", **said)).url == url

    @pytest.mark.parametrize(
        ("said", "url"),
        [
            ({"resource": "res"}, "https://res.openai.azure.com/openai/v1/responses"),
            (
                {"resource": "res", "api_version": "preview"},
                "https://res.openai.azure.com/openai/v1/responses?api-version=preview",
            ),
            (
                {"resource": "res", "api_version": "2025-03-01-preview", "deployment": "prod"},
                "https://res.openai.azure.com/openai/responses?api-version=2025-03-01-preview",
            ),
        ],
    )
    def test_by_responses(self, said: dict[str, str], url: str):
        request = sent(AzureOpenAI(api_key="k-123456", api="responses", **said))
        assert request.url == url
        assert body(request)["model"] == said.get("deployment", "gpt-4o")

    async def test_by_responses_over_http(self):
        with ProviderSimulator(Answer("hi"), dialect="responses", require_key="k-123456") as simulator:
            spec = AzureOpenAI(base_url=simulator.base_url, token="k-123456", api="responses", deployment="prod")
            async with Stack(spec).build() as executor:
                response = await executor.exec_chat_response("gpt-5-mini", HELLO)
                stream = await executor.exec_chat_stream_events("gpt-5-mini", HELLO)
                assert (await stream.collect()).text == "hi"
        assert (response.text, response.provider, response.model) == ("hi", "azure", "gpt-5-mini")
        assert {request.model for request in simulator.requests} == {"prod"}

    def test_a_deployment_is_asked_and_the_model_says_what_it_takes(self):
        for version in (None, "2025-01-01-preview"):
            spec = AzureOpenAI(resource="res", api_key="k-123456", deployment="prod", api_version=version)
            told = body(sent(spec, "gpt-5-mini", ChatOptions(max_tokens=9)))
            assert told["model"] == "prod"
            assert told["max_completion_tokens"] == 9

    def test_extra_body_still_wins(self):
        spec = AzureOpenAI(resource="res", api_key="k-123456", deployment="prod")
        options = ChatOptions(extra_body={"model": "other", "user": "u"})
        assert body(sent(spec, options=options)) | {"messages": []} == {"model": "other", "user": "u", "messages": []}
        assert options.extra_body == {"model": "other", "user": "u"}

    @pytest.mark.parametrize("model", ["", ".", ".."])
    def test_a_name_that_would_be_another_path_is_refused(self, model: str):
        spec = AzureOpenAI(resource="res", api_key="k-123456", api_version="2024-10-21")
        with pytest.raises(ExecutorError, match="give the deployment's name"):
            sent(spec, model)

    def test_a_name_is_quoted(self):
        spec = AzureOpenAI(resource="res", api_key="k-123456", api_version="2024-10-21")
        assert "/deployments/a%2Fb%3Fc/chat" in sent(spec, "a/b?c").url

    @pytest.mark.parametrize(
        ("version", "asks"), [(None, True), ("2024-02-01", False), ("2024-09-01-preview", True), ("preview", True)]
    )
    def test_usage_is_asked_of_a_stream_where_the_version_knows_it(self, version: str | None, asks: bool):
        spec = AzureOpenAI(resource="res", api_key="k-123456", api_version=version)
        assert ("stream_options" in body(sent(spec, stream=True))) is asks

    def test_the_endpoint_may_stand_in_a_variable(self, monkeypatch: pytest.MonkeyPatch):
        spec = AzureOpenAI(api_key="k-123456")
        with pytest.raises(ConfigError, match=r"azure: no endpoint.*AZURE_OPENAI_ENDPOINT"):
            spec.address()
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://one.openai.azure.com/")
        assert spec.address() == "https://one.openai.azure.com/openai/v1"
        monkeypatch.setenv("AZURE_BASE_URL", "https://two.openai.azure.com/openai/v1")
        assert spec.address() == "https://two.openai.azure.com/openai/v1"
        monkeypatch.setenv("AZURE_BASE_URL", f"{CLASSIC}/x/chat/completions?api-version=1")
        with pytest.raises(ConfigError, match="AZURE_BASE_URL: is the URL of a call"):
            spec.address()


class TestWhoAsks:
    def test_a_key_stands_in_a_header_of_its_own(self):
        headers = sent(AzureOpenAI(resource="res", api_key="k-123456")).headers
        assert headers["api-key"] == "k-123456"
        assert "authorization" not in headers

    def test_a_token_is_a_bearer_and_no_key_goes_along(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-of-the-environment")
        headers = sent(AzureOpenAI(resource="res", token="t-123456")).headers
        assert headers["authorization"] == "Bearer t-123456"
        assert "api-key" not in headers

    def test_the_environment_is_asked_as_the_official_sdk_does(self, monkeypatch: pytest.MonkeyPatch):
        spec = AzureOpenAI(resource="res")
        with pytest.raises(ConfigError, match=r"azure\.api_key: no key.*AZURE_OPENAI_API_KEY.*token"):
            spec.endpoint()
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-env")
        assert sent(spec).headers["api-key"] == "k-env"
        monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "t-env")
        assert sent(spec).headers["authorization"] == "Bearer t-env"
        assert "api-key" not in sent(spec).headers
        assert sent(AzureOpenAI(resource="res", api_key="k-said")).headers["api-key"] == "k-said"

    def test_a_gateway_of_ones_own_may_do_without(self):
        assert AzureOpenAI(base_url="https://gateway.test").keys() == ()
        with pytest.raises(ConfigError, match="no key"):
            AzureOpenAI(base_url="https://res.openai.azure.com").keys()

    @pytest.mark.parametrize("coroutine", [False, True])
    async def test_a_function_gives_the_token_of_each_moment(self, coroutine: bool):
        tokens = iter(["t-1111", "t-2222 \n"])

        def plain() -> str:
            return next(tokens)

        async def awaited() -> str:
            return next(tokens)

        with ProviderSimulator(Answer("hi"), dialect="azure") as simulator:
            spec = AzureOpenAI(base_url=simulator.base_url, token_provider=awaited if coroutine else plain)
            async with Stack(spec).build() as executor:
                await executor.exec_chat_response("gpt-4o", HELLO)
                await executor.exec_chat_response("gpt-4o", HELLO)
                own = ChatOptions(extra_headers={"Authorization": "Bearer own"})
                await executor.exec_chat_response("gpt-4o", HELLO, own)
        said = [request.headers["authorization"] for request in simulator.requests]
        assert said == ["Bearer t-1111", "Bearer t-2222", "Bearer own"]

    @pytest.mark.parametrize(
        ("provider", "told"),
        [
            (lambda: None, "azure.token_provider returned NoneType"),
            (lambda: 1 / 0, "azure.token_provider failed with ZeroDivisionError"),
            (lambda: {}["Bearer eyJhbGciOi.eyJzdWIiOi.c2ln"], r"failed with KeyError: 'Bearer \*+'"),
        ],
    )
    async def test_a_function_that_fails_is_told_without_secrets(self, provider: Any, told: str):
        spec = AzureOpenAI(base_url="http://127.0.0.1:9", token_provider=provider)
        async with Stack(spec).build() as executor:
            with pytest.raises(ExecutorError, match=told) as caught:
                await executor.exec_chat_response("gpt-4o", HELLO)
        assert (caught.value.kind, caught.value.code) == ("unauthorized", "no_token")
        assert (caught.value.provider, caught.value.model) == ("azure", "gpt-4o")
        assert "eyJ" not in repr(caught.value) + str(caught.value)


class TestTheDeclaration:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ({"resource": "res", "base_url": "https://x.test"}, "resource and base_url both"),
            ({"api_key": "k", "token": "t"}, "api_key and token both"),
            ({"token": "t", "token_provider": "os:getcwd"}, "token and token_provider both"),
            ({"resource": "https://res.openai.azure.com"}, "resource"),
            ({"base_url": f"{CLASSIC}/a", "deployment": "b"}, "deployment names one"),
            ({"base_url": f"{CLASSIC}/a", "api": "responses"}, "Responses API has none"),
            ({"base_url": f"{CLASSIC}/a/chat/completions"}, "the URL of a call.*api_version"),
            ({"base_url": f"{CLASSIC}/a?api-version=2024-10-21"}, "the URL of a call.*api_version"),
            ({"base_url": "res.openai.azure.com"}, "expected a URL"),
            ({"api": "assistants"}, "api"),
        ],
    )
    def test_mistakes_are_told(self, said: dict[str, Any], told: str):
        with pytest.raises(ConfigError, match=told):
            AzureOpenAI(**said)

    def test_it_stands_in_a_file(self):
        text = (
            "executor: {azure_openai: {resource: res, deployment: prod, api_version: '2024-10-21', "
            "token: {env: MY_TOKEN}}}"
        )
        stack = Stack.loads(text)
        assert stack == Stack(
            AzureOpenAI(resource="res", deployment="prod", api_version="2024-10-21", token={"env": "MY_TOKEN"})
        )
        assert Stack.loads(stack.dump()) == stack
        assert stack.describe()

    def test_it_is_told_apart_by_its_place_and_never_by_who_asks(self):
        plain = AzureOpenAI(resource="res", api_key="k-1").identity()
        assert AzureOpenAI(resource="res", token="t-1").identity() == plain
        for said in ({"deployment": "d"}, {"api_version": "2024-10-21"}, {"api": "responses"}):
            assert AzureOpenAI(resource="res", **said).identity() != plain

    def test_nothing_shows_a_secret(self):
        spec = AzureOpenAI(resource="res", token="t-s3cr3t")
        assert "s3cr3t" not in repr(spec) + repr(spec.endpoint())
        with pytest.raises(ConfigError, match="literal secret"):
            Stack(spec).dump()

    async def test_auto_asks_it_by_its_namespace(self, monkeypatch: pytest.MonkeyPatch):
        with ProviderSimulator(Answer("hi"), dialect="azure", require_key="k-azure") as simulator:
            monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", simulator.base_url)
            monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-azure")
            async with Stack(Auto()).build() as executor:
                response = await executor.exec_chat_response("azure::my-deployment", HELLO)
        assert (response.text, response.provider, response.model) == ("hi", "azure", "my-deployment")
        assert simulator.last_request.path == "/openai/v1/chat/completions"
