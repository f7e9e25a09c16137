"""The documentation is true: its code runs, its tables are the code's, its links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from tests.docs.pages import DOCS, PAGES, ROOT, blocks_of, code_of, headings, prose, section, table

from lamellar import AttemptRecord, ErrorKind, Target
from lamellar.attempt import AttemptLimits
from lamellar.chat import events
from lamellar.middleware import (
    AdaptiveLimit,
    Balance,
    Budget,
    Cache,
    Chaos,
    CircuitBreaker,
    ConcurrencyLimit,
    Defaults,
    Ejection,
    ExtractReasoning,
    Fallback,
    Guardrail,
    Hedge,
    HedgeBudget,
    Log,
    RateLimit,
    Record,
    Redact,
    Replay,
    Retry,
    RetryBudget,
    Route,
    RouteRule,
    SimulateStream,
    Timeout,
    TokenPrice,
    Tracing,
    Transform,
)
from lamellar.providers import (
    Anthropic,
    Auto,
    AzureOpenAI,
    Bedrock,
    Cohere,
    Gemini,
    Ollama,
    OpenAI,
    OpenAIResponses,
    Provider,
    Vertex,
)
from lamellar.providers.catalog import CATALOG
from lamellar.verdicts import VERDICTS

ALL = sorted(PAGES.rglob("*.md"))
LAYERS = [page for page in sorted((PAGES / "layers").glob("*.md")) if page.name != "index.md"]
FOREIGN = (
    "AWS_",
    "BEDROCK_",
    "OPENAI_",
    "ANTHROPIC_",
    "GEMINI_",
    "COHERE_",
    "OLLAMA_",
    "AZURE_",
    "VERTEX_",
    "SSL_CERT_",
    "OTEL_",
)
"""How the names of variables begin that would change what a page does."""

SKELETON = [
    "What it does",
    "When to use it",
    "Options",
    "What it does to streams",
    "Telemetry",
    "Pitfalls",
    "Example",
]


def named(page: Path) -> str:
    return str(page.relative_to(PAGES))


def runs(page: Path) -> bool:
    return any(block.language in ("python", "yaml") for block in blocks_of(page))


# -- the code ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [page for page in ALL if runs(page)], ids=named)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().endswith("_PROXY") and not name.startswith(FOREIGN)
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("run_page.py")), str(page)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", ALL, ids=named)
def test_every_code_block_is_seen(page: Path) -> None:
    fences = [line for line in page.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("```")]
    assert not [line for line in fences if line != line.lstrip()], "a block within a list is not run: do not indent it"
    assert len(fences) == 2 * len(blocks_of(page))
    known = {"python", "yaml", "toml", "text", "sh"}
    assert {block.language for block in blocks_of(page)} <= known


# -- the pages about layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", LAYERS, ids=named)
def test_a_page_about_a_layer_keeps_the_skeleton(page: Path) -> None:
    assert headings(page, 2) == SKELETON
    example = section(page, "Example")
    assert "```python" in example
    assert '```yaml title="stack.yaml"' in example, "the test compares it with the example in Python"


def test_every_layer_there_is_has_a_page() -> None:
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    kinds = {*entries["lamellar.layers"], *entries["lamellar.executors"]}
    pages = {page.stem.replace("-", "_") for page in (*LAYERS, *(PAGES / "providers").glob("*.md"))}
    assert pages >= kinds


@pytest.mark.parametrize(
    ("page", "first", "spec"),
    [
        ("layers/retry.md", "option", Retry),
        ("layers/fallback.md", "option", Fallback),
        ("layers/fallback.md", "target option", Target),
        ("layers/balance.md", "option", Balance),
        ("layers/balance.md", "ejection option", Ejection),
        ("layers/hedge.md", "option", Hedge),
        ("layers/route.md", "option", Route),
        ("layers/route.md", "rule option", RouteRule),
        ("layers/timeout.md", "option", Timeout),
        ("layers/circuit-breaker.md", "option", CircuitBreaker),
        ("layers/concurrency-limit.md", "option", ConcurrencyLimit),
        ("layers/rate-limit.md", "option", RateLimit),
        ("layers/cache.md", "option", Cache),
        ("layers/tracing.md", "option", Tracing),
        ("layers/transform.md", "option", Transform),
        ("layers/defaults.md", "option", Defaults),
        ("layers/extract-reasoning.md", "option", ExtractReasoning),
        ("layers/simulate-stream.md", "option", SimulateStream),
        ("layers/chaos.md", "option", Chaos),
        ("layers/record.md", "option", Record),
        ("layers/replay.md", "option", Replay),
        ("layers/budget.md", "option", Budget),
        ("layers/budget.md", "price", TokenPrice),
        ("layers/guardrail.md", "option", Guardrail),
        ("layers/redact.md", "option", Redact),
        ("layers/log.md", "option", Log),
        ("providers/openai.md", "option", OpenAI),
        ("providers/openai-responses.md", "option", OpenAIResponses),
        ("providers/anthropic.md", "option", Anthropic),
        ("providers/gemini.md", "option", Gemini),
        ("providers/cohere.md", "option", Cohere),
        ("providers/ollama.md", "option", Ollama),
        ("providers/azure-openai.md", "option", AzureOpenAI),
        ("providers/vertex.md", "option", Vertex),
        ("providers/bedrock.md", "option", Bedrock),
        ("providers/auto.md", "option", Auto),
        ("providers/provider.md", "option", Provider),
    ],
)
def test_a_table_of_options_is_the_specs(page: str, first: str, spec: type[BaseModel]) -> None:
    rows = table(section(PAGES / page, "Options"), first)
    names = [code_of(row[0]) for row in rows]
    assert sorted(names) == sorted(spec.model_fields)
    for name, (_, default, meaning) in zip(names, rows, strict=True):
        field = spec.model_fields[name]
        if field.is_required():
            assert default == "required", name
        else:
            assert ast.literal_eval(code_of(default)) == field.get_default(call_default_factory=True), name
        assert meaning.endswith("."), name


def test_defaults_that_the_text_tells() -> None:
    assert AttemptLimits().connect == 10
    assert Timeout() == Timeout(total=600, first_content=60, idle=60)
    assert RetryBudget() == RetryBudget(ratio=0.2, min_per_second=1, window=10)
    assert AdaptiveLimit() == AdaptiveLimit(
        min=1,
        max=100,
        increase=1,
        decrease=0.5,
        cooldown=1,
        errors=("rate_limited", "overloaded", "timeout"),
        latency=None,
        latency_ratio=None,
    )
    assert HedgeBudget() == HedgeBudget(ratio=0.1, min_per_second=0.1, window=10)
    assert Timeout.model_fields["reserve"].default == 0.25


def test_the_table_of_providers_is_the_catalog() -> None:
    rows = table(section(PAGES / "providers" / "index.md", "The catalogue"), "namespace")
    assert [code_of(row[0]) for row in rows] == list(CATALOG)
    for namespace, dialect, endpoint, key, rules in rows:
        entry = CATALOG[code_of(namespace)]
        said = "none" if entry.key_variable is None else f"`{entry.key_variable}`"
        assert (code_of(dialect), code_of(endpoint)) == (entry.dialect, entry.base_url)
        assert key == said + (", optional" if entry.key_optional else "")
        assert re.findall(r"`([^`]+)`", rules) == list(entry.rules)


# -- errors and events ------------------------------------------------------------------------------------------


def test_the_table_of_kinds_is_the_verdicts() -> None:
    rows = table(section(PAGES / "errors.md", "Kinds and verdicts"), "kind")
    assert [code_of(row[0]) for row in rows] == list(ErrorKind)
    for kind, _, *said in rows:
        assert tuple(each == "yes" for each in said) == VERDICTS[ErrorKind(code_of(kind))], kind
        assert set(said) <= {"yes", "no"}


def test_the_table_of_an_attempt_is_the_records() -> None:
    rows = table(section(PAGES / "errors.md", "The record of an attempt"), "field")
    assert [code_of(row[0]) for row in rows] == list(AttemptRecord.__dataclass_fields__)


def test_the_table_of_events_is_the_streams() -> None:
    rows = table(section(PAGES / "streams.md", "The events"), "event")
    for event, fields, _ in rows:
        kind = getattr(events, code_of(event))
        assert re.findall(r"`(\w+)`", fields) == list(kind.__dataclass_fields__), event
    assert {code_of(row[0]) for row in rows} == {kind.__name__ for kind in events.StreamEvent.__args__}


def test_the_tree_of_errors_is_the_modules() -> None:
    from lamellar import errors

    drawn = next(block.code for block in blocks_of(PAGES / "errors.md") if block.code.startswith("LamellarError"))
    told = {name for name in re.findall(r"\b\w+Error\b", drawn) if getattr(errors, name).__doc__}
    assert told == {name for name in errors.__all__ if name.endswith("Error")}


# -- extras, links, names ---------------------------------------------------------------------------------------


def test_the_table_of_extras_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    rows = table(section(PAGES / "install.md", "Extras"), "extra")
    assert sorted(code_of(row[0]) for row in rows) == sorted(project["optional-dependencies"])


def _nav(entries: object) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    found = entries.values() if isinstance(entries, dict) else entries
    return [page for each in found for page in _nav(each)]


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.safe_load((DOCS / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = _nav(config["nav"])
    assert sorted(listed) == sorted(map(named, ALL))


@pytest.mark.parametrize("page", ALL, ids=named)
def test_internal_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not target.startswith(("https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_architecture_names_only_what_exists() -> None:
    page = PAGES / "architecture.md"
    text = page.read_text(encoding="utf-8").partition("\n## What comes later\n")[0]
    for name in re.findall(r"`(lamellar(?:_middleware)?(?:\.\w+)+)`", text):
        if name in ("lamellar.layers", "lamellar.executors"):
            continue  # groups of entry points
        try:
            import_module(name)
        except ModuleNotFoundError:
            home, _, last = name.rpartition(".")
            assert hasattr(import_module(home), last), name
    sources = [path for root in ("src", "middleware") for path in (ROOT / root).rglob("*.py")]
    files = {path.name for path in sources}
    house = next(block.code for block in blocks_of(page) if block.code.startswith("src/lamellar/"))
    for name in re.findall(r"\b(\w+\.py)\b", house):
        assert name in files, name
    for folder in re.findall(r"^ +(\w+)/", house, re.MULTILINE):
        assert any((ROOT / root / folder).is_dir() for root in ("src/lamellar", "tests", "docs")), folder


MACHINE = re.compile(r"(?<![\w.:/~}])/(?:home|root|work|workspace|tmp|Users|mnt|build|opt|srv)/", re.IGNORECASE)


def test_no_path_of_a_machine_is_told() -> None:
    written = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*")]
    for path in written:
        if path.is_file() and "site" not in path.relative_to(ROOT).parts and path.suffix in (".md", ".yml", ".py"):
            found = MACHINE.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]}"
