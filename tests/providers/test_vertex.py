"""Vertex AI as a declaration: where a call goes, in which dialect, and who asks."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from lamellar import ChatOptions, ChatRequest, ConfigError, Stack
from lamellar.errors import ExecutorError
from lamellar.providers import Auto, Vertex
from lamellar.providers.google_credentials import DefaultCredentials
from lamellar.providers.wire import WireRequest
from lamellar.testing import ProviderSimulator
from lamellar.testing.simulator import Answer

HELLO = ChatRequest.from_user("hi")
HERE = "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
GEMINI, CLAUDE = "gemini-2.5-flash", "claude-sonnet-4-5@20250929"
VARIABLES = (
    "VERTEX_API_KEY",
    "VERTEX_BASE_URL",
    "VERTEX_PROJECT_ID",
    "VERTEX_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_LOCATION",
)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def sent(
    spec: Vertex,
    model: str = GEMINI,
    request: ChatRequest = HELLO,
    options: ChatOptions | None = None,
    *,
    stream: bool = False,
) -> WireRequest:
    return spec.wire_format().build_request(spec.endpoint(), model, request, options, stream=stream)


def vertex(**said: Any) -> Vertex:
    return Vertex(**{"project": "p", "api_key": "ya29.token-0123456789", **said})


class TestWhereACallGoes:
    @pytest.mark.parametrize(
        ("location", "host"),
        [
            ("global", "aiplatform.googleapis.com"),
            ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
        ],
    )
    def test_each_location_has_its_host(self, location: str, host: str):
        assert vertex(location=location).address() == f"https://{host}/v1/projects/p/locations/{location}"

    @pytest.mark.parametrize(
        ("model", "path"),
        [
            (GEMINI, f"publishers/google/models/{GEMINI}:generateContent"),
            (f"google/{GEMINI}", f"publishers/google/models/{GEMINI}:generateContent"),
            (f"models/{GEMINI}", f"publishers/google/models/{GEMINI}:generateContent"),
            (f"publishers/google/models/{GEMINI}", f"publishers/google/models/{GEMINI}:generateContent"),
            ("endpoints/123", "endpoints/123:generateContent"),
            (CLAUDE, f"publishers/anthropic/models/{CLAUDE}:rawPredict"),
            (f"anthropic/{CLAUDE}", f"publishers/anthropic/models/{CLAUDE}:rawPredict"),
            ("publishers/anthropic/models/next", "publishers/anthropic/models/next:rawPredict"),
        ],
    )
    def test_each_model_has_its_path(self, model: str, path: str):
        assert sent(vertex(), model).url == f"{HERE}/{path}"

    def test_a_whole_name_is_taken_at_its_word(self):
        elsewhere = "https://aiplatform.googleapis.com/v1/projects/q/locations/global"
        assert (
            sent(vertex(), "projects/q/locations/global/endpoints/1").url == f"{elsewhere}/endpoints/1:generateContent"
        )
        name = f"projects/q/locations/global/publishers/anthropic/models/{CLAUDE}"
        assert sent(vertex(), name).url == f"{elsewhere}/publishers/anthropic/models/{CLAUDE}:rawPredict"

    @pytest.mark.parametrize(
        ("base_url", "location", "host"),
        [
            (None, "us-east5", "us-east5-aiplatform.googleapis.com"),
            ("https://europe-west4-aiplatform.googleapis.com", "us-east5", "us-east5-aiplatform.googleapis.com"),
            ("https://europe-west4-aiplatform.googleapis.com", "global", "aiplatform.googleapis.com"),
            ("https://aiplatform.eu.rep.googleapis.com", "us", "aiplatform.us.rep.googleapis.com"),
            ("https://aiplatform.eu.rep.googleapis.com:443", "eu", "aiplatform.eu.rep.googleapis.com:443"),
            ("https://gateway.test", "us-east5", "gateway.test"),
            ("https://mine.p.googleapis.com", "us-east5", "mine.p.googleapis.com"),
        ],
    )
    def test_a_whole_name_goes_to_its_locations_host(self, base_url: str | None, location: str, host: str):
        name = f"projects/q/locations/{location}/endpoints/1"
        assert sent(vertex(base_url=base_url), name).url == f"https://{host}/v1/{name}:generateContent"

    @pytest.mark.parametrize(
        ("base_url", "location"),
        [
            ("https://europe-west4-aiplatform.googleapis.com", "europe-west4"),
            ("https://europe-west4-aiplatform.googleapis.com/v1beta1", "europe-west4"),
            ("https://aiplatform.us.rep.googleapis.com", "us"),
            ("https://aiplatform.googleapis.com", "global"),
            ("https://gateway.test", "us-east5"),
        ],
    )
    def test_the_location_is_that_of_the_host(self, monkeypatch: pytest.MonkeyPatch, base_url: str, location: str):
        monkeypatch.setenv("VERTEX_LOCATION", "us-east5")
        assert vertex(base_url=base_url).address().endswith(f"/projects/p/locations/{location}")
        monkeypatch.setenv("VERTEX_BASE_URL", base_url)
        assert vertex().address().endswith(f"/projects/p/locations/{location}")
        assert vertex(location=location).address().endswith(f"/projects/p/locations/{location}")

    def test_host_and_location_that_differ_are_told(self):
        spec = vertex(base_url="https://europe-west4-aiplatform.googleapis.com", location="us-east5")
        with pytest.raises(ConfigError, match=r"vertex\.location: 'us-east5', and .* that of 'europe-west4'"):
            spec.address()

    @pytest.mark.parametrize("model", ["", "a/b", "..", "publishers/x/models/m", "a?b", "claude-x/../y"])
    def test_what_is_no_name_is_refused(self, model: str):
        with pytest.raises(ExecutorError, match=r"model: .*give the model's name"):
            sent(vertex(), model)

    def test_a_stream_has_a_method_of_its_own(self):
        assert sent(vertex(), stream=True).url.endswith(":streamGenerateContent?alt=sse")
        assert sent(vertex(), CLAUDE, stream=True).url.endswith(":streamRawPredict")

    def test_the_publisher_may_be_said(self):
        assert "/publishers/anthropic/models/tuned:rawPredict" in sent(vertex(publisher="anthropic"), "tuned").url
        assert "/publishers/google/models/claude-x:generate" in sent(vertex(publisher="google"), "claude-x").url

    @pytest.mark.parametrize(
        ("base_url", "address"),
        [
            ("https://gateway.test", "https://gateway.test/v1/projects/p/locations/global"),
            ("https://gateway.test/v1beta1/", "https://gateway.test/v1beta1/projects/p/locations/global"),
            ("https://gateway.test/v1/projects/q/locations/us", "https://gateway.test/v1/projects/q/locations/us"),
        ],
    )
    def test_an_endpoint_of_ones_own_gets_what_it_does_not_say(self, base_url: str, address: str):
        assert vertex(base_url=base_url).address() == address

    def test_a_gateway_may_know_the_project_itself(self):
        assert Vertex(base_url="https://gateway.test/v1").address() == "https://gateway.test/v1"

    def test_place_and_version_may_be_said_in_many_ways(self, monkeypatch: pytest.MonkeyPatch):
        with pytest.raises(
            ConfigError, match=r"vertex\.project: no project.*VERTEX_PROJECT_ID or GOOGLE_CLOUD_PROJECT"
        ):
            Vertex(api_key="t").address()
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "cloud")
        monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-east5")
        assert Vertex(api_key="t").address().endswith("/v1/projects/cloud/locations/us-east5")
        monkeypatch.setenv("VERTEX_PROJECT_ID", "own")
        monkeypatch.setenv("VERTEX_LOCATION", "eu")
        assert Vertex(api_key="t").address().endswith("/v1/projects/own/locations/eu")
        said = Vertex(api_key="t", project="said", location="global", api_version="v1beta1").address()
        assert said == "https://aiplatform.googleapis.com/v1beta1/projects/said/locations/global"
        monkeypatch.setenv("VERTEX_BASE_URL", "https://gateway.test/v1")
        assert Vertex(api_key="t").address() == "https://gateway.test/v1/projects/own/locations/eu"


class TestGemini:
    def test_is_known_by_a_bearer_token_and_speaks_its_own_dialect(self):
        request = sent(vertex(), options=ChatOptions(max_tokens=5, service_tier="flex"))
        assert request.headers["authorization"] == "Bearer ya29.token-0123456789"
        assert "x-goog-api-key" not in request.headers
        assert json.loads(request.body) == {
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {"maxOutputTokens": 5},
            "serviceTier": "flex",
        }

    def test_stores_nothing(self):
        stored = HELLO.model_copy(update={"store": True})
        with pytest.raises(ExecutorError, match=r"store: .*stores no answers"):
            sent(vertex(), request=stored)
        assert "store" not in json.loads(sent(vertex(lenient=True), request=stored).body)
        unstored = HELLO.model_copy(update={"store": False})
        assert "store" not in json.loads(sent(vertex(), request=unstored).body)
        assert unstored.store is False


class TestWhoAsks:
    def test_a_token_in_the_environment_comes_before_the_default_credentials(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("VERTEX_API_KEY", "ya29.environment-01")
        endpoint = Vertex(project="p").endpoint()
        assert (endpoint.api_key, endpoint.sign) == ("ya29.environment-01", None)
        forced = Vertex(project="p", default_credentials=True).endpoint()
        assert forced.api_key is None
        assert isinstance(forced.sign, DefaultCredentials)

    def test_without_one_the_default_credentials_sign(self):
        assert isinstance(Vertex(project="p").endpoint().sign, DefaultCredentials)
        private = Vertex(project="p", base_url="https://us-x.p.googleapis.com")
        assert isinstance(private.endpoint().sign, DefaultCredentials)

    def test_a_server_of_ones_own_gets_no_google_token_unasked(self):
        assert Vertex(base_url="https://gateway.test/v1").endpoint().sign is None
        asked = Vertex(base_url="https://gateway.test/v1", default_credentials=True)
        assert isinstance(asked.endpoint().sign, DefaultCredentials)

    def test_a_header_of_ones_own_is_enough(self):
        endpoint = Vertex(project="p", headers={"X-Goog-Api-Key": "AIza-key"}).endpoint()
        assert (endpoint.api_key, endpoint.sign) == (None, None)

    def test_without_any_both_mends_are_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, "google.auth", None)
        monkeypatch.setattr("lamellar.providers.google_credentials.find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"VERTEX_API_KEY.*pip install 'lamellar\[vertex\]'"):
            Stack(Vertex(project="p")).build()
        monkeypatch.setattr("lamellar.providers.google_credentials.find_spec", _no_google)
        with pytest.raises(ConfigError, match="VERTEX_API_KEY"):
            Stack(Vertex(project="p")).build()

    def test_credentials_that_are_not_wanted_leave_the_token(self):
        with pytest.raises(ConfigError, match=r"no access token.*leave default_credentials out"):
            Vertex(project="p", default_credentials=False).keys()
        with pytest.raises(ConfigError, match="api_key and default_credentials both"):
            Vertex(project="p", api_key="t", default_credentials=True)


def _no_google(name: str) -> None:
    raise ModuleNotFoundError(name)


class TestTheDeclaration:
    @pytest.mark.parametrize(
        "said", [{"publisher": "meta"}, {"location": "us/../x"}, {"project": "p/q"}, {"api_version": "1"}]
    )
    def test_mistakes_are_told(self, said: dict[str, Any]):
        with pytest.raises(ConfigError, match=next(iter(said))):
            Vertex(**said)

    def test_it_stands_in_a_file(self):
        stack = Stack.loads("executor: {vertex: {project: p, location: us-east5, api_key: {env: MY_TOKEN}}}")
        assert stack == Stack(Vertex(project="p", location="us-east5", api_key={"env": "MY_TOKEN"}))
        assert Stack.loads(stack.dump()) == stack
        assert stack.describe()

    def test_it_is_told_apart_by_its_place_and_never_by_who_asks(self):
        plain = vertex().identity()
        assert vertex(api_key="other").identity() == plain
        for said in ({"project": "q"}, {"location": "eu"}, {"publisher": "google"}, {"api_version": "v1beta1"}):
            assert vertex(**said).identity() != plain

    async def test_auto_asks_it_by_its_namespace(self, monkeypatch: pytest.MonkeyPatch):
        with ProviderSimulator(Answer("hi"), dialect="vertex", require_key="t-vertex") as simulator:
            monkeypatch.setenv("VERTEX_BASE_URL", simulator.base_url)
            monkeypatch.setenv("VERTEX_API_KEY", "t-vertex")
            monkeypatch.setenv("VERTEX_PROJECT_ID", "p")
            async with Stack(Auto()).build() as executor:
                for model in (GEMINI, CLAUDE):
                    response = await executor.exec_chat_response(f"vertex::{model}", HELLO)
                    assert (response.text, response.provider, response.model) == ("hi", "vertex", model)
        assert [request.model for request in simulator.requests] == [GEMINI, CLAUDE]
