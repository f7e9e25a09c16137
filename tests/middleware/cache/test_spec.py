"""The options of Cache: what they may be, in code and in files, and what stands for what is inside."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.middleware.cache.asking import REQUEST, ask

from lamellar import ChatOptions, ConfigError, Stack, Target
from lamellar.middleware import Cache, Fallback, Retry, SQLiteStore, Timeout
from lamellar.providers import OpenAI
from lamellar.testing import ScriptedExecutor
from lamellar_middleware.cache.executor import CacheExecutor


class Store:
    async def get(self, key):
        return None

    async def put(self, key, stored):
        pass


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("cache", Cache()),
        ("cache: {ttl: 10m, max_entries: 10000}", Cache(ttl=600, max_entries=10_000)),
        ("cache: {max_bytes: 1GiB, max_entry_bytes: 512kB}", Cache(max_bytes=2**30, max_entry_bytes=512_000)),
        ("cache: {store: memory, share: answers}", Cache(store="memory", share="answers")),
        ("cache: {store: {sqlite: {path: answers.db}}}", Cache(store=SQLiteStore(path="answers.db"))),
        ("cache: {namespace: team, store_fallback: true}", Cache(namespace="team", store_fallback=True)),
        ("cache: {single_flight: false, fingerprint: v1}", Cache(single_flight=False, fingerprint="v1")),
        ("cache: {identity: v1}", Cache(fingerprint="v1")),
    ],
)
def test_what_files_may_say(text: str, cache: Cache) -> None:
    stack = Stack.loads(f"layers: [{text if ':' not in text else '{' + text + '}'}]\nexecutor: openai")
    assert stack.layers == (cache,)
    for format_ in ("yaml", "json", "toml"):
        assert Stack.loads(stack.dump(format_), format_) == stack


def test_an_object_is_a_store_in_code_and_in_no_file() -> None:
    stack = Stack(Cache(store=Store()), OpenAI())
    with pytest.raises(ConfigError, match="a file cannot hold"):
        stack.dump()
    assert "cache" in stack.describe()


def test_its_schema_says_what_files_may_say() -> None:
    schema = Cache.model_json_schema()
    assert set(schema["properties"]) == set(Cache.model_fields)
    assert "sqlite" in str(schema["properties"]["store"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ttl": 0}, "ttl: more than zero seconds"),
        ({"ttl": "soon"}, "ttl: expected a duration"),
        ({"max_entries": 0}, "max_entries"),
        ({"max_bytes": "64 apples"}, "max_bytes: expected a size"),
        ({"max_bytes": "1kB"}, "max_entry_bytes=1000000 can never act, because max_bytes=1000 is less"),
        ({"store": "redis"}, "store: expected 'memory', {sqlite: {path: …}} or an object"),
        ({"store": {"redis": {}}}, "store: expected 'memory'"),
        ({"store": {"sqlite": "a.db"}}, r"sqlite: expected \{path: …\}, got str 'a.db'"),
        ({"store": {"sqlite": {"pth": "a.db"}}}, "pth: unknown option; did you mean 'path'"),
        ({"store": {"sqlite": {"path": ":memory:"}}}, "store='memory'"),
        ({"store": {"sqlite": {"path": " "}}}, "the path of a file"),
        ({"store": Store}, "an object with the methods `get` and `put`"),
        ({"store": SQLiteStore(path="a"), "share": "b"}, "share: names a cache in memory"),
        ({"tttl": 3}, "did you mean 'ttl'"),
    ],
)
def test_wrong_options_are_named(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Cache(**options)


def test_declaring_one_loads_nothing_heavy() -> None:
    heavy = ("tenacity", "aiolimiter", "cachetools", "sqlite3", "opentelemetry", "aiohttp", "httpx")
    code = (
        "import sys\nfrom lamellar.middleware import Cache, SQLiteStore\n"
        "Cache(ttl='10m', store=SQLiteStore(path='a')).model_dump()\n"
        f"print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# -- what is inside --------------------------------------------------------------------------------------------------


def key_of(stack: Stack) -> str:
    """The key of one request to a stack, whose outermost layer is the cache."""
    built = stack.build()
    key = built.inner._keys.key("m", REQUEST, None)
    assert key is not None
    return key


KEYED = {"api_key": "sk-one-key-of-ours"}


def through(*plates: object, **options: object) -> str:
    return key_of(Stack(Cache(**options), *plates))


def test_what_changes_an_answer_changes_the_key() -> None:
    keys = [
        through(OpenAI(**KEYED)),
        through(OpenAI(base_url="https://example.com/v1", **KEYED)),
        through(OpenAI(headers={"x-team": "a"}, **KEYED)),
        through(Fallback(Target(OpenAI(**KEYED), model="a"))),
        through(Fallback(Target(OpenAI(**KEYED), model="b"))),
        through(Fallback(Target(OpenAI(**KEYED), model="a", options=ChatOptions(temperature=0)))),
        through(Fallback(Target(OpenAI(**KEYED), model="a", unset=["seed"]))),
        through(Fallback(Target(OpenAI(**KEYED), model="a"), Target(OpenAI(**KEYED), model="b"))),
        through(OpenAI(**KEYED), namespace="team"),
        through(OpenAI(**KEYED), fingerprint="v1"),
        through(OpenAI(**KEYED), fingerprint="v2"),
        through(ScriptedExecutor(name="a")),
        through(ScriptedExecutor(name="b")),
    ]
    assert len(set(keys)) == len(keys)


def test_what_changes_none_does_not_change_the_key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-key-of-ours")
    keys = {
        through(OpenAI(**KEYED)),
        through(OpenAI(api_key="sk-some-other-key")),
        through(OpenAI()),
        through(Timeout(total=60), Retry(attempts=5), OpenAI(max_connections=3)),
        through(OpenAI(), ttl=5, max_entries=3, single_flight=False, store_fallback=True),
        through(Cache(), OpenAI()),
    }
    assert len(keys) == 1


def test_the_endpoint_of_the_environment_counts(monkeypatch) -> None:
    before = through(OpenAI(**KEYED))
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.com/v1")
    assert through(OpenAI(**KEYED)) != before


def turned_down(response: object) -> bool:
    return False


def test_a_function_without_a_name_must_be_stood_for() -> None:
    unnamed = Fallback(OpenAI(**KEYED), accept=lambda response: True)
    with pytest.raises(ConfigError) as caught:
        Stack(Cache(), unnamed).build()
    assert str(caught.value).startswith("cache: ")
    assert "no importable name" in str(caught.value)
    assert "define it in a module" in str(caught.value)
    assert "fingerprint=" in str(caught.value)
    assert through(unnamed, fingerprint="v1")
    assert through(unnamed, identity="v1") == through(unnamed, fingerprint="v1")


def test_a_function_with_a_name_stands_for_itself() -> None:
    named = [Fallback(OpenAI(**KEYED), accept=each) for each in (turned_down, ask, None)]
    assert len({through(each) for each in named}) == 3


def test_a_cache_in_a_target_has_what_is_inside_of_it_there() -> None:
    stacks = [
        Stack(Fallback(Target(Cache(), OpenAI(base_url=f"https://{name}.example.com/v1", **KEYED), model="m")))
        for name in ("a", "b")
    ]
    keys = [stack.build().find(CacheExecutor)._keys.key("m", REQUEST, None) for stack in stacks]
    assert keys[0] != keys[1]
