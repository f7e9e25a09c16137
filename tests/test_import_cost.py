"""Importing the package costs little more than importing pydantic: what is not needed is not loaded."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

HEAVY = (
    "asyncio",
    "httpx",
    "httpx2",
    "aiohttp",
    "tenacity",
    "aiolimiter",
    "cachetools",
    "opentelemetry",
    "typer",
    "rich",
    "yaml",
    "tomllib",
    "ssl",
    "logging",
    "email",
    "importlib.metadata",
    "concurrent.futures",
    "lamellar_middleware",
)


@cache
def loaded(code: str) -> frozenset[str]:
    """What is loaded after `code` in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return frozenset(done.stdout.split())


@pytest.fixture(scope="module")
def pydantic() -> frozenset[str]:
    return loaded(
        "from pydantic import BaseModel, ConfigDict, Field, ValidationError, BeforeValidator, model_validator"
    )


@pytest.mark.parametrize(
    "code",
    ["import lamellar", "from lamellar import ChatRequest, Stack", "import lamellar.middleware, lamellar.providers"],
)
@pytest.mark.parametrize("package", HEAVY)
@pytest.mark.failure(32)
def test_what_is_not_needed_is_not_loaded(code: str, package: str, pydantic: frozenset[str]) -> None:
    extra = loaded(code) - pydantic
    assert {name for name in extra if name == package or name.startswith(f"{package}.")} == set()


@pytest.mark.failure(32)
def test_the_bare_package_loads_next_to_nothing() -> None:
    assert {name for name in loaded("import lamellar") if name.startswith("lamellar")} == {
        "lamellar",
        "lamellar._version",
    }


@pytest.mark.failure(32)
def test_declaring_a_stack_loads_no_engine_and_no_telemetry(pydantic: frozenset[str]) -> None:
    code = (
        "from lamellar import Stack\nfrom lamellar.middleware import Fallback, Retry, Target, Timeout\n"
        "from lamellar.providers import OpenAI\n"
        "Stack(Timeout(total=60), Fallback(Target(Retry(), OpenAI(), model='m'))).describe()"
    )
    extra = {name.partition(".")[0] for name in loaded(code) - pydantic}
    assert extra & {"httpx", "aiohttp", "tenacity", "aiolimiter", "typer", "rich", "yaml"} == set()
