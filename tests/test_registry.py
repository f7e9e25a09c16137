"""Which kinds there are: ours and third parties' alike."""

from __future__ import annotations

import logging
import sys
import tomllib
from pathlib import Path
from typing import ClassVar

import pytest

from lamellar import __version__, registry
from lamellar.errors import ConfigError
from lamellar.middleware import Retry
from lamellar.plugins import Plugin, plugins
from lamellar.providers import OpenAI
from lamellar.registry import available, kinds, lookup, parse
from lamellar.spec import ExecutorSpec, LayerSpec, Spec
from lamellar.stack import Stack

GROUPS = {LayerSpec: "lamellar.layers", ExecutorSpec: "lamellar.executors"}
DECLARED = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["entry-points"]


class Shout(LayerSpec):
    """A third party's layer."""

    kind: ClassVar[str] = "shout"
    loud: bool = True

    def wrap(self, inner, context):
        return inner


class Lazy(LayerSpec):
    """A layer whose verb was forgotten."""

    kind: ClassVar[str] = "lazy"


class Vague(LayerSpec):
    """A layer with an option of a type that is nowhere."""

    kind: ClassVar[str] = "vague"
    what: NoSuchType  # type: ignore[name-defined]  # noqa: F821

    def wrap(self, inner, context):
        return inner


@pytest.fixture(autouse=True)
def _read_anew():
    yield
    registry._everything.cache_clear()
    registry._warn_once.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a distribution that registers one entry point, as far as its metadata goes."""

    def installed(distribution: str, kind: str, value: str, group: str = "lamellar.layers") -> None:
        folder = tmp_path / distribution / f"{distribution}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{group}]\n{kind} = {value}\n")
        monkeypatch.syspath_prepend(str(folder.parent))
        registry._everything.cache_clear()

    return installed


def problem(kind: str, base: type[Spec] = LayerSpec) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(kind, base)
    return str(caught.value)


@pytest.mark.parametrize("base", GROUPS)
def test_every_kind_that_is_declared_is_installed_and_says_its_own_name(base) -> None:
    assert set(DECLARED[GROUPS[base]]) == set(kinds(base))
    for kind in kinds(base):
        assert lookup(kind, base).kind == kind


def test_a_kind_is_a_layer_or_an_executor_never_both() -> None:
    assert not set(kinds(LayerSpec)) & set(kinds(ExecutorSpec))  # type: ignore[type-abstract]


def test_a_third_partys_layer_is_like_ours(install) -> None:
    install("acme", "shout", f"{__name__}:Shout")
    stack = Stack.loads("layers: [shout: {loud: false}]\nexecutor: openai")
    assert stack.layers[0].model_dump() == {"loud": False}
    assert Stack.loads(stack.dump()) == stack


@pytest.mark.parametrize(
    ("kind", "value", "said", "mend"),
    [
        ("mine", "no.such.module:X", "cannot be loaded: ModuleNotFoundError", "install what it needs"),
        ("mine", "json:NoSuch", "cannot be loaded: AttributeError", "pip uninstall acme"),
        ("mine", f"{__name__}:leaves", "cannot be loaded: AttributeError", "pip uninstall acme"),
        ("mine", "json:dumps", "is not a LayerSpec", "derive it from lamellar.LayerSpec"),
        ("mine", "lamellar.providers:OpenAI", "is not a LayerSpec", "derive it from lamellar.LayerSpec"),
        ("lazy", f"{__name__}:Lazy", "does not define `wrap`", "define that, or"),
        ("vague", f"{__name__}:Vague", "has options that pydantic does not understand", "mend their annotations"),
        ("mine", f"{__name__}:Shout", "calls itself 'shout'", "give the entry point and `kind` one name"),
        ("my-layer", f"{__name__}:Shout", "cannot be used: 'my-layer' is no identifier", "rename it"),
        ("use", f"{__name__}:Shout", "cannot be used: 'use' means something else in a file", "rename it"),
        ("openai", f"{__name__}:Shout", "is not used: Lamellar has a kind of that name", "rename it"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_with_the_mend_and_harms_no_other(
    install, caplog, kind: str, value: str, said: str, mend: str
) -> None:
    install("acme", kind, value)
    told = problem(kind)
    assert told.startswith(f"the plugin '{kind}' ({value}, of acme 1.0) {said}")
    assert mend in told
    assert "pip uninstall acme" in told
    with caplog.at_level(logging.WARNING, "lamellar.registry"):
        for _ in range(2):
            usable = available(LayerSpec)
            assert usable["retry"] is Retry
            assert kind not in usable
    assert [record.getMessage() for record in caplog.records] == [told]
    assert [each.problem for each in plugins() if each.problem is not None] == [told]


def test_a_plugin_that_leaves_while_it_is_imported_does_not_take_us_along(install, tmp_path: Path) -> None:
    (tmp_path / "leaving_plugin.py").write_text("raise SystemExit('no licence')")
    install("acme", "leaving", "leaving_plugin:X")
    sys.path.insert(0, str(tmp_path))
    try:
        assert "cannot be loaded: SystemExit: no licence" in problem("leaving")
    finally:
        sys.path.remove(str(tmp_path))


def test_nor_does_one_that_panics(install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "panicking_plugin.py").write_text("class Panic(BaseException): ...\nraise Panic('cannot go on')")
    install("acme", "panicking", "panicking_plugin:X")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "cannot be loaded: Panic: cannot go on" in problem("panicking")


def test_what_we_bring_cannot_be_replaced_and_a_warning_says_so_once(install, caplog) -> None:
    install("acme", "retry", f"{__name__}:Shout")
    with caplog.at_level(logging.WARNING, "lamellar.registry"):
        assert lookup("retry", LayerSpec) is lookup("retry", LayerSpec) is Retry  # type: ignore[type-abstract]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("the plugin 'retry' (")
    assert "of acme 1.0) is not used: Lamellar has a kind of that name; rename it" in told


def test_of_two_plugins_of_one_kind_neither_is_used_and_both_are_named(install) -> None:
    install("zeta", "shout", "json:dumps")
    install("acme", "shout", f"{__name__}:Shout")
    assert problem("shout") == (
        f"the plugin 'shout' is registered twice, by {__name__}:Shout, of acme 1.0 and by json:dumps, of zeta 1.0; "
        "pip uninstall acme or pip uninstall zeta"
    )


def test_the_same_plugin_found_twice_is_no_reason_to_warn(install, caplog) -> None:
    install("acme", "shout", f"{__name__}:Shout")
    install("acme-too", "shout", f"{__name__}:Shout")
    assert lookup("shout", LayerSpec) is Shout  # type: ignore[type-abstract]
    assert not caplog.records


def test_the_listing_names_each_kind_with_its_distribution(install) -> None:
    install("acme", "shout", f"{__name__}:Shout")
    listed = {each.kind: each for each in plugins()}
    assert listed["shout"] == Plugin("shout", LayerSpec, "acme 1.0", Shout)
    assert listed["retry"] == Plugin("retry", LayerSpec, f"lamellar {__version__}", Retry)
    assert set(listed) == {*kinds(LayerSpec), *kinds(ExecutorSpec)}  # type: ignore[type-abstract]


def test_what_is_parsed_already_is_itself() -> None:
    spec = OpenAI()
    assert parse(spec, ExecutorSpec) is spec  # type: ignore[type-abstract]
