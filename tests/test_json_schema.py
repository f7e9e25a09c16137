"""The JSON Schema of documents: what loads is valid, what does not load for its form is not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import PAGES, blocks_of
from tests.specimens import every_spec

from lamellar import ConfigError, Stack
from lamellar.cli.init import starter
from lamellar.providers import OpenAI
from lamellar.registry import kinds, lookup
from lamellar.schema.docstrings import option_texts, summary
from lamellar.spec import ExecutorSpec, LayerSpec
from lamellar.target import Target

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[1]
SCHEMA = Stack.json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def complaints(data: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(data)]


def read(text: str, format: str) -> Any:  # noqa: A002
    return {"yaml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}[format](text)


def written() -> Iterator[tuple[str, str, str]]:
    """Every stack of the README and of the documentation: where it stands, its text, its format."""
    for page in (ROOT / "README.md", *sorted(PAGES.rglob("*.md"))):
        for block in blocks_of(page):
            if block.language in ("yaml", "json", "toml") and re.search(
                r"^\W*(executor|stacks)\W", block.code, re.MULTILINE
            ):
                yield f"{page.name}:{block.line}", block.code, block.language


def loads(text: str, format: str) -> bool:  # noqa: A002
    try:
        Stack.loads(text, format)  # type: ignore[arg-type]
    except ConfigError as error:
        return "include" in str(error) or "several stacks" in str(error)
    return True


def test_it_is_a_schema_of_the_year_2020() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    text = json.dumps(SCHEMA)
    assert "x-lamellar-place" not in text
    referred = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert referred == SCHEMA["$defs"].keys()


@pytest.mark.parametrize("format", ["yaml", "toml", "json"])
def test_every_kind_with_every_option_is_valid(format: str) -> None:  # noqa: A002
    checked = 0
    for name, spec in every_spec():
        stack = Stack(spec, OpenAI()) if isinstance(spec, LayerSpec) else Stack(spec)
        try:
            text = stack.dump(format)  # type: ignore[arg-type]
        except ConfigError:  # TOML has no null
            assert format == "toml", name
            continue
        assert complaints(read(text, format)) == [], name
        checked += 1
    assert checked > 200


def test_every_stack_of_the_documentation_is_valid() -> None:
    found = list(written())
    assert len(found) >= 8
    for place, text, format in found:  # noqa: A001
        if loads(text, format):
            assert complaints(read(text, format)) == [], place


@pytest.mark.parametrize("name", ["minimal", "preset", "full"])
def test_starters_are_valid(name: str) -> None:
    assert complaints(yaml.safe_load(starter(name))) == []


GOOD = [
    "executor: openai",
    "executor: {openai: }",
    "layers: [retry, cache: , {timeout: {total: 1m30s}}]\nexecutor: openai",
    "layers: [{retry: {attempts: {env: ATTEMPTS, default: 3}, max: {file: max.txt}}}]\nexecutor: openai",
    "executor: {openai: {api_key: {file: /run/secrets/key}, headers: {env: literal, x-team: a}}}",
    "executor: {fallback: {targets: [openai, {executor: anthropic, model: m}, {use: other}]}}",
    "include: base.yaml",
    "include: [a.yaml, b.json]\nlayers: [{use: care}]\nexecutor: {use: base}",
    "stacks: {care: {layers: [retry]}, base: {executor: openai, layers: [{use: care}]}}\ndefault: base",
    "layers: [{cache: {max_bytes: 64MiB}}, {cache: {max_bytes: 1000}}]\nexecutor: openai",
    "layers: [{retry: {kinds: {timeout: true, overloaded: {attempts: 5}}}}]\nexecutor: openai",
    "executor: {stack: {layers: [retry], executor: openai}}",
]

BAD = [
    "layers: [retry]",
    "executer: openai",
    "executor: opnai",
    "executor: retry",
    "executor: [openai]",
    "version: 2\nexecutor: openai",
    "layers: retry\nexecutor: openai",
    "layers: [retri]\nexecutor: openai",
    "layers: [openai]\nexecutor: openai",
    "layers: [{retry: {atempts: 3}}]\nexecutor: openai",
    "layers: [{retry: {attempts: many}}]\nexecutor: openai",
    "layers: [{retry: {attempts: 0}}]\nexecutor: openai",
    "layers: [{retry: {attempts: true}}]\nexecutor: openai",
    "layers: [{retry: {attempts: '3'}}]\nexecutor: openai",
    "layers: [{retry: {attempts: 3.7}}]\nexecutor: openai",
    "layers: [{retry: {attempts: {env: A, fallback: 3}}}]\nexecutor: openai",
    "layers: [{retry: {jitter: some}}]\nexecutor: openai",
    "layers: [{retry: {initial: soon}}]\nexecutor: openai",
    "layers: [{retry: {initial: -1}}]\nexecutor: openai",
    "layers: [{retry: {kinds: {overlord: true}}}]\nexecutor: openai",
    "layers: [{cache: {max_bytes: 64XB}}]\nexecutor: openai",
    "layers: [{retry: 3}]\nexecutor: openai",
    "layers: [{retry: {}, cache: {}}]\nexecutor: openai",
    "executor: {openai: {}, anthropic: {}}",
    "executor: {openai: {api_key: {env: A, file: b}}}",
    "executor: {openai: {api_key: {evn: A}}}",
    "executor: {fallback: {}}",
    "executor: fallback",
    "executor: {fallback: {targets: []}}",
    "executor: {fallback: {targets: [{model: m}]}}",
    "executor: {fallback: {targets: [{executor: openai, modle: m}]}}",
    "stacks: {a: {executor: openai}}\nexecutor: openai",
    "stacks: {a: {executor: openai, version: 1}}",
    "stacks: {}",
    "executor: {stack: {layers: [retry]}}",
    "executor: stack",
    "default: 3\nstacks: {a: {executor: openai}}",
    "include: 3\nexecutor: openai",
    "{}",
    "[]",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_ones_are_valid(text: str) -> None:
    assert complaints(yaml.safe_load(text)) == []


@pytest.mark.parametrize("text", BAD)
def test_bad_ones_are_not_and_do_not_load_either(text: str) -> None:
    assert complaints(yaml.safe_load(text))
    with pytest.raises(ConfigError):
        Stack.loads(text)


def options() -> Iterator[tuple[str, type, str]]:
    for base in (LayerSpec, ExecutorSpec):
        for kind in kinds(base):  # type: ignore[type-abstract]
            model = lookup(kind, base)  # type: ignore[type-abstract]
            for name in model.model_fields:
                yield kind, model, name


def test_every_kind_and_every_option_is_described() -> None:
    definitions = SCHEMA["$defs"]
    offered = {
        **definitions["layer"]["anyOf"][-2]["properties"],
        **definitions["executor"]["anyOf"][-2]["properties"],
    }
    for kind, model, name in options():
        assert offered[kind]["description"] == summary(model), kind
        option = definitions[model.__name__]["properties"][name]
        assert len(option.get("description", "")) > 8, f"{kind}.{name}"
        assert "See `" not in option["description"], f"{kind}.{name}"
    assert all(option_texts(Target)[name] for name in Target.model_fields)


def test_defaults_choices_and_bounds_are_told() -> None:
    retry = SCHEMA["$defs"]["Retry"]["properties"]
    assert retry["attempts"]["default"] == 3
    assert {"type": "integer", "minimum": 1} in retry["attempts"]["anyOf"]
    assert {"type": "string", "enum": ["full", "equal", "none"]} in retry["jitter"]["anyOf"]
    assert {"$ref": "#/$defs/duration"} in retry["initial"]["anyOf"]
    literal = SCHEMA["$defs"]["secret"]["anyOf"][-1]
    assert literal["deprecated"] is True
