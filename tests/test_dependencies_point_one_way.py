"""Core knows nothing of the layers, layers nothing of the providers, and nothing goes in circles."""

from __future__ import annotations

import sys

import pytest

from .house import imports, modules, ours

CORE = [name for name in modules() if name.startswith("lamellar.") or name == "lamellar"]
LAYERS = [name for name in modules() if name.startswith("lamellar_middleware")]
OUTER = ("lamellar.providers", "lamellar.cli", "lamellar.testing", "lamellar.middleware", "lamellar.integrations")
"""What stands outside of the core: the core must do without it."""
SHELLS = ("lamellar.middleware", "lamellar.cli", "lamellar.__main__")


def under(name: str, folders: tuple[str, ...]) -> bool:
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


@pytest.mark.parametrize("module", [name for name in CORE if not under(name, SHELLS)])
def test_only_the_face_knows_the_layers(module: str) -> None:
    known = imports(module, inside_functions=True)
    assert {name for name in known if under(name, ("lamellar_middleware", "lamellar.middleware"))} == set()


@pytest.mark.parametrize("module", [name for name in CORE if not under(name, (*OUTER, "lamellar.__main__"))])
def test_the_core_does_without_what_stands_outside_of_it(module: str) -> None:
    assert {name for name in imports(module, inside_functions=True) if under(name, OUTER)} == set()


@pytest.mark.parametrize("module", LAYERS)
def test_layers_stand_on_the_core_alone(module: str) -> None:
    assert {name for name in imports(module, inside_functions=True) if under(name, OUTER)} == set()


@pytest.mark.parametrize("module", LAYERS)
def test_layers_import_no_private_module(module: str) -> None:
    known = imports(module, inside_functions=True)
    assert {name for name in known if ours(name) and any(part.startswith("_") for part in name.split("."))} == set()


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
}


@pytest.mark.parametrize("module", modules())
def test_optional_packages_are_imported_where_they_are_used(module: str) -> None:
    known = imports(module, inside_functions=False)
    for package, homes in OPTIONAL.items():
        assert under(module, homes) or not any(under(name, (package,)) for name in known)


DECLARED = {"pydantic", "pydantic_core", "httpx", "tenacity", "aiolimiter", "cachetools", "opentelemetry"}
WITH = {
    **{package.partition(".")[0]: "an extra of ours" for package in OPTIONAL},
    "genai_prices": "the extra `prices`",
    "yarl": "aiohttp",
    "certifi": "httpx",
    "socksio": "httpx[socks]",
}
"""What comes with something else."""


@pytest.mark.parametrize("module", modules())
def test_nothing_is_imported_that_is_not_declared(module: str) -> None:
    known = {name.partition(".")[0] for name in imports(module, inside_functions=True) if not ours(name)}
    assert known - set(sys.stdlib_module_names) - DECLARED - set(WITH) == set()
