"""Secrets: found where they are, shown nowhere."""

from __future__ import annotations

import json
import logging
import pickle

import pytest
from pydantic import TypeAdapter

from lamellar.errors import ConfigError
from lamellar.frozen import Frozen
from lamellar.masking import MASK, masked, scrub, show
from lamellar.secrets import AnySecret, Secret
from lamellar.stack import Stack

HUSH = "hush-very-private-9f8e7d"


class Holder(Frozen):
    key: AnySecret | None = None
    number: int = 0
    headers: dict[str, str] = {}
    url: str = ""


def test_a_literal_is_the_secret() -> None:
    assert Secret(literal=HUSH).resolve("key") == HUSH


def test_a_variable_holds_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", HUSH)
    assert Secret(env="A_KEY").resolve("key") == HUSH


def test_a_file_holds_the_secret_and_white_space_round_it_is_none_of_it(tmp_path) -> None:
    (tmp_path / "key").write_text(f"\n {HUSH}\r\n")
    assert Secret(file=str(tmp_path / "key")).resolve("key") == HUSH


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named_with_its_field(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("A_KEY", value)
    with pytest.raises(ConfigError, match=r"openai\.api_key: the environment variable A_KEY is not set; export it"):
        Secret(env="A_KEY").resolve("openai.api_key")


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "not UTF-8")]
)
def test_a_file_that_cannot_serve_is_named_with_its_field(content: bytes | None, why: str, tmp_path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as caught:
        Secret(file=str(file)).resolve("openai.api_key")
    assert str(caught.value).startswith("openai.api_key: ")
    assert str(file) in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_directory_is_no_secret(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot read the secret's file"):
        Secret(file=str(tmp_path)).resolve("key")


@pytest.mark.parametrize(
    "value", [{}, {"env": "A", "file": "b"}, {"env": "A", "literal": HUSH}, {"env": None}, "", " ", {"env": ""}]
)
def test_a_secret_is_exactly_one_thing(value: object) -> None:
    with pytest.raises(ConfigError, match="a secret is"):
        Holder(key=value)


@pytest.mark.parametrize("value", [12345678, [HUSH], {"env": 5}, b"bytes", {"envv": HUSH}])
def test_what_is_no_secret_is_refused_once_and_not_shown(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Holder(key=value)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("key")
    assert HUSH not in str(caught.value)
    assert "12345678" not in str(caught.value)


@pytest.mark.parametrize(
    "show_it",
    [repr, str, "{}".format, "{!r:>40}".format, lambda each: repr([each]), lambda each: str({"a": each})],
)
@pytest.mark.parametrize("make", [lambda: Secret(literal=HUSH), lambda: Holder(key=HUSH)], ids=["alone", "inside"])
def test_a_literal_is_never_shown(make, show_it) -> None:
    assert HUSH not in show_it(make())
    assert MASK in show_it(make())


def test_a_literal_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("using %s and %r", Holder(key=HUSH), Secret(literal=HUSH))
    assert HUSH not in caplog.text


@pytest.mark.parametrize(
    "dump",
    [
        lambda holder: holder.model_dump(),
        lambda holder: holder.model_dump(mode="json"),
        lambda holder: holder.model_dump_json(),
        lambda holder: TypeAdapter(list[Holder]).dump_json([holder]),
    ],
)
@pytest.mark.parametrize("value", [HUSH, Secret(literal=HUSH), {"literal": HUSH}])
def test_dumping_a_literal_raises_and_names_the_mend(value: object, dump) -> None:
    with pytest.raises(ValueError, match=r"use \{env: NAME\}") as caught:
        dump(Holder(key=value))
    assert HUSH not in str(caught.value)


@pytest.mark.parametrize("spelling", ["yaml", "toml", "json"])
def test_a_stack_with_a_literal_is_not_dumped(spelling) -> None:
    stack = Stack.loads(f"executor: {{openai: {{api_key: {HUSH}}}}}")
    with pytest.raises(ConfigError, match=r"^a literal secret is not written to a file: use \{env: NAME\}"):
        stack.dump(spelling)


@pytest.mark.parametrize("reference", [{"env": "A_KEY"}, {"file": "/run/key"}])
def test_a_reference_goes_to_a_file_and_back(reference: dict[str, str]) -> None:
    holder = Holder(key=reference)
    assert holder.model_dump(exclude_unset=True) == {"key": reference}
    assert Holder.model_validate(json.loads(holder.model_dump_json())) == holder
    assert eval(repr(holder)) == holder


def test_a_secret_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Secret(literal=HUSH))).resolve("key") == HUSH


@pytest.mark.parametrize("wrong", ["sk-proj-abcdefgh", "AIza" + "b" * 30, "Zx9" * 12, Secret(literal=HUSH)])
@pytest.mark.failure(34)
def test_a_key_that_landed_in_the_wrong_field_is_not_shown(wrong: object) -> None:
    with pytest.raises(ConfigError) as caught:
        Holder(number=wrong)
    assert str(caught.value).startswith("Holder: number: expected a valid integer, got ")
    assert (wrong if isinstance(wrong, str) else HUSH) not in str(caught.value)


def test_a_repr_hides_what_headers_and_urls_hold() -> None:
    holder = Holder(
        headers={"X-Api-Key": HUSH, "authorization": HUSH, "accept": "text/plain"}, url=f"https://u:{HUSH}@host/v1"
    )
    assert HUSH not in repr(holder)
    assert "text/plain" in repr(holder)
    assert "@host/v1" in repr(holder)


# -- scrub -----------------------------------------------------------------------------------------------------------

SHAPES = {
    "openai": "sk-abcdefghijklmnop",
    "openai project": "sk-proj-Ab1_Cd2-Ef3Gh4",
    "anthropic": "sk-ant-api03-Ab1_Cd2-Ef3Gh4",
    "groq": "gsk_Ab1Cd2Ef3Gh4",
    "xai": "xai-Ab1Cd2Ef3Gh4",
    "cerebras": "csk-ab1cd2ef3gh4",
    "perplexity": "pplx-ab1cd2ef3gh4",
    "nvidia": "nvapi-Ab1_Cd2-Ef3Gh4",
    "fireworks": "fw_Ab1Cd2Ef3Gh4",
    "replicate": "r8_Ab1Cd2Ef3Gh4",
    "hugging face": "hf_Ab1Cd2Ef3Gh4",
    "github": "ghp_Ab1Cd2Ef3Gh4",
    "github fine-grained": "github_pat_11AB_cd2ef3gh4",
    "google": "AIzaSyA1b2C3d4E5f6G7h8I9j0",
    "google token": "ya29.A1b2C3d4E5f6",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "aws session": "ASIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
}


@pytest.mark.parametrize("around", ["{}", "the key {} is wrong", '{{"key": "{}"}}', "({})", "x={};", "{}."])
@pytest.mark.parametrize("secret", SHAPES.values(), ids=SHAPES)
def test_a_key_is_known_by_its_shape(secret: str, around: str) -> None:
    assert secret not in scrub(around.format(secret))
    assert MASK in scrub(around.format(secret))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefgh", f"Authorization: Bearer {MASK}"),
        ("authorization: Basic dXNlcjpwYXNz", f"authorization: Basic {MASK}"),
        ("'authorization': 'Token letmein'", f"'authorization': 'Token {MASK}'"),
        ("sent bearer a1b2c3d4e5 to it", f"sent bearer {MASK} to it"),
        ("x-api-key: open-sesame", f"x-api-key: {MASK}"),
        ("{'x-goog-api-key': 'open-sesame'}", f"{{'x-goog-api-key': '{MASK}'}}"),
        ('{"api_key": "open-sesame"}', f'{{"api_key": "{MASK}"}}'),
        ("api_key=open-sesame", f"api_key={MASK}"),
        ("Incorrect API key provided: abcd1234.", f"Incorrect API key provided: {MASK}"),
        ("https://h/v1?key=sesame&alt=sse", f"https://h/v1?key={MASK}&alt=sse"),
        ("https://h/?X-Amz-Signature=abc&n=1", f"https://h/?X-Amz-Signature={MASK}&n=1"),
        ("https://h/?a=1&access_token=abc", f"https://h/?a=1&access_token={MASK}"),
        ("proxy http://user:pass@host:3128/", f"proxy http://{MASK}@host:3128/"),
    ],
)
def test_a_secret_is_known_by_what_stands_before_it(text: str, left: str) -> None:
    assert scrub(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Basic authentication is required",
        "the bearer token has expired",
        "Bearer authentication failed: no credentials",
        "invalid x-api-key",
        "missing api key: set OPENAI_API_KEY",
        "api_key: expected a key as text, got int",
        "pass api_key={env: NAME}",
        "pk_customer_id violates a constraint",
        "the hf_transformers library",
        "a risk-adjusted and task-specific key",
        "https://api.example.com/v1/models?model=gpt-4o&limit=10",
        "max_tokens=100, temperature=0.5",
        "model gpt-4o-mini-2024-07-18 not found (request req_011CSHoEeqs5C35K2UUqR7Fy)",
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000",
        "cookies: yes, the cookie: none",
    ],
)
def test_ordinary_text_passes_unharmed(text: str) -> None:
    assert scrub(text) == text


def test_known_secrets_go_whatever_their_shape() -> None:
    assert scrub("it said correct horse, twice: correct horse", "correct horse") == f"it said {MASK}, twice: {MASK}"


def test_a_known_secret_too_short_to_be_one_harms_no_text() -> None:
    assert scrub("abc and a cab", "a", "") == "abc and a cab"


def test_scrubbing_twice_changes_nothing_more() -> None:
    once = scrub(" ".join([*SHAPES.values(), "Bearer a1b2c3d4", "https://h/?key=abc"]))
    assert scrub(once) == once


@pytest.mark.parametrize("text", ["a-" * 50_000, "sk-" * 50_000, "bearer " * 20_000, "?key" * 50_000, "x" * 200_000])
def test_hostile_text_takes_no_time(text: str) -> None:
    scrub(text)  # quadratic matching would take minutes
    show(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        (True, "bool True"),
        (1.5, "float 1.5"),
        ("usr", "str 'usr'"),
        ("x" * 99, f"str '{'x' * 37}...'"),
        ([1], "list"),
        (HUSH * 3, f"str '{MASK}'"),
    ],
)
def test_a_wrong_value_as_errors_show_it(value: object, shown: str) -> None:
    assert show(value) == shown


def test_masking_reaches_into_mappings_only() -> None:
    assert masked({"a": {"api-key": "x", "b": "y"}, "n": 1}) == {"a": {"api-key": MASK, "b": "y"}, "n": 1}
    assert masked(5) == 5
