"""Auto: which provider a model's name leads to, and what is said when it leads nowhere."""

import logging
import pickle

import pytest

from lamellar import ChatRequest, ConfigError, ErrorKind, ExecutorError, Stack, Target
from lamellar.middleware import Fallback
from lamellar.providers import Auto
from lamellar.providers.auto_executor import AutoExecutor
from lamellar.providers.catalog import CATALOG
from lamellar.providers.dialects import DIALECTS
from lamellar.providers.directory import choose
from lamellar.testing.simulator import Answer, ProviderSimulator, model_not_found, server_error

HELLO = ChatRequest.from_user("Hello.")
GUESSED = r"no rule knows the name 'gtp-4o'.*Ollama.*mean 'gpt\.\.\.'.*openai::gtp-4o"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for entry in CATALOG.values():
        monkeypatch.delenv(entry.key_variable or "NOTHING", raising=False)
        monkeypatch.delenv(entry.base_url_variable, raising=False)


class TestTheName:
    @pytest.mark.parametrize(
        ("model", "namespace"),
        [
            ("gpt-4o-mini", "openai"),
            ("o3-mini", "openai"),
            ("chatgpt-4o-latest", "openai"),
            ("gpt-5-mini", "openai_resp"),
            ("gpt-4.1-codex", "openai_resp"),
            ("codex-mini-latest", "openai_resp"),
            ("o1-pro", "openai_resp"),
            ("o3-pro-2025-06-10", "openai_resp"),
            ("gpt-4-pro", "openai_resp"),
            ("gpt-oss-120b", "ollama"),
            ("claude-haiku-4-5", "anthropic"),
            ("gemini-2.5-flash", "gemini"),
            ("command-r", "cohere"),
            ("mistral-large", "mistral"),
            ("codestral-latest", "mistral"),
            ("deepseek-chat", "deepseek"),
            ("grok-4", "xai"),
            ("accounts/fireworks/models/llama", "fireworks"),
            ("sonar-pro", "perplexity"),
            ("moonshot-v1", "moonshot"),
            ("kimi-k2", "kimi"),
            ("glm-4.6", "zai"),
            ("qwen3-max", "aliyun"),
            ("MiniMax-M2", "minimax"),
            ("mimo-v2", "mimo"),
            ("llama3.2", "ollama"),
        ],
    )
    def test_leads_by_the_most_specific_rule(self, model, namespace):
        choice = choose(model)
        assert (choice.entry.namespace, choice.model) == (namespace, model)

    def test_leads_by_a_namespace_before_any_rule(self):
        choice = choose("groq::openai/gpt-oss-120b")
        assert (choice.entry.namespace, choice.model, choice.guessed) == ("groq", "openai/gpt-oss-120b", False)

    def test_may_itself_hold_the_separator(self):
        assert choose("openrouter::vendor::model").model == "vendor::model"

    def test_without_a_rule_is_a_guess(self):
        assert choose("gtp-4o").guessed
        assert not choose("gpt-oss-20b").guessed

    @pytest.mark.parametrize(
        ("model", "said"),
        [("grok::llama", "unknown namespace 'grok' in 'grok::llama'; did you mean 'groq'?"), ("groq::", "names no")],
    )
    def test_that_leads_nowhere_is_told(self, model, said):
        with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
            choose(model)

    def test_of_every_rule_leads_to_its_own_row(self):
        for entry in CATALOG.values():
            for rule in entry.rules:
                assert choose(rule.replace("*", "~")).entry is entry, rule


class TestACall:
    async def test_goes_to_the_provider_under_the_name_it_knows(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            auto = Auto(providers={"groq": {"base_url": simulator.base_url, "api_key": "k-groq"}})
            async with Stack(auto).build() as executor:
                response = await executor.exec_chat_response("groq::llama-3.3-70b", HELLO)
                stream = await executor.exec_chat_stream_events("groq::llama-3.3-70b", HELLO)
                assert (await stream.collect()).text == "hi"
        assert (response.provider, response.model, response.text) == ("groq", "llama-3.3-70b", "hi")
        assert [request.model for request in simulator.requests] == ["llama-3.3-70b"] * 2
        assert simulator.last_request.headers["authorization"] == "Bearer k-groq"
        assert [(each.target, each.provider) for each in response.attempts] == [("groq", "groq")]

    async def test_takes_key_and_endpoint_from_the_providers_own_variables(self, monkeypatch):
        with ProviderSimulator(Answer("hi")) as simulator:
            monkeypatch.setenv("XAI_API_KEY", "k-xai")
            monkeypatch.setenv("XAI_BASE_URL", simulator.base_url)
            async with Stack(Auto()).build() as executor:
                await executor.exec_chat_response("grok-4", HELLO)
        assert simulator.last_request.headers["authorization"] == "Bearer k-xai"

    async def test_makes_a_provider_once_and_closes_it_with_the_stack(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            said = {"base_url": simulator.base_url}
            executor = Stack(Auto(providers={"groq": said, "xai": said})).build()
            auto = executor.find(AutoExecutor)
            async with executor:
                assert auto.children() == ()
                for model in ("groq::a", "groq::b", "grok-4", "grok-4"):
                    await executor.exec_chat_response(model, HELLO)
                assert [leaf.name for leaf in auto.children()] == ["groq", "xai"]
            await simulator.wait_for_async(lambda server: server.open_connections == 0)

    async def test_without_a_key_is_told_at_the_call_by_the_variables_name(self):
        async with Stack(Auto()).build() as executor:
            with pytest.raises(ConfigError, match=r"groq\.api_key: no key; .* GROQ_API_KEY"):
                await executor.exec_chat_response("groq::llama", HELLO)

    async def test_to_a_dialect_that_is_not_built_is_told(self, monkeypatch):
        monkeypatch.delitem(DIALECTS, "anthropic")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k-anthropic")
        async with Stack(Auto()).build() as executor:
            with pytest.raises(ConfigError, match=r"'claude-x' belongs to 'anthropic': 'anthropic' speaks the dialect"):
                await executor.exec_chat_response("claude-x", HELLO)


class TestAGuess:
    """A name that no rule knows is taken for a model of a local Ollama; the error says so, for it may be a typo."""

    @pytest.mark.parametrize("stream", [False, True])
    async def test_that_finds_no_server_names_the_likely_typo(self, caplog, stream):
        caplog.set_level(logging.INFO, "lamellar.auto")
        async with Stack(Auto(providers={"ollama": {"base_url": "http://127.0.0.1:1"}})).build() as executor:
            ask = executor.exec_chat_stream_events if stream else executor.exec_chat_response
            with pytest.raises(ExecutorError, match=GUESSED) as caught:
                await ask("gtp-4o", HELLO)
        assert (caught.value.kind, caught.value.provider) == (ErrorKind.CONNECTION, "ollama")
        assert "no rule knows the model 'gtp-4o'" in caplog.text

    async def test_that_finds_no_such_model_names_the_likely_typo(self):
        with ProviderSimulator(model_not_found()) as simulator:
            auto = Auto(providers={"ollama": {"base_url": simulator.base_url, "dialect": "chat"}})
            async with Stack(auto).build() as executor:
                with pytest.raises(ExecutorError, match=GUESSED) as caught:
                    await executor.exec_chat_response("gtp-4o", HELLO)
                assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message
                with pytest.raises(ExecutorError) as known:
                    await executor.exec_chat_response("gpt-oss-20b", HELLO)
        assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND
        assert "no rule knows" not in str(known.value)

    async def test_that_fails_otherwise_says_nothing_of_it(self):
        with ProviderSimulator(server_error()) as simulator:
            auto = Auto(providers={"ollama": {"base_url": simulator.base_url, "dialect": "chat"}})
            async with Stack(auto).build() as executor:
                with pytest.raises(ExecutorError) as caught:
                    await executor.exec_chat_response("gtp-4o", HELLO)
        assert "no rule knows" not in str(caught.value)

    async def test_of_a_dialect_that_is_not_built_says_both(self, monkeypatch):
        monkeypatch.delitem(DIALECTS, "ollama", raising=False)
        async with Stack(Auto()).build() as executor:
            with pytest.raises(ConfigError, match=rf"{GUESSED}"):
                await executor.exec_chat_response("gtp-4o", HELLO)


class TestTheSpec:
    def test_in_a_target_with_a_model_complains_when_the_stack_is_built(self):
        with pytest.raises(ConfigError, match="GROQ_API_KEY"):
            Stack(Fallback(Target(Auto(), model="groq::llama"))).build()
        with pytest.raises(ConfigError, match="unknown namespace 'grog'"):
            Stack(Fallback(Target(Auto(), model="grog::llama"))).build()
        Stack(Fallback(Target(Auto()))).build()

    def test_refuses_a_namespace_there_is_not(self):
        with pytest.raises(ConfigError, match="unknown namespace 'grok'; did you mean 'groq'"):
            Auto(providers={"grok": {"api_key": "k"}})

    def test_stands_in_a_file(self):
        stack = Stack.loads("executor: {auto: {providers: {groq: {api_key: {env: MY_KEY}}}}}")
        assert stack == Stack(Auto(providers={"groq": {"api_key": {"env": "MY_KEY"}}}))
        assert Stack.loads(stack.dump()) == stack
        assert Stack.loads("executor: auto") == Stack(Auto())

    def test_hands_the_network_options_on(self):
        provider = Auto(verify=False, max_connections=3).provider("groq")
        assert (provider.verify, provider.max_connections, provider.engine) == (False, 3, "auto")

    def test_is_told_apart_by_its_endpoints_and_never_by_keys(self, monkeypatch):
        plain = Auto().identity()
        assert (
            Auto(providers={"groq": {"api_key": "k-1"}}).identity()
            == Auto(providers={"groq": {"api_key": "k-2"}}).identity()
        )
        assert Auto(providers={"groq": {"base_url": "http://a.test"}}).identity() != plain
        monkeypatch.setenv("GROQ_BASE_URL", "http://b.test")
        assert Auto().identity() != plain
