"""Provider: any row of the catalogue as a leaf, and a row of one's own."""

import pytest

from lamellar import ChatOptions, ChatRequest, ConfigError, Stack
from lamellar.providers import Abilities, Auto, Provider
from lamellar.providers.catalog import CATALOG
from lamellar.providers.directory import Directory
from lamellar.testing.simulator import Answer, ProviderSimulator

HELLO = ChatRequest.from_user("Hello.")
MINE = {"dialect": "chat", "base_url": "http://mine.test/v1"}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for entry in CATALOG.values():
        monkeypatch.delenv(entry.key_variable or "NOTHING", raising=False)
        monkeypatch.delenv(entry.base_url_variable, raising=False)


class TestARowOfTheCatalogue:
    async def test_is_a_leaf(self, monkeypatch):
        monkeypatch.setenv("GROQ_API_KEY", "k-groq")
        with ProviderSimulator(Answer("hi")) as simulator:
            monkeypatch.setenv("GROQ_BASE_URL", simulator.base_url)
            async with Stack(Provider("groq")).build() as executor:
                response = await executor.exec_chat_response("llama", HELLO, ChatOptions(reasoning_effort="low"))
        assert (response.provider, response.text) == ("groq", "hi")
        assert simulator.last_request.headers["authorization"] == "Bearer k-groq"
        assert simulator.last_request.json["reasoning_format"] == "parsed"

    def test_needs_its_key(self):
        with pytest.raises(ConfigError, match="GROQ_API_KEY"):
            Stack(Provider("groq")).build()

    def test_is_told_apart_by_what_is_said(self):
        plain = Provider("groq").identity()
        assert Provider("groq", api_key="k").identity() == plain
        assert Provider("groq", quirks={"include_usage": False}).identity() != plain
        assert Provider("xai").identity() != plain

    def test_keeps_the_quirks_that_are_not_said(self):
        quirks = Provider("groq", quirks={"include_usage": False}).entry.quirks
        assert (quirks.include_usage, quirks.reasoning) == (False, "groq")

    def test_takes_a_name_by_position_or_by_name(self):
        assert Provider("groq") == Provider(namespace="groq")
        assert repr(Provider("groq")) == "Provider(namespace='groq')"
        with pytest.raises(ConfigError, match="options are given by name"):
            Provider("groq", "chat")


class TestARowOfOnesOwn:
    async def test_is_a_leaf(self, monkeypatch):
        monkeypatch.setenv("MINE_KEY", "k-mine")
        with ProviderSimulator(Answer("hi")) as simulator:
            provider = Provider(
                "mine",
                dialect="chat",
                base_url=simulator.base_url,
                key_variable="MINE_KEY",
                key_header="x-mine-key",
                quirks={"seed_field": "random_seed"},
            )
            async with Stack(provider).build() as executor:
                response = await executor.exec_chat_response("any", HELLO, ChatOptions(seed=7))
        assert (response.provider, response.attempts[0].target) == ("mine", "mine")
        assert simulator.last_request.headers["x-mine-key"] == "k-mine"
        assert "authorization" not in simulator.last_request.headers
        assert simulator.last_request.json["random_seed"] == 7

    def test_may_do_without_a_key_but_not_without_one_it_names(self):
        Stack(Provider("mine", **MINE)).build()
        with pytest.raises(ConfigError, match=r"mine\.key_variable: the environment variable MINE_KEY is not set"):
            Stack(Provider("mine", **MINE, key_variable="MINE_KEY")).build()

    def test_may_speak_any_dialect(self):
        for dialect in ("anthropic", "gemini"):
            assert Provider("mine", dialect=dialect, base_url="http://mine.test").wire_format().name == dialect

    def test_says_what_its_models_can_do(self):
        provider = Provider("mine", **MINE, models={"my-text*": {"images": False}}, abilities={"tools": True})
        assert provider.abilities_for("my-text-1") == Abilities(images=False, tools=True)
        assert provider.abilities_for("my-other") == Abilities(tools=True)

    @pytest.mark.parametrize(
        ("said", "complaint"),
        [
            ({"namespace": "grok"}, r"unknown namespace 'grok'; did you mean 'groq'\?.*`dialect` and `base_url`"),
            ({"namespace": "mine"}, "unknown namespace 'mine'"),
            ({"namespace": "mine", "dialect": "chat"}, "Provider: base_url: required.*'mine' is no provider"),
            (
                {"namespace": "mine", "base_url": "http://mine.test"},
                "Provider: dialect: required.*'mine' is no provider",
            ),
            ({"namespace": "mine", **MINE, "dialect": "chatt"}, "unknown dialect 'chatt'; did you mean 'chat'"),
            ({"namespace": "mine", **MINE, "base_url": "mine.test"}, "expected a URL"),
            ({"namespace": "mine", **MINE, "quirks": {"include_use": True}}, "did you mean 'include_usage'"),
            ({"namespace": "mine", **MINE, "quirks": {"include_usage": "no"}}, "expected true or false, got str"),
            ({"namespace": "mine", **MINE, "quirks": {"reasoning": True}}, "expected one of effort, object.*got bool"),
            ({"namespace": "mine", **MINE, "quirks": {"seed_field": True}}, "seed_field: expected a word, got bool"),
            ({"namespace": "mine", **MINE, "quirks": {"seed_field": None}}, "seed_field: expected a word, got nothing"),
            ({"namespace": "mine", **MINE, "quirks": {"include_usage": None}}, "expected true or false, got nothing"),
            (
                {"namespace": "mine", **MINE, "quirks": {"reasoning": "banana"}},
                r"quirks\.reasoning: expected one of effort, object, thinking, groq, got str 'banana'",
            ),
            ({"namespace": "mine", **MINE, "quirks": {"reasoning_back": "thinkin"}}, "did you mean 'thinking'"),
            ({"namespace": "mine", **MINE, "key_header": "X Key"}, "key_header"),
            ({"namespace": "my::own", **MINE}, "namespace"),
            ({"namespace": "azure"}, "'azure' takes more than a row says; declare it as `azure_openai`"),
            ({}, "namespace: required"),
        ],
    )
    def test_a_mistake_is_told(self, said, complaint):
        with pytest.raises(ConfigError, match=complaint):
            Provider(**said)

    def test_may_have_every_word_that_is_known_and_none_where_that_means_something(self):
        said = {"reasoning": "object", "reasoning_back": None, "reasoning_summary": "concise", "max_tokens_field": "n"}
        quirks = Provider("mine", **MINE, quirks=said).entry.quirks
        assert {name: getattr(quirks, name) for name in said} == said

    @pytest.mark.parametrize(
        ("said", "complaint"),
        [
            ("{provider: {namespace: grok}}", "provider: unknown namespace 'grok'"),
            ("{provider: {namespace: azure}}", "provider: 'azure' takes more than a row says"),
            ("{bedrock: {access_key_id: {env: A}}}", "bedrock: access_key_id and secret_access_key go together"),
            ("{provider: {namespace: groq, lenient: 3.5}}", "provider.lenient: expected"),
            ("{provider: {namespace: groq, headers: {x-a: 3}}}", "provider.headers.x-a: expected"),
            ("{provider: {namespace: mine, dialect: chat}}", "provider.base_url: required"),
        ],
    )
    def test_a_mistake_in_a_file_is_told_under_its_path(self, said, complaint):
        with pytest.raises(ConfigError) as caught:
            Stack.loads(f"executor: {said}")
        assert complaint in str(caught.value)

    def test_stands_in_a_file(self):
        stack = Stack.loads(
            "executor: {provider: {namespace: mine, dialect: chat, base_url: 'http://mine.test/v1', rules: my-*,"
            " key_variable: MINE_KEY, quirks: {include_usage: false}, models: {'my-*': {images: false}}}}"
        )
        said = {"quirks": {"include_usage": False}, "models": {"my-*": {"images": False}}}
        assert stack == Stack(Provider("mine", **MINE, rules="my-*", key_variable="MINE_KEY", **said))
        assert Stack.loads(stack.dump()) == stack


class TestInAuto:
    """Rows of one's own take part in finding the provider."""

    async def test_a_row_of_ones_own_is_reached_by_rule_and_by_namespace(self):
        with ProviderSimulator(Answer("hi")) as simulator:
            row = {"dialect": "chat", "base_url": simulator.base_url, "rules": ["my-*"], "api_key": "k-mine"}
            async with Stack(Auto(providers={"mine": row})).build() as executor:
                for model in ("my-model", "mine::other"):
                    response = await executor.exec_chat_response(model, HELLO)
                    assert response.provider == "mine"
        assert [request.model for request in simulator.requests] == ["my-model", "other"]
        assert simulator.last_request.headers["authorization"] == "Bearer k-mine"

    @pytest.mark.parametrize(
        ("rules", "model", "namespace"),
        [
            (["claude*"], "claude-x", "mine"),  # as specific as ours: the user's wins
            (["c*"], "claude-x", "anthropic"),  # less specific
            (["gpt-4o-mine*"], "gpt-4o-mine-1", "mine"),  # more specific
            ([], "claude-x", "anthropic"),
        ],
    )
    def test_the_most_specific_rule_wins_and_then_the_users(self, rules, model, namespace):
        auto = Auto(providers={"mine": {**MINE, "rules": rules}})
        assert Directory(auto.rows()).choose(model).entry.namespace == namespace

    def test_rules_of_a_known_row_are_replaced(self):
        directory = Directory(Auto(providers={"anthropic": {"rules": ["sonnet*"]}}).rows())
        assert directory.choose("sonnet-4").entry.namespace == "anthropic"
        assert directory.choose("claude-x").guessed

    async def test_a_known_row_may_speak_another_dialect(self):
        with ProviderSimulator(Answer("hi"), dialect="anthropic") as simulator:
            auto = Auto(providers={"xai": {"dialect": "anthropic", "base_url": simulator.base_url, "api_key": "k"}})
            async with Stack(auto).build() as executor:
                assert (await executor.exec_chat_response("grok-4", HELLO)).provider == "xai"

    def test_of_a_row_with_a_spec_of_its_own_only_its_options_are_taken(self):
        auto = Auto(providers={"azure": {"base_url": "https://mine.openai.azure.com", "api_key": "k"}})
        assert auto.provider("azure").kind == "azure_openai"
        with pytest.raises(ConfigError, match="'quirks' is no option of 'azure_openai'"):
            Auto(providers={"azure": {"quirks": {"include_usage": False}}}).provider("azure")

    def test_an_unknown_one_without_dialect_and_endpoint_is_told(self):
        with pytest.raises(ConfigError, match=r"unknown namespace 'mine'.*`dialect` and `base_url`"):
            Auto(providers={"mine": {"rules": ["my-*"]}})

    def test_a_mistake_in_a_namespace_of_a_call_names_the_users_rows_too(self):
        directory = Directory(Auto(providers={"mine": MINE}).rows())
        with pytest.raises(ConfigError, match="unknown namespace 'mime' in 'mime::x'; did you mean"):
            directory.choose("mime::x")

    def test_rules_are_a_part_of_the_identity(self):
        plain = Auto(providers={"mine": MINE}).identity()
        assert Auto(providers={"mine": {**MINE, "rules": ["my-*"]}}).identity() != plain

    def test_stands_in_a_file(self):
        stack = Stack.loads(
            "executor: {auto: {providers: {mine: {dialect: chat, base_url: 'http://mine.test/v1', rules: ['my-*']}}}}"
        )
        assert stack == Stack(Auto(providers={"mine": {**MINE, "rules": ["my-*"]}}))
        assert Stack.loads(stack.dump()) == stack
