"""Core knows nothing of the layers, layers nothing of the providers, and nothing goes in circles."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import pytest

from .house import imports, modules, ours

CORE = [name for name in modules() if name.startswith("lamellar.") or name == "lamellar"]
LAYERS = [name for name in modules() if name.startswith("lamellar_middleware")]
OUTER = ("lamellar.providers", "lamellar.cli", "lamellar.testing", "lamellar.middleware", "lamellar.integrations")
"""What stands outside of the core: the core must do without it."""
SHELLS = ("lamellar.middleware", "lamellar.cli", "lamellar.__main__")


def under(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


def offenders(among: Iterable[str], wrong: Callable[[str], bool], *, inside_functions: bool = True) -> list[str]:
    """What the modules import that they must not, as "module imports name"."""
    modules = list(among)
    assert modules, "nothing is checked"
    return [
        f"{module} imports {name}"
        for module in modules
        for name in sorted(imports(module, inside_functions=inside_functions))
        if wrong(name)
    ]


def test_only_the_face_knows_the_layers() -> None:
    others = [name for name in CORE if not under(name, SHELLS)]
    assert offenders(others, lambda name: under(name, ("lamellar_middleware", "lamellar.middleware"))) == []


def test_the_core_does_without_what_stands_outside_of_it() -> None:
    core = [name for name in CORE if not under(name, (*OUTER, "lamellar.__main__"))]
    assert offenders(core, lambda name: under(name, OUTER)) == []


def test_layers_stand_on_the_core_alone() -> None:
    assert offenders(LAYERS, lambda name: under(name, OUTER)) == []


def test_layers_import_no_private_module() -> None:
    assert offenders(LAYERS, lambda name: ours(name) and any(part.startswith("_") for part in name.split("."))) == []


def test_no_module_needs_itself_to_be_imported() -> None:
    needs = {name: {each for each in imports(name, inside_functions=False) if each in modules()} for name in modules()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for each in needs[name] - {name}:
                visit(each, (*path, name))
            done.add(name)

    for name in needs:
        visit(name, ())


OPTIONAL = {
    "aiohttp": ("lamellar.providers.engines", "lamellar.testing"),
    "httpx2": ("lamellar.providers.engines",),
    "typer": ("lamellar.cli",),
    "rich": ("lamellar.cli",),
    "yaml": (),
    "tomli_w": (),
    "opentelemetry.sdk": (),
    "google.auth": (),
    "botocore": (),
}


@pytest.mark.parametrize("package", OPTIONAL)
def test_optional_packages_are_imported_where_they_are_used(package: str) -> None:
    others = [module for module in modules() if not under(module, OPTIONAL[package])]
    assert offenders(others, lambda name: under(name, (package,)), inside_functions=False) == []


DECLARED = {"pydantic", "pydantic_core", "httpx", "tenacity", "aiolimiter", "cachetools", "opentelemetry"}
WITH = {
    **{package.partition(".")[0]: "an extra of ours" for package in OPTIONAL},
    "genai_prices": "the extra `prices`",
    "yarl": "aiohttp",
    "certifi": "httpx",
    "socksio": "httpx[socks]",
}
"""What comes with something else."""


def test_nothing_is_imported_that_is_not_declared() -> None:
    known = set(sys.stdlib_module_names) | DECLARED | set(WITH)
    assert offenders(modules(), lambda name: not ours(name) and name.partition(".")[0] not in known) == []
