"""What is known of models: laid over one another, by pattern, as an option, and as the default of a target."""

from dataclasses import replace

import pytest

from lamellar import ConfigError, Stack, Target
from lamellar.middleware import Fallback
from lamellar.providers import Abilities, Anthropic, Auto, OpenAI, Provider
from lamellar.providers.abilities import abilities_of
from lamellar.providers.catalog import CATALOG, CatalogEntry
from lamellar.target import TargetExecutor

ROW = CatalogEntry(
    "mine",
    "http://mine.test",
    None,
    "chat",
    abilities=Abilities(tools=True),
    models=(
        ("small-text", Abilities(images=False)),
        ("small*", Abilities(images=True, context_window=8_000)),
        ("*", Abilities(context_window=32_000)),
    ),
)


class TestAbilities:
    def test_nothing_is_known_by_default(self):
        assert Abilities().known() == {}
        assert repr(Abilities(images=False)) == "Abilities(images=False)"

    def test_one_over_another_wins_where_it_knows(self):
        known = Abilities(images=False, context_window=5).over(Abilities(images=True, tools=True))
        assert known == Abilities(images=False, tools=True, context_window=5)
        assert Abilities().over(known) is known

    def test_the_more_specific_pattern_wins_ability_by_ability(self):
        assert abilities_of(ROW, "small-text") == Abilities(tools=True, images=False, context_window=8_000)
        assert abilities_of(ROW, "Small-1") == Abilities(tools=True, images=True, context_window=8_000)
        assert abilities_of(ROW, "large") == Abilities(tools=True, context_window=32_000)

    def test_a_row_that_is_changed_is_another_row(self):
        assert abilities_of(replace(ROW, models=()), "large") == Abilities(tools=True)

    @pytest.mark.parametrize(
        ("said", "complaint"),
        [
            ({"image": True}, r"abilities\.image: unknown option; did you mean 'images'"),
            ({"context_window": 0}, r"abilities\.context_window: expected greater than 0"),
            ({"tools": "perhaps"}, r"abilities\.tools: expected a valid boolean"),
        ],
    )
    def test_a_mistake_names_the_field(self, said, complaint):
        with pytest.raises(ConfigError, match=complaint):
            OpenAI(abilities=said)

    def test_stands_in_a_file_as_what_is_known(self):
        stack = Stack.loads("executor: {openai: {abilities: {images: false, context_window: 8000}}}")
        assert stack == Stack(OpenAI(abilities=Abilities(images=False, context_window=8000)))
        assert Stack.loads(stack.dump()) == stack
        assert "tools" not in stack.dump()


class TestTheCatalog:
    @pytest.mark.parametrize(
        ("namespace", "model", "known"),
        [
            ("openai", "gpt-4o-mini", {"tools": True, "images": True, "context_window": 128_000}),
            ("openai", "gpt-3.5-turbo-0125", {"images": False, "json_schema": False, "context_window": 16_385}),
            ("openai", "o1-mini-2024-09-12", {"images": False, "tools": False}),
            ("openai", "o3-mini", {"images": False, "tools": True}),
            ("openai", "o3", {"images": True}),
            ("openai", "gpt-4.1-nano", {"context_window": 1_047_576}),
            ("anthropic", "claude-3-5-haiku-latest", {"prefill": True, "context_window": 200_000, "audio": False}),
            ("anthropic", "claude-haiku-4-5", {"prefill": True, "images": True}),
            ("anthropic", "claude-opus-4-6", {"prefill": False}),
            ("deepseek", "deepseek-chat", {"images": False, "documents": False}),
            ("gemini", "gemini-2.5-flash", {"audio": True, "context_window": 1_048_576}),
            ("groq", "llama-3.3-70b-versatile", {"images": False, "context_window": 131_072}),
            ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", {"images": False}),
            ("moonshot", "moonshot-v1-8k-vision-preview", {"images": True, "context_window": 8_192}),
        ],
    )
    def test_knows_a_model(self, namespace, model, known):
        found = abilities_of(CATALOG[namespace], model).known()
        assert {name: found.get(name) for name in known} == known

    @pytest.mark.parametrize(
        ("namespace", "model", "unknown"),
        [
            ("openrouter", "meta-llama/llama-3.3-70b-instruct", {"documents", "images", "audio", "context_window"}),
            ("fireworks", "accounts/fireworks/models/gpt-oss-120b", {"documents", "images", "context_window"}),
            ("mistral", "mistral-large-2411", {"documents"}),
            ("mistral", "codestral-2508", {"documents"}),
            ("mistral", "codestral-latest", {"documents", "images", "context_window"}),
            ("zai", "glm-4.5v", {"documents", "audio"}),
            ("zai", "glm-4.7v", {"documents", "images", "context_window"}),
            ("bigmodel", "glm-4.5", {"documents"}),
            ("azure", "gpt-4", {"images", "documents", "json_schema", "context_window"}),
            ("azure", "gpt-3.5-turbo", {"images", "json_schema", "context_window"}),
            ("together", "nvidia/Llama-3.1-Nemotron-Nano-VL-8B-V1", {"images", "context_window"}),
            ("huggingface", "nvidia/Llama-3.1-Nemotron-8B-UltraLong-1M-Instruct", {"context_window"}),
            ("huggingface", "someone/deepseek-r1-vision", {"images"}),
            ("groq", "llama-3.3-70b-versatile", {"documents"}),
            ("xai", "grok-3", {"documents"}),
        ],
    )
    def test_does_not_refuse_what_may_be_served(self, namespace, model, unknown):
        found = abilities_of(CATALOG[namespace], model).known()
        # What is known to be there refuses nothing.
        assert {name for name in unknown if name in found and found[name] is not True} == set()

    @pytest.mark.parametrize("model", ["gpt-5.9", "gpt-6", "claude-sonnet-5", "gemini-4-pro", "grok-5"])
    def test_claims_no_window_of_a_model_that_is_not_there_yet(self, model):
        assert {abilities_of(row, model).context_window for row in CATALOG.values()} == {None}

    def test_has_no_pattern_that_a_model_of_the_row_could_not_match(self):
        for row in CATALOG.values():
            for pattern, said in row.models:
                assert said.known(), pattern
                assert pattern == pattern.lower()


class TestATarget:
    """What the provider knows of a target's model is its default."""

    @staticmethod
    def built(target):
        return Stack(Fallback(target)).build().find(TargetExecutor)

    @pytest.mark.parametrize(
        ("target", "prefill", "window"),
        [
            (Target(Anthropic(api_key="k"), model="claude-haiku-4-5"), True, 200_000),
            (Target(Anthropic(api_key="k"), model="claude-haiku-4-5", prefill=False, context_window=9), False, 9),
            (Target(Anthropic(api_key="k")), False, None),
            (Target(OpenAI(api_key="k"), model="unheard-of"), False, None),
            (Target(OpenAI(api_key="k", abilities={"prefill": True}), model="gpt-4o"), True, 128_000),
            (Target(Auto(providers={"groq": {"api_key": "k"}}), model="groq::llama-3.3-70b"), False, 131_072),
            (Target(Auto(model_mapper=str.lower), model="claude-haiku-4-5"), False, None),
            (Target(Provider("groq", api_key="k"), model="llama-3.3-70b"), False, 131_072),
        ],
    )
    def test_has_what_is_known_by_default(self, target, prefill, window):
        made = self.built(target)
        assert (made.prefill, made.context_window) == (prefill, window)
