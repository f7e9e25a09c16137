"""The functions of Auto that say which model is meant, who asks, and where a call goes."""

import asyncio
import traceback
from dataclasses import replace

import pytest

from lamellar import ChatRequest, ConfigError, ErrorKind, ExecutorError, RejectedError, Stack, Target
from lamellar.middleware import Cache, Fallback
from lamellar.providers import Auth, Auto, ModelName, OpenAI, ServiceTarget
from lamellar.providers.auto_executor import AutoExecutor
from lamellar.providers.catalog import CATALOG
from lamellar.providers.http import HttpExecutor
from lamellar.testing.simulator import Answer, ProviderSimulator, Status

HELLO = ChatRequest.from_user("Hello.")
KEY = "secret-0123456789"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for entry in CATALOG.values():
        monkeypatch.delenv(entry.key_variable or "NOTHING", raising=False)
        monkeypatch.delenv(entry.base_url_variable, raising=False)


@pytest.fixture
def simulator():
    with ProviderSimulator(Answer("hi")) as running:
        yield running


@pytest.fixture(params=["plain", "coroutine"])
def either(request):
    """A function as it is, or as a coroutine function."""
    if request.param == "plain":
        return lambda function: function

    def slowly(function):
        async def hook(argument):
            await asyncio.sleep(0)
            return function(argument)

        return hook

    return slowly


def groq_at(simulator, **said):
    return {"groq": {"base_url": simulator.base_url, **said}}


async def ask(auto, *models, stream=False):
    """The answers to one call after another, through one stack."""
    answers = []
    async with Stack(auto).build() as executor:
        for model in models:
            if stream:
                answers.append(await (await executor.exec_chat_stream_events(model, HELLO)).collect())
            else:
                answers.append(await executor.exec_chat_response(model, HELLO))
    return answers


def resolve_nothing(_: object) -> None:
    """A function with an importable name."""


class TestTheModelMapper:
    async def test_names_the_model_before_the_provider_is_looked_for(self, simulator, either):
        seen = []

        def mapper(model):
            seen.append(model)
            return {"fast": "groq::llama-small"}.get(model, model)

        auto = Auto(providers=groq_at(simulator), model_mapper=either(mapper))
        first, second = await ask(auto, "fast", "groq::as-it-is")
        assert (first.provider, first.model, second.model) == ("groq", "llama-small", "as-it-is")
        assert seen == ["fast", "groq::as-it-is"]


class TestTheAuthResolver:
    @pytest.mark.parametrize("stream", [False, True])
    async def test_says_who_asks_call_by_call(self, simulator, either, stream):
        seen = []

        def resolver(name):
            seen.append(name)
            return Auth.of_key(f"key-of-{name.model}")

        auto = Auto(providers=groq_at(simulator), auth_resolver=either(resolver))
        answers = await ask(auto, "groq::a", "groq::b", stream=stream)
        assert seen == [ModelName("groq", "a"), ModelName("groq", "b")]
        assert [each.headers["authorization"] for each in simulator.requests] == ["Bearer key-of-a", "Bearer key-of-b"]
        assert [(each.attempts[0].target, each.attempts[0].provider) for each in answers] == [("groq", "groq")] * 2

    async def test_keys_of_calls_at_the_same_time_do_not_mix(self, simulator):
        auto = Auto(providers=groq_at(simulator), auth_resolver=lambda name: Auth.of_key(f"key-of-{name.model}"))
        async with Stack(auto).build() as executor:
            models = [f"groq::m{number}" for number in range(20)]
            await asyncio.gather(*[executor.exec_chat_response(model, HELLO) for model in models])
        assert {each.headers["authorization"].removeprefix("Bearer key-of-") for each in simulator.requests} == {
            request.model for request in simulator.requests
        }

    async def test_makes_one_leaf_for_all_of_them(self, simulator):
        auto = Auto(providers=groq_at(simulator), auth_resolver=lambda name: Auth.of_key(f"key-of-{name.model}"))
        async with Stack(auto).build() as executor:
            for number in range(5):
                await executor.exec_chat_response(f"groq::m{number}", HELLO)
            (leaf,) = executor.find(AutoExecutor).children()
        assert isinstance(leaf, HttpExecutor)
        assert leaf.endpoint.api_key is None
        assert len({request.connection for request in simulator.requests}) == 1

    async def test_of_none_takes_the_usual_key(self, simulator):
        auto = Auto(providers=groq_at(simulator, api_key="k-usual"), auth_resolver=resolve_nothing)
        await ask(auto, "groq::a")
        assert simulator.last_request.headers["authorization"] == "Bearer k-usual"

    async def test_of_none_without_a_usual_key_is_told(self):
        with pytest.raises(ConfigError, match="GROQ_API_KEY"):
            await ask(Auto(auth_resolver=resolve_nothing), "groq::a")

    async def test_needs_no_usual_key(self, simulator, monkeypatch):
        monkeypatch.setenv("GROQ_BASE_URL", simulator.base_url)
        monkeypatch.setenv("TENANT_KEY", "k-tenant")
        await ask(Auto(auth_resolver=lambda _: Auth.from_env("TENANT_KEY")), "groq::a")
        assert simulator.last_request.headers["authorization"] == "Bearer k-tenant"
        monkeypatch.delenv("TENANT_KEY")
        with pytest.raises(ConfigError, match=r"groq: Auth\.from_env: the environment variable TENANT_KEY is not set"):
            await ask(Auto(auth_resolver=lambda _: Auth.from_env("TENANT_KEY")), "groq::a")

    async def test_may_send_no_key(self, simulator):
        auto = Auto(providers=groq_at(simulator, api_key="k-usual"), auth_resolver=lambda _: Auth.none())
        await ask(auto, "groq::a")
        assert "authorization" not in simulator.last_request.headers

    async def test_may_override_url_and_headers(self, simulator):
        auth = Auth.override(f"{simulator.base_url}/chat/completions?team=7", {"X-Team-Token": "t-1", "accept": "*/*"})
        auto = Auto(providers=groq_at(simulator, api_key="k-usual"), auth_resolver=lambda _: auth)
        await ask(auto, "groq::a")
        request = simulator.last_request
        assert request.path.endswith("/chat/completions?team=7")
        assert (request.headers["x-team-token"], request.headers["accept"]) == ("t-1", "*/*")
        assert "authorization" not in request.headers

    @pytest.mark.parametrize(
        "auth",
        [
            Auth.of_key(KEY),
            Auth.override(headers={"x-team-token": KEY}),
            Auth.override(headers={"authorization": f"Bearer {KEY}"}),
        ],
    )
    async def test_stays_out_of_errors(self, auth, caplog):
        caplog.set_level(0)
        with ProviderSimulator(Status(401, message=f"the key {KEY} is wrong")) as simulator:
            auto = Auto(providers=groq_at(simulator), auth_resolver=lambda _: auth)
            with pytest.raises(ExecutorError) as caught:
                await ask(auto, "groq::a")
        assert caught.value.kind is ErrorKind.UNAUTHORIZED
        assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text


class TestTheTargetResolver:
    async def test_says_where_the_call_goes(self, simulator, either):
        seen = []

        def resolver(target):
            seen.append(target)
            return replace(target, base_url=simulator.base_url, model="renamed", auth=Auth.of_key("k-there"))

        (answer,) = await ask(Auto(target_resolver=either(resolver)), "claude-x")
        assert seen == [ServiceTarget("anthropic", "claude-x", "anthropic", CATALOG["anthropic"].base_url)]
        assert answer.model == "renamed"

    @pytest.fixture
    def simulator(self):
        with ProviderSimulator(Answer("hi"), dialect="anthropic") as running:
            yield running

    async def test_may_name_another_dialect_and_a_server_of_ones_own(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            there = ServiceTarget("mine", "m", "chat", simulator.base_url)
            (answer,) = await ask(Auto(target_resolver=lambda _: there), "claude-x")
        assert (answer.provider, answer.model, answer.attempts[0].target) == ("mine", "m", "mine")

    async def test_sees_what_the_auth_resolver_said(self, simulator):
        auth = Auth.of_key("k-1")
        seen = []
        auto = Auto(
            providers={"anthropic": {"base_url": simulator.base_url}},
            auth_resolver=lambda _: auth,
            target_resolver=lambda target: seen.append(target.auth) or target,
        )
        await ask(auto, "claude-x")
        assert seen == [auth]
        assert simulator.last_request.headers["x-api-key"] == "k-1"

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"dialect": "chatt"}, "unknown dialect 'chatt'; did you mean 'chat'"),
            ({"base_url": "gate.test"}, "base_url: expected a URL"),
            ({"namespace": "no such", "base_url": "http://x"}, "namespace"),
        ],
    )
    async def test_of_a_place_there_is_not_is_told(self, change, complaint):
        with pytest.raises(ConfigError, match=rf"auto\.target_resolver: .*{complaint}"):
            await ask(Auto(target_resolver=lambda target: replace(target, **change)), "claude-x")

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"auth": KEY}, "whose auth is str, and an Auth or None is expected"),
            ({"model": None}, "whose model is NoneType, and text is expected"),
            ({"model": ""}, "whose model is empty, and text is expected"),
            ({"base_url": None}, "whose base_url is NoneType, and text is expected"),
            ({"dialect": 3}, "whose dialect is int, and text is expected"),
            ({"namespace": ()}, "whose namespace is tuple, and text is expected"),
        ],
    )
    async def test_with_a_wrong_field_refuses_the_call(self, simulator, change, complaint):
        auto = Auto(
            providers={"anthropic": {"base_url": simulator.base_url, "api_key": "k"}},
            target_resolver=lambda target: replace(target, **change),
        )
        with pytest.raises(RejectedError) as caught:
            await ask(auto, "claude-x")
        assert caught.value.message == f"auto.target_resolver returned a ServiceTarget {complaint}"
        assert caught.value.kind is ErrorKind.INVALID_REQUEST
        assert simulator.request_count == 0

    async def test_makes_a_bounded_number_of_leaves(self):
        def resolver(target):
            return replace(target, base_url=f"http://127.0.0.1:1/{target.model}", auth=Auth.none())

        async with Stack(Auto(target_resolver=resolver)).build() as executor:
            for number in range(300):
                with pytest.raises(ExecutorError):
                    await executor.exec_chat_response(f"groq::{number}", HELLO)
            assert len(executor.find(AutoExecutor).children()) == 256


def broken(_: object) -> None:
    raise LookupError("the vault is sealed")


class TestAFunctionThatFails:
    @pytest.mark.parametrize(
        ("option", "kind"),
        [
            ("model_mapper", ErrorKind.INVALID_REQUEST),
            ("auth_resolver", ErrorKind.UNAUTHORIZED),
            ("target_resolver", ErrorKind.MODEL_NOT_FOUND),
        ],
    )
    async def test_refuses_the_call_and_keeps_the_cause(self, option, kind, either):
        with pytest.raises(
            RejectedError, match=rf"auto\.{option} failed with LookupError: the vault is sealed"
        ) as caught:
            await ask(Auto(**{option: either(broken)}), "claude-x")
        assert caught.value.kind is kind
        assert isinstance(caught.value.__cause__, LookupError)

    async def test_shows_no_secret(self):
        def leak(_):
            raise LookupError("no vault for sk-live-0123456789abcdef")

        with pytest.raises(RejectedError) as caught:
            await ask(Auto(auth_resolver=leak), "claude-x")
        assert "0123456789" not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize(
        ("option", "answer", "said"),
        [
            ("model_mapper", None, r"returned NoneType, and the name of a model is expected; is a `return` missing\?"),
            ("model_mapper", "", "returned str, and the name of a model is expected"),
            ("auth_resolver", "sk-key", "returned str, and an Auth or None is expected"),
            ("target_resolver", ("groq", "m"), "returned tuple, and a ServiceTarget is expected"),
        ],
    )
    async def test_by_its_answer_is_told(self, option, answer, said):
        with pytest.raises(RejectedError, match=rf"auto\.{option} {said}") as caught:
            await ask(Auto(**{option: lambda _: answer}), "claude-x")
        assert not caught.value.retryable
        assert "sk-key" not in str(caught.value)

    async def test_may_refuse_in_its_own_words(self):
        def refuse(_):
            raise RejectedError(ErrorKind.BUDGET, "this team has spent its share")

        with pytest.raises(RejectedError, match="this team has spent its share"):
            await ask(Auto(auth_resolver=refuse), "claude-x")

    async def test_lets_a_fallback_go_on(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            spare = Target(OpenAI(base_url=simulator.base_url), model="spare")
            fallback = Fallback(Target(Auto(auth_resolver=broken), name="first"), spare)
            (answer,) = await ask(fallback, "claude-x")
        assert answer.text == "hi"
        assert [(each.target, each.kind) for each in answer.attempts] == [
            ("first", ErrorKind.UNAUTHORIZED),
            ("openai/spare", None),
        ]


class TestTheSpec:
    def test_names_its_functions_in_a_file(self):
        name = f"{__name__}:resolve_nothing"
        stack = Stack(Auto(auth_resolver=resolve_nothing))
        assert stack == Stack.loads(f"executor: {{auto: {{auth_resolver: '{name}'}}}}")
        assert Stack.loads(stack.dump()) == stack

    def test_has_an_identity_only_with_names_or_a_fingerprint(self):
        with pytest.raises(ConfigError, match=r"model_mapper: .*importable name.*fingerprint"):
            Stack(Cache(ttl="1m"), Auto(model_mapper=lambda model: model)).build()
        named = Auto(target_resolver=resolve_nothing).identity()
        assert named != Auto().identity()
        marked = Auto(model_mapper=lambda model: model, identity="mapper, version 1").identity()
        assert marked == Auto(model_mapper=str.lower, fingerprint="mapper, version 1").identity()
        assert marked != Auto().identity()

    def test_does_not_ask_at_build_what_only_a_call_can_know(self):
        Stack(Fallback(Target(Auto(auth_resolver=resolve_nothing), model="groq::llama"))).build()
