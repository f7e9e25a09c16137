"""`lamellar plugins`: what a stack file may name."""

import os

from tests.cli.command import lamellar, lamellar_each

from lamellar import __version__

SHOUT = '''
from lamellar import LayerSpec


class Shout(LayerSpec):
    """Answer in capital letters.

    No more.
    """

    def wrap(self, inner, context):
        return inner
'''


def installed(folder, value):
    """The environment with a distribution in it that registers the layer `shout`."""
    metadata = folder / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[lamellar.layers]\nshout = {value}\n")
    (folder / "acme_shout.py").write_text(SHOUT)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def rows(text):
    return {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}


def test_every_kind_stands_below_its_heading_with_its_distribution_and_what_it_does():
    (result,) = lamellar_each(["plugins"])
    assert (result.code, result.err) == (0, "")
    layers, executors = result.out.removeprefix("Layers\n").split("\nExecutors\n")
    assert f"lamellar {__version__}  Ask the same target again" in rows(layers)["retry"]
    assert f"lamellar {__version__}  Targets in order" in rows(executors)["fallback"]
    assert max(map(len, result.out.splitlines())) <= 100


def test_one_of_another_distribution_is_listed_among_ours(tmp_path):
    result = lamellar("plugins", env=installed(tmp_path, "acme_shout:Shout"))
    assert result.code == 0
    assert rows(result.out)["shout"].split(maxsplit=3) == ["shout", "acme", "1.0", "Answer in capital letters"]


def test_a_broken_one_is_told_with_the_mend_and_the_others_are_listed(tmp_path):
    result = lamellar("plugins", env=installed(tmp_path, "acme_shout:Wispher"))
    assert (result.code, result.err) == (1, "")
    assert "retry" in rows(result.out)
    told = result.out.partition("Not usable\n")[2]
    assert told.startswith("  the plugin 'shout' (acme_shout:Wispher, of acme 1.0) cannot be loaded: AttributeError")
    assert told.endswith("pip uninstall acme\n")
