"""What is shipped: one distribution with two packages."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from lamellar import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STEM = f"lamellar-{__version__}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, built from the tree without a network."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, str]:
    """The wheel's files; the text of its metadata."""
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name).decode() if ".dist-info/" in name else "" for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(built: Path) -> set[str]:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        return {name.removeprefix(f"{STEM}/") for name in archive.getnames()}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, str]) -> Message:
    return message_from_string(wheel[f"{STEM}.dist-info/METADATA"])


def test_the_wheel_holds_both_packages_whole(wheel: dict[str, str]) -> None:
    for package, folder in (
        ("lamellar", ROOT / "src/lamellar"),
        ("lamellar_middleware", ROOT / "middleware/lamellar_middleware"),
    ):
        ours = {
            f"{package}/{file.relative_to(folder).as_posix()}"
            for file in folder.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        assert ours <= set(wheel)
        assert f"{package}/py.typed" in wheel


def test_the_wheel_holds_nothing_else(wheel: dict[str, str]) -> None:
    assert {name.partition("/")[0] for name in wheel} == {"lamellar", "lamellar_middleware", f"{STEM}.dist-info"}
    assert not [name for name in wheel if "test_" in name.rpartition("/")[2] or name.endswith(".pyc")]


def test_the_licence_comes_along(wheel: dict[str, str], sdist: set[str], metadata: Message) -> None:
    assert wheel[f"{STEM}.dist-info/licenses/LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "LICENSE" in sdist
    assert metadata["License-Expression"] == "MIT"


def test_the_metadata_says_what_a_package_index_shows(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("lamellar", __version__, ">=3.11")
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "from lamellar import" in metadata.get_payload()
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])


def test_the_entry_points_come_along(wheel: dict[str, str]) -> None:
    said = wheel[f"{STEM}.dist-info/entry_points.txt"]
    groups = {**PROJECT["entry-points"], "console_scripts": PROJECT["scripts"]}
    for group, points in groups.items():
        assert f"[{group}]" in said
        for name, value in points.items():
            assert f"{name} = {value}" in said


def test_the_source_distribution_can_be_worked_on(sdist: set[str]) -> None:
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO", "tests/test_distribution.py"} <= sdist
    assert {name.partition("/")[0] for name in sdist} >= {"src", "middleware", "tests", "docs"}
    assert not [name for name in sdist if "__pycache__" in name or name.endswith(".pyc")]


def test_the_changelog_tells_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.startswith("# Changelog")
    assert f"## [{__version__}]" in changelog
