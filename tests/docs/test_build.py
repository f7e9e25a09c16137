"""The site builds without a warning, fetches nothing from elsewhere, and its reference has every public name."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import DOCS

import lamellar
import lamellar.errors
import lamellar.middleware
import lamellar.testing

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")

_REMOTE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(DOCS / "mkdocs.yml"), "-d", str(built)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = [url for url in _REMOTE.findall(text) if 'rel="canonical"' not in text.partition(url)[0][-80:]]
        assert not fetched, f"{page.relative_to(site)}: {fetched}"
        assert "fonts.googleapis" not in text


@pytest.mark.parametrize("module", [lamellar, lamellar.middleware, lamellar.errors, lamellar.testing])
def test_the_reference_has_every_public_name(site: Path, module: object) -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    missing = []
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isroutine(found) or inspect.isclass(found):
            told = f'id="{found.__module__}.{found.__qualname__}"' in reference
        else:
            told = f'.{name}"' in reference or name.startswith("__")
        if not told:
            missing.append(name)
    assert not missing
